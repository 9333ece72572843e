"""Flips, shifts and noise: what they do to an image, that they are Keras's, and that only the generator decides."""

from __future__ import annotations

from typing import Any

import keras_side
import numpy as np
import pytest
from scipy import stats
from scratchnet.kernels.philox import random_words

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import ConfigError, ShapeError
from scratchnet.layers.serialization import deserialize, serialize

PAD = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}  # NumPy's words


def built(layer: L.Layer, *shape: int) -> Any:
    layer.build(shape, np.random.default_rng(0))
    return layer


def images(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n, *shape)).astype(np.float32)


def shifted(image: np.ndarray, down: int, right: int, fill_mode: str, value: float = 0.0) -> np.ndarray:
    """An image shifted by cutting it out of one with a wide border."""
    h, w, _ = image.shape
    constant = {"constant_values": value} if fill_mode == "constant" else {}
    wide = np.pad(image, ((h, h), (w, w), (0, 0)), PAD[fill_mode], **constant)  # type: ignore[call-overload]
    return wide[h - down : 2 * h - down, w - right : 2 * w - right]


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_an_image_is_flipped_or_not(mode: str, backend: str) -> None:
    x = images(400, 3, 4, 2)
    y = built(L.RandomFlip(mode, seed=2), 3, 4, 2).forward(x, training=True)
    words = random_words(1600, 2, 0).reshape(400, 4)
    rows, columns = words[:, 0] < 2**31, words[:, 1] < 2**31
    for before, after, flip_rows, flip_columns in zip(x, y, rows, columns, strict=True):
        wanted = before[::-1] if flip_rows and "vertical" in mode else before
        wanted = wanted[:, ::-1] if flip_columns and "horizontal" in mode else wanted
        np.testing.assert_array_equal(after, wanted)
    assert 150 < rows.sum() < 250
    assert 60 < (rows & columns).sum() < 140  # independent of each other


@pytest.mark.parametrize("fill_mode", PAD)
def test_an_image_is_shifted(fill_mode: str, backend: str) -> None:
    x = images(300, 5, 4, 2)
    layer = built(L.RandomTranslation(0.4, (-1.0, 0.5), fill_mode, seed=3, fill_value=0.5), 5, 4, 2)
    y = layer.forward(x, training=True)
    moves = layer.moves[:, 2:].tolist()
    assert {down for down, _ in moves} == {-2, -1, 0, 1, 2}
    assert {right for _, right in moves} == {-4, -3, -2, -1, 0, 1, 2}
    for before, after, (down, right) in zip(x, y, moves, strict=True):
        np.testing.assert_array_equal(after, shifted(before, down, right, fill_mode, 0.5))


def test_all_shifts_are_equally_likely() -> None:
    layer = built(L.RandomTranslation(0.1, 0.1, seed=4), 28, 28, 1)  # 2.8 pixels, so up to 3
    layer.forward(images(7000, 28, 28, 1), training=True)
    counts = [np.bincount(layer.moves[:, axis] + 3, minlength=7) for axis in (2, 3)]
    assert all(abs(count - 1000).max() < 150 for count in counts)
    assert abs(np.corrcoef(layer.moves[:, 2], layer.moves[:, 3])[0, 1]) < 0.06


@pytest.mark.parametrize("fill_mode", PAD)
def test_a_shift_of_whole_pixels_is_kerass(fill_mode: str, backend: str) -> None:
    x = images(3, 6, 4, 2)
    arguments = {"height_factor": (-0.5, -0.5), "width_factor": (0.25, 0.25), "fill_mode": fill_mode}
    theirs = keras_side.layer("RandomTranslation", **arguments, fill_value=0.5)
    ours = built(L.RandomTranslation(**arguments, fill_value=0.5), 6, 4, 2)
    np.testing.assert_allclose(ours.forward(x, training=True), theirs(x, training=True), rtol=1e-5, atol=1e-6)


def test_noise_is_normal(backend: str) -> None:
    x = images(40, 25, 10)
    y = built(L.GaussianNoise(0.5, seed=3), 25, 10).forward(x, training=True)
    noise = (y - x) / 0.5
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    for lag in (1, 2, 3, 4):
        assert abs(np.corrcoef(noise.ravel()[lag:], noise.ravel()[:-lag])[0, 1]) < 0.05


def test_noise_has_tails() -> None:
    x = np.zeros((1, 10**6))
    y = built(L.GaussianNoise(1.0, seed=3, dtype="float64"), 10**6).forward(x, training=True)
    shares = [(abs(y) > limit).mean() / (2 * stats.norm.sf(limit)) for limit in (1, 2, 3, 4)]
    assert (abs(np.array(shares) - 1) < [0.01, 0.03, 0.1, 0.6]).all(), shares


LAYERS = {
    "flip": lambda **k: L.RandomFlip(**k),
    "shift": lambda **k: L.RandomTranslation(0.5, 0.5, **k),
    "noise": lambda **k: L.GaussianNoise(0.5, **k),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_what_is_drawn_depends_on_key_step_and_place_alone(make: Any, backend: str) -> None:
    layer, x = built(make(seed=9), 8, 9, 1), images(20, 8, 9, 1)
    first, second = (layer.forward(x, training=True).copy() for _ in range(2))
    assert layer.step == 2
    assert (first != second).any()
    layer.step = 0
    np.testing.assert_array_equal(layer.forward(x[:7], training=True), first[:7])  # a shorter batch: the same prefix
    other = built(make(seed=10), 8, 9, 1)
    assert (other.forward(x, training=True) != first).any()


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_backends_draw_alike(make: Any) -> None:
    x, results = images(20, 8, 9, 1), []
    for backend in ("numpy", "numba"):
        with sn.use_backend(backend):
            results.append(built(make(seed=9), 8, 9, 1).forward(x, training=True))
    np.testing.assert_allclose(*results, rtol=0, atol=0 if "noise" not in repr(make(seed=9)).lower() else 1e-6)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_inference_changes_nothing_and_counts_no_step(make: Any, backend: str) -> None:
    layer, x = built(make(), 8, 9, 1), images(3, 8, 9, 1)
    layer.forward(x, training=True)
    assert (layer.forward(x) == x).all()
    assert (layer.backward(x) == x).all()
    assert layer.step == 1
    again = deserialize(serialize(layer))
    assert (again.seed, again.config()) == (layer.seed, layer.config())
    assert layer.get_config()["seed"] is None


def test_no_noise_is_no_noise(backend: str) -> None:
    x = images(3, 4)
    assert (built(L.GaussianNoise(0.0), 4).forward(x, training=True) == x).all()


def test_a_resumed_training_has_the_same_bits(tmp_path: Any, backend: str) -> None:
    def model() -> sn.Sequential:
        sn.utils.set_random_seed(1)
        made = sn.Sequential([
            L.Input((6, 5, 1)), L.RandomFlip(), L.RandomTranslation(0.4, 0.4), L.GaussianNoise(0.1), L.Flatten(),
            L.Dense(3),
        ])  # fmt: skip
        made.compile("adam", "mse")
        return made

    def fit(made: sn.Sequential, **epochs: int) -> sn.Sequential:
        made.fit(images(50, 6, 5, 1), images(50, 3), batch_size=16, shuffle=False, verbose=0, **epochs)
        return made

    fit(model(), epochs=2).save(tmp_path / "m.safetensors")
    resumed = fit(sn.load_model(tmp_path / "m.safetensors"), epochs=4, initial_epoch=2)
    for one, other in zip(resumed.get_weights(), fit(model(), epochs=4).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.RandomFlip("diagonal"),
         "RandomFlip: mode: expected one of 'horizontal_and_vertical', 'horizontal', "),
        (lambda: L.RandomFlip(data_format="channels_first"), "RandomFlip: data_format: expected 'channels_last'"),
        (lambda: L.RandomFlip(seed=1.5), "RandomFlip: seed: expected an integer in [0, 2^64), got 1.5"),
        (lambda: L.RandomTranslation(1.5, 0),
         "RandomTranslation: height_factor: expected a number in [-1, 1], or two"),
        (lambda: L.RandomTranslation(0, (0, 1, 2)),
         "width_factor: expected a number in [-1, 1], or two of them, got (0,"),
        (lambda: L.RandomTranslation(0, "0.1"),
         "width_factor: expected a number in [-1, 1], or two of them, got '0.1'"),
        (lambda: L.RandomTranslation(0, 0, "mirror"),
         "fill_mode: expected one of 'reflect', 'constant', 'nearest', 'wrap'"),
        (lambda: L.RandomTranslation(0, 0, interpolation="cubic"),
         "interpolation: expected one of 'bilinear', 'nearest'"),
        (lambda: L.RandomTranslation(0, 0, fill_value=None),
         "fill_value: expected a number in (-inf, inf), got None"),
        (lambda: L.GaussianNoise(1.5), "GaussianNoise: stddev: expected a number in [0, 1], got 1.5"),
    ],
)  # fmt: skip
def test_bad_arguments(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert message in str(error.value)


def test_only_images_are_moved() -> None:
    for layer in (L.RandomFlip(), L.RandomTranslation(0.1, 0.1)):
        with pytest.raises(ShapeError, match=r"expected images of shape \(n, h, w, c\), got \(n, 28, 28\)"):
            layer.build((28, 28))

"""What each small layer does at the edges: extreme numbers, ties, NaN, borders, constants, and bad arguments."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import pytest
from cases import LAYERS, LayerCase
from scratchnet.kernels.philox import philox, random_words
from scratchnet.kernels.window import output_extent, pad_amounts

import scratchnet as sn
from scratchnet import layers
from scratchnet.errors import ConfigError, ShapeError
from scratchnet.layers import activations
from scratchnet.layers.serialization import deserialize, serialize

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def built(layer: Any, *shape: int) -> Any:
    layer.build(shape, np.random.default_rng(0))
    return layer


# Every layer ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
@DTYPES
def test_dtype_shape_and_batches_of_any_size(case: LayerCase, backend: str, dtype: str) -> None:
    layer = built(case.make(dtype=dtype), *case.shape[1:])
    for n in (case.shape[0], 1, 5, 0):
        x = np.random.default_rng(n).standard_normal((n, *case.shape[1:])).astype(dtype)
        y = layer.forward(x, training=case.training and n > 0)
        assert (y.dtype, y.shape) == (dtype, (n, *layer.output_shape))
        dx = layer.backward(np.ones_like(y))
        assert (dx.dtype, dx.shape) == (dtype, x.shape)
        for key, value in layer.params.items():
            assert (value.dtype, value.shape) == (dtype, layer.grads[key].shape)


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_config_makes_the_same_layer(case: LayerCase) -> None:
    layer = case.make(dtype="float64")
    description = json.loads(json.dumps(serialize(layer)))
    copy = deserialize(description)
    assert type(copy) is type(layer)
    assert json.loads(json.dumps(serialize(copy))) == description
    if case.shape[1:] != ():
        assert built(copy, *case.shape[1:]).output_shape == built(layer, *case.shape[1:]).output_shape


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_backends_agree(case: LayerCase) -> None:
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    layer = built(case.make(dtype="float64"), *case.shape[1:])
    x = rng.standard_normal(case.shape)
    dy = rng.standard_normal((case.shape[0], *layer.output_shape))
    results = []
    for name in ("numpy", "numba"):
        for inner in layer.walk():
            inner.step = 0
        with sn.use_backend(name):
            y = layer.forward(x, training=case.training).copy()
            results.append([y, layer.backward(dy).copy(), *(inner.copy() for inner in layer.grads.values())])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_wrong_input_and_gradient_shapes_are_refused() -> None:
    layer = built(layers.MaxPooling2D(2, name="pool"), 4, 4, 1)
    with pytest.raises(ShapeError, match=r"layer 'pool': expected input of shape \(n, 4, 4, 1\), got \(2, 5, 4, 1\)"):
        layer.forward(np.zeros((2, 5, 4, 1)))
    layer.forward(np.zeros((2, 4, 4, 1)))
    with pytest.raises(ShapeError, match=r"layer 'pool': expected dy of shape \(2, 2, 2, 1\), got \(2, 4\)"):
        layer.backward(np.zeros((2, 4)))
    with pytest.raises(ShapeError, match="is not built"):
        layers.ReLU().forward(np.zeros((2, 5)))


# Activations ----------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "softmax"])
@np.errstate(all="raise", under="ignore")
def test_extreme_inputs(name: str, dtype: str, backend: str) -> None:
    layer = built(layers.Activation(name, dtype=dtype), 4)
    x = np.array([[-1e4, -50.0, 50.0, 1e4]], dtype)
    y, dx = layer.forward(x)[0], layer.backward(np.ones((1, 4)))[0]
    limits = {
        "relu": ([0, 0, 50, 1e4], [0, 0, 1, 1]),
        "leaky_relu": ([-2e3, -10, 50, 1e4], [0.2, 0.2, 1, 1]),
        "sigmoid": ([0, np.exp(-50), 1, 1], [0, np.exp(-50), 0, 0]),
        "tanh": ([-1, -1, 1, 1], [0, 0, 0, 0]),
        "gelu": ([0, 0, 50, 1e4], [0, 0, 1, 1]),
        "softmax": ([0, 0, 0, 1], [0, 0, 0, 0]),
    }[name]
    for got, wanted in zip((y, dx), limits, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-20)


def test_gelu_is_accurate_in_the_tail(backend: str) -> None:
    # x Phi(x) from the asymptotic series of erfc; (1 + erf)/2 would be 0 here.
    y = built(layers.GELU(dtype="float64"), 1).forward(np.array([[-9.0]]))
    assert y[0, 0] == pytest.approx(-9 * 1.1285884059538408e-19, rel=1e-12)


@np.errstate(invalid="ignore")
def test_nan_and_infinity_go_through(backend: str) -> None:
    bad = np.array([[np.nan, np.inf, -np.inf, 1.0]])
    y = built(layers.ReLU(), 4).forward(bad)[0]
    assert np.isnan(y[0])
    assert y[1:].tolist() == [np.inf, 0, 1]
    for name in ("sigmoid", "tanh", "gelu", "leaky_relu"):
        assert np.isnan(built(layers.Activation(name), 4).forward(bad)[0, 0])
    assert np.isnan(built(layers.Softmax(), 4).forward(bad)).all()


def test_relu_follows_keras(backend: str) -> None:
    x = np.array([[-2.0, -0.5, 0.0, 0.4, 0.5, 0.7, 1.5, 3.0]])
    layer = built(layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.5, dtype="float64"), 8)
    np.testing.assert_allclose(layer.forward(x)[0], [-0.25, -0.1, -0.05, -0.01, 0, 0.7, 1, 1], atol=1e-15)
    np.testing.assert_allclose(layer.backward(np.ones((1, 8)))[0], [0.1, 0.1, 0.1, 0.1, 0.1, 1, 0, 0])


def test_softmax_rows_sum_to_one_and_shifts_do_not_matter(backend: str) -> None:
    x = np.random.default_rng(0).standard_normal((5, 3, 7))
    layer = built(layers.Softmax(dtype="float64"), 3, 7)
    y = layer.forward(x)
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-14)
    np.testing.assert_allclose(layer.forward(x + 1e4), y, rtol=1e-10)


def test_get() -> None:
    assert activations.get(None) is None
    assert activations.get("linear") is None
    assert isinstance(activations.get("softmax", dtype="float64"), layers.Softmax)
    layer = layers.LeakyReLU(0.1)
    assert activations.get(layer) is layer
    assert activations.get(serialize(layer)).negative_slope == 0.1
    assert layers.Dense(3, activation=layers.LeakyReLU(0.1)).activation.negative_slope == 0.1


NAMED = [None, "relu", "softmax", "tanh", "leaky_relu"]


@pytest.mark.parametrize("before", NAMED)
@pytest.mark.parametrize("then", NAMED)
def test_an_activation_can_be_set_later(before: Any, then: Any, backend: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3))
    for make in (lambda name: layers.Dense(4, activation=name), lambda name: layers.Conv2D(4, 3, activation=name)):
        changed, made = built(make(before), 5, 4, 3), built(make(then), 5, 4, 3)
        changed.forward(x)
        changed.activation = then
        np.testing.assert_array_equal(changed.forward(x), made.forward(x))
        dy = np.random.default_rng(1).standard_normal((2, *made.output_shape))
        np.testing.assert_array_equal(changed.backward(dy), made.backward(dy))
        assert changed.config() == made.config()
        assert (changed.activation is None) == (then is None)
        with pytest.raises(ConfigError, match="activation: expected one of"):
            changed.activation = "rleu"
        assert changed.get_config()["activation"] == then


def test_an_activation_goes_by_its_name_where_the_name_makes_it() -> None:
    def said(activation: Any) -> Any:
        return layers.Dense(2, activation=activation).get_config()["activation"]

    assert [said(name) for name in NAMED] == NAMED
    assert said(layers.Softmax()) == "softmax"
    assert said({"class_name": "Softmax", "config": {"axis": -1, "name": None, "dtype": "float32"}}) == "softmax"
    for layer in (layers.LeakyReLU(0.1), layers.Softmax(name="mine"), layers.ReLU(), layers.Tanh(dtype="float64")):
        assert said(layer) == serialize(layer)
    softmax = layers.Dense(2, activation="softmax")
    assert layers.Dense.from_config(softmax.get_config()).config() == softmax.config()
    assert layers.Dense(2, activation="relu").activation([[-1.0, 2.0]]).tolist() == [[0, 2]]


# Pooling --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "window", "stride", "dilation", "same", "valid"),
    [
        (28, 2, 2, 1, (14, 0, 0), 14), (7, 2, 2, 1, (4, 0, 1), 3), (7, 3, 2, 1, (4, 1, 1), 3),
        (8, 3, 2, 1, (4, 0, 1), 3), (5, 5, 1, 1, (5, 2, 2), 1), (5, 4, 1, 1, (5, 1, 2), 2),
        (9, 2, 4, 1, (3, 0, 1), 2), (10, 3, 1, 3, (10, 3, 3), 4), (1, 1, 1, 1, (1, 0, 0), 1),
        (2, 4, 3, 1, (1, 1, 1), None),
    ],
)  # fmt: skip
def test_window_arithmetic(
    size: int, window: int, stride: int, dilation: int, same: tuple[int, ...], valid: int | None
) -> None:
    assert (
        output_extent(size, window, stride, "same", dilation),
        *pad_amounts(size, window, stride, "same", dilation),
    ) == same
    assert pad_amounts(size, window, stride, "valid", dilation) == (0, 0)
    if valid is None:
        with pytest.raises(ShapeError, match="a window of 4 does not fit into an input of 2 with padding 'valid'"):
            output_extent(size, window, stride, "valid", dilation)
    else:
        assert output_extent(size, window, stride, "valid", dilation) == valid


@DTYPES
def test_the_first_maximum_gets_the_gradient(backend: str, dtype: str) -> None:
    layer = built(layers.MaxPooling2D(dtype=dtype), 2, 4, 1)
    x = np.array([[1, 1, 0, 2], [1, 0, 2, 2]], dtype).reshape(1, 2, 4, 1)
    assert layer.forward(x).ravel().tolist() == [1, 2]
    assert layer.backward(np.array([3.0, 5.0]).reshape(1, 1, 2, 1)).ravel().tolist() == [3, 0, 0, 5, 0, 0, 0, 0]


def test_overlapping_windows_add_up(backend: str) -> None:
    layer = built(layers.MaxPooling2D(2, strides=1), 3, 3, 1)
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1] = 1
    assert layer.forward(x).ravel().tolist() == [1, 1, 1, 1]
    dx = layer.backward(np.array([1.0, 2, 3, 4]).reshape(1, 2, 2, 1))
    assert dx[0, :, :, 0].tolist() == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_nan_wins_the_maximum(backend: str, place: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 5))
    x[0, place[0], place[1], 2] = np.nan
    y = built(layers.MaxPooling2D(dtype="float64"), 4, 4, 5).forward(x)
    assert np.isnan(y[0, 0, 0, 2])
    assert np.isnan(y).sum() == 1


def test_the_border_is_minus_infinity_for_max_and_absent_for_average(backend: str) -> None:
    x = -np.ones((1, 3, 3, 1))
    assert (built(layers.MaxPooling2D(padding="same"), 3, 3, 1).forward(x) == -1).all()
    assert (built(layers.AveragePooling2D(padding="same"), 3, 3, 1).forward(x) == -1).all()
    assert (built(layers.AveragePooling2D(3, 1, "same"), 3, 3, 1).forward(x) == -1).all()


def test_global_pooling_of_a_large_image(backend: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 30, 31, 3))
    maximum, mean = built(layers.GlobalMaxPooling2D(dtype="float64"), 30, 31, 3), layers.GlobalAveragePooling2D
    np.testing.assert_array_equal(maximum.forward(x), x.max(axis=(1, 2)))
    dx = maximum.backward(np.ones((2, 3)))
    np.testing.assert_array_equal(dx, x == x.max(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(built(mean(dtype="float64"), 30, 31, 3).forward(x), x.mean(axis=(1, 2)), atol=1e-15)


# Batch normalization --------------------------------------------------------------------------------------------------


@DTYPES
def test_batch_norm_of_a_constant_batch_and_of_one_row(backend: str, dtype: str) -> None:
    layer = built(layers.BatchNormalization(dtype=dtype), 3)
    layer.params["beta"][...] = [1, 2, 3]
    for x in (np.full((6, 3), 1000.1, dtype), np.full((1, 3), -7.0, dtype)):
        np.testing.assert_allclose(layer.forward(x, training=True), np.tile([1, 2, 3], (len(x), 1)), atol=1e-6)
        assert np.abs(layer.backward(np.ones_like(x))).max() < 1e-4
        assert layer.grads["beta"].tolist() == [len(x)] * 3


@DTYPES
def test_batch_norm_does_not_lose_a_small_variance_to_a_large_mean(backend: str, dtype: str) -> None:
    x = (1e4 + np.random.default_rng(0).standard_normal((4096, 2))).astype(dtype)
    y = built(layers.BatchNormalization(epsilon=1e-9, dtype=dtype), 2).forward(x, training=True)
    np.testing.assert_allclose(y.astype(np.float64).mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(y.astype(np.float64).var(axis=0), 1, rtol=1e-5)


def test_batch_norm_moves_its_statistics_as_keras_3(backend: str) -> None:
    layer = built(layers.BatchNormalization(momentum=0.9, dtype="float64"), 2)
    x = np.array([[1.0, 2.0], [3.0, 8.0]])
    layer.forward(x, training=True)
    np.testing.assert_allclose(layer.state["moving_mean"], [0.2, 0.5])  # 0.9 * 0 + 0.1 * mean
    np.testing.assert_allclose(layer.state["moving_variance"], [1.0, 1.8])  # 0.9 * 1 + 0.1 * biased variance
    before = {key: value.copy() for key, value in layer.state.items()}
    y = layer.forward(x, training=False)
    np.testing.assert_allclose(y, (x - before["moving_mean"]) / np.sqrt(before["moving_variance"] + 1e-3))
    for key, value in layer.state.items():
        np.testing.assert_array_equal(value, before[key])
    assert list(layer.params) == ["gamma", "beta"]


@DTYPES
def test_layer_norm_of_rows_that_are_constant_and_of_rows_with_a_large_mean(backend: str, dtype: str) -> None:
    layer = built(layers.LayerNormalization(dtype=dtype), 3)
    layer.params["beta"][...] = [1, 2, 3]
    x = np.repeat(np.array([[1000.1], [-7.0]], dtype), 3, axis=1)
    for training in (False, True):
        np.testing.assert_allclose(layer.forward(x, training), np.tile([1, 2, 3], (2, 1)), atol=1e-6)
    assert np.abs(layer.backward(np.ones_like(x))).max() < 1e-4
    x = (1e4 + np.random.default_rng(0).standard_normal((3, 4096))).astype(dtype)
    y = built(layers.LayerNormalization(epsilon=1e-9, dtype=dtype), 4096).forward(x).astype(np.float64)
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=1), 1, rtol=1e-5)


def test_layer_norm_of_a_sample_does_not_depend_on_the_others(backend: str) -> None:
    x = np.random.default_rng(1).standard_normal((70, 2, 5)).astype(np.float32)
    layer = built(layers.LayerNormalization(), 2, 5)
    np.testing.assert_array_equal(layer.forward(x)[3:4], layer.forward(x[3:4]))
    assert layer.forward(x[:0]).shape == (0, 2, 5)
    assert layers.LayerNormalization([2]).axis == 2  # as Keras's get_config has it


# Dropout --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [layers.Dense(3, "relu"), layers.Conv2D(3, 1, activation="relu")], ids=repr)
def test_a_fused_relu_does_not_hide_nan(layer: layers.Layer, backend: str) -> None:
    x = np.full((2, 4, 4, 2), -1, np.float32)
    x[1] = np.nan
    layer.build((4, 4, 2))
    layer.params["kernel"][...] = 1
    y = layer.forward(x)
    assert (y[0] == 0).all()
    assert np.isnan(y[1]).all()


def test_relu_has_no_slope_at_its_ceiling(backend: str) -> None:
    layer = layers.ReLU(max_value=6.0)
    layer.build((3,))
    layer.forward(np.array([[5.0, 6.0, 7.0]], np.float32))
    np.testing.assert_array_equal(layer.backward(np.ones((1, 3), np.float32)), [[1, 0, 0]])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_known_answers(counter: str, key: str, words: str) -> None:
    """kat_vectors of Random123, philox4x32-10."""
    numbers = [[int(word, 16) for word in text.split()] for text in (counter, key)]
    assert [f"{int(word):08x}" for word in philox(*numbers)] == words.split()


def test_dropout_is_a_function_of_key_step_and_index(backend: str) -> None:
    layer = built(layers.Dropout(0.5, seed=99), 40)
    x = np.ones((25, 40))
    first, second = (layer.forward(x, training=True).copy() for _ in range(2))
    assert layer.step == 2
    assert (first != second).any()
    layer.step = 0
    np.testing.assert_array_equal(layer.forward(x, training=True), first)
    words = random_words(1000, 99, 0).reshape(25, 40)
    np.testing.assert_array_equal(first, np.where(words >= 2**31, 2.0, 0.0))
    layer.step = 0
    np.testing.assert_array_equal(layer.forward(x[:7], training=True), first[:7])  # a shorter batch: the same prefix


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.4, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(backend: str, rate: float) -> None:
    layer = built(layers.Dropout(rate, seed=3), 1000)
    y = layer.forward(np.ones((400, 1000), "float32"), training=True)
    n = y.size
    assert abs((y == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)
    np.testing.assert_array_equal(layer.backward(np.ones_like(y)), y)


def test_dropout_masks_are_not_correlated() -> None:
    words = [random_words(40_000, key, step) < 2**31 for key, step in ((1, 0), (1, 1), (2, 0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs((words[one] == words[other]).mean() - 0.5) < 0.0125  # five standard deviations
    for lag in (1, 2, 3, 4, 64):
        assert abs((words[0][lag:] == words[0][:-lag]).mean() - 0.5) < 0.0125


def test_dropout_at_the_ends_and_in_inference(backend: str) -> None:
    x = np.random.default_rng(0).standard_normal((3, 8)).astype("float32")
    assert (built(layers.Dropout(0.0), 8).forward(x, training=True) == x).all()
    whole = built(layers.Dropout(1.0), 8)  # even what is infinite, and the one word in 2^32 that a rate below 1 keeps
    assert (whole.forward(np.full_like(x, np.inf), training=True) == 0).all()
    assert (whole.backward(x) == 0).all()
    nearly = built(layers.Dropout(1 - 1e-9, seed=1), 8).forward(x, training=True)
    assert (nearly == 0).all()
    layer = built(layers.Dropout(0.9), 8)
    assert (layer.forward(x) == x).all()
    assert (layer.backward(x) == x).all()
    assert layer.step == 0


def test_dropout_keys_come_from_the_generator_unless_given() -> None:
    keys = [built(layers.Dropout(0.5), 3).key for _ in range(2)]
    assert keys[0] == keys[1]  # both from default_rng(0)
    assert built(layers.Dropout(0.5, seed=7), 3).key == 7
    layer = layers.Dropout(0.5)
    layer.build((3,), np.random.default_rng(1))
    assert layer.key != keys[0]
    assert deserialize(serialize(layer)).key == layer.key


# Bad arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MaxPooling2D(0), "MaxPooling2D: pool_size: expected integer(s) >= 1, one or two, got 0"),
        (lambda: layers.MaxPooling2D((2, 2, 2)), "MaxPooling2D: pool_size: expected integer(s) >= 1"),
        (lambda: layers.MaxPooling2D(2.5), "MaxPooling2D: pool_size: expected integer(s) >= 1"),
        (lambda: layers.AveragePooling2D(2, (1, -1)), "AveragePooling2D: strides: expected integer(s) >= 1"),
        (lambda: layers.MaxPooling2D(padding="full"), "MaxPooling2D: padding: expected 'valid' or 'same', got 'full'"),
        (lambda: layers.MaxPooling2D(data_format="channels_first"), "data_format: expected 'channels_last'"),
        (lambda: layers.Dropout(1.1), "Dropout: rate: expected a number in [0, 1], got 1.1"),
        (lambda: layers.Dropout(-0.1), "Dropout: rate: expected a number in [0, 1], got -0.1"),
        (lambda: layers.Dropout("0.5"), "Dropout: rate: expected a number in [0, 1], got '0.5'"),
        (lambda: layers.Dropout(0.5, seed=-1), "Dropout: seed: expected an integer in [0, 2^64), got -1"),
        (lambda: layers.Dropout(0.5, noise_shape=(1, 3)), "Dropout: noise_shape: expected None, got (1, 3)"),
        (lambda: layers.Activation("rleu"), "activation: expected one of linear, relu, "),
        (lambda: layers.Dense(3, activation=3), "activation: expected one of linear, relu, "),
        (lambda: layers.ReLU(max_value=-1), "ReLU: max_value: expected a number in [0, inf), got -1"),
        (lambda: layers.LeakyReLU(None), "LeakyReLU: negative_slope: expected a number in [0, inf), got None"),
        (
            lambda: layers.Reshape((-1, -1)),
            "Reshape: target_shape: expected extents >= 1, one -1 at most, got (-1, -1)",
        ),
        (lambda: layers.Reshape((0, 3)), "Reshape: target_shape: expected extents >= 1, one -1 at most, got (0, 3)"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), "ZeroPadding2D: padding: expected an integer or two of them"),
        (lambda: layers.ZeroPadding2D(-1), "ZeroPadding2D: padding: expected integer(s) >= 0"),
        (lambda: layers.Rescaling(np.inf), "Rescaling: scale: expected a number in (-inf, inf), got inf"),
        (lambda: layers.Input(28), "Input: shape: expected positive integers, no batch axis, got 28"),
        (lambda: layers.Input((None, 28)), "Input: shape: expected positive integers, no batch axis, got (None, 28)"),
        (lambda: layers.BatchNormalization(momentum=2), "BatchNormalization: momentum: expected a number in [0, 1]"),
        (lambda: layers.LayerNormalization((1, 2)), "LayerNormalization: axis: expected an integer, got (1, 2)"),
        (lambda: layers.LayerNormalization(epsilon=0), "LayerNormalization: epsilon: expected a number in (0, inf)"),
        (
            lambda: layers.BatchNormalization(epsilon=0),
            "BatchNormalization: epsilon: expected a number in (0, inf), got 0",
        ),
    ],
)
def test_bad_arguments(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (layers.MaxPooling2D(9, name="p"), (5, 5, 1), "layer 'p': a window of 9 does not fit into an input of 5"),
        (layers.MaxPooling2D(name="p"), (5, 5), "layer 'p': expected images of shape (n, h, w, c), got (n, 5, 5)"),
        (layers.GlobalMaxPooling2D(name="p"), (5,), "layer 'p': expected images of shape (n, h, w, c), got (n, 5)"),
        (layers.ZeroPadding2D(), (5,), "layer 'ZeroPadding2D': expected images of shape (n, h, w, c), got (n, 5)"),
        (
            layers.Reshape((4, -1)),
            (6,),
            "expected a target of 6 elements per sample, as the input (6,) has, got (4, -1)",
        ),
        (layers.Softmax(axis=1), (3, 4), "layer 'Softmax': axis: expected the last one (-1 or 2), got 1"),
        (layers.BatchNormalization(axis=1), (3, 4), "axis: expected the last, -1 or 2, got 1 of (n, 3, 4)"),
        (layers.LayerNormalization(axis=1), (3, 4), "axis: expected the last, -1 or 2, got 1 of (n, 3, 4)"),
        (layers.Softmax(), (), "layer 'Softmax': softmax needs an axis to run over, got (n,)"),
    ],
)
def test_shapes_that_do_not_fit(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        layer.build(shape)
    assert message in str(caught.value)

"""Initializers: what they draw, the names they have, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import keras_side
import numpy as np
import pytest
from keras_side import GROUP

import scratchnet as sn
from scratchnet import initializers
from scratchnet.errors import ConfigError


def drawn(initializer: Any, *shape: int) -> np.ndarray:
    return initializer(shape, rng=np.random.default_rng(0), dtype="float64")


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 4, 7), (2, 1, 3, 9)], ids=str)
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = drawn(initializers.Orthogonal(gain=2.0), *shape).reshape(-1, shape[-1])
    rows, columns = matrix.shape
    product = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-14)


def test_orthogonal_matrices_are_drawn_from_all_of_them() -> None:
    """Without its signs QR gives those whose triangular factor has a diagonal of one sign only."""
    rng = np.random.default_rng(0)
    first = [initializers.Orthogonal()((3, 3), rng=rng)[0, 0] for _ in range(400)]
    assert abs(np.mean(first)) < 5 * np.std(first) / 20
    assert np.std(first) == pytest.approx(1 / np.sqrt(3), rel=0.1)


def test_identity() -> None:
    np.testing.assert_array_equal(drawn(initializers.Identity(3.0), 2, 4), 3 * np.eye(2, 4))
    assert initializers.get(initializers.serialize(initializers.Identity(3.0))).gain == 3


@GROUP
@pytest.mark.parametrize("name", ["Orthogonal", "Identity"])
def test_the_same_as_kerass(name: str) -> None:
    theirs = np.asarray(getattr(keras_side.keras().initializers, name)(gain=0.5)((7, 4)))
    ours = drawn(getattr(initializers, name)(gain=0.5), 7, 4)
    np.testing.assert_allclose(np.linalg.svd(ours)[1], np.linalg.svd(theirs)[1], atol=1e-6)


@pytest.mark.parametrize(
    ("short", "cls"),
    [("zero", "Zeros"), ("one", "Ones"), ("uniform", "RandomUniform"), ("normal", "RandomNormal"),
     ("orthogonal", "Orthogonal"), ("identity", "Identity"), ("HeNormal", "HeNormal"), (None, "GlorotUniform")],
)  # fmt: skip
def test_names(short: Any, cls: str) -> None:
    assert type(initializers.get(short)).__name__ == cls
    layer = sn.layers.Dense(3, kernel_initializer=short, bias_initializer="one")
    layer.build((4,))
    assert (layer.params["bias"] == 1).all()


@GROUP
def test_kerass_short_names_and_its_default() -> None:
    theirs = keras_side.keras().initializers
    for short in ("zero", "one", "uniform", "normal", "orthogonal", "identity"):
        assert type(theirs.get(short)).__name__ == type(initializers.get(short)).__name__
    dense = keras_side.keras().layers.Dense(300, kernel_initializer=None)
    dense.build((None, 200))
    assert np.abs(np.asarray(dense.kernel)).max() == pytest.approx(np.sqrt(6 / 500), rel=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.RandomNormal(stddev=-1), "RandomNormal: stddev: expected a number in [0, inf), got -1"),
        (lambda: initializers.RandomNormal("a"), "RandomNormal: mean: expected a number in (-inf, inf), got 'a'"),
        (lambda: initializers.TruncatedNormal(stddev=-1), "TruncatedNormal: stddev: expected a number in [0, inf)"),
        (lambda: initializers.RandomUniform(1, 0), "RandomUniform: maxval: expected at least minval=1, got 0"),
        (lambda: initializers.RandomUniform(None), "RandomUniform: minval: expected a number in (-inf, inf), got None"),
        (lambda: initializers.VarianceScaling(scale=-1), "VarianceScaling: scale: expected a number in (0, inf), got"),
        (lambda: initializers.VarianceScaling(0), "VarianceScaling: scale: expected a number in (0, inf), got 0"),
        (lambda: initializers.HeNormal(seed=1.5), "HeNormal: seed: expected an integer from 0 on, got 1.5"),
        (lambda: initializers.HeNormal(-1), "HeNormal: seed: expected an integer from 0 on, got -1"),
        (lambda: initializers.HeNormal(True), "HeNormal: seed: expected an integer from 0 on, got True"),
        (lambda: initializers.Constant(None), "Constant: value: expected a number in (-inf, inf), got None"),
        (lambda: initializers.Orthogonal(gain="a"), "Orthogonal: gain: expected a number in (-inf, inf), got 'a'"),
        (lambda: initializers.HeNormal(foo=1), "HeNormal has no argument 'foo': it has: seed"),
        (lambda: initializers.Zeros(foo=1), "Zeros has no argument 'foo': it has: seed"),
        (lambda: initializers.RandomNormal(std=1), "RandomNormal has no argument 'std': did you mean 'stddev'?"),
        (lambda: initializers.get({"class_name": "HeNormal", "config": {"foo": 1}}), "HeNormal has no argument 'foo'"),
        (lambda: initializers.get({"class_name": "HeNormal", "config": 1}), "HeNormal: expected its config as a dict"),
        (lambda: initializers.get([1]), "initializer: expected one of zeros, ones"),
        (lambda: drawn(initializers.Identity(), 2, 3, 4), "Identity: expected a parameter of two axes, got shape"),
        (lambda: drawn(initializers.Orthogonal(), 3), "Orthogonal: expected a parameter of two axes or more, got"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_is_borderline_but_means_something() -> None:
    assert (drawn(initializers.RandomNormal(2.0, 0.0), 3) == 2).all()
    assert (drawn(initializers.RandomNormal(2.0, -0.0), 3) == 2).all()  # NumPy refuses the sign
    assert (drawn(initializers.RandomUniform(1.0, 1.0), 3) == 1).all()
    assert initializers.HeNormal(np.int64(3)).config() == {"seed": 3}


def test_called_as_keras_calls_them() -> None:
    assert initializers.zeros is initializers.Zeros
    assert initializers.Ones()((2, 3), "float64").dtype == np.float64
    assert initializers.RandomNormal()(3, dtype="float32").shape == (3,)
    with pytest.raises(ConfigError, match=r"^Ones: expected a shape, integers from 0 on, got \(2, -1\)$"):
        initializers.Ones()((2, -1))
    sn.config.set_floatx("float64")
    try:
        assert initializers.HeNormal()((2, 2)).dtype == np.float64
    finally:
        sn.config.set_floatx("float32")
    dense = sn.layers.Dense(2, kernel_initializer=initializers.he_normal)
    assert type(dense.kernel_initializer).__name__ == "HeNormal"


def test_constant_takes_given_values() -> None:
    values = np.arange(6.0).reshape(3, 2)
    for given in (values, values.tolist(), values.astype(np.float32)):
        initializer = initializers.Constant(given)
        made = initializer((3, 2))
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, values)
        assert initializer.get_config() == {"value": values.tolist()}
    np.testing.assert_array_equal(initializers.Constant([1.0, 2.0])((3, 2)), [[1, 2]] * 3)
    dense = sn.layers.Dense(2, kernel_initializer=initializers.Constant(values), bias_initializer="ones")
    twin = sn.layers.Dense.from_config(json.loads(json.dumps(dense.get_config())))
    for layer in (dense, twin):
        np.testing.assert_array_equal(layer(np.ones((1, 3))), [[7, 10]])
    assert initializers.Constant(np.array(2.0)).value == 2
    with pytest.raises(ConfigError, match=r"kernel: Constant: expected values for shape \(4, 2\), got \(3, 2\)"):
        sn.layers.Dense(2, kernel_initializer=initializers.Constant(values)).build((4,))
    for wrong in ([[1, 2], [3]], ["a"], [None], [np.nan]):
        with pytest.raises(ConfigError, match="Constant: value: expected a number or an array of finite numbers"):
            initializers.Constant(wrong)

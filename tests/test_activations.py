"""Activations as functions, compared with the layers and Keras's."""

from __future__ import annotations

import inspect
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import activations
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import ConfigError

NAMES = [
    name
    for name, value in vars(activations).items()
    if inspect.isfunction(value) and value.__module__ == activations.__name__ and name[0] != "_" and name != "get"
]


def test_there_is_one_for_every_name_that_layers_know() -> None:
    for name in NAMES:
        assert L.Activation(name).activation == name
    with pytest.raises(ConfigError) as caught:
        L.Activation("none")
    known = str(caught.value).removeprefix("activation: expected one of ").partition(", got")[0].split(", ")
    assert sorted(known) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_they_compute_what_the_layer_does(name: str, backend: str) -> None:
    function = getattr(activations, name)
    x = np.random.default_rng(0).standard_normal((3, 4, 5))
    np.testing.assert_array_equal(function(x), L.Activation(name, dtype="float64")(x))
    assert function(x.astype(np.float32)).dtype == np.float32
    assert function([1, 2]).dtype == np.float32
    if name != "softmax":
        assert np.shape(function(2.0)) == ()


@keras_side.GROUP
@pytest.mark.parametrize("name", NAMES)
def test_they_compute_what_kerass_do(name: str) -> None:
    ours, theirs = getattr(activations, name), getattr(keras_side.keras().activations, name)
    x = np.random.default_rng(0).standard_normal((3, 7)) * 4
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-6, atol=1e-7)
    arguments: dict[str, dict[str, Any]] = {
        "relu": {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.5},
        "leaky_relu": {"negative_slope": 0.3},
        "elu": {"alpha": 0.7},
        "softmax": {"axis": 0},
        "gelu": {"approximate": True},
    }
    if name in arguments:
        np.testing.assert_allclose(ours(x, **arguments[name]), np.asarray(theirs(x, **arguments[name])), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_they_stand_for_their_names(name: str) -> None:
    function = getattr(activations, name)
    assert activations.get(name) is activations.get(function) is function
    written = "silu" if name == "swish" else name
    assert L.Activation(function).activation == written
    assert L.Dense(2, activation=function).config() == L.Dense(2, activation=written).config()


def test_get() -> None:
    layer = L.LeakyReLU(0.1)
    assert activations.get(layer) is layer
    assert activations.get(None) is activations.linear
    assert activations.get(np.tanh) is activations.tanh
    for identifier in ("get", "_named", "np", "rleu", 3, lambda x: x):
        with pytest.raises(ConfigError, match=r"^activation: expected one of relu, relu6, .* or a layer, got "):
            activations.get(identifier)


def test_names_of_a_notebooks_first_cells() -> None:
    from scratchnet.models import Sequential, clone_model, load_model

    assert (Sequential, load_model) == (sn.Sequential, sn.load_model)
    model = Sequential([sn.Input(shape=(4,)), L.Dense(3, activation="softmax")])
    model.compile("sgd", "mse")
    clone = clone_model(model)
    assert (clone.config(), clone.output_shape, clone.optimizer) == (model.config(), (3,), None)
    assert (clone.layers[0].kernel != model.layers[0].kernel).any()
    with pytest.raises(ConfigError, match="clone_model: expected a Sequential, got"):
        clone_model(L.Dense(3))
    for first in (L.InputLayer(shape=(4,)), L.InputLayer(input_shape=(4,)), L.InputLayer(batch_shape=(None, 4))):
        assert Sequential([first, L.Dense(2)]).input_shape == (4,)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "softmax"])
def test_float32_kernels_at_the_ends(name: str) -> None:
    """Number by number: where a tail is small, a tolerance of the largest number sees nothing of it."""
    x = np.linspace(-86, 86, 1003)
    results = []
    for dtype, backend in (("float64", "numpy"), ("float32", "numba")):
        with sn.use_backend(backend):
            layer = L.Activation(name, dtype=dtype)
            results.append((layer(x), layer.backward(np.ones_like(x))))
    (y, dx), (y32, dx32) = results
    np.testing.assert_allclose(y32, y, rtol=3e-5, atol=1e-36)
    np.testing.assert_allclose(dx32, dx, rtol=3e-5, atol=2e-7)  # 1 - y y of tanh, in float32


@pytest.mark.parametrize("axis", [(1, 2), [0, -1], (2, 0, 1), (-1,), (3,)])
def test_softmax_over_several_axes(axis: Any, backend: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    e = np.exp(x)
    y = sn.activations.softmax(x, axis=axis)
    np.testing.assert_allclose(y, e / e.sum(axis=tuple(axis), keepdims=True), rtol=1e-12)
    assert sn.activations.softmax(x[:, :0], axis=axis).shape == (2, 0, 4, 5)
    for wrong in ((), (1, -3), (0, 4), (1, None)):
        with pytest.raises(sn.errors.ConfigError, match="softmax: axis: expected"):
            sn.activations.softmax(x, axis=wrong)


@pytest.mark.parametrize("make", [L.GELU, lambda: L.GELU(approximate=True)], ids=["erf", "tanh"])
def test_gelu_of_the_largest_numbers(make: Any, backend: str) -> None:
    """Twice the number would overflow."""
    x = np.array([[3e38, -3e38, 1e19, -1e19]], np.float32)
    np.testing.assert_array_equal(make()(x), np.maximum(x, 0))

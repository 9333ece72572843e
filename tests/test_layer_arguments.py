"""Arguments of layers: Keras's that make no difference here, those that would, and unknown ones."""

from __future__ import annotations

from typing import Any

import keras_side
import numpy as np
import pytest
from keras_side import GROUP

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import ConfigError
from scratchnet.layers import activations

HAVE_WEIGHTS = [
    (lambda **k: L.Dense(2, **k), ["kernel", "bias"]),
    (lambda **k: L.Conv2D(2, 3, **k), ["kernel", "bias"]),
    (lambda **k: L.Conv2DTranspose(2, 3, **k), ["kernel", "bias"]),
    (lambda **k: L.BatchNormalization(**k), ["beta", "gamma"]),
    (lambda **k: L.LayerNormalization(**k), ["beta", "gamma"]),
]


@pytest.mark.parametrize(("make", "weights"), HAVE_WEIGHTS)
def test_keras_defaults_pass_and_what_would_be_something_else_is_refused(make: Any, weights: list[str]) -> None:
    for weight in weights:
        assert make(**{f"{weight}_constraint": None, f"{weight}_regularizer": None}).built is False
        with pytest.raises(ConfigError, match=rf"\w+: {weight}_constraint: expected None, got 'l2': there are no"):
            make(**{f"{weight}_constraint": "l2"})
        assert weight in make(**{f"{weight}_regularizer": "l2"}).regularizers


def test_depthwise_arguments_are_about_weights_of_other_names() -> None:
    for layer, weights in (
        (L.DepthwiseConv2D(3, depthwise_regularizer="l2"), ["kernel"]),
        (
            L.SeparableConv2D(2, 3, depthwise_regularizer="l2", pointwise_regularizer="l1"),
            ["depthwise_kernel", "pointwise_kernel"],
        ),
    ):
        assert list(layer.regularizers) == weights
        again = type(layer).from_config(layer.get_config())
        assert again.config() == layer.config()
        assert list(again.regularizers) == weights
    with pytest.raises(ConfigError, match="has no argument 'kernel_regularizer'"):
        L.DepthwiseConv2D(3, kernel_regularizer="l2")
    with pytest.raises(ConfigError, match="pointwise_constraint: expected None"):
        L.SeparableConv2D(2, 3, pointwise_constraint="l2")


@pytest.mark.parametrize("make", [L.Flatten, L.ReLU, lambda **k: L.Dense(2, **k), sn.Sequential, L.GlobalMaxPooling2D])
def test_arguments_of_every_layer(make: Any) -> None:
    assert make(trainable=True, activity_regularizer=None, autocast=True).trainable is True
    frozen = make(trainable=False)
    assert frozen.trainable is False
    assert type(frozen).from_config(frozen.get_config()).trainable is False
    with pytest.raises(ConfigError, match="autocast: expected True, got False: inputs are always converted"):
        make(autocast=False)
    with pytest.raises(ConfigError, match="has no argument 'beta_regularizer'"):
        make(beta_regularizer=None)


class Mine(L.Dense):
    """A user-defined layer."""

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(3, **kwargs)
        self.factor = factor


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.Dense(3, actvation="relu"), "Dense has no argument 'actvation': did you mean 'activation'?"),
        (
            lambda: Mine(2.0, foo=1),
            "Mine has no argument 'foo': it has: factor, name, dtype, input_shape, trainable",
        ),
        (lambda: L.Tanh(foo=1), "Tanh has no argument 'foo': it has: name, dtype, input_shape"),
        (lambda: L.Tanh(activation="relu"), "Tanh has no argument 'activation': it has: name, dtype, input_shape"),
        (lambda: L.GlobalMaxPooling2D(strides=2), "GlobalMaxPooling2D has no argument 'strides': it has: data_format"),
        (lambda: sn.Sequential([], foo=1), "Sequential has no argument 'foo': it has: layers, name"),
        (
            lambda: L.Dense(3, input_shape=4),
            "Dense: input_shape: expected a shape of positive integers such as (28, 28, 1)",
        ),
        (lambda: L.Dense(3, input_dim="4"), "Dense: input_dim: expected an integer of at least 1, got '4'"),
        (
            lambda: L.Dense(3, input_shape="4"),
            "Dense: input_shape: expected a shape of positive integers such as (28, 28, 1)",
        ),
        (lambda: L.Activation([1]), "activation: expected one of linear, relu, relu6,"),
        (lambda: L.Dense(3, activation=[1]), "activation: expected one of linear, relu, relu6,"),
        (lambda: L.Dense(3, activation=L.ReLU), "activation: expected one of linear, relu, relu6,"),
        (lambda: L.BatchNormalization(momentum="a"), "BatchNormalization: momentum: expected a number in [0, 1], got"),
        (lambda: L.BatchNormalization(epsilon=None), "BatchNormalization: epsilon: expected a number in (0, inf), got"),
        (lambda: L.LeakyReLU(alpha=-1), "LeakyReLU: negative_slope: expected a number in [0, inf), got -1"),
        (
            lambda: L.Dense(3, activation={"class_name": "ReLU", "config": {"foo": 1}}),
            "ReLU has no argument 'foo': it has: max_value",
        ),
        (
            lambda: L.Dense(3, activation={"class_name": "ReLU", "config": 5}),
            "ReLU: expected its config as a dict, got '5'",
        ),
        (
            lambda: L.Input((3,), batch_shape=(None, 3)),
            "Input: batch_shape: expected (None, *shape), and then no shape",
        ),
        (lambda: L.Input(batch_shape=3), "Input: batch_shape: expected (None, *shape), and then no shape, got 3"),
        (lambda: L.Input(), "Input: shape: expected positive integers, no batch axis, got None"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_old_and_short_forms() -> None:
    assert L.LeakyReLU(alpha=0.2).negative_slope == 0.2
    assert L.LeakyReLU(alpha=0.2).config()["negative_slope"] == 0.2
    assert sn.Sequential([L.Dense(3, input_dim=4)]).input_shape == (4,)
    assert L.Dense(3, input_dim=4, input_shape=(2, 4)).requested_input_shape == (2, 4)
    assert L.Activation(None).config()["activation"] == "linear"
    assert L.Input(batch_shape=(None, 28, 28)).shape == L.Input(batch_shape=[32, 28, 28]).shape == (28, 28)
    assert sn.Sequential([L.Input(batch_shape=(None, 4)), L.Dense(2)]).output_shape == (2,)


def test_relu6_is_relu_with_a_ceiling(backend: str) -> None:
    x = np.array([[-3.0, 0.5, 6.0, 9.0]])
    for layer in (L.Activation("relu6"), L.Dense(4, activation="relu6", kernel_initializer="identity")):
        np.testing.assert_array_equal(layer(x), L.ReLU(6.0)(x))
        np.testing.assert_array_equal(layer.backward(np.ones((1, 4))), [[0, 1, 0, 0]])


def library_function(module: str, name: str) -> Any:
    """What looks like a function of a library that need not be installed."""
    return type("Function", (), {"__module__": module, "__name__": name, "__call__": lambda self, x: x})()


def test_functions_of_libraries_stand_for_their_names() -> None:
    assert L.Activation(np.tanh).activation == "tanh"
    assert L.Dense(2, activation=np.tanh).activation.activation == "tanh"
    relu = library_function("keras.src.activations.activations", "relu")
    assert L.Dense(2, activation=relu).activation.activation == "relu"
    assert activations.get(library_function("tensorflow.python.ops.math_ops", "sigmoid")).activation == "sigmoid"
    assert activations.get(library_function("keras.src.activations.activations", "linear")) is None
    for function in (library_function("mine", "relu"), lambda x: x, np.cos):  # who knows what they compute
        with pytest.raises(ConfigError, match="activation: expected one of linear, relu"):
            L.Activation(function)
        with pytest.raises(ConfigError, match="activation: expected one of linear, relu"):
            L.Dense(2, activation=function)


@GROUP
def test_kerass_own_functions() -> None:
    functions = keras_side.keras().activations
    for name in ("linear", "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "gelu", "softmax"):
        assert L.Activation(getattr(functions, name)).activation == name

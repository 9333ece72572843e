"""An activation by its name, as a layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..kernels import smooth as kinds
from ..kernels.activations import PLAIN
from ..names import unknown
from .arguments import label
from .base import Layer, Shape, ops

LINEAR, SOFTMAX = -1, -2  # kinds that the elementwise op does not have

# name -> kind, and its numbers: for ReLU slope, threshold and ceiling, for ELU a and the scale
BY_NAME: dict[str, tuple[int, tuple[float, float, float]]] = {
    "linear": (LINEAR, PLAIN),
    "relu": (kinds.RELU, PLAIN),
    "relu6": (kinds.RELU, (0.0, 0.0, 6.0)),
    "leaky_relu": (kinds.RELU, (0.2, 0.0, math.inf)),
    "sigmoid": (kinds.SIGMOID, PLAIN),
    "tanh": (kinds.TANH, PLAIN),
    "gelu": (kinds.GELU, PLAIN),
    "elu": (kinds.ELU, (1.0, 1.0, 0.0)),
    "selu": (kinds.ELU, (1.6732632423543772, 1.0507009873554805, 0.0)),
    "silu": (kinds.SILU, PLAIN),
    "swish": (kinds.SILU, PLAIN),
    "softplus": (kinds.SOFTPLUS, PLAIN),
    "softsign": (kinds.SOFTSIGN, PLAIN),
    "exponential": (kinds.EXPONENTIAL, PLAIN),
    "hard_sigmoid": (kinds.HARD_SIGMOID, PLAIN),
    "softmax": (SOFTMAX, PLAIN),
}


_LIBRARIES = ("keras", "tf_keras", "tensorflow", "numpy")  # whose functions compute the same as Keras's of that name
_OURS = "scratchnet.activations"


def name_of(identifier: Any) -> Any:
    """The name of a function of one of these libraries, or of `sn.activations`; anything else unchanged."""
    home = getattr(identifier, "__module__", None) or type(identifier).__module__  # NumPy's functions have none
    if callable(identifier) and (home.partition(".")[0] in _LIBRARIES or home == _OURS):
        return getattr(identifier, "__name__", identifier)
    return identifier


class Activation(Layer):
    """``y = f(x)`` with ``f`` by name; x and y (n, ...).

    Parameters
    ----------
    activation : str or None
        ``"linear"``, ``"relu"``, ``"relu6"``, ``"leaky_relu"``, ``"sigmoid"``, ``"tanh"``, ``"gelu"``, ``"elu"``,
        ``"selu"``, ``"silu"`` (``"swish"``), ``"softplus"``, ``"softsign"``, ``"exponential"``, ``"hard_sigmoid"`` or
        ``"softmax"``, as in Keras: ``"leaky_relu"`` has slope 0.2 (the layer `LeakyReLU` has 0.3), ``"gelu"`` is the
        exact one, ``"softmax"`` runs over the last axis, None is ``"linear"``. A function of `sn.activations`, Keras,
        TensorFlow or NumPy is treated like its name.

    Raises
    ------
    ConfigError
        For anything else.
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activation

    @property
    def activation(self) -> str:
        """The name. It can be set to whatever the constructor takes."""
        return self._name

    @activation.setter
    def activation(self, value: Any) -> None:
        name = "linear" if value is None else name_of(value)
        if not isinstance(name, str) or name not in BY_NAME:
            raise unknown("activation", value, BY_NAME)
        self._name = str(name)

    @property
    def __name__(self) -> str:
        """Keras's ``layer.activation`` is a function, and has one."""
        return self._name

    @property
    def kind(self) -> int:
        """The function's number in the kernels."""
        return BY_NAME[self._name][0]

    @property
    def numbers(self) -> tuple[float, float, float]:
        """The function's numbers."""
        return BY_NAME[self._name][1]

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        if self.kind == SOFTMAX and not self.input_shape:
            raise ShapeError(f"layer {label(self)!r}: softmax needs an axis to run over, got (n,)")

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        if self.kind == LINEAR:
            return x
        self.x, self.y = x, self.buffer("y", x.shape)
        if self.kind == SOFTMAX:
            ops.softmax_forward(x, self.y)
        else:
            ops.activation_forward(x, self.kind, self.numbers, self.y)
        return self.y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        if self.kind == LINEAR:
            return dy
        dx = self.input_gradient(dy.shape)
        if self.kind == SOFTMAX:
            ops.softmax_backward(self.y, dy, dx)
        else:
            ops.activation_backward(self.x, self.y, dy, self.kind, self.numbers, dx)
        return dx

    def without_activation(self, name: str) -> tuple[Any, Any, Any] | None:
        if self.activation != name:
            return None
        return lambda x, training=False: self.check_input(x), self.check_gradient, self.forward

    @property
    def returns_view(self) -> bool:
        """Whether the output is the input itself."""
        return self.kind == LINEAR

    def config(self) -> dict[str, Any]:
        return {"activation": self.activation, **super().config()}

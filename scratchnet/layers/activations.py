"""Activations as layers with arguments of their own, and whatever an ``activation=`` argument may be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import flag, refuse_unknown
from ..errors import ShapeError
from ..kernels import smooth as kinds
from ..names import unknown
from .activation import BY_NAME, Activation, name_of
from .arguments import axis_number, label
from .base import Layer, Shape
from .keras_arguments import layer_arguments
from .serialization import make, serialize
from .setting import NotNegative


class _Named(Activation):
    """An activation that its class determines, so its config need not name it."""

    def __init__(self, kind: str, /, **kwargs: Any) -> None:
        refuse_unknown(self, {"activation"} & set(kwargs), layer_arguments(type(self)))
        super().__init__(kind, **kwargs)

    def config(self) -> dict[str, Any]:
        return Layer.config(self)


class ReLU(_Named):
    """``y = min(x, max_value)`` where ``x > threshold``, ``negative_slope (x - threshold)`` elsewhere.

    Parameters
    ----------
    max_value : float, optional
        The largest output; unlimited by default.
    negative_slope, threshold : float

    Raises
    ------
    ConfigError
        If an argument is negative, as in Keras.
    """

    max_value, negative_slope, threshold = NotNegative(infinite=True), NotNegative(), NotNegative()

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__("relu", **kwargs)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    @property
    def numbers(self) -> tuple[float, float, float]:
        return self.negative_slope, self.threshold, self.max_value

    def config(self) -> dict[str, Any]:
        return {
            "max_value": None if self.max_value == math.inf else self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
            **super().config(),
        }


class LeakyReLU(_Named):
    """``y = x`` where ``x > 0``, ``negative_slope x`` elsewhere: Maas, Hannun and Ng, ICML 2013.

    Parameters
    ----------
    negative_slope : float
        ``alpha=``, its name in Keras 2, is also accepted.

    Raises
    ------
    ConfigError
        If the slope is negative, as in Keras.
    """

    negative_slope = NotNegative()

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__("leaky_relu", **kwargs)
        self.negative_slope = negative_slope

    @property
    def numbers(self) -> tuple[float, float, float]:
        return self.negative_slope, 0.0, math.inf

    def config(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope, **super().config()}


class ELU(_Named):
    """``y = x`` where ``x > 0``, ``alpha (exp(x) - 1)`` elsewhere: Clevert, Unterthiner and Hochreiter, ICLR 2016.

    Parameters
    ----------
    alpha : float
        Minus the value that y approaches for small x.

    Raises
    ------
    ConfigError
        If ``alpha`` is negative.
    """

    alpha = NotNegative()

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__("elu", **kwargs)
        self.alpha = alpha

    @property
    def numbers(self) -> tuple[float, float, float]:
        return self.alpha, 1.0, 0.0

    def config(self) -> dict[str, Any]:
        return {"alpha": self.alpha, **super().config()}


class Sigmoid(_Named):
    """``y = 1 / (1 + exp(-x))``, without overflow at either end."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("sigmoid", **kwargs)


class Tanh(_Named):
    """``y = tanh(x)``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("tanh", **kwargs)


class GELU(_Named):
    """``y = x Phi(x)``, Phi the standard normal's distribution function: Hendrycks and Gimpel, 2016.

    Parameters
    ----------
    approximate : bool
        Use ``Phi(x) ~ (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2``.
    """

    def __init__(self, approximate: bool = False, **kwargs: Any) -> None:
        super().__init__("gelu", **kwargs)
        self.approximate = flag(self, "approximate", approximate)

    @property
    def kind(self) -> int:
        return kinds.GELU_TANH if self.approximate else kinds.GELU

    def config(self) -> dict[str, Any]:
        return {"approximate": self.approximate, **super().config()}


class Softmax(_Named):
    """``y_i = exp(x_i) / sum_j exp(x_j)`` over the last axis; backward is its full Jacobian product.

    Parameters
    ----------
    axis : int
        The last one: -1, or its number.

    Raises
    ------
    ShapeError
        At build, if ``axis`` is not the last one.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__("softmax", **kwargs)
        self.axis = axis_number("Softmax", axis)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        if self.axis not in (-1, len(self.input_shape)):
            last = f"the last one (-1 or {len(self.input_shape)})"
            raise ShapeError(f"layer {label(self)!r}: axis: expected {last}, got {self.axis}")

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis, **super().config()}


_LAYERS: list[Any] = [Activation, ReLU, LeakyReLU, ELU, Sigmoid, Tanh, GELU, Softmax]


def plain_name(layer: Any) -> str | None:
    """The name from which `get` makes a layer like this one; None if there is none."""
    name = getattr(layer, "activation", None)
    made = get(name, layer.dtype.name) if isinstance(name, str) else None
    return name if made is not None and serialize(made) == serialize(layer) else None


def get(identifier: Any, dtype: Any = None) -> Layer | None:
    """The layer for an ``activation=`` argument; None if there is nothing to do (None or ``"linear"``).

    Parameters
    ----------
    identifier : None, str, function, dict or Layer
        What `Activation` takes, a ``{"class_name", "config"}`` dict, or a layer, returned as is.
    dtype : str, optional
        Of a layer made here from a name.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifier, Layer):
        return identifier
    if isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        for cls in _LAYERS:
            if cls.__name__ == identifier["class_name"]:
                return make(cls, identifier["config"])
    name = name_of(identifier)
    if name is None or (isinstance(name, str) and name == "linear"):
        return None
    if isinstance(name, str) and name in BY_NAME:
        return Softmax(dtype=dtype) if name == "softmax" else Activation(name, dtype=dtype)
    raise unknown("activation", identifier, BY_NAME, " or a layer")

"""Activations as functions of arrays, under Keras's names; each can be passed like its name: ``activation=relu``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import config
from .backend import array_module
from .checks import is_whole
from .errors import ConfigError
from .host_arrays import numbers
from .layers import ELU, GELU, Activation, Layer, LeakyReLU, ReLU
from .layers.activation import name_of
from .names import unknown
from .results import as_result


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """``min(x, max_value)`` where ``x > threshold``, ``negative_slope (x - threshold)`` elsewhere."""
    return _applied(x, lambda dtype: ReLU(max_value, negative_slope, threshold, dtype=dtype))


def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``."""
    return _named(x, "relu6")


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` where ``x > 0``, ``negative_slope x`` elsewhere."""
    return _applied(x, lambda dtype: LeakyReLU(negative_slope, dtype=dtype))


def linear(x: Any) -> Any:
    """``x``."""
    return _named(x, "linear")


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``."""
    return _named(x, "sigmoid")


def hard_sigmoid(x: Any) -> Any:
    """``x / 6 + 1/2``, at least 0 and at most 1."""
    return _named(x, "hard_sigmoid")


def tanh(x: Any) -> Any:
    """``tanh(x)``."""
    return _named(x, "tanh")


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """``exp(x_i) / sum_j exp(x_j)`` over an axis, or over all elements of several axes."""
    xp, x = array_module(), _array(x)
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    if not all(is_whole(one, -x.ndim) and one < x.ndim for one in axes):
        raise ConfigError(f"softmax: axis: expected an integer from {-x.ndim} to {x.ndim - 1}, got {axis!r:.80}")
    if not axes or len({one % x.ndim for one in axes}) < len(axes):
        raise ConfigError(f"softmax: axis: expected different axes, got {axis!r:.80}")
    last = tuple(range(-len(axes), 0))
    moved = xp.moveaxis(x, axes, last)
    y = _named(moved.reshape(*moved.shape[: -len(axes)], -1), "softmax") if x.size else _named(moved, "softmax")
    return xp.moveaxis(y.reshape(moved.shape), last, axes)


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``."""
    return _named(x, "softplus")


def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``."""
    return _named(x, "softsign")


def exponential(x: Any) -> Any:
    """``exp(x)``."""
    return _named(x, "exponential")


def elu(x: Any, alpha: float = 1.0) -> Any:
    """``x`` where ``x > 0``, ``alpha (exp(x) - 1)`` elsewhere."""
    return _applied(x, lambda dtype: ELU(alpha, dtype=dtype))


def selu(x: Any) -> Any:
    """``elu`` with the two constants that keep mean 0 and variance 1: Klambauer et al., NIPS 2017."""
    return _named(x, "selu")


def silu(x: Any) -> Any:
    """``x sigmoid(x)``; ``swish`` is its older name."""
    return _named(x, "silu")


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x Phi(x)``, Phi the standard normal's distribution function; or its approximation with tanh."""
    return _applied(x, lambda dtype: GELU(approximate, dtype=dtype))


swish = silu


def _named(x: Any, name: str) -> Any:
    return _applied(x, lambda dtype: Activation(name, dtype=dtype))


def _applied(x: Any, make: Callable[[str], Layer]) -> Any:
    """Apply a layer to an array of any shape, as one sample."""
    xp, x = array_module(), _array(x)
    dtype = x.dtype if x.dtype in (np.float32, np.float64) else config.floatx()
    if not x.size:
        return as_result(xp.asarray(x, dtype=dtype))
    return make(np.dtype(dtype).name)(xp.asarray(x, dtype=dtype)[None])[0]


def _array(x: Any) -> Any:
    """Numbers as an array of the backend."""
    xp = array_module()
    if isinstance(x, xp.ndarray) and x.dtype.kind in "biuf":
        return xp.asarray(x)
    array = numbers(x, "x", "an array of numbers")
    known = array.dtype if array.dtype.itemsize <= 8 else np.dtype(np.float64)  # CuPy has no long double
    return xp.asarray(array.astype(known, copy=False))


def get(identifier: Any) -> Any:
    """The function for a name (``"relu"``); `linear` for None; a function of this module or a layer is returned as is.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifier, Layer):
        return identifier
    name = "linear" if identifier is None else name_of(identifier)
    functions = {key: value for key, value in globals().items() if getattr(value, "__module__", None) == __name__}
    known = [key for key in functions if not key.startswith("_") and key != "get"]
    if isinstance(name, str) and name in known:
        return functions[name]
    raise unknown("activation", identifier, known, " or a layer")

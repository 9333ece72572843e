"""Layers that compute little or nothing: the input's shape, changes of shape, a change of scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import number
from ..errors import ConfigError, ShapeError
from .arguments import channels_last, is_integer, label
from .base import Layer, Shape, ops


class Input(Layer):
    """The shape of a model's input, as its first element: ``Sequential([Input((28, 28, 1)), ...])``.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, without the batch axis.
    batch_size : int, optional
        Accepted for compatibility with Keras; batches of any size run.
    batch_shape : tuple, optional
        ``(None, *shape)``, instead of ``shape``.
    input_shape : tuple of int, optional
        Keras 2's name for ``shape``, in ``InputLayer``.

    Raises
    ------
    ConfigError
        If the shape is not a sequence of positive integers, or given twice.
    """

    returns_view = True

    def __init__(
        self, shape: Any = None, batch_size: int | None = None, *, batch_shape: Any = None, **kwargs: Any
    ) -> None:
        if batch_shape is not None:
            if shape is not None or not isinstance(batch_shape, (tuple, list)) or not batch_shape:
                expected = "(None, *shape), and then no shape"
                raise ConfigError(f"Input: batch_shape: expected {expected}, got {batch_shape!r:.80}")
            shape = batch_shape[1:]
        shape = kwargs.get("input_shape") if shape is None else shape
        if not isinstance(shape, (tuple, list)) or not all(is_integer(e) and e > 0 for e in shape):
            raise ConfigError(f"Input: shape: expected positive integers, no batch axis, got {shape!r:.80}")
        super().__init__(**{**kwargs, "input_shape": shape})
        self.shape = tuple(int(extent) for extent in shape)

    def forward(self, x: Any, training: bool = False) -> Any:
        return self.check_input(x)

    def backward(self, dy: Any) -> Any:
        return self.check_gradient(dy)

    def config(self) -> dict[str, Any]:
        return {"shape": self.shape, **super().config()}


class Reshape(Layer):
    """The same numbers in another shape: x (n, ...), y ``(n, *target_shape)``, in C order; no copy is made.

    Parameters
    ----------
    target_shape : tuple of int
        Of one sample; one extent may be -1, which takes the rest.

    Raises
    ------
    ConfigError
        If the target is not a sequence of positive integers with at most one -1.
    ShapeError
        At build, if the number of elements differs.
    """

    returns_view = True

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        shape = target_shape if isinstance(target_shape, (tuple, list)) else (target_shape,)
        if not all(is_integer(e) and (e > 0 or e == -1) for e in shape) or list(shape).count(-1) > 1:
            raise ConfigError(f"Reshape: target_shape: expected extents >= 1, one -1 at most, got {shape!r:.80}")
        self.target_shape = tuple(int(extent) for extent in shape)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        size, known = math.prod(self.input_shape), math.prod(e for e in self.target_shape if e != -1)
        self.output_shape = tuple(size // known if e == -1 else e for e in self.target_shape)
        if math.prod(self.output_shape) != size:
            raise ShapeError(
                f"layer {label(self)!r}: expected a target of {size} elements per sample, as the input "
                f"{self.input_shape} has, got {self.target_shape}"
            )

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        return dy.reshape(len(dy), *self.input_shape)

    def config(self) -> dict[str, Any]:
        return {"target_shape": self.target_shape, **super().config()}


class Flatten(Layer):
    """Every sample as one row: x (n, ...), y (n, size), in C order; no copy is made.

    Parameters
    ----------
    data_format : {None, "channels_last"}
        Keras's; channels are last.
    """

    returns_view = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last("Flatten", data_format)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        self.output_shape = (math.prod(self.input_shape),)

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        return dy.reshape(len(dy), *self.input_shape)


class Rescaling(Layer):
    """``y = scale x + offset`` with two numbers: ``Rescaling(1 / 255)`` turns pixels into [0, 1].

    Parameters
    ----------
    scale, offset : float

    Raises
    ------
    ConfigError
        If either is not a finite number.
    """

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = float(number(self, "scale", scale)), float(number(self, "offset", offset))

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        y = self.buffer("y", x.shape)
        ops.rescale(x, self.scale, self.offset, y)
        return y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        dx = self.input_gradient(dy.shape)
        ops.rescale(dy, self.scale, 0.0, dx)
        return dx

    def config(self) -> dict[str, Any]:
        return {"scale": self.scale, "offset": self.offset, **super().config()}

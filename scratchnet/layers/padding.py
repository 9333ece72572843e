"""ZeroPadding2D and Cropping2D: a border of zeros around an image, and the transpose, which takes a border away."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..kernels.window import require_few
from .arguments import Pair, channels_last, image_shape, label, pair
from .base import Layer, Shape, ops


def border(owner: str, argument: str, value: Any) -> tuple[Pair, Pair]:
    """``((top, bottom), (left, right))`` from that, from (rows, columns) on both sides, or from one number.

    Raises
    ------
    ConfigError
        For anything else, or a negative number.
    """
    sides = value if isinstance(value, (tuple, list)) else (value, value)
    if len(sides) != 2:
        raise ConfigError(f"{owner}: {argument}: expected an integer or two of them, got {value!r:.80}")
    rows, columns = (pair(owner, argument, side, least=0) for side in sides)
    return rows, columns


class ZeroPadding2D(Layer):
    """Zeros around the image: x (n, h, w, c), y (n, top + h + bottom, left + w + right, c).

    Parameters
    ----------
    padding : int, (int, int) or ((top, bottom), (left, right))
        The same on all sides, (rows, columns) on both sides, or each side separately.
    data_format : {None, "channels_last"}

    Raises
    ------
    ConfigError
        For anything else, or a negative number.
    ShapeError
        If the input is not an image.
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last("ZeroPadding2D", data_format)
        self.padding = border("ZeroPadding2D", "padding", padding)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        h, w, c = image_shape(self, input_shape)
        self.pads = (*self.padding[0], *self.padding[1])
        self.output_shape = (h + sum(self.padding[0]), w + sum(self.padding[1]), c)
        require_few(label(self), self.output_shape[0] * self.output_shape[1], f"padding {self.padding}")

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        y = self.buffer("y", (len(x), *self.output_shape))
        ops.zero_pad_forward(x, self.pads, y)
        return y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        dx = self.input_gradient((len(dy), *self.input_shape))
        ops.zero_pad_backward(dy, self.pads, dx)
        return dx

    def config(self) -> dict[str, Any]:
        return {"padding": self.padding, **super().config()}


class Cropping2D(Layer):
    """Without its border: x (n, top + h + bottom, left + w + right, c), y (n, h, w, c).

    The transpose of `ZeroPadding2D`: each is the other's backward pass.

    Parameters
    ----------
    cropping : int, (int, int) or ((top, bottom), (left, right))
        The same on all sides, (rows, columns) on both sides, or each side separately.
    data_format : {None, "channels_last"}

    Raises
    ------
    ConfigError
        For anything else, or a negative number.
    ShapeError
        If the input is not an image, or nothing is left of it.
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last("Cropping2D", data_format)
        self.cropping = border("Cropping2D", "cropping", cropping)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        h, w, c = image_shape(self, input_shape)
        self.pads = (*self.cropping[0], *self.cropping[1])
        self.output_shape = (h - sum(self.cropping[0]), w - sum(self.cropping[1]), c)
        if min(self.output_shape) < 1:
            raise ShapeError(
                f"layer {label(self)!r}: expected a cropping that leaves something of {(h, w)}, got {self.cropping}"
            )

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        y = self.buffer("y", (len(x), *self.output_shape))
        ops.zero_pad_backward(x, self.pads, y)
        return y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        dx = self.input_gradient((len(dy), *self.input_shape))
        if dx.size:
            ops.zero_pad_forward(dy, self.pads, dx)
        return dx

    def config(self) -> dict[str, Any]:
        return {"cropping": self.cropping, **super().config()}

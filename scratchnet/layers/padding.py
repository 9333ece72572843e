"""ZeroPadding2D: a border of zeros around an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError
from ..kernels.window import require_few
from .arguments import channels_last, image_shape, label, pair
from .base import Layer, Shape, ops


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
        sides = padding if isinstance(padding, (tuple, list)) else (padding, padding)
        if len(sides) != 2:
            raise ConfigError(f"ZeroPadding2D: padding: expected an integer or two of them, got {padding!r:.80}")
        rows, columns = (pair("ZeroPadding2D", "padding", side, least=0) for side in sides)
        self.padding = (rows, columns)

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

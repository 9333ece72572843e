"""UpSampling2D: every pixel several times."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError
from ..kernels.window import require_few
from .arguments import channels_last, image_shape, label, pair
from .base import Layer, Shape, ops


class UpSampling2D(Layer):
    """Every pixel a times in its column and b times in its row: ``y[n,i,j,c] = x[n, i // a, j // b, c]``.

    x is (n, h, w, c), y (n, a h, b w, c) with ``size = (a, b)``. Backward, a pixel gets the sum over its copies.

    Parameters
    ----------
    size : int or pair
        How often a pixel is repeated, (rows, columns).
    data_format : {None, "channels_last"}
    interpolation : {"nearest"}
        Keras's others are refused; a `Conv2DTranspose` learns its own.

    Raises
    ------
    ConfigError
        For anything else.
    ShapeError
        If the input is not an image, or the output is enormous.
    """

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        channels_last("UpSampling2D", data_format)
        self.size = pair("UpSampling2D", "size", size)
        if not isinstance(interpolation, str) or interpolation.lower() != "nearest":
            raise ConfigError(f"UpSampling2D: interpolation: expected 'nearest', got {interpolation!r:.80}")
        self.interpolation = "nearest"

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        h, w, c = image_shape(self, input_shape)
        self.output_shape = (h * self.size[0], w * self.size[1], c)
        require_few(label(self), self.output_shape[0] * self.output_shape[1], f"size {self.size}")

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        y = self.buffer("y", (len(x), *self.output_shape))
        ops.upsample_forward(x, self.size, y)
        return y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        dx = self.input_gradient((len(dy), *self.input_shape))
        ops.upsample_backward(dy, self.size, dx)
        return dx

    def config(self) -> dict[str, Any]:
        return {"size": self.size, "interpolation": self.interpolation, **super().config()}

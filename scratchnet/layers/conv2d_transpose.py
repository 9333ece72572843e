"""Conv2DTranspose: a convolution run backwards, which makes images larger."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import initializers
from ..errors import ConfigError
from ..kernels.window import transposed_plan
from .arguments import image_shape, label, pair, positive
from .base import Shape, ops
from .convolution import Convolution


class Conv2DTranspose(Convolution):
    """``y[n, i sh + kh dh - top, j sw + kw dw - left, f] += sum x[n,i,j,c] kernel[kh,kw,f,c]``, then bias, activation.

    x is (n, h, w, c), kernel (kh, kw, filters, c), bias (filters,), y (n, oh, ow, filters). The linear map is the
    transpose of the one of a `Conv2D` from y's shape to x's, that is its backward pass (kernels/conv2d_transpose.py).
    With strides above 1 it enlarges images: decoders and generators end in it. Dumoulin and Visin, arXiv:1603.07285.

    Parameters
    ----------
    filters : int
        Number of filters, the channels of y.
    kernel_size, strides, dilation_rate : int or pair
        Extent, step (in y) and spacing of the window, (height, width). Not both of strides and dilation above 1, as in
        Keras.
    padding : {"valid", "same"}
        ``"same"``: ``oh = h sh``. ``"valid"``: ``oh = (h - 1) sh + max(e, sh)``, with ``e = (kh - 1) dh + 1``.
    output_padding : int or pair, optional
        Less than the strides. Then ``oh = (h - 1) sh + e + output_padding`` for ``"valid"``, and for ``"same"`` with
        ``e % 2`` in place of e: several sizes of y have windows for x.
    data_format : {None, "channels_last"}
    activation : str or Layer, optional
    use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        As in `Dense`, like the rest.

    Raises
    ------
    ConfigError
        For invalid values.
    ShapeError
        If the input is not a batch of images, or a convolution does not take y of this size to x's.
    """

    own = ("filters", "output_padding", "kernel_initializer")

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", output_padding: Any = None,
        data_format: str | None = None, dilation_rate: Any = (1, 1), activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer, **kwargs,
        )  # fmt: skip
        positive(type(self).__name__, filters=filters)
        self.strides_or_dilation()
        self.filters, self.kernel_initializer = int(filters), initializers.get(kernel_initializer)
        self.output_padding = self._output_padding(output_padding)

    def _output_padding(self, value: Any) -> tuple[int, int] | None:
        if value is None:
            return None
        owner = type(self).__name__
        sides = pair(owner, "output_padding", value, least=0)
        if any(side >= stride for side, stride in zip(sides, self.strides, strict=True)):
            raise ConfigError(f"{owner}: output_padding: expected less than the strides {self.strides}, got {sides}")
        return sides

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        rng = rng or initializers.default_rng()
        h, w, c = image_shape(self, input_shape)
        window = self.kernel_size, self.strides, self.padding, self.dilation_rate
        self.size, self.pads = transposed_plan(label(self), (h, w), *window, self.output_padding)
        self.add_param("kernel", (*self.kernel_size, self.filters, c), self.kernel_initializer, rng)
        if self.use_bias:
            self.add_param("bias", (self.filters,), self.bias_initializer, rng)
        self.window = (self.strides, self.pads, self.dilation_rate)
        self.finish_build((h, w, c), (*self.size, self.filters), rng)

    def linear_forward(self, x: Any, training: bool) -> Any:
        self.x = self.check_input(x)
        self.y = self.buffer("y", (len(x), *self.linear_shape))
        bias = self.optional(self.params, "bias")
        ops.conv2d_transpose_forward(self.x, self.params["kernel"], bias, *self.window, self.size, self.relu, self.y)
        return self.y

    def linear_backward(self, dy: Any) -> Any:
        dx, dw, db = self.input_gradient(self.x.shape), self.grads["kernel"], self.optional(self.grads, "bias")
        ops.conv2d_transpose_backward(self.x, self.params["kernel"], self.y, dy, *self.window, self.relu, dw, db, dx)
        return dx

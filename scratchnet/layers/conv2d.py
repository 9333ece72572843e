"""Conv2D: the same small filters at every place of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import initializers
from ..errors import ConfigError, ShapeError
from ..kernels.window import plan
from .arguments import image_shape, label, positive
from .base import Shape, ops
from .convolution import Convolution


class Conv2D(Convolution):
    """``y[n,i,j,f] = activation(bias[f] + sum x[n, i sh + kh dh - top, j sw + kw dw - left, c] kernel[kh,kw,c,f])``.

    x is (n, h, w, c), kernel (kh, kw, c / groups, filters), bias (filters,), y (n, oh, ow, filters). This is the
    cross-correlation that Keras and every other framework call convolution (Dumoulin and Visin, arXiv:1603.07285).

    Parameters
    ----------
    filters : int
        Number of filters; with ``groups`` a multiple of it.
    kernel_size, strides, dilation_rate : int or pair
        Extent, step and spacing of the window, (height, width). Not both of strides and dilation above 1, as in Keras.
    padding : {"valid", "same"}
        As in TensorFlow: an odd padding has its extra row at the bottom and its extra column at the right.
    data_format : {None, "channels_last"}
    groups : int
        Channels and filters are split into this many independent groups.
    activation : str or Layer, optional
    use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        As in `Dense`, like the rest.

    Raises
    ------
    ConfigError
        For invalid values.
    ShapeError
        If the input is not a batch of images, its channels do not divide into the groups, or no window fits.
    """

    own = ("filters", "groups", "kernel_initializer")

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = (1, 1), groups: int = 1, activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer, **kwargs,
        )  # fmt: skip
        owner = type(self).__name__
        positive(owner, filters=filters, groups=groups)
        if filters % groups:
            raise ConfigError(f"{owner}: filters: expected a multiple of groups={groups}, got {filters}")
        self.filters, self.groups = int(filters), int(groups)
        self.strides_or_dilation()
        self.kernel_initializer = initializers.get(kernel_initializer)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        rng = rng or initializers.default_rng()
        h, w, c = image_shape(self, input_shape)
        if c % self.groups:
            raise ShapeError(f"layer {label(self)!r}: expected channels in {self.groups} equal groups, got {c}")
        size, self.pads = plan(label(self), (h, w), self.kernel_size, self.strides, self.padding, self.dilation_rate)
        self.add_param("kernel", (*self.kernel_size, c // self.groups, self.filters), self.kernel_initializer, rng)
        if self.use_bias:
            self.add_param("bias", (self.filters,), self.bias_initializer, rng)
        self.window = (self.strides, self.pads, self.dilation_rate, self.groups)
        self.finish_build((h, w, c), (*size, self.filters), rng)

    def linear_forward(self, x: Any, training: bool) -> Any:
        self.x = self.check_input(x)
        self.y = self.buffer("y", (len(x), *self.linear_shape))
        bias = self.optional(self.params, "bias")
        ops.conv2d_forward(self.x, self.params["kernel"], bias, *self.window, self.relu, self.y)
        return self.y

    def linear_backward(self, dy: Any) -> Any:
        dx, dw, db = self.input_gradient(self.x.shape), self.grads["kernel"], self.optional(self.grads, "bias")
        ops.conv2d_backward(self.x, self.params["kernel"], self.y, dy, *self.window, self.relu, dw, db, dx)
        return dx

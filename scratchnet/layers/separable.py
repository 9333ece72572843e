"""DepthwiseConv2D and SeparableConv2D: each channel convolved by itself; then, in the second, a mix of the channels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import initializers
from ..kernels.window import plan
from .arguments import image_shape, label, positive
from .base import Shape, nothing, ops
from .convolution import Convolution

POINT = ((1, 1), (0, 0, 0, 0), (1, 1), 1)  # strides, pads, dilation and groups of a pointwise convolution


def grouped(kernel: Any) -> Any:
    """A depthwise kernel (kh, kw, c, m) as that of a convolution in c groups with m filters each, (kh, kw, 1, c m)."""
    kh, kw, c, m = kernel.shape
    return kernel.reshape(kh, kw, 1, c * m)


class _Depthwise(Convolution):
    """What both share: the window of a convolution with as many groups as channels."""

    depth_multiplier: int

    def depthwise_plan(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """Set the window; returns the shapes of the input and of what the depthwise convolution makes of it."""
        h, w, c = image_shape(self, input_shape)
        size, self.pads = plan(label(self), (h, w), self.kernel_size, self.strides, self.padding, self.dilation_rate)
        self.window = (self.strides, self.pads, self.dilation_rate, c)
        return (h, w, c), (*size, c * self.depth_multiplier)


class DepthwiseConv2D(_Depthwise):
    """``y[n,i,j,c m + k] = activation(bias[c m + k] + sum x[n, i sh + kh dh - top, ..., c] kernel[kh,kw,c,k])``.

    A convolution of each channel by itself: x is (n, h, w, c), kernel (kh, kw, c, m) with m = ``depth_multiplier``,
    bias (c m,), y (n, oh, ow, c m). It is `Conv2D` with ``groups`` = c, under Keras's names; MobileNet is made of it
    and of 1x1 convolutions (Howard et al., arXiv:1704.04861).

    Parameters
    ----------
    kernel_size, strides, padding, dilation_rate
        As in `Conv2D`; strides and dilation may both be above 1.
    depth_multiplier : int
        Filters for each channel.
    data_format : {None, "channels_last"}
    activation : str or Layer, optional
    use_bias, bias_initializer, bias_regularizer
        As in `Dense`, like the rest.
    depthwise_initializer, depthwise_regularizer
        Of the kernel.

    Raises
    ------
    ConfigError
        For invalid values.
    ShapeError
        If the input is not a batch of images, or no window fits.
    """

    argument_words: ClassVar = {"kernel": "depthwise"}
    own = ("depth_multiplier", "depthwise_initializer")

    def __init__(
        self, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", depth_multiplier: int = 1,
        data_format: str | None = None, dilation_rate: Any = (1, 1), activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, bias_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer,
            depthwise_regularizer=depthwise_regularizer, bias_regularizer=bias_regularizer, **kwargs,
        )  # fmt: skip
        positive(type(self).__name__, depth_multiplier=depth_multiplier)
        self.depth_multiplier = int(depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        rng = rng or initializers.default_rng()
        shape, made = self.depthwise_plan(input_shape)
        kernel = (*self.kernel_size, shape[2], self.depth_multiplier)
        self.add_param("kernel", kernel, self.depthwise_initializer, rng)
        if self.use_bias:
            self.add_param("bias", made[2:], self.bias_initializer, rng)
        self.finish_build(shape, made, rng)

    def linear_forward(self, x: Any, training: bool) -> Any:
        self.x = self.check_input(x)
        self.y = self.buffer("y", (len(x), *self.linear_shape))
        kernel, bias = grouped(self.params["kernel"]), self.optional(self.params, "bias")
        ops.conv2d_forward(self.x, kernel, bias, *self.window, self.relu, self.y)
        return self.y

    def linear_backward(self, dy: Any) -> Any:
        dx, db = self.input_gradient(self.x.shape), self.optional(self.grads, "bias")
        kernel, dw = grouped(self.params["kernel"]), grouped(self.grads["kernel"])
        ops.conv2d_backward(self.x, kernel, self.y, dy, *self.window, self.relu, dw, db, dx)
        return dx


class SeparableConv2D(_Depthwise):
    """A depthwise convolution z (n, oh, ow, c m), then ``y = activation(bias + z pointwise_kernel)``.

    x is (n, h, w, c), depthwise_kernel (kh, kw, c, m) with m = ``depth_multiplier``, pointwise_kernel (1, 1, c m,
    filters), bias (filters,), y (n, oh, ow, filters). Nothing is between the two convolutions. They have far fewer
    weights than a `Conv2D` of the same shapes: kh kw c m + c m filters in place of kh kw c filters (Chollet,
    arXiv:1610.02357).

    Parameters
    ----------
    filters : int
        Channels of y.
    kernel_size, strides, padding, dilation_rate, depth_multiplier
        Of the depthwise convolution, as in `DepthwiseConv2D`.
    data_format : {None, "channels_last"}
    activation : str or Layer, optional
    use_bias, bias_initializer, bias_regularizer
        As in `Dense`, like the rest.
    depthwise_initializer, pointwise_initializer, depthwise_regularizer, pointwise_regularizer
        Of the kernels.

    Raises
    ------
    ConfigError
        For invalid values.
    ShapeError
        If the input is not a batch of images, or no window fits.
    """

    argument_words: ClassVar = {"depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}
    own = ("filters", "depth_multiplier", "depthwise_initializer", "pointwise_initializer")

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = (1, 1), depth_multiplier: int = 1, activation: Any = None,
        use_bias: bool = True, depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, pointwise_regularizer: Any = None, bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer,
            depthwise_regularizer=depthwise_regularizer, pointwise_regularizer=pointwise_regularizer,
            bias_regularizer=bias_regularizer, **kwargs,
        )  # fmt: skip
        positive(type(self).__name__, filters=filters, depth_multiplier=depth_multiplier)
        self.filters, self.depth_multiplier = int(filters), int(depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        rng = rng or initializers.default_rng()
        shape, self.between = self.depthwise_plan(input_shape)
        kernel = (*self.kernel_size, shape[2], self.depth_multiplier)
        self.add_param("depthwise_kernel", kernel, self.depthwise_initializer, rng)
        self.add_param("pointwise_kernel", (1, 1, self.between[2], self.filters), self.pointwise_initializer, rng)
        if self.use_bias:
            self.add_param("bias", (self.filters,), self.bias_initializer, rng)
        self.finish_build(shape, (*self.between[:2], self.filters), rng)

    def linear_forward(self, x: Any, training: bool) -> Any:
        self.x, none = self.check_input(x), nothing(self.dtype)
        self.z = self.buffer("z", (len(x), *self.between))
        self.y = self.buffer("y", (len(x), *self.linear_shape))
        ops.conv2d_forward(self.x, grouped(self.params["depthwise_kernel"]), none, *self.window, False, self.z)
        bias = self.optional(self.params, "bias")
        ops.conv2d_forward(self.z, self.params["pointwise_kernel"], bias, *POINT, self.relu, self.y)
        return self.y

    def linear_backward(self, dy: Any) -> Any:
        dx, dz, none = self.input_gradient(self.x.shape), self.buffer("dz", self.z.shape), nothing(self.dtype)
        depthwise, pointwise = grouped(self.params["depthwise_kernel"]), self.params["pointwise_kernel"]
        dw, dp = grouped(self.grads["depthwise_kernel"]), self.grads["pointwise_kernel"]
        db = self.optional(self.grads, "bias")
        ops.conv2d_backward(self.z, pointwise, self.y, dy, *POINT, self.relu, dp, db, dz)
        ops.conv2d_backward(self.x, depthwise, self.z, dz, *self.window, False, dw, none, dx)
        return dx

"""Pooling: the largest or the mean value of each window, or of the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import flag, refuse_unknown
from ..kernels.pooling import argmax_dtype
from ..kernels.window import plan
from .arguments import channels_last, image_shape, label, padding_mode, pair
from .base import Layer, Shape, ops
from .keras_arguments import layer_arguments


class _Pooling2D(Layer):
    """What the pooling layers share: the windows. x (n, h, w, c), y (n, oh, ow, c)."""

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        channels_last(owner, data_format)
        self.pool_size = pair(owner, "pool_size", pool_size)
        self.strides = self.pool_size if strides is None else pair(owner, "strides", strides)
        self.padding = padding_mode(owner, padding)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        h, w, c = image_shape(self, input_shape)
        pooled, self.pads = plan(label(self), (h, w), self.pool_size, self.strides, self.padding)
        self.output_shape = self.pooled_shape = (*pooled, c)

    def config(self) -> dict[str, Any]:
        return {
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            **super().config(),
        }


class MaxPooling2D(_Pooling2D):
    """The largest value in each window, channel by channel: x (n, h, w, c), y (n, oh, ow, c).

    Parameters
    ----------
    pool_size : int or pair
        The window, (height, width).
    strides : int or pair, optional
        How far the window moves; by default its own size.
    padding : {"valid", "same"}
        ``"valid"``: ``oh = floor((h - kh) / sh) + 1``. ``"same"``: ``oh = ceil(h / sh)`` as in TensorFlow,
        where an odd border has its extra row at the bottom and its extra column at the right.
        The border counts as -inf.
    data_format : {None, "channels_last"}

    Among equal values in a window the first one gets the gradient, as in TensorFlow.

    Raises
    ------
    ConfigError
        For invalid arguments.
    ShapeError
        If the input is not an image, or the window does not fit into it.
    """

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        self.x_shape = x.shape
        y = self.buffer("y", (len(x), *self.pooled_shape))
        self.argmax = self.buffer("argmax", y.shape, argmax_dtype(self.pool_size))
        ops.max_pool_forward(x, self.pool_size, self.strides, self.pads, y, self.argmax)
        return y.reshape(len(x), *self.output_shape)

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy).reshape(self.argmax.shape)
        dx = self.input_gradient(self.x_shape)
        ops.max_pool_backward(dy, self.argmax, self.pool_size, self.strides, self.pads, self.x_shape, dx)
        return dx


class AveragePooling2D(_Pooling2D):
    """The mean of each window, channel by channel: x (n, h, w, c), y (n, oh, ow, c).

    Parameters
    ----------
    pool_size : int or pair
        The window, (height, width).
    strides : int or pair, optional
        How far the window moves; by default its own size.
    padding : {"valid", "same"}
        ``"valid"``: ``oh = floor((h - kh) / sh) + 1``. ``"same"``: ``oh = ceil(h / sh)`` as in TensorFlow,
        where an odd border has its extra row at the bottom and its extra column at the right.
        The border is not counted.
    data_format : {None, "channels_last"}

    Raises
    ------
    ConfigError
        For invalid arguments.
    ShapeError
        If the input is not an image, or the window does not fit into it.
    """

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        self.x_shape = x.shape
        y = self.buffer("y", (len(x), *self.pooled_shape))
        ops.average_pool_forward(x, self.pool_size, self.strides, self.pads, y)
        return y.reshape(len(x), *self.output_shape)

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy).reshape(len(dy), *self.pooled_shape)
        dx = self.input_gradient(self.x_shape)
        ops.average_pool_backward(dy, self.pool_size, self.strides, self.pads, self.x_shape, dx)
        return dx


class _Global(_Pooling2D):
    """Pooling whose window is the whole image."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        refuse_unknown(self, {"pool_size", "strides", "padding"} & set(kwargs), layer_arguments(type(self)))
        super().__init__(data_format=data_format, **kwargs)
        self.keepdims = flag(self, "keepdims", keepdims)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        h, w, c = image_shape(self, input_shape)
        self.pool_size = self.strides = (h, w)
        super().build(input_shape, rng)
        self.output_shape = (1, 1, c) if self.keepdims else (c,)

    def config(self) -> dict[str, Any]:
        return {"keepdims": self.keepdims, **Layer.config(self)}


class GlobalMaxPooling2D(_Global, MaxPooling2D):
    """The largest value of each channel: x (n, h, w, c), y (n, c), or (n, 1, 1, c) with ``keepdims``.

    Among equal values the first one gets the gradient, as in `MaxPooling2D`; Keras divides it among them here (but
    not in its MaxPooling2D).

    Parameters
    ----------
    data_format : {None, "channels_last"}
    keepdims : bool
        Keep the image's two axes, with extent 1.

    Raises
    ------
    ShapeError
        If the input is not an image.
    """


class GlobalAveragePooling2D(_Global, AveragePooling2D):
    """The mean of each channel: x (n, h, w, c), y (n, c), or (n, 1, 1, c) with ``keepdims``.

    Parameters
    ----------
    data_format : {None, "channels_last"}
    keepdims : bool
        Keep the image's two axes, with extent 1.

    Raises
    ------
    ShapeError
        If the input is not an image.
    """

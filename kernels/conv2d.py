"""Conv2D: ``y[n, i, j, f] = relu?(b[f] + sum_{kh, kw, c} x[n, i sh + kh dh - top, j sw + kw dw - left, c] w[kh, kw,
c, f])``.

The reference turns it into one matrix product per group of channels: ``im2col`` lays every window out as a row, the
filters are the columns. The Numba kernels are in conv2d_im2col.py (any convolution; its input's gradient is in
conv2d_input_gradient.py), conv2d_depthwise.py (each channel by itself) and conv2d_winograd.py (3x3 and 5x5 with
stride 1, a third to a quarter of the multiplications); `algorithm` says which one runs.
"""

from __future__ import annotations

import numpy as np

from . import conv2d_depthwise, conv2d_im2col, conv2d_input_gradient, conv2d_winograd
from .registry import reference, twin


def im2col(x, kernel_size, strides, pads, dilation):
    """Every window of x (n, h, w, c) as a view of shape (n, oh, ow, kh, kw, c)."""
    (kh, kw), (sh, sw), (dh, dw) = kernel_size, strides, dilation
    top, bottom, left, right = pads
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, ((kh - 1) * dh + 1, (kw - 1) * dw + 1), axis=(1, 2))
    return windows[:, ::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 2, 4, 5, 3)


def col2im(columns, shape, strides, pads, dilation):
    """The transpose of `im2col`: every window (n, oh, ow, kh, kw, c) added back where it came from, in x's shape."""
    (n, h, w, c), (sh, sw), (dh, dw), (top, bottom, left, right) = shape, strides, dilation, pads
    _, oh, ow, kh, kw, _ = columns.shape
    x = np.zeros((n, h + top + bottom, w + left + right, c), columns.dtype)
    for i, j in np.ndindex(kh, kw):
        x[:, i * dh : i * dh + sh * oh : sh, j * dw : j * dw + sw * ow : sw] += columns[:, :, :, i, j]
    return x[:, top : top + h, left : left + w]


@reference("conv2d_forward")
def conv2d_forward_reference(x, w, b, strides, pads, dilation, groups, relu):
    """x (n, h, w, c), w (kh, kw, c/groups, f), b (f,) or size 0, pads (top, bottom, left, right); y (n, oh, ow, f)."""
    columns = np.split(im2col(x, w.shape[:2], strides, pads, dilation), groups, axis=-1)
    filters = np.split(w, groups, axis=-1)
    y = np.concatenate([np.tensordot(a, f, 3) for a, f in zip(columns, filters, strict=True)], axis=-1)
    if b.size:
        y = y + b
    return np.where(y < 0, 0, y) if relu else y


@reference("conv2d_backward", outputs=3)
def conv2d_backward_reference(x, w, y, dy, strides, pads, dilation, groups, relu):
    """``dz = dy [y > 0]``; dw = windows' dz; db the sum of dz; dx = dz filters', added back by `col2im`."""
    dz = np.where(y > 0, dy, 0) if relu else dy
    columns = np.split(im2col(x, w.shape[:2], strides, pads, dilation), groups, axis=-1)
    dzs, filters = np.split(dz, groups, axis=-1), np.split(w, groups, axis=-1)
    dw = np.concatenate([np.tensordot(a, d, ((0, 1, 2), (0, 1, 2))) for a, d in zip(columns, dzs, strict=True)], -1)
    dcolumns = [np.tensordot(d, f, (3, 3)) for d, f in zip(dzs, filters, strict=True)]
    return dw, dz.sum(axis=(0, 1, 2)), col2im(np.concatenate(dcolumns, -1), x.shape, strides, pads, dilation)


def algorithm(x_shape, w_shape, strides, dilation, groups) -> str:
    """``"winograd"``, ``"depthwise"`` or ``"im2col"``: what the numba backend runs for this convolution."""
    kh, kw, c, f = w_shape
    plain = strides == (1, 1) and dilation == (1, 1) and groups == 1
    fits = plain and kh == kw and kh in conv2d_winograd.SIZES and c % 16 == 0 and f % 16 == 0  # whole vectors
    if conv2d_depthwise.fits(w_shape, groups):
        return "depthwise"
    return "winograd" if fits else "im2col"


@twin("conv2d_forward")
def conv2d_forward(x, w, b, strides, pads, dilation, groups, relu, y):
    way = algorithm(x.shape, w.shape, strides, dilation, groups)
    if way == "winograd":
        conv2d_winograd.run_forward(x, w, b, pads, relu, y)
    elif way == "depthwise":
        conv2d_depthwise.run_forward(x, w, b, strides, pads, dilation, relu, y)
    else:
        conv2d_im2col.run_forward(x, w, b, strides, pads, dilation, relu, y)


@twin("conv2d_backward")
def conv2d_backward(x, w, y, dy, strides, pads, dilation, groups, relu, dw, db, dx):
    way = algorithm(x.shape, w.shape, strides, dilation, groups)
    if way == "winograd":
        conv2d_winograd.run_backward(x, w, y, dy, pads, relu, dw, db, dx)
    elif way == "depthwise":
        conv2d_depthwise.run_backward(x, w, y, dy, strides, pads, dilation, relu, dw, db, dx)
    else:
        conv2d_im2col.run_backward(x, w, y, dy, strides, pads, dilation, groups, relu, dw, db)
        if dx.size:
            conv2d_input_gradient.run(w, y, dy, strides, pads, dilation, groups, relu, dx)

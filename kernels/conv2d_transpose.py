"""Transposed convolution: a convolution run backwards, from the windows to the image.

A convolution takes an image to one number per window and filter; its backward pass takes the gradients of those numbers
back to the image. That pass, used as a layer's forward pass, is the transposed convolution: x has the place of the
windows' gradient, y that of the image's. So nothing here is new but the names:

    forward     y  = the input gradient of the convolution from y to x, plus a bias
    backward    dx = that convolution of dz, dw = its filter gradient, with dz = dy [y > 0] if ReLU is fused

Strides move the windows apart in y, so y is larger than x. Dumoulin and Visin, arXiv:1603.07285, chapter 4.
"""

from __future__ import annotations

import numpy as np

from . import conv2d_input_gradient
from .addresses import at
from .conv2d import col2im, conv2d_backward, conv2d_forward, im2col
from .conv2d_im2col import SLICES, add_slices, masked
from .jit import kernel
from .launching import FEW, launch
from .registry import reference, twin
from .scratch import clear, scratch


@reference("conv2d_transpose_forward")
def conv2d_transpose_forward_reference(x, w, b, strides, pads, dilation, size, relu):
    """x (n, h, w, c), w (kh, kw, f, c), b (f,) or size 0, pads of the convolution from y to x; y (n, *size, f)."""
    columns = np.tensordot(x, w, (3, 3))
    y = col2im(columns, (len(x), *size, w.shape[2]), strides, pads, dilation)
    if b.size:
        y = y + b
    return np.where(y < 0, 0, y) if relu else y


@reference("conv2d_transpose_backward", outputs=3)
def conv2d_transpose_backward_reference(x, w, y, dy, strides, pads, dilation, relu):
    """``dz = dy [y > 0]``; dw = windows of dz times x; db the sum of dz; dx = windows of dz times filters."""
    dz = np.where(y > 0, dy, 0) if relu else dy
    columns = im2col(dz, w.shape[:2], strides, pads, dilation)
    dw = np.tensordot(columns, x, ((0, 1, 2), (0, 1, 2)))
    return dw, dz.sum(axis=(0, 1, 2)), np.tensordot(columns, w, ((3, 4, 5), (0, 1, 2)))


@kernel
def _finish(image, b, relu, y):
    filters, zero = y.shape[3], y.dtype.type(0)
    pixels, bias = y.shape[1] * y.shape[2], at(b, 0)
    for p in range(image * pixels, (image + 1) * pixels):
        out = at(y, p * filters)
        if b.size:
            for f in range(filters):
                out[f] += bias[f]
        if relu:
            for f in range(filters):
                out[f] = zero if out[f] < zero else out[f]


@kernel
def _gradient(s, y, dy, relu, dz, dbs):
    slices, n = len(dbs), len(dy)
    clear(dbs[s])
    for i in range(s * n // slices, (s + 1) * n // slices):
        masked(y[i], dy[i], relu, 0, 0, dz[i], dbs[s])


@twin("conv2d_transpose_forward")
def conv2d_transpose_forward(x, w, b, strides, pads, dilation, size, relu, y):
    conv2d_input_gradient.run(w, x, x, strides, pads, dilation, 1, False, y)
    if b.size or relu:
        launch(_finish, len(y), b, relu, y, serial=y.size < FEW)


@twin("conv2d_transpose_backward")
def conv2d_transpose_backward(x, w, y, dy, strides, pads, dilation, relu, dw, db, dx):
    dz, nothing = dy, scratch("conv2d_transpose.nothing", (0,), dy.dtype)
    if relu or db.size:
        dz = scratch("conv2d_transpose.dz", dy.shape, dy.dtype)
        dbs = scratch("conv2d_transpose.dbs", (min(SLICES, len(dy)), db.size), dy.dtype)
        launch(_gradient, len(dbs), y, dy, relu, dz, dbs, serial=dy.size < FEW)
        if db.size:
            add_slices(dbs, db)
    conv2d_backward(dz, w, x, x, strides, pads, dilation, 1, False, dw, nothing, nothing)
    if dx.size:
        conv2d_forward(dz, w, nothing, strides, pads, dilation, 1, False, dx)

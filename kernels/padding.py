"""Zero padding of an NHWC image. ``pads`` is ``(top, bottom, left, right)``."""

from __future__ import annotations

import numpy as np

from .addresses import at
from .jit import jit, prange
from .registry import reference, twin

SERIAL = 32_768  # smaller arrays stay with one thread


@reference("zero_pad_forward")
def zero_pad_forward_reference(x, pads):
    """``y`` (n, top + h + bottom, left + w + right, c): x with zeros around it."""
    top, bottom, left, right = pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


@reference("zero_pad_backward")
def zero_pad_backward_reference(dy, pads):
    """``dx``: dy without the border."""
    top, bottom, left, right = pads
    return dy[:, top : dy.shape[1] - bottom, left : dy.shape[2] - right]


@jit
def _pad_image(image, x, top, left, y):
    h, w, c = x.shape[1:]
    tall, wide = y.shape[1:3]
    target = at(y, image * tall * wide * c)
    for k in range(tall * wide * c):
        target[k] = 0
    for i in range(h):
        source, target = at(x, (image * h + i) * w * c), at(y, ((image * tall + top + i) * wide + left) * c)
        for k in range(w * c):
            target[k] = source[k]


@jit
def _crop_image(image, dy, top, left, dx):
    h, w, c = dx.shape[1:]
    tall, wide = dy.shape[1:3]
    for i in range(h):
        source, target = at(dy, ((image * tall + top + i) * wide + left) * c), at(dx, (image * h + i) * w * c)
        for k in range(w * c):
            target[k] = source[k]


@jit(parallel=True)
def _pad(x, top, left, y):
    if y.size < SERIAL:
        for image in range(len(x)):
            _pad_image(image, x, top, left, y)
    else:
        for image in prange(len(x)):
            _pad_image(image, x, top, left, y)


@jit(parallel=True)
def _crop(dy, top, left, dx):
    if dx.size < SERIAL:
        for image in range(len(dx)):
            _crop_image(image, dy, top, left, dx)
    else:
        for image in prange(len(dx)):
            _crop_image(image, dy, top, left, dx)


@twin("zero_pad_forward")
def zero_pad_forward(x, pads, y):
    _pad(x, pads[0], pads[2], y)


@twin("zero_pad_backward")
def zero_pad_backward(dy, pads, dx):
    if dx.size:
        _crop(dy, pads[0], pads[2], dx)

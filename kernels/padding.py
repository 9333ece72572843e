"""Zero padding of an NHWC image. ``pads`` is ``(top, bottom, left, right)``."""

from __future__ import annotations

import numpy as np

from .addresses import at
from .jit import kernel
from .launching import FEW, launch
from .registry import reference, twin


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


@kernel
def _pad(image, x, top, left, y):
    h, w, c = x.shape[1:]
    tall, wide = y.shape[1:3]
    target = at(y, image * tall * wide * c)
    for k in range(tall * wide * c):
        target[k] = 0
    for i in range(h):
        source, target = at(x, (image * h + i) * w * c), at(y, ((image * tall + top + i) * wide + left) * c)
        for k in range(w * c):
            target[k] = source[k]


@kernel
def _crop(image, dy, top, left, dx):
    h, w, c = dx.shape[1:]
    tall, wide = dy.shape[1:3]
    for i in range(h):
        source, target = at(dy, ((image * tall + top + i) * wide + left) * c), at(dx, (image * h + i) * w * c)
        for k in range(w * c):
            target[k] = source[k]


@twin("zero_pad_forward")
def zero_pad_forward(x, pads, y):
    launch(_pad, len(x), x, pads[0], pads[2], y, serial=y.size < FEW)


@twin("zero_pad_backward")
def zero_pad_backward(dy, pads, dx):
    if dx.size:
        launch(_crop, len(dx), dy, pads[0], pads[2], dx, serial=dx.size < FEW)

"""Nearest-neighbor upsampling of an NHWC image. ``size`` is ``(rows, columns)``: how often each pixel is repeated."""

from __future__ import annotations

from .addresses import at
from .jit import kernel
from .launching import FEW, launch
from .registry import reference, twin


@reference("upsample_forward")
def upsample_forward_reference(x, size):
    """``y[n, i, j, c] = x[n, i // rows, j // columns, c]``."""
    return x.repeat(size[0], axis=1).repeat(size[1], axis=2)


@reference("upsample_backward")
def upsample_backward_reference(dy, size):
    """``dx`` is the sum of dy over the copies of each pixel."""
    n, h, w, c = dy.shape
    return dy.reshape(n, h // size[0], size[0], w // size[1], size[1], c).sum(axis=(2, 4))


@kernel
def _repeat(image, x, rows, columns, y):
    h, w, c = x.shape[1:]
    for i in range(h * rows):
        target = at(y, (image * h * rows + i) * w * columns * c)
        for j in range(w):
            source = at(x, ((image * h + i // rows) * w + j) * c)
            for b in range(columns):
                for k in range(c):
                    target[(j * columns + b) * c + k] = source[k]


@kernel
def _add_up(image, dy, rows, columns, dx):
    h, w, c = dx.shape[1:]
    for i in range(h):
        target = at(dx, (image * h + i) * w * c)
        for k in range(w * c):
            target[k] = 0
        for a in range(rows):
            source = at(dy, ((image * h + i) * rows + a) * w * columns * c)
            for j in range(w):
                for b in range(columns):
                    for k in range(c):
                        target[j * c + k] += source[(j * columns + b) * c + k]


@twin("upsample_forward")
def upsample_forward(x, size, y):
    launch(_repeat, len(x), x, size[0], size[1], y, serial=y.size < FEW)


@twin("upsample_backward")
def upsample_backward(dy, size, dx):
    if dx.size:
        launch(_add_up, len(dx), dy, size[0], size[1], dx, serial=dy.size < FEW)

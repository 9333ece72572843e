"""Max and average pooling over windows of an NHWC image.

``pads`` is ``(top, bottom, left, right)``, see `window`; max pooling pads with -inf, average pooling leaves
the padding out of its count. Position ``p`` of a window is its row ``p // kw``, column ``p % kw``.
"""

from __future__ import annotations

import numpy as np

from .registry import reference


def argmax_dtype(window: tuple[int, int]) -> type[np.integer]:
    """What holds a position inside the window: one byte unless the window is large."""
    return np.uint8 if window[0] * window[1] <= 256 else np.int32


def padded(x, pads, fill):
    """``x`` with its borders."""
    top, bottom, left, right = pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)


def positions(x, window, strides):
    """For each position in a window: the view (n, oh, ow, c) of padded ``x`` that has it of every window."""
    (kh, kw), (sh, sw) = window, strides
    for i, j in np.ndindex(kh, kw):
        yield x[:, i : x.shape[1] - kh + i + 1 : sh, j : x.shape[2] - kw + j + 1 : sw]


@reference("max_pool_forward", outputs=2)
def max_pool_forward_reference(x, window, strides, pads):
    """``y = max over the window``, and where it was found first; NaN wins."""
    views = list(positions(padded(x, pads, -np.inf), window, strides))
    y, argmax = views[0].copy(), np.zeros(views[0].shape, argmax_dtype(window))
    for p, v in enumerate(views):
        better = ~(v <= y) & (y == y)
        y[better], argmax[better] = v[better], p
    return y, argmax


@reference("max_pool_backward")
def max_pool_backward_reference(dy, argmax, window, strides, pads, shape):
    """Each dy goes to where its maximum was; overlapping windows add up. ``shape`` is that of x."""
    dx = padded(np.zeros(shape, dy.dtype), pads, 0)
    for p, v in enumerate(positions(dx, window, strides)):
        v += np.where(argmax == p, dy, 0)
    return dx[:, pads[0] :, pads[2] :][:, : shape[1], : shape[2]]


@reference("average_pool_forward")
def average_pool_forward_reference(x, window, strides, pads):
    """``y = sum over the window / how many of its positions lie inside the image``."""
    inside = np.ones((1, *x.shape[1:3], 1), x.dtype)
    return sum(positions(padded(x, pads, 0), window, strides)) / sum(
        positions(padded(inside, pads, 0), window, strides)
    )


@reference("average_pool_backward")
def average_pool_backward_reference(dy, window, strides, pads, shape):
    """Each dy in equal shares to the positions inside the image. ``shape`` is that of x."""
    inside = padded(np.ones((1, *shape[1:3], 1), dy.dtype), pads, 0)
    share = dy / sum(positions(inside, window, strides))
    dx = padded(np.zeros(shape, dy.dtype), pads, 0)
    for v in positions(dx, window, strides):
        v += share
    return dx[:, pads[0] :, pads[2] :][:, : shape[1], : shape[2]]

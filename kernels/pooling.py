"""Max and average pooling over windows of an NHWC image.

``pads`` is ``(top, bottom, left, right)``, see `window`; max pooling pads with -inf, average pooling does not
count the padding. Position ``p`` of a window is its row ``p // kw``, column ``p % kw``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .addresses import LINE_BYTES, at, like, shift
from .jit import jit, kernel, max_threads, thread_id
from .launching import FEW, launch
from .registry import reference, twin
from .scratch import scratch


def argmax_dtype(window: tuple[int, int]) -> type[np.integer]:
    """The dtype for a position inside the window: one byte unless the window is large."""
    return np.uint8 if window[0] * window[1] <= 256 else np.int32


def padded(x, pads, fill):
    """``x`` with its borders."""
    top, bottom, left, right = pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)


def positions(x, window, strides):
    """For each position in a window: the view (n, oh, ow, c) of padded ``x`` with every window's element there."""
    (kh, kw), (sh, sw) = window, strides
    for i, j in np.ndindex(kh, kw):
        yield x[:, i : x.shape[1] - kh + i + 1 : sh, j : x.shape[2] - kw + j + 1 : sw]


@reference("max_pool_forward", outputs=2)
def max_pool_forward_reference(x, window, strides, pads):
    """``y = max over the window``, and its first position; NaN wins."""
    pixels = padded(np.ones((1, *x.shape[1:3], 1), bool), pads, False)
    inside = np.stack(list(positions(pixels, window, strides)))
    values = np.stack(list(positions(padded(x, pads, -np.inf), window, strides)))
    y = values.max(axis=0)
    largest = ((values == y) | np.isnan(values)) & inside  # of only -inf, too, the first is not in the padding
    return y, largest.argmax(axis=0).astype(argmax_dtype(window))


@reference("max_pool_backward")
def max_pool_backward_reference(dy, argmax, window, strides, pads, shape):
    """Each dy goes to the position of its maximum; overlapping windows add up. ``shape`` is that of x."""
    dx = padded(np.zeros(shape, dy.dtype), pads, 0)
    for p, v in enumerate(positions(dx, window, strides)):
        v += np.where(argmax == p, dy, 0)
    return dx[:, pads[0] :, pads[2] :][:, : shape[1], : shape[2]]


@reference("average_pool_forward")
def average_pool_forward_reference(x, window, strides, pads):
    """``y = sum over the window / number of its positions inside the image``."""
    inside = np.ones((1, *x.shape[1:3], 1), x.dtype)
    return sum(positions(padded(x, pads, 0), window, strides)) / sum(
        positions(padded(inside, pads, 0), window, strides)
    )


@reference("average_pool_backward")
def average_pool_backward_reference(dy, window, strides, pads, shape):
    """Each dy is shared equally among the positions inside the image. ``shape`` is that of x."""
    inside = padded(np.ones((1, *shape[1:3], 1), dy.dtype), pads, 0)
    share = dy / sum(positions(inside, window, strides))
    dx = padded(np.zeros(shape, dy.dtype), pads, 0)
    for v in positions(dx, window, strides):
        v += share
    return dx[:, pads[0] :, pads[2] :][:, : shape[1], : shape[2]]


# The twins loop over the windows of an image, with inner loops along the channels. Addresses instead of indices: an
# index that Numba cannot prove to be positive keeps a loop from being vectorized (a factor of five here).
#
# The maximum is taken over four positions of a window at a time, so 2 x 2 is one pass (a third of the time of four
# passes). For that a window's positions are listed in tables; the other loops run over its rows and columns.


class Pool(NamedTuple):
    """Images (h, w, c), and the oh x ow windows (kh, kw) over them, the first at ``(-top, -left)``."""

    h: int
    w: int
    c: int
    oh: int
    ow: int
    kh: int
    kw: int
    sh: int
    sw: int
    top: int
    left: int


def geometry(x_shape, pooled_shape, window, strides, pads):
    """`Pool` for the arguments of an op."""
    return Pool(*x_shape[1:], *pooled_shape[1:3], *window, *strides, pads[0], pads[2])


@jit
def inside(g, i, j):
    """``top, left, r0, r1, q0, q1``: where window (i, j) begins, and which rows and columns of it are in the image."""
    top, left = i * g.sh - g.top, j * g.sw - g.left
    return top, left, max(top, 0), min(top + g.kh, g.h), max(left, 0), min(left + g.kw, g.w)


def tables(window, codes):
    """Room for the lines of two windows, for each thread: offsets, and positions of a dtype.

    The threads' tables lie one cache line apart.
    """
    shape = max_threads(), 2 * window[0] * window[1] + LINE_BYTES
    return scratch("pooling.offsets", shape, np.int64), scratch("pooling.codes", shape, codes)


@jit
def tabulate(g, r0, r1, q0, q1, offsets, codes):
    """List rows r0 to r1, columns q0 to q1 of a window: offsets from its first element, and positions inside it."""
    count = 0
    for r in range(r0, r1):
        for q in range(q0, q1):
            offsets[count], codes[count] = (r * g.w + q) * g.c, r * g.kw + q
            count += 1
    return count


@jit
def whole_window(g, tables):
    """The tables of this thread, ``(offsets, codes)``, with a whole window in their first ``kh kw`` lines."""
    offsets, codes = at(tables[0], thread_id() * tables[0].shape[1]), at(tables[1], thread_id() * tables[1].shape[1])
    tabulate(g, 0, g.kh, 0, g.kw, offsets, codes)
    return offsets, codes


@jit
def window_at(g, i, j, offsets, codes):
    """``origin, start, count`` of window (i, j): where it is, and the lines of the tables that lie in the image.

    The first ``kh kw`` lines of the tables are a whole window, made once; the others are rebuilt for each window that
    crosses the border.
    """
    top, left, r0, r1, q0, q1 = inside(g, i, j)
    origin, whole = (top * g.w + left) * g.c, g.kh * g.kw
    if (r1 - r0) * (q1 - q0) == whole:
        return origin, 0, whole
    lines = shift(offsets, whole), shift(codes, whole)
    return origin, whole, tabulate(g, r0 - top, r1 - top, q0 - left, q1 - left, *lines)


@jit
def larger(value, best):
    """Whether ``value`` replaces ``best``: it is larger, or the first NaN."""
    return (not (value <= best)) & (best == best)


@jit
def take_one(x, code, fresh, y, argmax, c):
    for k in range(c):
        t = fresh or larger(x[k], y[k])
        y[k] = x[k] if t else y[k]
        argmax[k] = code if t else argmax[k]


@jit
def take_four(x, offsets, codes, fresh, y, argmax, c):
    x0, x1, x2, x3 = shift(x, offsets[0]), shift(x, offsets[1]), shift(x, offsets[2]), shift(x, offsets[3])
    c0, c1, c2, c3 = codes[0], codes[1], codes[2], codes[3]
    for k in range(c):
        t = fresh or larger(x0[k], y[k])
        best, code = x0[k] if t else y[k], c0 if t else argmax[k]
        t = larger(x1[k], best)
        best, code = x1[k] if t else best, c1 if t else code
        t = larger(x2[k], best)
        best, code = x2[k] if t else best, c2 if t else code
        t = larger(x3[k], best)
        y[k], argmax[k] = x3[k] if t else best, c3 if t else code


@kernel
def _max_forward(image, x, g, y, argmax, tables):
    offsets, codes = whole_window(g, tables)
    for i in range(g.oh):
        for j in range(g.ow):
            origin, start, count = window_at(g, i, j, offsets, codes)
            source, out = at(x, image * g.h * g.w * g.c + origin), ((image * g.oh + i) * g.ow + j) * g.c
            target, found = at(y, out), at(argmax, out)
            quads = start + count // 4 * 4
            for m in range(start, quads, 4):
                take_four(source, shift(offsets, m), shift(codes, m), m == start, target, found, g.c)
            for m in range(quads, start + count):
                take_one(shift(source, offsets[m]), codes[m], m == start, target, found, g.c)


@kernel
def _max_backward(image, dy, argmax, g, dx):
    zero, whole = dx.dtype.type(0), at(dx, image * g.h * g.w * g.c)
    for k in range(g.h * g.w * g.c):
        whole[k] = zero
    for i in range(g.oh):
        for j in range(g.ow):
            top, left, r0, r1, q0, q1 = inside(g, i, j)
            out = ((image * g.oh + i) * g.ow + j) * g.c
            source, found = at(dy, out), at(argmax, out)
            for r in range(r0, r1):
                for q in range(q0, q1):
                    target, code = shift(whole, (r * g.w + q) * g.c), like(found, (r - top) * g.kw + q - left)
                    for k in range(g.c):
                        target[k] += source[k] if found[k] == code else zero


@kernel
def _average_forward(image, x, g, y):
    whole = at(x, image * g.h * g.w * g.c)
    for i in range(g.oh):
        for j in range(g.ow):
            _, _, r0, r1, q0, q1 = inside(g, i, j)
            target, size = at(y, ((image * g.oh + i) * g.ow + j) * g.c), y.dtype.type((r1 - r0) * (q1 - q0))
            for k in range(g.c):
                target[k] = 0
            for r in range(r0, r1):
                for q in range(q0, q1):
                    source = shift(whole, (r * g.w + q) * g.c)
                    for k in range(g.c):
                        target[k] += source[k]
            for k in range(g.c):
                target[k] /= size


@kernel
def _average_backward(image, dy, g, dx):
    whole = at(dx, image * g.h * g.w * g.c)
    for k in range(g.h * g.w * g.c):
        whole[k] = 0
    for i in range(g.oh):
        for j in range(g.ow):
            _, _, r0, r1, q0, q1 = inside(g, i, j)
            source, size = at(dy, ((image * g.oh + i) * g.ow + j) * g.c), dx.dtype.type((r1 - r0) * (q1 - q0))
            for r in range(r0, r1):
                for q in range(q0, q1):
                    target = shift(whole, (r * g.w + q) * g.c)
                    for k in range(g.c):
                        target[k] += source[k] / size


@twin("max_pool_forward")
def max_pool_forward(x, window, strides, pads, y, argmax):
    g = geometry(x.shape, y.shape, window, strides, pads)
    launch(_max_forward, len(x), x, g, y, argmax, tables(window, argmax.dtype), serial=x.size < FEW)


@twin("max_pool_backward")
def max_pool_backward(dy, argmax, window, strides, pads, shape, dx):
    if dx.size:
        g = geometry(shape, dy.shape, window, strides, pads)
        launch(_max_backward, len(dx), dy, argmax, g, dx, serial=dx.size < FEW)


@twin("average_pool_forward")
def average_pool_forward(x, window, strides, pads, y):
    g = geometry(x.shape, y.shape, window, strides, pads)
    launch(_average_forward, len(x), x, g, y, serial=x.size < FEW)


@twin("average_pool_backward")
def average_pool_backward(dy, window, strides, pads, shape, dx):
    if dx.size:
        g = geometry(shape, dy.shape, window, strides, pads)
        launch(_average_backward, len(dx), dy, g, dx, serial=dx.size < FEW)

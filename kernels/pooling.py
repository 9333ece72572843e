"""Max and average pooling over windows of an NHWC image.

``pads`` is ``(top, bottom, left, right)``, see `window`; max pooling pads with -inf, average pooling leaves
the padding out of its count. Position ``p`` of a window is its row ``p // kw``, column ``p % kw``.
"""

from __future__ import annotations

import numpy as np

from .addresses import LINE_BYTES, at, shift
from .jit import jit, kernel, max_threads, thread_id
from .launching import FEW, launch
from .registry import reference, twin
from .scratch import scratch


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
    inside = positions(padded(np.ones(x.shape, bool), pads, False), window, strides)
    y, argmax = np.full_like(views[0], -np.inf), np.zeros(views[0].shape, argmax_dtype(window))
    found = np.zeros(y.shape, bool)  # a window of nothing but -inf has its maximum in the image, not beside it
    for p, (v, there) in enumerate(zip(views, inside, strict=True)):
        better = there & (~found | (~(v <= y) & (y == y)))
        y[better], argmax[better], found = v[better], p, found | there
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


# The twins walk over the windows of an image, their inner loops along the channels. The maximum is taken over four
# positions of a window at a time, so that 2 x 2 is one pass (a third of the time of four passes). Addresses instead
# of indices, because an index that Numba cannot prove to be positive keeps a loop from being vectorized (a factor
# of five here).
#
# Measured on one core, float32, 128 images of 28 x 28 x 32, 2 x 2 windows: 0.52 ms forward (17 MB read and written),
# 0.73 ms backward; a bare np.max over the input takes 0.16 ms, a copy of it 0.40 ms.


def geometry(x_shape, pooled_shape, window, strides, pads):
    """What the kernels need to know about the windows, as one tuple of integers."""
    return (*x_shape[1:], *window, *strides, pads[0], pads[2], *pooled_shape[1:3])


def tables(window, codes):
    """Room for the lines of two windows, for each thread: offsets, and positions of a dtype.

    Threads' tables lie a line of the cache apart.
    """
    shape = max_threads(), 2 * window[0] * window[1] + LINE_BYTES
    return scratch("pooling.offsets", shape, np.int64), scratch("pooling.codes", shape, codes)


@jit
def tabulate(g, r0, r1, q0, q1, offsets, codes):
    """List rows r0 to r1, columns q0 to q1 of a window: offsets from its first element, and positions inside it."""
    w, c, kw = g[1], g[2], g[4]
    count = 0
    for r in range(r0, r1):
        for q in range(q0, q1):
            offsets[count], codes[count] = (r * w + q) * c, r * kw + q
            count += 1
    return count


@jit
def whole_window(g, tables):
    """The tables of this thread, ``(offsets, codes)``, with a whole window in their first ``kh kw`` lines."""
    offsets, codes = at(tables[0], thread_id() * tables[0].shape[1]), at(tables[1], thread_id() * tables[1].shape[1])
    tabulate(g, 0, g[3], 0, g[4], offsets, codes)
    return offsets, codes


@jit
def window_at(g, i, j, offsets, codes):
    """``origin, start, count`` of window (i, j): where it stands, and the lines of the tables that lie in the image.

    The first ``kh kw`` lines of the tables are a whole window, made once; the others are made anew for a window that
    reaches over the border.
    """
    h, w, c, kh, kw, sh, sw, top, left = g[:9]
    r, q = i * sh - top, j * sw - left
    origin = (r * w + q) * c
    if r >= 0 and q >= 0 and r + kh <= h and q + kw <= w:
        return origin, 0, kh * kw
    start, rows, columns = kh * kw, min(kh, h - r), min(kw, w - q)
    return origin, start, tabulate(g, max(0, -r), rows, max(0, -q), columns, shift(offsets, start), shift(codes, start))


@jit
def larger(value, best):
    """Whether ``value`` takes the place of ``best``: it is larger, or the first NaN."""
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
    h, w, c = g[:3]
    oh, ow = g[9:]
    offsets, codes = whole_window(g, tables)
    for i in range(oh):
        for j in range(ow):
            origin, start, count = window_at(g, i, j, offsets, codes)
            source, out = at(x, image * h * w * c + origin), ((image * oh + i) * ow + j) * c
            target, found = at(y, out), at(argmax, out)
            quads = start + count // 4 * 4
            for m in range(start, quads, 4):
                take_four(source, shift(offsets, m), shift(codes, m), m == start, target, found, c)
            for m in range(quads, start + count):
                take_one(shift(source, offsets[m]), codes[m], m == start, target, found, c)


@jit
def give_one(dy, argmax, code, dx, zero, c):
    for k in range(c):
        dx[k] += dy[k] if argmax[k] == code else zero


@kernel
def _max_backward(image, dy, argmax, g, dx, tables):
    h, w, c = g[:3]
    oh, ow = g[9:]
    offsets, codes = whole_window(g, tables)
    zero, whole = dx.dtype.type(0), at(dx, image * h * w * c)
    for k in range(h * w * c):
        whole[k] = zero
    for i in range(oh):
        for j in range(ow):
            origin, start, count = window_at(g, i, j, offsets, codes)
            out = ((image * oh + i) * ow + j) * c
            source, found, target = at(dy, out), at(argmax, out), shift(whole, origin)
            for m in range(start, start + count):
                give_one(source, found, codes[m], shift(target, offsets[m]), zero, c)


@kernel
def _average_forward(image, x, g, y, tables):
    h, w, c = g[:3]
    oh, ow = g[9:]
    offsets, codes = whole_window(g, tables)
    for i in range(oh):
        for j in range(ow):
            origin, start, count = window_at(g, i, j, offsets, codes)
            source, target = at(x, image * h * w * c + origin), at(y, ((image * oh + i) * ow + j) * c)
            for k in range(c):
                target[k] = 0
            for m in range(start, start + count):
                one = shift(source, offsets[m])
                for k in range(c):
                    target[k] += one[k]
            size = y.dtype.type(count)
            for k in range(c):
                target[k] /= size


@kernel
def _average_backward(image, dy, g, dx, tables):
    h, w, c = g[:3]
    oh, ow = g[9:]
    offsets, codes = whole_window(g, tables)
    whole = at(dx, image * h * w * c)
    for k in range(h * w * c):
        whole[k] = 0
    for i in range(oh):
        for j in range(ow):
            origin, start, count = window_at(g, i, j, offsets, codes)
            source, size = at(dy, ((image * oh + i) * ow + j) * c), dx.dtype.type(count)
            for m in range(start, start + count):
                target = shift(whole, origin + offsets[m])
                for k in range(c):
                    target[k] += source[k] / size


@twin("max_pool_forward")
def max_pool_forward(x, window, strides, pads, y, argmax):
    g = geometry(x.shape, y.shape, window, strides, pads)
    launch(_max_forward, len(x), x, g, y, argmax, tables(window, argmax.dtype), serial=x.size < FEW)


@twin("max_pool_backward")
def max_pool_backward(dy, argmax, window, strides, pads, shape, dx):
    if dx.size:
        g = geometry(shape, dy.shape, window, strides, pads)
        launch(_max_backward, len(dx), dy, argmax, g, dx, tables(window, argmax.dtype), serial=dx.size < FEW)


@twin("average_pool_forward")
def average_pool_forward(x, window, strides, pads, y):
    g = geometry(x.shape, y.shape, window, strides, pads)
    launch(_average_forward, len(x), x, g, y, tables(window, np.int64), serial=x.size < FEW)


@twin("average_pool_backward")
def average_pool_backward(dy, window, strides, pads, shape, dx):
    if dx.size:
        g = geometry(shape, dy.shape, window, strides, pads)
        launch(_average_backward, len(dx), dy, g, dx, tables(window, np.int64), serial=dx.size < FEW)

"""Any convolution on the CPU: windows of one image as rows, one matrix product, nothing larger than an image's
windows in memory.
"""

from __future__ import annotations

import numpy as np

from .gemm import ACCUMULATE, BIAS, ZERO, at, gemm
from .jit import jit, max_threads, prange, thread_id
from .scratch import scratch

SLICES = (
    8  # of the batch, each with a filter gradient of its own, summed in order: the same bits for any number of threads
)


@jit
def windows(image, channel, channels, kh, kw, window, size, rows):  # type: ignore[no-untyped-def]
    """Lay out the windows of one image (h, w, c), for ``channels`` channels from ``channel`` on, as rows of
    kh*kw*channels numbers.
    """
    sh, sw, dh, dw, top, left = window
    h, w, c = image.shape
    lines = image.reshape(h, w * c)
    run = kw * channels
    contiguous = dw == 1 and channels == c
    p = 0
    for i in range(size[0]):
        for j in range(size[1]):
            x = j * sw - left
            inside = contiguous and x >= 0 and x + kw <= w
            for a in range(kh):
                y = i * sh + a * dh - top
                if y < 0 or y >= h:
                    for k in range(run):
                        rows[p + k] = 0
                elif inside:  # a line of the window is one run of memory: four times faster on one channel
                    for k in range(run):
                        rows[p + k] = lines[y, x * c + k]
                else:
                    for b in range(kw):
                        column = x + b * dw
                        for k in range(channels):
                            value = rows.dtype.type(0)
                            if 0 <= column < w:
                                value = lines[y, column * c + channel + k]
                            rows[p + b * channels + k] = value
                p += run


@jit
def add_windows(rows, channel, channels, kh, kw, window, size, image):  # type: ignore[no-untyped-def]
    """The transpose of `windows`: add every row back where it came from."""
    sh, sw, dh, dw, top, left = window
    h, w, c = image.shape
    lines = image.reshape(h, w * c)
    p = 0
    for i in range(size[0]):
        for j in range(size[1]):
            for a in range(kh):
                y = i * sh + a * dh - top
                for b in range(kw):
                    column = j * sw - left + b * dw
                    if 0 <= y < h and 0 <= column < w:
                        for k in range(channels):
                            lines[y, column * c + channel + k] += rows[p + k]
                    p += channels


@jit(parallel=True)
def forward(x, w, b, window, relu, rows, y):  # type: ignore[no-untyped-def]
    kh, kw, channels, filters = w.shape
    groups = x.shape[3] // channels
    size = y.shape[1:3]
    pixels, depth, per_group = size[0] * size[1], kh * kw * channels, filters // groups
    start = BIAS if b.size else ZERO
    for n in prange(x.shape[0]):
        mine = rows[thread_id()]
        for g in range(groups):
            windows(x[n], g * channels, channels, kh, kw, window, size, mine)
            f = g * per_group
            gemm(
                at(mine, 0), depth, 1, at(w, f), filters, at(y, n * pixels * filters + f), filters, at(b, f),
                pixels, per_group, depth, start, relu,
            )  # fmt: skip


@jit
def masked(y, dy, relu, dz, db):  # type: ignore[no-untyped-def]
    """``dz = dy [y > 0]`` of one image, all 2-D (pixels, filters); its sum is added to db."""
    for p in range(dy.shape[0]):
        for f in range(dy.shape[1]):
            value = dy[p, f] if not relu or y[p, f] > 0 else dy.dtype.type(0)
            dz[p, f] = value
            db[f] += value


@jit(parallel=True)
def backward(x, wt, y, dy, window, kernel_size, relu, rows, dzs, dws, dbs, dx):  # type: ignore[no-untyped-def]
    kh, kw = kernel_size
    groups, per_group, depth = wt.shape
    filters, channels = groups * per_group, depth // (kh * kw)
    size = y.shape[1:3]
    pixels = size[0] * size[1]
    n, slices = x.shape[0], dws.shape[0]
    for s in prange(slices):
        mine, dz = rows[thread_id()], dzs[thread_id()]
        dws[s] = 0
        dbs[s] = 0
        for i in range(s * n // slices, (s + 1) * n // slices):
            masked(y[i].reshape(pixels, filters), dy[i].reshape(pixels, filters), relu, dz, dbs[s])
            if dx.size:
                dx[i] = 0
            for g in range(groups):
                f = g * per_group
                windows(x[i], g * channels, channels, kh, kw, window, size, mine)
                gemm(
                    at(mine, 0), 1, depth, at(dz, f), filters, at(dws[s], f), filters, at(dz, 0),
                    depth, per_group, pixels, ACCUMULATE, False,
                )  # fmt: skip
                if dx.size:
                    gemm(
                        at(dz, f), filters, 1, at(wt[g], 0), depth, at(mine, 0), depth, at(dz, 0),
                        pixels, depth, per_group, ZERO, False,
                    )  # fmt: skip
                    add_windows(mine, g * channels, channels, kh, kw, window, size, dx[i])


def run_forward(x, w, b, strides, pads, dilation, relu, y):  # type: ignore[no-untyped-def]
    """Take the scratch memory and run `forward`."""
    pixels, depth = y.shape[1] * y.shape[2], w.size // w.shape[3]
    rows = scratch("conv2d.rows", max_threads() * pixels * depth, x.dtype).reshape(max_threads(), -1)
    forward(x, w, b, (*strides, *dilation, pads[0], pads[2]), relu, rows, y)


def run_backward(x, w, y, dy, strides, pads, dilation, groups, relu, dw, db, dx):  # type: ignore[no-untyped-def]
    """Take the scratch memory, run `backward` and add the slices up."""
    threads, slices = max_threads(), min(SLICES, len(x))
    kh, kw, _, filters = w.shape
    pixels, depth = y.shape[1] * y.shape[2], w.size // filters
    rows = scratch("conv2d.rows", threads * pixels * depth, x.dtype).reshape(threads, -1)
    dzs = scratch("conv2d.dz", threads * pixels * filters, x.dtype).reshape(threads, pixels, filters)
    dws = scratch("conv2d.dws", slices * w.size, x.dtype).reshape(slices, w.size)
    dbs = scratch("conv2d.dbs", slices * filters, x.dtype).reshape(slices, filters)
    wt = scratch("conv2d.wt", w.size, x.dtype).reshape(groups, filters // groups, depth)
    np.copyto(wt, w.reshape(depth, groups, -1).transpose(1, 2, 0))
    window = (*strides, *dilation, pads[0], pads[2])
    backward(x, wt, y, dy, window, (kh, kw), relu, rows, dzs, dws, dbs, dx.reshape(-1, *x.shape[1:]))
    np.add.reduce(dws, axis=0, out=dw.reshape(-1))
    if db.size:
        np.add.reduce(dbs, axis=0, out=db)

"""Any convolution on the CPU: im2col as two tables of offsets instead of a copy.

In a padded image the number under tap ``(kh, kw, c)`` of the window at pixel ``(i, j)`` lies at ``pixels[i, j] +
taps[kh, kw, c]``. So the matrix of all windows, (pixels, taps), is never laid out: the matrix product reads it
through the two tables, and its transpose with the tables exchanged. A 5x5 window over one channel ran four times
slower from a copy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .addresses import at
from .gemm import ACCUMULATE, BIAS, ZERO, gemm, gemm_at
from .jit import jit, kernel, max_threads, thread_id
from .launching import launch
from .scratch import clear, scratch
from .transposition import transposed

SLICES = 8  # of the batch, each with a filter gradient of its own, summed in order: the same bits for any thread count
ADDED = 256  # numbers of a gradient that a task adds up
SERIAL = 32_768  # fewer numbers are added, or turned round, by one thread
BLOCK = 64  # pixels whose window gradients are made at a time, to stay in the core's cache


@lru_cache(maxsize=64)
def offsets(size, kernel_size, strides, dilation, padded_width, channels, group):
    """The tables ``pixels`` and ``taps`` of an image (h, padded_width, channels) with ``group`` channels in a group."""
    (oh, ow), (kh, kw), (sh, sw), (dh, dw) = size, kernel_size, strides, dilation
    i, j = np.mgrid[:oh, :ow]
    pixels = (i * sh * padded_width + j * sw) * channels
    a, b, c = np.mgrid[:kh, :kw, :group]
    taps = (a * dh * padded_width + b * dw) * channels + c
    return pixels.reshape(-1).astype(np.int64), taps.reshape(-1).astype(np.int64)


@jit
def pad(image, top, left, target):
    """Put an image (h, w, c) into a larger one whose border is zero already."""
    h, w, c = image.shape
    for i in range(min(h, target.shape[0] - top)):
        for j in range(min(w, target.shape[1] - left)):
            for k in range(c):
                target[top + i, left + j, k] = image[i, j, k]


@jit
def unpad(image, top, left, target):
    """Take an image (h, w, c) out of the larger one that `pad` put it into."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                target[i, j, k] = image[top + i, left + j, k]


@jit
def masked(y, dy, relu, dz, db):
    """``dz = dy [y > 0]`` of one image, all 2-D (pixels, filters); its sum is added to db."""
    for p in range(dy.shape[0]):
        for f in range(dy.shape[1]):
            value = dy[p, f] if not relu or y[p, f] > 0 else dy.dtype.type(0)
            dz[p, f] = value
            db[f] += value


@kernel
def _forward(task, tasks, x, w, b, pads, pixels, taps, relu, images, y):
    channels, filters = w.shape[2], w.shape[3]
    groups = x.shape[3] // channels
    depth, per_group = taps.size, filters // groups
    start = BIAS if b.size else ZERO
    image = images[thread_id()]
    clear(image)
    for n in range(task * x.shape[0] // tasks, (task + 1) * x.shape[0] // tasks):
        pad(x[n], pads[0], pads[2], image)
        for g in range(groups):
            f = g * per_group
            gemm_at(
                at(image, g * channels), at(pixels, 0), at(taps, 0), at(w, f), filters,
                at(y, n * pixels.size * filters + f), filters, at(b, f), pixels.size, per_group, depth, start, relu,
            )  # fmt: skip


@jit
def add_windows(dz, wt, f, pixels, taps, run, window, image, first):
    """``dx += dz wt`` for one group: the gradients of a block of windows, each added back where the window lies."""
    per_group, depth = wt.shape
    for p in range(0, pixels.size, BLOCK):
        count = min(BLOCK, pixels.size - p)
        gemm(
            at(dz, p * dz.shape[1] + f), dz.shape[1], 1, at(wt, 0), depth, at(window, 0), depth, at(window, 0),
            count, depth, per_group, ZERO, False,
        )  # fmt: skip
        for i in range(count):
            for tap in range(0, depth, run):
                place = first + pixels[p + i] + taps[tap]
                for k in range(run):
                    image[place + k] += window[i * depth + tap + k]


@kernel
def _backward(s, x, wt, y, dy, pads, pixels, taps, run, relu, images, windows, dzs, dws, dbs, dx):
    groups, per_group, depth = wt.shape
    filters, slices, n = groups * per_group, dws.shape[0], x.shape[0]
    in_group, me = x.shape[3] // groups, thread_id()
    image, window, dz, dw = images[me], windows[me], dzs[me], dws[s]
    clear(dw)
    clear(dbs[s])
    clear(image)
    for i in range(s * n // slices, (s + 1) * n // slices):
        masked(y[i].reshape(pixels.size, filters), dy[i].reshape(pixels.size, filters), relu, dz, dbs[s])
        if dx.size:
            clear(image)
        pad(x[i], pads[0], pads[2], image)
        for g in range(groups):
            f = g * per_group
            gemm_at(
                at(image, g * in_group), at(taps, 0), at(pixels, 0), at(dz, f), filters,
                at(dw, f), filters, at(dz, 0), depth, per_group, pixels.size, ACCUMULATE, False,
            )  # fmt: skip
        if dx.size:
            clear(image)
            for g in range(groups):
                add_windows(dz, wt[g], g * per_group, pixels, taps, run, window, image.reshape(-1), g * in_group)
            unpad(image, pads[0], pads[2], dx[i])


@kernel
def _add_slices(task, parts, total):
    count = min(ADDED, total.size - task * ADDED)
    target = at(total, task * ADDED)
    for k in range(count):
        target[k] = 0
    for s in range(parts.shape[0]):
        part = at(parts, s * total.size + task * ADDED)
        for k in range(count):
            target[k] += part[k]


def add_slices(parts, total):
    """The sum of the slices' gradients, in order (5x5, 64 to 128 channels: 59 us; by NumPy 144 us)."""
    launch(_add_slices, -(-total.size // ADDED), parts, total, serial=parts.size < SERIAL)


def prepare(x, w, y, strides, pads, dilation):
    """The padded images, one for each thread, and the tables."""
    _, h, width, c = x.shape
    kh, kw, group, _ = w.shape
    height, width = h + pads[0] + pads[1], width + pads[2] + pads[3]
    tables = offsets(y.shape[1:3], (kh, kw), strides, dilation, width, c, group)
    return scratch("conv2d.image", (max_threads(), height, width, c), x.dtype), *tables


def run_forward(x, w, b, strides, pads, dilation, relu, y):
    """Take the scratch memory and launch `_forward`."""
    images, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    tasks = min(len(x), max(SLICES, 4 * max_threads()))
    launch(_forward, tasks, tasks, x, w, b, pads, pixels, taps, relu, images, y)


def run_backward(x, w, y, dy, strides, pads, dilation, groups, relu, dw, db, dx):
    """Take the scratch memory, launch `_backward` and add the slices up."""
    threads, slices = max_threads(), min(SLICES, len(x))
    _, kw, group, filters = w.shape
    images, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    windows = scratch("conv2d.windows", (threads, BLOCK * taps.size), x.dtype)
    dzs = scratch("conv2d.dz", (threads, pixels.size, filters), x.dtype)
    dws = scratch("conv2d.dws", (slices, w.size), x.dtype)
    dbs = scratch("conv2d.dbs", (slices, filters), x.dtype)
    wt = scratch("conv2d.wt", (groups, filters // groups, taps.size), x.dtype)
    if dx.size:
        launch(transposed, 1, w.reshape(1, taps.size, filters), wt.reshape(1, filters, taps.size), serial=True)
    # Taps that lie next to each other: a whole line of the window, or the channels of a group.
    run = kw * group if groups == 1 and dilation[1] == 1 else group
    dx = dx.reshape(-1, *x.shape[1:])
    launch(_backward, slices, x, wt, y, dy, pads, pixels, taps, run, relu, images, windows, dzs, dws, dbs, dx)
    add_slices(dws, dw.reshape(-1))
    if db.size:
        add_slices(dbs, db)

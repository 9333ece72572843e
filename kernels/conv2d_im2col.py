"""Any convolution on the CPU: im2col as two tables of offsets instead of a copy.

In a padded image the number under tap ``(kh, kw, c)`` of the window at pixel ``(i, j)`` lies at ``pixels[i, j] +
taps[kh, kw, c]``. So the matrix of all windows, (pixels, taps), is never materialized: the matrix product reads it
through the two tables, and its transpose with the tables swapped. With a copy, a 5x5 window over one channel ran four
times slower. The gradient of the input is in conv2d_input_gradient.py.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .addresses import at
from .gemm import ACCUMULATE, BIAS, ZERO, gemm_at, matrix
from .jit import jit, kernel, max_threads, thread_id
from .launching import FEW, launch
from .scratch import clear, scratch

SLICES = 8  # of the batch, each with its own filter gradient, summed in order: the same bits for any thread count
ADDED = 256  # numbers of a gradient that one task sums


@lru_cache(maxsize=64)
def offsets(size, kernel_size, strides, dilation, padded_width, channels, group):
    """The tables ``pixels`` and ``taps`` for an image (h, padded_width, channels) with ``group`` channels per group."""
    (oh, ow), (kh, kw), (sh, sw), (dh, dw) = size, kernel_size, strides, dilation
    i, j = np.mgrid[:oh, :ow]
    pixels = (i * sh * padded_width + j * sw) * channels
    a, b, c = np.mgrid[:kh, :kw, :group]
    taps = (a * dh * padded_width + b * dw) * channels + c
    return pixels.reshape(-1).astype(np.int64), taps.reshape(-1).astype(np.int64)


@jit
def pad(image, top, left, target):
    """Copy an image (h, w, c) into a larger one whose border is already zero."""
    h, w, c = image.shape
    for i in range(min(h, target.shape[0] - top)):
        for j in range(min(w, target.shape[1] - left)):
            for k in range(c):
                target[top + i, left + j, k] = image[i, j, k]


@jit
def padded(image, top, left, target):
    """An image with its border, or the image itself if it needs none."""
    if image.shape == target.shape:
        return image
    pad(image, top, left, target)
    return target


@jit
def unpad(image, top, left, target):
    """Copy an image (h, w, c) back out of the larger one that `pad` filled."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                target[i, j, k] = image[top + i, left + j, k]


@jit
def masked(y, dy, relu, top, left, dz, db):
    """``dz = dy [y > 0]`` of one image, written into one that may be larger, with a border of zeros; db, unless its
    size is 0, gets the sum.
    """
    h, w, filters = dy.shape
    for i in range(h):
        for j in range(w):
            for f in range(filters):
                value = dy[i, j, f] if not relu or y[i, j, f] > 0 else dy.dtype.type(0)
                dz[top + i, left + j, f] = value
                if db.size:
                    db[f] += value


@kernel
def _forward(task, tasks, x, w, b, pads, pixels, taps, relu, borders, y):
    channels, filters = w.shape[2], w.shape[3]
    groups = x.shape[3] // channels
    depth, per_group = taps.size, filters // groups
    start = BIAS if b.size else ZERO
    border = borders[thread_id()]
    clear(border)
    for n in range(task * x.shape[0] // tasks, (task + 1) * x.shape[0] // tasks):
        image = padded(x[n], pads[0], pads[2], border)
        for g in range(groups):
            f = g * per_group
            gemm_at(
                matrix(image, g * channels, at(pixels, 0), at(taps, 0)),
                matrix(w, f, filters),
                matrix(y, n * pixels.size * filters + f, filters),
                pixels.size, per_group, depth, start=start, bias=at(b, f), relu=relu,
            )  # fmt: skip


@kernel
def _filter_gradient(s, x, y, dy, groups, pads, pixels, taps, relu, borders, dzs, dws, dbs):
    slices, n, filters, per_group, depth = dws.shape[0], x.shape[0], y.shape[3], y.shape[3] // groups, taps.size
    border, dz, dw = borders[thread_id()], dzs[thread_id()], dws[s]
    clear(dw)
    clear(dbs[s])
    clear(border)
    for i in range(s * n // slices, (s + 1) * n // slices):
        masked(y[i], dy[i], relu, 0, 0, dz, dbs[s])
        image = padded(x[i], pads[0], pads[2], border)
        for g in range(groups):
            f = g * per_group
            gemm_at(
                matrix(image, g * x.shape[3] // groups, at(taps, 0), at(pixels, 0)),  # transposed
                matrix(dz, f, filters),
                matrix(dw, f, filters),
                depth, per_group, pixels.size, start=ACCUMULATE,
            )  # fmt: skip


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
    """The sum of the slices' gradients, in order (5x5, 64 to 128 channels: NumPy takes 2.4 times as long)."""
    launch(_add_slices, -(-total.size // ADDED), parts, total, serial=parts.size < FEW)


def add_gradients(dws, dbs, dw, db):
    """The slices' gradients of filters and, if wanted, biases, added up."""
    add_slices(dws, dw.reshape(-1))
    if db.size:
        add_slices(dbs, db)


def over_images(n):
    """How many tasks share n images out whose results do not depend on each other."""
    return min(n, max(SLICES, 4 * max_threads()))


def room_for_slices(w, y):
    """Scratch memory of a backward pass: dz for each thread, the gradients of filters and biases for each slice."""
    slices = min(SLICES, len(y))
    dzs = scratch("conv2d.dz", (max_threads(), *y.shape[1:]), y.dtype)
    return dzs, scratch("conv2d.dws", (slices, w.size), y.dtype), scratch("conv2d.dbs", (slices, w.shape[3]), y.dtype)


def prepare(x, w, y, strides, pads, dilation):
    """The padded images, one for each thread, and the tables."""
    _, h, width, c = x.shape
    kh, kw, group, _ = w.shape
    height, width = h + pads[0] + pads[1], width + pads[2] + pads[3]
    tables = offsets(y.shape[1:3], (kh, kw), strides, dilation, width, c, group)
    return scratch("conv2d.image", (max_threads(), height, width, c), x.dtype), *tables


def run_forward(x, w, b, strides, pads, dilation, relu, y):
    """Get the scratch memory and launch `_forward`."""
    images, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    tasks = over_images(len(x))
    launch(_forward, tasks, tasks, x, w, b, pads, pixels, taps, relu, images, y)


def run_backward(x, w, y, dy, strides, pads, dilation, groups, relu, dw, db):
    """Get the scratch memory, launch `_filter_gradient` and add up the slices."""
    borders, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    dzs, dws, dbs = room_for_slices(w, y)
    launch(_filter_gradient, len(dws), x, y, dy, groups, pads, pixels, taps, relu, borders, dzs, dws, dbs)
    add_gradients(dws, dbs, dw, db)

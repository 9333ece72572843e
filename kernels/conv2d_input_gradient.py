"""The gradient of a convolution's input, itself a convolution: ``dx[i] = sum of dz[o] w[a]`` over all windows o and
taps a with ``o sh + a dh - top = i``, the transposed convolution.

In this form each number of dx is one sum, which the matrix product of conv2d_im2col.py computes: A is the gradient of
the windows with a border of zeros, read through two tables of offsets, and B is the transposed filters. With a stride,
different taps reach place i for each i mod sh, so there is one product per residue.

Such a product is only as wide as there are channels in a group. So a few channels, and windows that the border makes
many more (VALID), go the other way: a gradient for every window, a product as wide as the window, is added to the
places where the window lay. `gathers` estimates which takes less time. Forward and backward, gathering takes 0.6 of the
time of scattering for 3x3 in four groups of 16 channels and 0.8 for 3x3 from 10 to 20 channels, but 1.4 for 5x5 from 20
to 50 without a border and 1.7 for 7x7 with stride 2 from 3 to 32.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from .addresses import at
from .conv2d_im2col import masked, over_images, prepare, unpad
from .gemm import gemm, gemm_at, matrix
from .jit import host_vector_bytes, jit, kernel, max_threads, thread_id
from .launching import launch
from .scratch import clear, scratch
from .transposition import transpose, transposed

BLOCK = 64  # windows whose gradients are made at a time, to stay in the core's cache
ADDING = 2.5  # what adding a number to its place costs, in multiply-adds of a vector


def gathers(image, size, w_shape, strides, groups, itemsize):
    """Whether products over an image (h, w) take fewer multiply-adds than those over its ``size`` windows do, and the
    additions.
    """
    kh, kw, in_group, filters = w_shape
    lanes, taps = host_vector_bytes() // itemsize, kh * kw
    per_pixel = taps * filters * -(-in_group // lanes) / (strides[0] * strides[1])
    per_window = filters * -(-taps * in_group // lanes) + ADDING * taps * in_group * groups
    return image[0] * image[1] * per_pixel <= size[0] * size[1] * per_window


def along(size, windows, taps, stride, before, dilation):
    """One axis: the zeros before the gradient of the windows, its extent with them, and for each residue r of the
    stride the taps that reach the places r, r + stride, ... of the image, each with the window that place r reads.

    Window o covers place i with tap t if ``o stride + t dilation - before = i``. So i reads window ``(i + before -
    t dilation) / stride`` where that is whole, and the residue's next place reads the next window.
    """
    zeros = max(0, ((taps - 1) * dilation - before) // stride)
    extent = zeros + max(windows, (size - 1 + before) // stride + 1)
    reached = []
    for residue in range(stride):
        distances = [(tap, residue + before - tap * dilation) for tap in range(taps)]
        reached.append([(tap, zeros + d // stride) for tap, d in distances if d % stride == 0])
    return zeros, extent, reached


class InputGradient(NamedTuple):
    """The products that make dx, from the gradient of the windows with a border of zeros (height, width, filters).

    ``pixels`` and ``taps`` are tables of offsets into that gradient; tap t of the filters is number ``order[t]`` in
    ``taps``. A row of ``products`` says where its pixels begin and how many there are, where its taps begin and how
    deep they are, and where in the image the first pixel lies and how far apart the pixels are.
    """

    shape: tuple[int, int, int]
    top: int
    left: int
    pixels: np.ndarray
    taps: np.ndarray
    order: np.ndarray
    products: np.ndarray


@lru_cache(maxsize=64)
def input_gradient(image, size, kernel_size, strides, pads, dilation, filters, per_group):
    """`InputGradient` of an image (h, w) with ``size`` windows and ``per_group`` filters in a group."""
    (h, w), (sh, sw) = image, strides
    top, height, rows = along(h, size[0], kernel_size[0], sh, pads[0], dilation[0])
    left, width, columns = along(w, size[1], kernel_size[1], sw, pads[2], dilation[1])
    pixels, taps, products, order = [], [], [], np.empty(kernel_size, np.int64)
    for r, s in np.ndindex(strides):
        i, j = np.mgrid[: len(range(r, h, sh)), : len(range(s, w, sw))]
        depth = len(rows[r]) * len(columns[s]) * per_group
        lines = 1 if strides == (1, 1) else len(i)
        for line in range(lines):
            first = len(pixels) + line * i.size // lines, i.size // lines, len(taps), depth
            products.append((*first, (r + line * sh) * w + s, sw))
        pixels.extend(((i * width + j) * filters).flat)
        for (a, down), (b, right) in product(rows[r], columns[s]):
            order[a, b] = len(taps) // per_group
            taps.extend((down * width + right) * filters + np.arange(per_group))
    taps.append(0)  # the tile reads an offset even of a product without taps
    tables = np.array(pixels), np.array(taps), order.reshape(-1), np.array(products)
    return InputGradient((height, width, filters), top, left, *tables)


@kernel
def _turn(tap, w, groups, order, turned):
    """Write the filters of a tap (channels, filters), transposed group by group, to place ``order[tap]``."""
    _, in_group, filters = w.shape
    per_group, channels = filters // groups, groups * in_group
    for g in range(groups):
        source = at(w, tap * in_group * filters + g * per_group)
        target = at(turned, order[tap] * per_group * channels + g * in_group)
        transpose(source, filters, in_group, per_group, target, channels)


@kernel
def _gather(task, tasks, turned, y, dy, groups, relu, top, left, pixels, taps, products, borders, no_db, dx):
    n, _, w, c = dx.shape
    per_group, in_group = y.shape[3] // groups, c // groups
    border = borders[thread_id()]
    clear(border)
    for i in range(task * n // tasks, (task + 1) * n // tasks):
        masked(y[i], dy[i], relu, top, left, border, no_db)
        for q in range(len(products)):
            pixel, count, tap, depth, place, apart = products[q]
            for g in range(groups):
                gemm_at(
                    matrix(border, g * per_group, at(pixels, pixel), at(taps, tap)),
                    matrix(turned, tap * c + g * in_group, c),
                    matrix(dx, (i * dx.shape[1] * w + place) * c + g * in_group, apart * c),
                    count, in_group, depth,
                )  # fmt: skip


@jit
def add_windows(dz, wt, f, pixels, taps, run, window, image, first):
    """``dx += dz wt`` for one group: the gradients of a block of windows, each added back where the window lies."""
    per_group, depth = wt.shape
    filters = dz.size // pixels.size
    for p in range(0, pixels.size, BLOCK):
        count = min(BLOCK, pixels.size - p)
        dz_block = matrix(dz, p * filters + f, filters)
        gemm(dz_block, matrix(wt, 0, depth), matrix(window, 0, depth), count, depth, per_group)
        for i in range(count):
            for tap in range(0, depth, run):
                place = first + pixels[p + i] + taps[tap]
                for k in range(run):
                    image[place + k] += window[i * depth + tap + k]


@kernel
def _scatter(task, tasks, wt, y, dy, relu, pads, pixels, taps, run, images, windows, dzs, no_db, dx):
    groups, per_group, _ = wt.shape
    n, me, in_group = dx.shape[0], thread_id(), dx.shape[3] // groups
    image, window, dz = images[me], windows[me], dzs[me]
    for i in range(task * n // tasks, (task + 1) * n // tasks):
        masked(y[i], dy[i], relu, 0, 0, dz, no_db)
        clear(image)
        for g in range(groups):
            add_windows(dz, wt[g], g * per_group, pixels, taps, run, window, image.reshape(-1), g * in_group)
        unpad(image, pads[0], pads[2], dx[i])


def run(w, y, dy, strides, pads, dilation, groups, relu, dx):
    """Choose the way, get its scratch memory, transpose the filters and launch it."""
    tasks = over_images(len(dx))
    no_db = scratch("conv2d.no_db", (0,), dx.dtype)
    way = _run_gather if gathers(dx.shape[1:3], y.shape[1:3], w.shape, strides, groups, dx.itemsize) else _run_scatter
    way(tasks, w, y, dy, strides, pads, dilation, groups, relu, no_db, dx)


def _run_scatter(tasks, w, y, dy, strides, pads, dilation, groups, relu, no_db, dx):
    _, kw, in_group, filters = w.shape
    images, pixels, taps = prepare(dx, w, y, strides, pads, dilation)
    windows = scratch("conv2d.windows", (max_threads(), BLOCK * taps.size), dx.dtype)
    dzs = scratch("conv2d.dz", (max_threads(), *y.shape[1:]), dx.dtype)
    wt = scratch("conv2d.wt", (groups, filters // groups, taps.size), dx.dtype)
    launch(transposed, 1, w.reshape(1, taps.size, filters), wt.reshape(1, filters, taps.size), serial=True)
    # Taps that lie next to each other: a whole line of the window, or the channels of a group.
    run = kw * in_group if groups == 1 and dilation[1] == 1 else in_group
    launch(_scatter, tasks, tasks, wt, y, dy, relu, pads, pixels, taps, run, images, windows, dzs, no_db, dx)


def prepare_gather(w, y, strides, pads, dilation, groups, dx):
    """The tables; the filters, transposed and in the tables' order; an image of dz with a border for each thread."""
    kh, kw, in_group, filters = w.shape
    height, width, c = dx.shape[1:]
    tables = input_gradient(
        (height, width), y.shape[1:3], (kh, kw), strides, pads, dilation, filters, filters // groups
    )
    turned = scratch("conv2d.turned", (kh * kw, filters // groups, c), dx.dtype)
    launch(_turn, kh * kw, w.reshape(kh * kw, in_group, filters), groups, tables.order, turned, serial=True)
    return tables, turned, scratch("conv2d.border", (max_threads(), *tables.shape), dx.dtype)


def _run_gather(tasks, w, y, dy, strides, pads, dilation, groups, relu, no_db, dx):
    tables, turned, borders = prepare_gather(w, y, strides, pads, dilation, groups, dx)
    launch(
        _gather, tasks, tasks, turned, y, dy, groups, relu, tables.top, tables.left, tables.pixels, tables.taps,
        tables.products, borders, no_db, dx,
    )  # fmt: skip

"""The gradient of a convolution's input, which is a convolution, too: ``dx[i] = sum of dz[o] w[a]`` over all windows o
and taps a with ``o sh + a dh - top = i``, the transposed convolution.

Read so, each number of dx is one sum, and the matrix product of conv2d_im2col.py makes it: A is the gradient of the
windows with a border of zeros, read through two tables of offsets, B the filters, turned round. With a stride other
taps reach place i for each i mod sh, so there is a product for each of these places.

The other way round, a gradient for every window that is then added to the places where the window lay, took about
half as long again, forward pass included (3x3 in four groups of 16 channels, or with dilation).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from .addresses import at
from .conv2d_im2col import SLICES, masked
from .gemm import ZERO, gemm_at
from .jit import kernel, max_threads, thread_id
from .launching import launch
from .scratch import clear, scratch
from .transposition import transpose


def along(size, windows, taps, stride, before, dilation):
    """One axis of the padded gradient of the windows: zeros before it, its extent, and for each i mod stride the taps
    that reach place i of the image, each with the place in the padded gradient where it finds the first such i.
    """
    zeros = max(0, ((taps - 1) * dilation - before) // stride)
    extent = zeros + max(windows, (size - 1 + before) // stride + 1)
    distances = [[(t, phase + before - t * dilation) for t in range(taps)] for phase in range(stride)]
    return zeros, extent, [[(t, zeros + d // stride) for t, d in phase if d % stride == 0] for phase in distances]


class InputGradient(NamedTuple):
    """The products that make dx, from the gradient of the windows with a border of zeros (height, width, filters).

    ``pixels`` and ``taps`` are tables of offsets into it; tap t of the filters is number ``order[t]`` in ``taps``. A
    row of ``products`` says where its pixels begin and how many there are, where its taps begin and how deep they
    are, and where in the image the first pixel lies and how far apart they lie.
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
    """`InputGradient` of an image (h, w) with ``size`` windows and ``per_group`` of the filters in a group."""
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
    """The filters of a tap (channels, filters), turned round group by group, to place ``order[tap]``."""
    _, in_group, filters = w.shape
    per_group, channels = filters // groups, groups * in_group
    for g in range(groups):
        source = at(w, tap * in_group * filters + g * per_group)
        target = at(turned, order[tap] * per_group * channels + g * in_group)
        transpose(source, filters, in_group, per_group, target, channels)


@kernel
def _input_gradient(task, tasks, turned, y, dy, groups, relu, top, left, pixels, taps, products, borders, no_db, dx):
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
                    at(border, g * per_group), at(pixels, pixel), at(taps, tap),
                    at(turned, tap * c + g * in_group), c,
                    at(dx, (i * dx.shape[1] * w + place) * c + g * in_group), apart * c, at(turned, 0),
                    count, in_group, depth, ZERO, False,
                )  # fmt: skip


def run(w, y, dy, strides, pads, dilation, groups, relu, dx):
    """Take the scratch memory, turn the filters round and launch `_input_gradient`."""
    kh, kw, in_group, filters = w.shape
    n, height, width, c = dx.shape
    tables = input_gradient(
        (height, width), y.shape[1:3], (kh, kw), strides, pads, dilation, filters, filters // groups
    )
    turned = scratch("conv2d.turned", (kh * kw, filters // groups, c), dx.dtype)
    borders = scratch("conv2d.border", (max_threads(), *tables.shape), dx.dtype)
    launch(_turn, kh * kw, w.reshape(kh * kw, in_group, filters), groups, tables.order, turned, serial=True)
    tasks = min(n, max(SLICES, 4 * max_threads()))
    launch(
        _input_gradient, tasks, tasks, turned, y, dy, groups, relu, tables.top, tables.left, tables.pixels, tables.taps,
        tables.products, borders, scratch("conv2d.no_db", (0,), dx.dtype), dx,
    )  # fmt: skip

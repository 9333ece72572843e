"""Convolution of each channel by itself, as many filters as channels: ``y[p, k] = b[k] + sum_t x[p + t, k] w[t, k]``.

A matrix product per channel would have a single column. So a vector holds neighboring channels, and a tile keeps the
sums of a few pixels in registers for all taps::

    for t in range(taps):
        for i in range(rows):
            y[i] += x[pixels[i] + taps[t]] * w[t]          # y[i], x[...] and w[t] are SIMD vectors of channels

(A loop over taps around one over channels, in memory, takes twice as long: 3x3, 32 or 96 channels of 14 x 14 pixels.)
With ``pixels`` and ``taps`` swapped and dz for w, the same tile sums the gradient of the filters over the pixels; with
the tables of conv2d_input_gradient.py and dz for x, that of the input. The padded image and the tables of offsets are
those of conv2d_im2col.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .addresses import at, item_bytes, shift
from .conv2d_im2col import add_gradients, masked, over_images, padded, prepare, room_for_slices
from .conv2d_input_gradient import prepare_gather
from .exported import exported
from .gemm import matrix
from .jit import host_vector_bytes, intrinsic, jit, kernel, thread_id
from .launching import launch
from .scratch import clear, scratch
from .simd import Simd

VECTOR_BYTES = host_vector_bytes()
TILE_ROWS = (9, 8, 4, 2, 1)  # 9: all taps of a 3x3 filter


def fits(w_shape, groups):
    """Whether a convolution is depthwise."""
    return w_shape[2] == 1 and w_shape[3] == groups > 1


@intrinsic
def _strip(
    typingctx: Any,
    a: Any,
    rows: Any,
    columns: Any,
    b: Any,
    b_row: Any,
    start: Any,
    start_row: Any,
    c: Any,
    c_row: Any,
    m: Any,
    n: Any,
    k: Any,
    relu: Any,
) -> Any:
    """`sums` of ``n`` channels, at most a vector."""
    from numba import types

    index = types.intp
    signature = types.void(a, rows, columns, b, index, start, index, c, index, index, index, index, index)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        simd = Simd(context, builder, signature.args[0].dtype)
        a, rows, columns, b, b_row, start, start_row, c, c_row, m, n, k, relu = args
        rectify = builder.icmp_signed("!=", relu, simd.int(0))

        def tile(i: Any, height: int, mask: Any) -> None:
            places = [builder.add(i, simd.int(row)) for row in range(height)]
            lines = [simd.opaque(simd.address(a, builder.load(simd.address(rows, place)))) for place in places]
            totals = [simd.variable(simd.vector) for _ in places]
            for total, place in zip(totals, places, strict=True):
                builder.store(simd.load(simd.address(start, start_row, place), mask), total)
            with simd.loop(simd.int(0), k) as p:
                along = builder.load(simd.address(columns, p))
                factor = simd.load(simd.address(b, p, b_row), mask)
                for total, line in zip(totals, lines, strict=True):
                    number = simd.load(simd.address(line, along), mask)
                    builder.store(simd.multiply_add(number, factor, builder.load(total)), total)
            for total, place in zip(totals, places, strict=True):
                value = builder.load(total)
                value = builder.select(rectify, simd.positive_part(value), value)
                simd.store(value, simd.address(c, c_row, place), mask)

        def down_the_rows(mask: Any) -> None:
            for i, height in simd.pieces([(height, m) for height in TILE_ROWS]):
                tile(i, height, mask)

        with builder.if_else(builder.icmp_signed("==", n, simd.int(simd.lanes))) as (whole, part):
            with whole:
                down_the_rows(None)
            with part:
                down_the_rows(simd.first(n))
        return context.get_dummy_value()

    return signature, codegen


@exported("pttppipiiiii")
def _strips(a, rows, columns, b, start, start_row, c, c_row, m, n, k, relu):
    lanes = VECTOR_BYTES // item_bytes(a)
    for j in range(0, n, lanes):
        _strip(
            shift(a, j), rows, columns, shift(b, j), n, shift(start, j), start_row, shift(c, j), c_row,
            m, min(lanes, n - j), k, relu,
        )  # fmt: skip


@jit
def sums(a, b, start, c, m, n, k, relu=False):
    """``c[i] = relu?(start[i] + sum_p a[rows[i] + columns[p]] b[p])``, m sums of k products of n channels.

    ``a``, ``start`` and ``c`` are made by `matrix`, ``a`` with the addresses of the tables; ``b`` is an address.
    """
    _strips(a.first, a.row, a.column, b, start.first, start.row, c.first, c.row, m, n, k, relu)


@kernel
def _forward(task, tasks, x, w, b, pads, pixels, taps, relu, borders, y):
    c = x.shape[3]
    border = borders[thread_id()]
    clear(border)
    for n in range(task * x.shape[0] // tasks, (task + 1) * x.shape[0] // tasks):
        image = padded(x[n], pads[0], pads[2], border)
        windows, out = matrix(image, 0, at(pixels, 0), at(taps, 0)), matrix(y, n * pixels.size * c, c)
        sums(windows, at(w, 0), matrix(b, 0, 0), out, pixels.size, c, taps.size, relu)


@kernel
def _filter_gradient(s, x, y, dy, pads, pixels, taps, relu, borders, dzs, dws, dbs):
    slices, n, c = dws.shape[0], x.shape[0], x.shape[3]
    border, dz, dw = borders[thread_id()], dzs[thread_id()], matrix(dws[s], 0, c)
    clear(dws[s])
    clear(dbs[s])
    clear(border)
    for i in range(s * n // slices, (s + 1) * n // slices):
        masked(y[i], dy[i], relu, 0, 0, dz, dbs[s])
        image = padded(x[i], pads[0], pads[2], border)
        transposed = matrix(image, 0, at(taps, 0), at(pixels, 0))
        sums(transposed, at(dz, 0), dw, dw, taps.size, c, pixels.size)


@kernel
def _input_gradient(task, tasks, turned, y, dy, relu, top, left, pixels, taps, products, borders, zeros, no_db, dx):
    n, _, w, c = dx.shape
    border = borders[thread_id()]
    clear(border)
    for i in range(task * n // tasks, (task + 1) * n // tasks):
        masked(y[i], dy[i], relu, top, left, border, no_db)
        for q in range(len(products)):
            pixel, count, tap, depth, place, apart = products[q]
            windows = matrix(border, 0, at(pixels, pixel), at(taps, tap))
            target = matrix(dx, (i * dx.shape[1] * w + place) * c, apart * c)
            sums(windows, at(turned, tap * c), matrix(zeros, 0, 0), target, count, c, depth)


@lru_cache(maxsize=64)
def zeros(channels, dtype):
    """A zero for each channel, to start sums from."""
    return np.zeros(channels, dtype)


def run_forward(x, w, b, strides, pads, dilation, relu, y):
    """Get the scratch memory and launch `_forward`."""
    borders, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    tasks = over_images(len(x))
    launch(
        _forward, tasks, tasks, x, w, b if b.size else zeros(x.shape[3], x.dtype), pads, pixels, taps, relu, borders, y
    )


def run_backward(x, w, y, dy, strides, pads, dilation, relu, dw, db, dx):
    """Get the scratch memory, launch `_filter_gradient`, add up the slices and launch `_input_gradient`."""
    borders, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    dzs, dws, dbs = room_for_slices(w, y)
    launch(_filter_gradient, len(dws), x, y, dy, pads, pixels, taps, relu, borders, dzs, dws, dbs)
    add_gradients(dws, dbs, dw, db)
    if dx.size:
        tables, turned, borders = prepare_gather(w, y, strides, pads, dilation, x.shape[3], dx)
        tasks = over_images(len(x))
        launch(
            _input_gradient, tasks, tasks, turned, y, dy, relu, tables.top, tables.left, tables.pixels, tables.taps,
            tables.products, borders, zeros(x.shape[3], x.dtype), scratch("conv2d.no_db", (0,), x.dtype), dx,
        )  # fmt: skip

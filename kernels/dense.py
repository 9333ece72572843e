"""Dense: ``y = relu?(x w + b)`` and its derivatives."""

from __future__ import annotations

import numpy as np

from .addresses import at, shift
from .gemm import ACCUMULATE, BIAS, ZERO, gemm, matrix
from .jit import jit, kernel, max_threads, thread_id
from .launching import launch
from .registry import reference, twin
from .scratch import scratch
from .transposition import transpose
from .zero_terms import gradient, gradient_pays, multiply, multiply_pays, zero_if_finite


@reference("dense_forward")
def dense_forward_reference(x, w, b, relu):
    """``y = relu?(x w + b)``; x (n, in), w (in, out), b (out,) or size 0, y (n, out)."""
    y = x @ w
    if b.size:
        y = y + b
    return np.where(y < 0, 0, y) if relu else y


@reference("dense_backward", outputs=3)
def dense_backward_reference(x, w, y, dy, relu):
    """``dz = dy [y > 0]``, ``dw = x' dz``, ``db = sum_n dz``, ``dx = dz w'``."""
    dz = np.where(y > 0, dy, 0) if relu else dy
    return x.T @ dz, dz.sum(axis=0), dz @ w.T


# Fewer multiply-adds than this are done by one thread: 3 us of work, the cost of handing over to a second thread. Such
# a small product is not cut in halves either, nor searched for zeros.
SERIAL = 150_000
# Size of a task: small enough that eight threads find work, large enough to use a tile well.
COLUMNS, FORWARD_ROWS, GRADIENT_ROWS = 64, 64, 28
ADDED = 2048  # numbers of y that one task adds up
STRIP = 32  # columns of a tile of the product with AVX-512; 16 take just as long
# With at least this many inputs per sample, the sum over the inputs is computed in two halves. Each of two threads then
# multiplies by the half of w's rows that it also updates in the optimizer and so has in its cache: Adam over 784-200-10
# takes half the time, the product at 100 images 7% more.
INPUTS_PER_SAMPLE = 4
# With more bytes of weights than a core's cache keeps, and at least this many rows of y, a task first copies what it
# needs of w, so many rows of w at a time, and tasks with the same columns follow each other: 256 images through 4000 x
# 1000 take half the time.
LARGE_BYTES, LEAST_ROWS, COPIED_ROWS = 1 << 20, 48, 256
ROW_GAP = 16  # numbers inserted between rows whose distance would be a power of two


@jit
def _copy(source, source_row, rows, columns, target, target_row):
    """Copy ``columns`` of some rows; addresses of the first numbers, and the distances between the rows."""
    for i in range(rows):
        here, there = shift(source, i * source_row), shift(target, i * target_row)
        for j in range(columns):
            there[j] = here[j]


@kernel
def _spread(task, x, copy):
    rows, columns = x.shape
    first, row = task * FORWARD_ROWS, copy.shape[1]
    _copy(at(x, first * columns), columns, min(FORWARD_ROWS, rows - first), columns, at(copy, first * row), row)


def spread(name, x):
    """x itself, or a copy with longer rows where the length of a row is a multiple of 2 KB.

    The 14 rows of a tile would otherwise fall into one set of the first-level cache, which has 8 ways: 2048 inputs took
    more than twice as long.
    """
    n, columns = x.shape
    if columns * x.itemsize % 2048:
        return x
    copy = scratch(name, (n, columns + ROW_GAP), x.dtype)
    launch(_spread, -(-n // FORWARD_ROWS), x, copy, serial=x.size < SERIAL)
    return copy


@jit
def blocks(rows, columns, tall):
    """How many tasks a result of this shape is cut into: a function of the shape alone."""
    return ((rows + tall - 1) // tall) * ((columns + COLUMNS - 1) // COLUMNS)


@jit
def block(task, rows, columns, tall):
    """First row, first column, rows and columns of a task. Columns are cut evenly, in whole strips: with 200 cut into
    64, 64, 64 and 8, one of two threads had two thirds of the work; with 48, 48, 48 and 56 each task had half a strip
    (784 x 200 at 100 images took one thread 15% longer than with whole strips).
    """
    across, strips = (columns + COLUMNS - 1) // COLUMNS, (columns + STRIP - 1) // STRIP
    i, part = task // across * tall, task % across
    j, end = part * strips // across * STRIP, min((part + 1) * strips // across * STRIP, columns)
    return i, j, min(tall, rows - i), end - j


@jit
def forward_rows(n):
    """Rows of y in a task, also cut evenly."""
    count = (n + FORWARD_ROWS - 1) // FORWARD_ROWS
    return (n + count - 1) // count


@jit
def _by_columns(number, n, outputs, tall):
    """The task with this number when those with the same columns follow each other."""
    across, down = blocks(tall, outputs, tall), (n + tall - 1) // tall
    return number % down * across + number // down


@kernel
def _forward(task, x, w, b, relu, copies, sums):
    parts, n, outputs = sums.shape
    inputs, tall = w.shape[0], forward_rows(n)
    part, across = task // blocks(n, outputs, tall), blocks(n, outputs, tall)
    number = _by_columns(task % across, n, outputs, tall) if copies.size else task % across
    i, j, rows, columns = block(number, n, outputs, tall)
    first, end = part * inputs // parts, (part + 1) * inputs // parts
    start = BIAS if b.size and part == 0 else ZERO
    deep = COPIED_ROWS if copies.size else max(inputs, 1)
    for p in range(first, max(end, first + 1), deep):
        depth = min(deep, end - p)
        factor = matrix(w, p * outputs + j, outputs)
        if copies.size:
            copy = copies[thread_id()]
            _copy(at(w, p * outputs + j), outputs, depth, columns, at(copy, 0), columns)
            factor = matrix(copy, 0, columns)
        gemm(
            matrix(x, i * x.shape[1] + p, x.shape[1]), factor, matrix(sums, (part * n + i) * outputs + j, outputs),
            rows, columns, depth, start=start, bias=at(b, j), relu=relu and p + deep >= end,
        )  # fmt: skip
        start = ACCUMULATE


@kernel
def _add(task, halves, relu, y):
    first, count = task * ADDED, min(ADDED, y.size - task * ADDED)
    one, other, total = at(halves, first), at(halves, y.size + first), at(y, first)
    for k in range(count):
        value = one[k] + other[k]
        total[k] = y.dtype.type(0) if relu and value < 0 else value


@twin("dense_forward")
def dense_forward(x, w, b, relu, y):
    (n, outputs), inputs = y.shape, len(w)
    serial = y.size * inputs < SERIAL
    parts = 2 if inputs >= INPUTS_PER_SAMPLE * n and not serial else 1
    sums = scratch("dense.sums", (parts, n, outputs), y.dtype) if parts > 1 else y.reshape(1, n, outputs)
    rectify = relu and parts == 1
    if not serial and multiply_pays(x, outputs):
        multiply(x, w, b, rectify, sums)
    else:
        tasks = parts * blocks(n, outputs, forward_rows(n))
        shape = (max_threads(), COPIED_ROWS * COLUMNS) if w.nbytes > LARGE_BYTES and n >= LEAST_ROWS else (0, 0)
        copies = scratch("dense.copies", shape, w.dtype)
        launch(_forward, tasks, spread("dense.x", x), w, b, rectify, copies, sums, serial=serial)
    if parts > 1:  # launched from Python always on one thread: a small part of a product with this many inputs
        launch(_add, -(-y.size // ADDED), sums, relu, y, serial=True)


@jit
def _dw(task, x, dz, dw):
    inputs, outputs = dw.shape
    i, j, rows, columns = block(task, inputs, outputs, GRADIENT_ROWS)
    transposed_x = matrix(x, i, 1, inputs)
    gemm(transposed_x, matrix(dz, j, dz.shape[1]), matrix(dw, i * outputs + j, outputs), rows, columns, x.shape[0])


@jit
def _dx(task, w, dz, panel, dx):
    # The tile needs contiguous rows of B, which w' lacks: each task first transposes its own columns.
    n, inputs = dx.shape
    outputs = w.shape[1]
    j = task * COLUMNS
    columns = min(COLUMNS, inputs - j)
    transpose(at(w, j * outputs), outputs, columns, outputs, at(panel, 0), columns)
    gemm(matrix(dz, 0, dz.shape[1]), matrix(panel, 0, columns), matrix(dx, j, inputs), n, columns, outputs)


@kernel
def _either(task, tasks, dx_tasks, x, w, dz, panels, dw, dx):
    # Every thread takes a run of tasks, so the longer ones, for dx, are spread evenly among those for dw.
    before, after = task * dx_tasks // tasks, (task + 1) * dx_tasks // tasks
    if after > before:
        _dx(before, w, dz, panels[before], dx)
    else:
        _dw(task - before, x, dz, dw)


@kernel
def _dz(task, y, dy, relu, dz, db, checks):
    # A task has some columns and all their rows, so it can sum them.
    n, outputs = dy.shape
    first, count = task * STRIP, min(STRIP, outputs - task * STRIP)
    sums = at(db, first)
    for j in range(count if db.size else 0):
        sums[j] = 0
    for i in range(n):
        above, gate = at(dy, i * outputs + first), at(y, i * outputs + first)
        here = at(dz, i * dz.shape[1] + first)
        for j in range(count):
            here[j] = above[j] if not relu or gate[j] > 0 else 0
        if db.size:
            for j in range(count):
                sums[j] += here[j]
    if checks.size:
        check = zero_if_finite(sums, count if db.size else 0)  # if dz is not finite, its sums are not either
        for i in range(0 if db.size else n):
            check += zero_if_finite(at(dz, i * dz.shape[1] + first), count)
        checks[task] = check


@twin("dense_backward")
def dense_backward(x, w, y, dy, relu, dw, db, dx):
    (n, outputs), inputs = dy.shape, x.shape[1]
    dz = scratch("dense.dz", (n, outputs + ROW_GAP), dy.dtype)
    strips = -(-outputs // STRIP)
    serial = dw.size * n < SERIAL
    sparse = not serial and gradient_pays(x, outputs)
    checks = scratch("dense.checks", (strips if sparse else 0,), dy.dtype)
    # Launched from Python on one thread: it is one pass over dy, next to two products with it.
    launch(_dz, strips, y, dy, relu, dz, db, checks, serial=True)
    if sparse:
        gradient(x, dz, checks, dw)
    panels = scratch("dense.panels", (-(-inputs // COLUMNS), COLUMNS * outputs), w.dtype)
    dx_tasks = len(panels) if dx.size else 0
    tasks = (0 if sparse else blocks(inputs, outputs, GRADIENT_ROWS)) + dx_tasks
    if tasks:
        launch(_either, tasks, tasks, dx_tasks, x, w, dz, panels, dw, dx.reshape(-1, inputs), serial=serial)

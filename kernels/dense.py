"""Dense: ``y = relu?(x w + b)`` and its derivatives."""

from __future__ import annotations

import numpy as np

from .addresses import at
from .gemm import BIAS, ZERO, gemm
from .jit import jit, prange
from .registry import reference, twin
from .scratch import clear, scratch
from .transposition import transpose

# Fewer multiply-adds than this are done by one thread: 3 us of work, what handing over to a second thread costs.
SERIAL = 150_000
# A task computes this much of the result: small enough that eight threads find work, large enough to use a tile well.
COLUMNS, FORWARD_ROWS, GRADIENT_ROWS = 64, 64, 28
STRIP = 32  # columns that a tile of the product has with AVX-512: it takes as long for 16
# With so many inputs to a sample the sum over them is computed in two halves, and a thread reads those rows of w that
# it has just updated itself: a step of 784-128-10 at 32 images took 74 us and takes 66; at 64 it is no gain.
HALVES = 16
LINE = 16  # numbers put between rows whose distance would be a power of two


@reference("dense_forward")
def dense_forward_reference(x, w, b, relu):  # type: ignore[no-untyped-def]
    """``y = relu?(x w + b)``; x (n, in), w (in, out), b (out,) or size 0, y (n, out)."""
    y = x @ w
    if b.size:
        y = y + b
    return np.where(y < 0, 0, y) if relu else y


@reference("dense_backward", outputs=3)
def dense_backward_reference(x, w, y, dy, relu):  # type: ignore[no-untyped-def]
    """``dz = dy [y > 0]``, ``dw = x' dz``, ``db = sum_n dz``, ``dx = dz w'``."""
    dz = np.where(y > 0, dy, 0) if relu else dy
    return x.T @ dz, dz.sum(axis=0), dz @ w.T


def spread(name, x):  # type: ignore[no-untyped-def]
    """x itself, or a copy with longer rows where these are a multiple of 2 KB long.

    The 14 rows of a tile would fall into one set of the first cache, which has 8 places: 2048 inputs ran at 90 GFLOP/s
    instead of 200.
    """
    n, columns = x.shape
    if columns * x.itemsize % 2048:
        return x
    copy = scratch(name, (n, columns + LINE), x.dtype)
    copy[:, :columns] = x
    return copy


@jit
def blocks(rows, columns, tall):  # type: ignore[no-untyped-def]
    """How many tasks a result of this shape is cut into: a function of the shape alone."""
    return ((rows + tall - 1) // tall) * ((columns + COLUMNS - 1) // COLUMNS)


@jit
def block(task, rows, columns, tall):  # type: ignore[no-untyped-def]
    """First row, first column, rows and columns of a task. Columns are cut evenly, in whole strips: with 64, 64, 64 and
    8 of 200, one of two threads had two thirds of the work; with 48, 48, 48 and 56 each task had half a strip (784 x
    200 at 100 images, one thread: 170 us, and 148 so).
    """
    across, strips = (columns + COLUMNS - 1) // COLUMNS, (columns + STRIP - 1) // STRIP
    i, part = task // across * tall, task % across
    j, end = part * strips // across * STRIP, min((part + 1) * strips // across * STRIP, columns)
    return i, j, min(tall, rows - i), end - j


@jit
def forward_rows(n):  # type: ignore[no-untyped-def]
    """Rows of y in a task: evenly cut too."""
    count = (n + FORWARD_ROWS - 1) // FORWARD_ROWS
    return (n + count - 1) // count


@jit
def _forward(task, x, w, b, relu, y):  # type: ignore[no-untyped-def]
    i, j, rows, columns = block(task, *y.shape, forward_rows(y.shape[0]))
    inputs, outputs = w.shape
    start = BIAS if b.size else ZERO
    gemm(
        at(x, i * x.shape[1]), x.shape[1], 1, at(w, j), outputs, at(y, i * outputs + j), outputs, at(b, j),
        rows, columns, inputs, start, relu,
    )  # fmt: skip


@jit
def _half(task, x, w, b, halves):  # type: ignore[no-untyped-def]
    _, n, outputs = halves.shape
    inputs, across = w.shape[0], blocks(n, outputs, n)
    half = task // across
    first, end = half * inputs // 2, (half + 1) * inputs // 2
    _, j, _, columns = block(task % across, n, outputs, n)
    gemm(
        at(x, first), x.shape[1], 1, at(w, first * outputs + j), outputs, at(halves, half * n * outputs + j), outputs,
        at(b, j), n, columns, end - first, BIAS if b.size and not half else ZERO, False,
    )  # fmt: skip


@jit
def _add(halves, relu, y):  # type: ignore[no-untyped-def]
    first, second, total = at(halves, 0), at(halves, y.size), at(y, 0)
    for k in range(y.size):
        value = first[k] + second[k]
        total[k] = y.dtype.type(0) if relu and value < 0 else value


@jit(parallel=True)
def forward(x, w, b, relu, halves, y):  # type: ignore[no-untyped-def]
    tasks = blocks(*y.shape, forward_rows(y.shape[0]))
    if y.size * w.shape[0] < SERIAL:
        for task in range(tasks):
            _forward(task, x, w, b, relu, y)
    elif halves.shape[0]:
        for task in prange(2 * blocks(*y.shape, y.shape[0])):
            _half(task, x, w, b, halves)
        _add(halves, relu, y)
    else:
        for task in prange(tasks):
            _forward(task, x, w, b, relu, y)


@twin("dense_forward")
def dense_forward(x, w, b, relu, y):  # type: ignore[no-untyped-def]
    halves = scratch("dense.halves", (2 if w.shape[0] >= HALVES * len(x) else 0, *y.shape), y.dtype)
    forward(spread("dense.x", x), w, b, relu, halves, y)


@jit
def _dw(task, x, dz, dw):  # type: ignore[no-untyped-def]
    inputs, outputs = dw.shape
    i, j, rows, columns = block(task, inputs, outputs, GRADIENT_ROWS)
    gemm(
        at(x, i), 1, inputs, at(dz, j), dz.shape[1], at(dw, i * outputs + j), outputs, at(dw, 0),
        rows, columns, x.shape[0], ZERO, False,
    )  # fmt: skip


@jit
def _dx(task, w, dz, panel, dx):  # type: ignore[no-untyped-def]
    # The tile wants rows of B contiguous and w' has none: each task turns its own columns round first.
    n, inputs = dx.shape
    outputs = w.shape[1]
    j = task * COLUMNS
    columns = min(COLUMNS, inputs - j)
    transpose(w, j, columns, panel)
    gemm(
        at(dz, 0), dz.shape[1], 1, at(panel, 0), columns, at(dx, j), inputs, at(panel, 0),
        n, columns, outputs, ZERO, False,
    )  # fmt: skip


@jit
def _either(task, tasks, dx_tasks, x, w, dz, panels, dw, dx):  # type: ignore[no-untyped-def]
    # Every thread takes a run of tasks: those for dx, which are longer, are spread evenly among those for dw.
    before, after = task * dx_tasks // tasks, (task + 1) * dx_tasks // tasks
    if after > before:
        _dx(before, w, dz, panels[before], dx)
    else:
        _dw(task - before, x, dz, dw)


@jit
def _dz(y, dy, relu, dz, db):  # type: ignore[no-untyped-def]
    n, outputs = dy.shape
    clear(db)
    sums = at(db, 0)
    for i in range(n):
        above, gate, here = at(dy, i * outputs), at(y, i * outputs), at(dz, i * dz.shape[1])
        for j in range(outputs):
            here[j] = above[j] if not relu or gate[j] > 0 else 0
        if db.size:
            for j in range(outputs):
                sums[j] += here[j]


@jit(parallel=True)
def _backward(x, w, y, dy, relu, dz, panels, dw, db, dx):  # type: ignore[no-untyped-def]
    _dz(y, dy, relu, dz, db)
    dw_tasks = blocks(*dw.shape, GRADIENT_ROWS)
    dx_tasks = (dx.shape[1] + COLUMNS - 1) // COLUMNS if dx.size else 0
    tasks = dw_tasks + dx_tasks
    if dw.size * x.shape[0] < SERIAL:
        for task in range(tasks):
            _either(task, tasks, dx_tasks, x, w, dz, panels, dw, dx)
    else:
        for task in prange(tasks):
            _either(task, tasks, dx_tasks, x, w, dz, panels, dw, dx)


@twin("dense_backward")
def dense_backward(x, w, y, dy, relu, dw, db, dx):  # type: ignore[no-untyped-def]
    n, outputs = dy.shape
    dz = scratch("dense.dz", (n, outputs + LINE), dy.dtype)
    tasks = -(-x.shape[1] // COLUMNS)
    panels = scratch("dense.panels", (tasks, COLUMNS * outputs), w.dtype)
    _backward(x, w, y, dy, relu, dz, panels, dw, db, dx.reshape(-1, x.shape[1]))

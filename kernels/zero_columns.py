"""Columns of a batch that are 0 in every row, which take no part in a product: the pixels at the border of MNIST.

Of 784 pixels 514 are used by a batch of 100 digits, so a third of the products with the batch need not be done (745 of
784 by 32 pictures of clothes, where it does not pay). The used columns are listed once per product, and the tiles of
gemm.py read the rows of w, or write those of dw, through the list. A training step of 784-200-10 at 100 digits takes
190 us instead of 210.

The other terms are added in the same order as ever and ``s + 0 * w`` is ``s``, so this changes no bit, as long as w is
finite: a column counts as used where its row of w is not, and all columns do where dz is not.
"""

from __future__ import annotations

import numpy as np

from .addresses import at
from .gemm import ZERO, gemm_through
from .jit import jit, kernel
from .launching import launch
from .scratch import scratch

WIDE = 256  # inputs from which on it is worth looking
SAMPLE, RARE = 8, 0.7  # so many rows are looked at first: with a larger share of used columns in them, it does not pay
FULL = 0.9  # nor with this share in the whole batch
TASKS = 8  # that look through the rows; reading whole rows, they take 7 us where reading some columns takes 14
MERGED = 112  # columns that a task puts together
SERIAL = 50_000  # fewer numbers in w are looked at by one thread
HEADER, USED, OFFSETS, FIRST, SECOND = range(5)  # the rows of the lists
PART, ALL = range(2)  # in the header: how many used columns lie in the first half, and how many there are

NONE = np.empty((0, 0), np.int64)  # lists that say nothing: multiply all columns


@jit
def _mark_rows(x, first, end, marks):  # type: ignore[no-untyped-def]
    for j in range(x.shape[1]):
        marks[j] = 0
    for i in range(first, end):
        row = at(x, i * x.shape[1])
        for j in range(x.shape[1]):
            marks[j] |= row[j] != 0


@jit
def _used_by_sample(x, marks):  # type: ignore[no-untyped-def]
    _mark_rows(x, 0, min(SAMPLE, x.shape[0]), at(marks, 0))
    return marks[0].sum()


@kernel
def _mark(task, x, marks):  # type: ignore[no-untyped-def]
    n = x.shape[0]
    _mark_rows(x, task * n // TASKS, (task + 1) * n // TASKS, at(marks, task * x.shape[1]))


@kernel
def _merge(task, w, marks):  # type: ignore[no-untyped-def]
    inputs = marks.shape[1]
    first, count = task * MERGED, min(MERGED, inputs - task * MERGED)
    merged = at(marks, first)
    for part in range(1, TASKS):
        more = at(marks, part * inputs + first)
        for j in range(count):
            merged[j] |= more[j]
    for j in range(count if w.size else 0):
        if not merged[j]:
            row, nothing = at(w, (first + j) * w.shape[1]), w.dtype.type(0)
            for k in range(w.shape[1]):
                nothing += row[k] * 0  # NaN, if that is not finite
            merged[j] = nothing != 0


@kernel
def _list(task, marks, checks, lists, n, row, second):  # type: ignore[no-untyped-def]
    inputs, width = marks.shape[1], lists.shape[1]
    columns, offsets = at(lists, USED * width), at(lists, OFFSETS * width)
    used = 0
    for j in range(inputs):
        if j == inputs // 2:
            lists[HEADER, PART] = used
        columns[used], offsets[used] = j, j * row
        used += marks[0, j]
    clean = True
    for k in range(checks.size):
        clean &= checks[k] == 0
    lists[HEADER, ALL] = used if clean and used < FULL * inputs else -1
    for i in range(n):
        lists[FIRST, i], lists[SECOND, i] = i * inputs, i * second


def _marks(x):  # type: ignore[no-untyped-def]
    return scratch("zeros.marks", (TASKS, x.shape[1]), np.int32)


def pays(x):  # type: ignore[no-untyped-def]
    """Whether it looks as if enough columns of x were not used."""
    return x.shape[1] >= WIDE and _used_by_sample(x, _marks(x)) <= RARE * x.shape[1]


def used_columns(x, w, checks, row, second):  # type: ignore[no-untyped-def]
    """Launch what finds the used columns of x; returns their lists.

    These are: numbers (see PART, ALL; ALL is -1 where all columns are to be multiplied), the used columns, these times
    ``row``, and the rows of x times their length and times ``second``. ``w`` is of size 0 where it does not matter;
    anything but zeros in ``checks`` forbids to leave out columns.
    """
    (n, inputs), marks = x.shape, _marks(x)
    lists = scratch("zeros.lists", (5, max(n, inputs + 1)), np.int64)
    launch(_mark, TASKS, x, marks)
    launch(_merge, -(-inputs // MERGED), w, marks, serial=w.size < SERIAL)
    launch(_list, 1, marks, checks, lists, n, row, second, serial=True)
    return lists


@jit
def leaves_out(lists):  # type: ignore[no-untyped-def]
    """Whether there are columns to be left out."""
    return lists.shape[0] > 0 and lists[HEADER, ALL] >= 0


@jit
def product(x, w, b, lists, part, parts, i, j, rows, columns, start, relu, y):  # type: ignore[no-untyped-def]
    """Block (i, j) of x w, or of one of two halves of the sum; y is the address of its column j in row 0."""
    width = lists.shape[1]
    first, end = (lists[HEADER, PART] if part else 0), lists[HEADER, PART if part < parts - 1 else ALL]
    gemm_through(
        at(x, 0), at(lists, FIRST * width + i), at(lists, USED * width + first),
        at(w, j), at(lists, OFFSETS * width + first), y, at(lists, SECOND * width + i), at(b, j),
        rows, columns, end - first, start, relu,
    )  # fmt: skip


@jit
def gradient(x, dz, lists, tall, i, j, rows, columns, dw):  # type: ignore[no-untyped-def]
    """What a task does for dw that has its block (i, j): the rows of used columns, again in blocks of ``tall``, are
    spread evenly among the tasks; those of unused columns in its own block are 0.
    """
    n, outputs, width, used = x.shape[0], dw.shape[1], lists.shape[1], lists[HEADER, ALL]
    blocks, used_blocks, here = (dw.shape[0] + tall - 1) // tall, (used + tall - 1) // tall, i // tall
    for k in range(here * used_blocks // blocks, (here + 1) * used_blocks // blocks):
        first = k * tall
        gemm_through(
            at(x, 0), at(lists, USED * width + first), at(lists, FIRST * width),
            at(dz, j), at(lists, SECOND * width), at(dw, j), at(lists, OFFSETS * width + first), at(dw, 0),
            min(tall, used - first), columns, n, ZERO, False,
        )  # fmt: skip
    following = np.searchsorted(lists[USED, :used], i)
    for r in range(i, i + rows):
        if following < used and lists[USED, following] == r:
            following += 1
        else:
            # Mostly it is 0 from the step before, and reading it costs less than writing it.
            row, clean = at(dw, r * outputs + j), True
            for k in range(columns):
                clean &= row[k] == 0
            for k in range(0 if clean else columns):
                row[k] = 0

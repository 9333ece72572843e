"""Sums and multiples of whole arrays: the join of a Residual, the scaling of pixels."""

from __future__ import annotations

from .addresses import at
from .jit import jit, prange
from .registry import reference, twin

CHUNK = 16_384  # elements that a task computes; arrays of up to two chunks stay with one thread


@reference("add")
def add_reference(a, b):
    """``y = a + b``, equal shapes."""
    return a + b


@reference("rescale")
def rescale_reference(x, scale, offset):
    """``y = scale x + offset`` with two numbers."""
    return scale * x + offset


@jit
def _add_task(task, a, b, y):
    start, count = task * CHUNK, min(CHUNK, y.size - task * CHUNK)
    p, q, r = at(a, start), at(b, start), at(y, start)
    for k in range(count):
        r[k] = p[k] + q[k]


@jit
def _rescale_task(task, x, scale, offset, y):
    start, count = task * CHUNK, min(CHUNK, y.size - task * CHUNK)
    p, r = at(x, start), at(y, start)
    for k in range(count):
        r[k] = scale * p[k] + offset


@jit(parallel=True)
def _add(a, b, y):
    tasks = (y.size + CHUNK - 1) // CHUNK
    if tasks <= 2:
        for task in range(tasks):
            _add_task(task, a, b, y)
    else:
        for task in prange(tasks):
            _add_task(task, a, b, y)


@jit(parallel=True)
def _rescale(x, scale, offset, y):
    tasks = (y.size + CHUNK - 1) // CHUNK
    if tasks <= 2:
        for task in range(tasks):
            _rescale_task(task, x, scale, offset, y)
    else:
        for task in prange(tasks):
            _rescale_task(task, x, scale, offset, y)


@twin("add")
def add(a, b, y):
    _add(a.reshape(-1), b.reshape(-1), y.reshape(-1))


@twin("rescale")
def rescale(x, scale, offset, y):
    # Numbers of the array's own type: with a double among them the loop would compute in doubles.
    _rescale(x.reshape(-1), x.dtype.type(scale), x.dtype.type(offset), y.reshape(-1))

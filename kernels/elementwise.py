"""Sums and multiples of whole arrays: a Residual's addition, the scaling of pixels."""

from __future__ import annotations

from .addresses import at
from .jit import jit, kernel
from .launching import launch
from .registry import reference, twin

CHUNK = 16_384  # elements per task; arrays of up to two chunks stay on one thread


@reference("add")
def add_reference(a, b):
    """``y = a + b``, equal shapes."""
    return a + b


@reference("rescale")
def rescale_reference(x, scale, offset):
    """``y = scale x + offset`` with two numbers."""
    return scale * x + offset


@jit
def span(task, size):
    """The first element of a task, and how many it has."""
    return task * CHUNK, min(CHUNK, size - task * CHUNK)


# at(a, start) is the address of element ``start`` of an array: p[k] is a[start + k]. With addresses instead of indices
# LLVM vectorizes such a loop (addresses.py).


@kernel
def _add(task, a, b, y):
    start, count = span(task, y.size)
    p, q, r = at(a, start), at(b, start), at(y, start)
    for k in range(count):
        r[k] = p[k] + q[k]


@kernel
def _rescale(task, x, scale, offset, y):
    start, count = span(task, y.size)
    p, r = at(x, start), at(y, start)
    for k in range(count):
        r[k] = scale * p[k] + offset


def everywhere(kernel, *arguments):
    """Launch a kernel over all elements of its last argument."""
    tasks = -(-arguments[-1].size // CHUNK)  # rounded up; one or two run on the calling thread alone
    launch(kernel, tasks, *arguments, serial=tasks <= 2)


@twin("add")
def add(a, b, y):
    everywhere(_add, a.reshape(-1), b.reshape(-1), y.reshape(-1))


@twin("rescale")
def rescale(x, scale, offset, y):
    # Numbers of the array's own type: a single double would make the whole loop compute in doubles.
    everywhere(_rescale, x.reshape(-1), x.dtype.type(scale), x.dtype.type(offset), y.reshape(-1))

"""The batch gather: rows of the data set in the order of an index, turned into scaled floats on the way."""

from __future__ import annotations

import numpy as np

from .addresses import at, item_bytes, prefetch, shift
from .jit import jit, prange
from .registry import reference, twin

# The rows of a shuffled batch lie anywhere in memory: they are asked for a few rows before they are read. 64 images of
# 784 bytes: 12.5 us without, 6.2 us so; as floats, where memory is the limit, 17 and 13 us.
AHEAD, LINE_BYTES = 4, 64
# A batch of fewer bytes is gathered by one thread. Two take 9 us for those floats.
SERIAL_BYTES, TASKS = 65_536, 8


@reference("gather")
def gather_reference(source, indices, scale):  # type: ignore[no-untyped-def]
    """``out[i] = scale * source[indices[i]]``; source (rows, features) of any dtype, out (n, features) of a float
    dtype.
    """
    return source[indices] * np.float64(scale)


@jit
def _rows(first, last, source, indices, scale, out):  # type: ignore[no-untyped-def]
    factor, columns = out.dtype.type(scale), source.shape[1]
    line = LINE_BYTES // item_bytes(at(source, 0))
    for i in range(first, last):
        coming = at(source, indices[min(i + AHEAD, last - 1)] * columns)
        for j in range(0, columns, line):
            prefetch(shift(coming, j))
        row, target = at(source, indices[i] * columns), at(out, i * columns)
        for j in range(columns):
            target[j] = out.dtype.type(row[j]) * factor


@twin("gather")
@jit(parallel=True)
def gather(source, indices, scale, out):  # type: ignore[no-untyped-def]
    n = indices.size
    if n * source.shape[1] * item_bytes(at(source, 0)) < SERIAL_BYTES:
        _rows(0, n, source, indices, scale, out)
    else:
        for task in prange(TASKS):
            _rows(task * n // TASKS, (task + 1) * n // TASKS, source, indices, scale, out)

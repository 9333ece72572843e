"""What kernels that include column_sums.cuh are launched with."""

from __future__ import annotations

from typing import Any

from . import cuda

MOST_SLICES, LEAST_ROWS = 256, 32


def plan(rows: int, c: int) -> tuple[int, int, int, int]:
    """Columns per block (a power of two), blocks across the columns, rows per slice, slices."""
    wide = min(cuda.WARP, 1 << (c - 1).bit_length())
    height = max(LEAST_ROWS, -(-rows // MOST_SLICES))
    return wide, -(-c // wide), height, max(1, -(-rows // height))


def memory(c: int, across: int, slices: int) -> tuple[Any, Any]:
    """What `add_slices` of column_sums.cuh needs: parts and arrivals."""
    parts = cuda.scratch("column_sums.parts", slices * 2 * c, "f8")
    return parts, cuda.scratch("column_sums.arrivals", across, "i4", zero=True)

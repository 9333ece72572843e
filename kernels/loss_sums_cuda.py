"""How the losses are launched on the GPU: what loss_sums.cuh needs."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import current

ROWS_PER_BLOCK = cuda.THREADS // cuda.WARP
MOST_BLOCKS = 512


def launch(family: str, kernel: str, y: Any, *values: Any, totals: Any, dy: Any) -> None:
    """Launch a kernel of ``family.cu`` over the rows of y."""
    n, features = y.shape
    blocks = min(MOST_BLOCKS, -(-n // ROWS_PER_BLOCK))
    parts = cuda.scratch("loss.parts", 2 * blocks, "f8")
    arrivals = cuda.scratch("loss.arrivals", 1, "i4", zero=True)
    clock = current()
    cuda.launch(
        family, kernel, blocks, cuda.THREADS, y, *values, n, features, parts, arrivals, totals, dy,
        clock and clock.array, dtype=y.dtype,
    )  # fmt: skip

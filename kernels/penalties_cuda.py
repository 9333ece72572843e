"""Penalties on the GPU: the launch of penalties.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .registry import twin

MOST_BLOCKS = 256


@twin("penalize", "cupy")
def penalize(w: Any, l1: float, l2: float, n: float, totals: Any, g: Any) -> None:
    blocks = min(MOST_BLOCKS, -(-w.size // cuda.THREADS))
    parts = cuda.scratch("penalty.parts", blocks, "f8")
    arrivals = cuda.scratch("penalty.arrivals", 1, "i4", zero=True)
    cuda.launch(
        "penalties", "penalize", blocks, cuda.THREADS, w, l1, l2, n, w.size, parts, arrivals, totals, g, dtype=w.dtype
    )

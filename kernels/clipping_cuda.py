"""Gradient clipping on the GPU: the launches of clipping.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .registry import twin

PARTS = 64  # blocks that share a span, as in clipping.cu


@twin("clip_by_value", "cupy")
def clip_by_value(g: Any, limit: float) -> None:
    cuda.launch("clipping", "clip_by_value", *cuda.spread(g), g, limit, g.size, dtype=g.dtype)


@twin("clip_by_norm", "cupy")
def clip_by_norm(g: Any, spans: Any, limit: float, together: bool) -> None:
    count = len(spans)
    parts, norms = cuda.scratch("clipping.parts", count * PARTS, "f8"), cuda.scratch("clipping.norms", count, "f8")
    arrivals = cuda.scratch("clipping.arrivals", count + 1, "i4", zero=True)
    cuda.launch(
        "clipping", "square_norms", (PARTS, count), cuda.THREADS, g, spans, count, together, parts, arrivals, norms,
        dtype=g.dtype,
    )  # fmt: skip
    cuda.launch("clipping", "clip_by_norm", (PARTS, count), cuda.THREADS, g, spans, limit, norms, dtype=g.dtype)

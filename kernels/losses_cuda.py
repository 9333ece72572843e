"""Losses on the GPU: the launches of losses.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import current
from .registry import twin

ROWS_PER_BLOCK = cuda.THREADS // cuda.WARP
MOST_BLOCKS = 512


def _launch(kernel: str, y: Any, *values: Any, totals: Any, dy: Any) -> None:
    n, features = y.shape
    blocks = min(MOST_BLOCKS, -(-n // ROWS_PER_BLOCK))
    parts = cuda.scratch("loss.parts", 2 * blocks, "f8")
    arrivals = cuda.scratch("loss.arrivals", 1, "i4", zero=True)
    clock = current()
    cuda.launch(
        "losses", kernel, blocks, cuda.THREADS, y, *values, n, features, parts, arrivals, totals, dy,
        clock and clock.array, dtype=y.dtype,
    )  # fmt: skip


@twin("softmax_cross_entropy", "cupy")
def softmax_cross_entropy(logits: Any, targets: Any, weights: Any, smoothing: float, totals: Any, dlogits: Any) -> None:
    _launch("softmax_cross_entropy", logits, targets, weights, smoothing, totals=totals, dy=dlogits)


@twin("sparse_softmax_cross_entropy", "cupy")
def sparse_softmax_cross_entropy(
    logits: Any, labels: Any, weights: Any, smoothing: float, totals: Any, dlogits: Any
) -> None:
    _launch("sparse_softmax_cross_entropy", logits, labels, weights, smoothing, totals=totals, dy=dlogits)


@twin("sparse_cross_entropy", "cupy")
def sparse_cross_entropy(p: Any, labels: Any, weights: Any, smoothing: float, totals: Any, dp: Any) -> None:
    _launch("sparse_cross_entropy", p, labels, weights, smoothing, totals=totals, dy=dp)


@twin("cross_entropy", "cupy")
def cross_entropy(p: Any, targets: Any, weights: Any, smoothing: float, totals: Any, dp: Any) -> None:
    _launch("cross_entropy", p, targets, weights, smoothing, totals=totals, dy=dp)


@twin("elementwise_loss", "cupy")
def elementwise_loss(y: Any, targets: Any, weights: Any, kind: int, smoothing: float, totals: Any, dy: Any) -> None:
    _launch("elementwise_loss", y, targets, weights, kind, y.dtype.type(smoothing), totals=totals, dy=dy)

"""Cross-entropies of probabilities on the GPU: the launches of cross_entropy.cu."""

from __future__ import annotations

from functools import partial
from typing import Any

from . import loss_sums_cuda
from .registry import twin

_launch = partial(loss_sums_cuda.launch, "cross_entropy")


@twin("sparse_cross_entropy", "cupy")
def sparse_cross_entropy(p: Any, labels: Any, weights: Any, smoothing: float, totals: Any, dp: Any) -> None:
    _launch("sparse_cross_entropy", p, labels, weights, smoothing, totals=totals, dy=dp)


@twin("cross_entropy", "cupy")
def cross_entropy(p: Any, targets: Any, weights: Any, smoothing: float, totals: Any, dp: Any) -> None:
    _launch("cross_entropy", p, targets, weights, smoothing, totals=totals, dy=dp)

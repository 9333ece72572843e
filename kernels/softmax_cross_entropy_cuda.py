"""Softmax and cross-entropy in one step on the GPU: the launches of softmax_cross_entropy.cu."""

from __future__ import annotations

from functools import partial
from typing import Any

from . import loss_sums_cuda
from .registry import twin

_launch = partial(loss_sums_cuda.launch, "softmax_cross_entropy")


@twin("softmax_cross_entropy", "cupy")
def softmax_cross_entropy(logits: Any, targets: Any, weights: Any, smoothing: float, totals: Any, dlogits: Any) -> None:
    _launch("softmax_cross_entropy", logits, targets, weights, smoothing, totals=totals, dy=dlogits)


@twin("sparse_softmax_cross_entropy", "cupy")
def sparse_softmax_cross_entropy(
    logits: Any, labels: Any, weights: Any, smoothing: float, totals: Any, dlogits: Any
) -> None:
    _launch("sparse_softmax_cross_entropy", logits, labels, weights, smoothing, totals=totals, dy=dlogits)

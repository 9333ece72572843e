"""Elementwise losses on the GPU: the launch of elementwise_losses.cu."""

from __future__ import annotations

from typing import Any

from .loss_sums_cuda import launch
from .registry import twin


@twin("elementwise_loss", "cupy")
def elementwise_loss(
    y: Any, targets: Any, weights: Any, kind: int, smoothing: float, delta: float, totals: Any, dy: Any
) -> None:
    values = y, targets, weights, kind, y.dtype.type(smoothing), float(delta)
    launch("elementwise_losses", "elementwise_loss", *values, totals=totals, dy=dy)

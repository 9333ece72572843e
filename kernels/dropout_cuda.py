"""Dropout on the GPU: the launches of dropout.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import counted
from .dropout import drop_below, kept_times
from .registry import twin


@twin("dropout_forward", "cupy")
def dropout_forward(x: Any, key: int, step: int, rate: float, y: Any, mask: Any) -> None:
    cuda.launch(
        "dropout", "dropout_forward", *cuda.spread(x), x, key, *counted(step), drop_below(rate),
        kept_times(rate), x.size, y, mask, dtype=x.dtype,
    )  # fmt: skip


@twin("dropout_backward", "cupy")
def dropout_backward(dy: Any, mask: Any, rate: float, dx: Any) -> None:
    if dx.size:
        cuda.launch(
            "dropout", "dropout_backward", *cuda.spread(dy), dy, mask, kept_times(rate), dy.size, dx, dtype=dy.dtype
        )

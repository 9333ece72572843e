"""Flips and shifts on the GPU: the launches of augmentation.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import counted
from .registry import twin


@twin("flip_shift_forward", "cupy")
def flip_shift_forward(
    x: Any, key: int, step: int, flips: tuple[bool, bool], shifts: tuple[tuple[int, int], tuple[int, int]], fill: int,
    value: float, y: Any, moves: Any,
) -> None:  # fmt: skip
    n, h, w, c = x.shape
    cuda.launch(
        "augmentation", "flip_shift_forward", min(n, cuda.MOST_BLOCKS), cuda.THREADS, x, key, *counted(step), n, h,
        cuda.divider(w), cuda.divider(c), *flips, *shifts[0], *shifts[1], fill, value, y, moves, dtype=x.dtype,
    )  # fmt: skip


@twin("flip_shift_backward", "cupy")
def flip_shift_backward(dy: Any, moves: Any, fill: int, dx: Any) -> None:
    if dx.size:
        n, h, w, c = dy.shape
        cuda.launch(
            "augmentation", "flip_shift_backward", min(n, cuda.MOST_BLOCKS), cuda.THREADS, dy, moves, n, h,
            cuda.divider(w), cuda.divider(c), fill, dx, dtype=dy.dtype,
        )  # fmt: skip

"""Upsampling on the GPU: the launches of upsampling.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .registry import twin


@twin("upsample_forward", "cupy")
def upsample_forward(x: Any, size: tuple[int, int], y: Any) -> None:
    dividers = (cuda.divider(extent) for extent in (*y.shape[1:], *size))
    values = x, *x.shape[1:3], *dividers, y.size, y
    cuda.launch("upsampling", "upsample_forward", *cuda.spread(y), *values, dtype=y.dtype)


@twin("upsample_backward", "cupy")
def upsample_backward(dy: Any, size: tuple[int, int], dx: Any) -> None:
    if dx.size:
        dividers = (cuda.divider(extent) for extent in dx.shape[1:])
        values = dy, *size, *dividers, dx.size, dx
        cuda.launch("upsampling", "upsample_backward", *cuda.spread(dx), *values, dtype=dx.dtype)

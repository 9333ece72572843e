"""Zero padding on the GPU: the launches of padding.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .registry import twin


def _place(x: Any, top: int, left: int, y: Any) -> None:
    (h, w), (_, tall, wide, c) = x.shape[1:3], y.shape
    dividers = (cuda.divider(extent) for extent in (tall, wide, c))
    cuda.launch("padding", "place", *cuda.spread(y), x, h, w, top, left, *dividers, y.size, y, dtype=y.dtype)


@twin("zero_pad_forward", "cupy")
def zero_pad_forward(x: Any, pads: tuple[int, int, int, int], y: Any) -> None:
    _place(x, pads[0], pads[2], y)


@twin("zero_pad_backward", "cupy")
def zero_pad_backward(dy: Any, pads: tuple[int, int, int, int], dx: Any) -> None:
    if dx.size:
        _place(dy, -pads[0], -pads[2], dx)

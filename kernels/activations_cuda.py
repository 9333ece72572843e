"""Activations and softmax on the GPU: the launches of activations.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .registry import twin


@twin("activation_forward", "cupy")
def activation_forward(x: Any, kind: int, alpha: tuple[float, float, float], y: Any) -> None:
    cuda.launch("activations", "activation_forward", *cuda.spread(x), x, kind, *alpha, x.size, y, dtype=x.dtype)


@twin("activation_backward", "cupy")
def activation_backward(x: Any, y: Any, dy: Any, kind: int, alpha: tuple[float, float, float], dx: Any) -> None:
    if dx.size:
        cuda.launch(
            "activations", "activation_backward", *cuda.spread(x), x, y, dy, kind, *alpha, x.size, dx, dtype=x.dtype
        )


@twin("softmax_forward", "cupy")
def softmax_forward(x: Any, y: Any) -> None:
    rows, c = x.size // x.shape[-1], x.shape[-1]
    cuda.launch("activations", "softmax_forward", *cuda.spread(rows * cuda.WARP), x, rows, c, y, dtype=x.dtype)


@twin("softmax_backward", "cupy")
def softmax_backward(y: Any, dy: Any, dx: Any) -> None:
    if dx.size:
        rows, c = y.size // y.shape[-1], y.shape[-1]
        threads = cuda.spread(rows * cuda.WARP)
        cuda.launch("activations", "softmax_backward", *threads, y, dy, rows, c, dx, dtype=y.dtype)

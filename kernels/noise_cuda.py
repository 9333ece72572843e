"""Gaussian noise on the GPU: the launch of noise.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import counted
from .registry import twin


@twin("gaussian_noise", "cupy")
def gaussian_noise(x: Any, key: int, step: int, stddev: float, y: Any) -> None:
    cuda.launch(
        "noise", "gaussian_noise", *cuda.spread(-(-x.size // 4)), x, key, *counted(step), stddev, x.size, y,
        dtype=x.dtype,
    )  # fmt: skip

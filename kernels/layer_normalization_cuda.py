"""Layer normalization on the GPU: the launches of layer_normalization.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .column_sums_cuda import memory, plan
from .registry import twin


@twin("layer_norm_forward", "cupy")
def layer_norm_forward(x: Any, gamma: Any, beta: Any, epsilon: float, y: Any, mean: Any, inverse: Any) -> None:
    rows, c = x.shape
    values = x, gamma, beta, epsilon, rows, c, y, mean, inverse
    cuda.launch("layer_normalization", "layer_norm_forward", *cuda.spread(rows * cuda.WARP), *values, dtype=x.dtype)


@twin("layer_norm_backward", "cupy")
def layer_norm_backward(x: Any, dy: Any, gamma: Any, mean: Any, inverse: Any, dx: Any, dgamma: Any, dbeta: Any) -> None:
    rows, c = x.shape
    if dx.size:
        values = x, dy, gamma, mean, inverse, rows, c, dx
        cuda.launch("layer_normalization", "layer_norm_dx", *cuda.spread(rows * cuda.WARP), *values, dtype=x.dtype)
    if dgamma.size or dbeta.size:
        wide, across, height, slices = plan(rows, c)
        values = x, dy, mean, inverse, rows, c, wide, height, *memory(c, across, slices), dgamma, dbeta
        grid = slices, across
        cuda.launch("layer_normalization", "layer_norm_parameters", grid, cuda.THREADS, *values, dtype=x.dtype)

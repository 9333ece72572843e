"""Batch normalization on the GPU: the launches of normalization.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import current
from .column_sums_cuda import memory, plan
from .registry import twin


def _columns(c: int) -> Any:
    return cuda.scratch("batch_norm.columns", 3 * c, "f8")


def _apply(x: Any, mean: Any, columns: Any, y: Any) -> None:
    divider = cuda.divider(x.shape[1])
    values = x, mean, columns, divider, x.size, y
    cuda.launch("normalization", "batch_norm_apply", *cuda.spread(x), *values, dtype=x.dtype)


@twin("batch_norm_forward", "cupy")
def batch_norm_forward(
    x: Any, gamma: Any, beta: Any, moving_mean: Any, moving_variance: Any, momentum: float, epsilon: float,
    y: Any, mean: Any, inverse: Any,
) -> None:  # fmt: skip
    rows, c = x.shape
    wide, across, height, slices = plan(rows, c)
    (parts, arrivals), columns = memory(c, across, slices), _columns(c)
    clock = current()
    cuda.launch(
        "normalization", "batch_norm_statistics", (slices, across), cuda.THREADS,
        x, gamma, beta, rows, c, wide, height, momentum, epsilon, parts, arrivals, moving_mean, moving_variance,
        clock and clock.array, mean, inverse, columns, dtype=x.dtype,
    )  # fmt: skip
    _apply(x, mean, columns, y)


@twin("batch_norm_inference", "cupy")
def batch_norm_inference(
    x: Any, gamma: Any, beta: Any, moving_mean: Any, moving_variance: Any, epsilon: float,
    y: Any, mean: Any, inverse: Any,
) -> None:  # fmt: skip
    c = x.shape[1]
    columns = _columns(c)
    cuda.launch(
        "normalization", "batch_norm_columns", *cuda.spread(c), gamma, beta, moving_mean, moving_variance, epsilon, c,
        mean, inverse, columns, dtype=x.dtype,
    )  # fmt: skip
    _apply(x, mean, columns, y)


@twin("batch_norm_backward", "cupy")
def batch_norm_backward(
    x: Any, dy: Any, gamma: Any, mean: Any, inverse: Any, training: bool, dx: Any, dgamma: Any, dbeta: Any
) -> None:
    rows, c = x.shape
    wide, across, height, slices = plan(rows, c)
    (parts, arrivals), columns = memory(c, across, slices), _columns(c)
    cuda.launch(
        "normalization", "batch_norm_gradients", (slices, across), cuda.THREADS,
        x, dy, gamma, mean, inverse, training, rows, c, wide, height, parts, arrivals, columns, dgamma, dbeta,
        dtype=x.dtype,
    )  # fmt: skip
    if dx.size:
        cuda.launch(
            "normalization", "batch_norm_dx", *cuda.spread(x), x, dy, mean, columns, cuda.divider(c), x.size, dx,
            dtype=x.dtype,
        )  # fmt: skip

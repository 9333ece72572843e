"""Transposed convolution on the GPU: launches of conv2d.cu with exchanged roles, and those of conv2d_transpose.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .column_sums_cuda import memory, plan
from .conv2d_cuda import Pads, Pair, conv2d_forward, filter_gradient, input_gradient
from .registry import twin


@twin("conv2d_transpose_forward", "cupy")
def conv2d_transpose_forward(
    x: Any, w: Any, b: Any, strides: Pair, pads: Pads, dilation: Pair, size: Pair, relu: bool, y: Any
) -> None:
    input_gradient(w, x, None, strides, pads, dilation, 1, y)
    if b.size or relu:
        values = b, relu, cuda.divider(y.shape[3]), y.size, y
        cuda.launch("conv2d_transpose", "finish", *cuda.spread(y), *values, dtype=y.dtype)


@twin("conv2d_transpose_backward", "cupy")
def conv2d_transpose_backward(
    x: Any, w: Any, y: Any, dy: Any, strides: Pair, pads: Pads, dilation: Pair, relu: bool, dw: Any, db: Any, dx: Any
) -> None:
    dz = cuda.scratch("conv2d_transpose.dz", dy.size, dy.dtype)[: dy.size].reshape(dy.shape) if relu else dy
    if relu or db.size:
        _gradient(y if relu else None, dy, dz if relu else None, db)
    filter_gradient(dz, w, x, None, strides, pads, dilation, 1, dw, None)
    if dx.size:
        conv2d_forward(dz, w, None, strides, pads, dilation, 1, False, dx)


def _gradient(y: Any, dy: Any, dz: Any, db: Any) -> None:
    f = dy.shape[3]
    rows = dy.size // f
    wide, across, height, slices = plan(rows, f)
    cuda.launch(
        "conv2d_transpose", "gradient", (slices, across), cuda.THREADS,
        y, dy, rows, f, wide, height, *memory(f, across, slices), dz, db, dtype=dy.dtype,
    )  # fmt: skip

"""Dense on the GPU: the launches of dense.cu."""

from __future__ import annotations

from typing import Any

from . import cuda, gemm_cuda
from .registry import twin


@twin("dense_forward", "cupy")
def dense_forward(x: Any, w: Any, b: Any, relu: bool, y: Any) -> None:
    (n, inputs), outputs = x.shape, w.shape[1]
    cut = gemm_cuda.cut(n, outputs, inputs, x.dtype)
    cuda.launch(
        "dense", "dense_forward", cut.blocks, cut.tile.threads,
        x, w, b, n, inputs, outputs, relu, cut.splits, *cut.memory("product", x.dtype), y,
        dtype=x.dtype, **gemm_cuda.constants(cut.tile, x.dtype),
    )  # fmt: skip


@twin("dense_backward", "cupy")
def dense_backward(x: Any, w: Any, y: Any, dy: Any, relu: bool, dw: Any, db: Any, dx: Any) -> None:
    (n, inputs), outputs = x.shape, w.shape[1]
    shapes = (inputs, outputs, n), (n, inputs, outputs)
    # One launch, so one tile: the smaller of the two, which fills more of the GPU.
    tile = min(gemm_cuda.cut(*shape, x.dtype).tile for shape in shapes)
    first, second = (gemm_cuda.cut(*shape, x.dtype, tile) for shape in shapes)
    cuda.launch(
        "dense", "dense_backward", first.blocks + (second.blocks if dx.size else 0), tile.threads,
        x, w, y if relu else None, dy, n, inputs, outputs,
        first.blocks, first.splits, *first.memory("product", x.dtype),
        second.splits, *second.memory("second product", x.dtype), dw, db, dx,
        dtype=x.dtype, **gemm_cuda.constants(tile, x.dtype),
    )  # fmt: skip

"""Convolution on the GPU: the launches of conv2d.cu."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from . import cuda, gemm_cuda
from .registry import twin

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]


def _geometry(x: Any, w: Any, y: Any, strides: Pair, pads: Pads, dilation: Pair, groups: int) -> Any:
    return _structure(x.shape[1:], w.shape, y.shape[1:], strides, pads, dilation, groups)


@lru_cache(maxsize=256)  # forward and both gradients have the same one, in every step
def _structure(
    x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...], strides: Pair, pads: Pads, dilation: Pair, groups: int
) -> Any:
    (h, width, c), (kh, kw, cg, f), (oh, ow, _) = x, w, y
    fg = f // groups
    return cuda.structure(
        "Geometry", h, width, c, oh, ow, f, kh, kw, cg, fg, *strides, *dilation, pads[0], pads[2],
        oh, ow, h, width, kw, cg, fg, *strides,
    )  # fmt: skip


def _launch(
    kernel: str, sizes: tuple[int, int, int], groups: int, first: tuple[Any, ...], last: tuple[Any, ...]
) -> None:
    """A product of m x n sums of length k per group; ``first`` and ``last`` surround the arguments of the splits."""
    dtype = first[0].dtype
    cut = gemm_cuda.cut(*sizes, dtype)
    if groups > 1:
        cut = cut._replace(splits=1)  # the groups are enough parallel work, and would need counters of their own
    cuda.launch(
        "conv2d", kernel, (cut.blocks, groups), cut.tile.threads, *first, cut.splits, *cut.memory("product", dtype),
        *last, dtype=dtype, **gemm_cuda.constants(cut.tile, dtype),
    )  # fmt: skip


@twin("conv2d_forward", "cupy")
def conv2d_forward(
    x: Any, w: Any, b: Any, strides: Pair, pads: Pads, dilation: Pair, groups: int, relu: bool, y: Any
) -> None:
    (n, oh, ow, f), (kh, kw, cg, _) = y.shape, w.shape
    geometry = _geometry(x, w, y, strides, pads, dilation, groups)
    _launch("conv2d_forward", (n * oh * ow, f // groups, kh * kw * cg), groups, (x, w, b, geometry, n, relu), (y,))


def filter_gradient(
    x: Any, w: Any, dy: Any, mask: Any, strides: Pair, pads: Pads, dilation: Pair, groups: int, dw: Any, db: Any
) -> None:
    """dw and, unless it is None or empty, db; ``mask`` is y, or None without ReLU."""
    (n, oh, ow, _), (kh, kw, cg, f) = dy.shape, w.shape
    geometry = _geometry(x, w, dy, strides, pads, dilation, groups)
    sizes = kh * kw * cg, f // groups, n * oh * ow
    _launch("conv2d_filter_gradient", sizes, groups, (x, mask, dy, geometry, n), (dw, db))


def input_gradient(w: Any, dy: Any, mask: Any, strides: Pair, pads: Pads, dilation: Pair, groups: int, dx: Any) -> None:
    """dx; ``mask`` is y, or None without ReLU."""
    (n, h, width, _), (kh, kw, cg, f) = dx.shape, w.shape
    geometry = _geometry(dx, w, dy, strides, pads, dilation, groups)
    sizes = n * h * width, cg, kh * kw * (f // groups)
    _launch("conv2d_input_gradient", sizes, groups, (w, mask, dy, geometry, n), (dx,))


@twin("conv2d_backward", "cupy")
def conv2d_backward(
    x: Any, w: Any, y: Any, dy: Any, strides: Pair, pads: Pads, dilation: Pair, groups: int, relu: bool,
    dw: Any, db: Any, dx: Any,
) -> None:  # fmt: skip
    mask = y if relu else None
    filter_gradient(x, w, dy, mask, strides, pads, dilation, groups, dw, db)
    if dx.size:
        input_gradient(w, dy, mask, strides, pads, dilation, groups, dx)

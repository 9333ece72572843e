"""Pooling on the GPU: the launches of pooling.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .registry import twin

Pair = tuple[int, int]
Shape = tuple[int, ...]
Pads = tuple[int, int, int, int]


def _geometry(x_shape: Shape, y_shape: Shape, window: Pair, strides: Pair, pads: Pads, threads_over: Shape) -> Any:
    """The structure ``Pool``; its dividers are for the array that the threads run over, and for the strides."""
    sizes = *x_shape[1:3], *y_shape[1:3], *window, *strides, pads[0], pads[2]
    return cuda.structure("Pool", *sizes, *threads_over[1:], *strides)


def _launch(kernel: str, over: Any, *values: Any, position: str = "u8") -> None:
    cuda.launch("pooling", kernel, *cuda.spread(over), *values, dtype=over.dtype, POSITION=position)


def _position(argmax: Any) -> str:
    return "u8" if argmax.itemsize == 1 else "int"


@twin("max_pool_forward", "cupy")
def max_pool_forward(x: Any, window: Pair, strides: Pair, pads: Pads, y: Any, argmax: Any) -> None:
    geometry = _geometry(x.shape, y.shape, window, strides, pads, y.shape)
    _launch("max_pool_forward", y, x, geometry, y.size, y, argmax, position=_position(argmax))


@twin("max_pool_backward", "cupy")
def max_pool_backward(dy: Any, argmax: Any, window: Pair, strides: Pair, pads: Pads, shape: Shape, dx: Any) -> None:
    if dx.size:
        geometry = _geometry(shape, dy.shape, window, strides, pads, shape)
        _launch("max_pool_backward", dx, dy, argmax, geometry, dx.size, dx, position=_position(argmax))


@twin("average_pool_forward", "cupy")
def average_pool_forward(x: Any, window: Pair, strides: Pair, pads: Pads, y: Any) -> None:
    _launch("average_pool_forward", y, x, _geometry(x.shape, y.shape, window, strides, pads, y.shape), y.size, y)


@twin("average_pool_backward", "cupy")
def average_pool_backward(dy: Any, window: Pair, strides: Pair, pads: Pads, shape: Shape, dx: Any) -> None:
    if dx.size:
        _launch("average_pool_backward", dx, dy, _geometry(shape, dy.shape, window, strides, pads, shape), dx.size, dx)

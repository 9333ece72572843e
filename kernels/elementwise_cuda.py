"""Sums and multiples on the GPU: the launches of elementwise.cu."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import cuda
from .registry import twin


@twin("add", "cupy")
def add(a: Any, b: Any, y: Any) -> None:
    cuda.launch("elementwise", "add", *cuda.spread(y), a, b, y.size, y, dtype=y.dtype)


@twin("rescale", "cupy")
def rescale(x: Any, scale: float, offset: float, y: Any) -> None:
    cuda.launch("elementwise", "rescale", *cuda.spread(y), x, scale, offset, y.size, y, dtype=y.dtype)


def all_finite(arrays: Iterable[Any]) -> bool:
    """Whether arrays of floats contain no NaN and no Inf; one number is read back."""
    found = cuda.scratch("not_finite", 1, "i4")
    found[...] = 0
    for x in arrays:
        cuda.launch("elementwise", "find_not_finite", *cuda.spread(x), x, x.size, found, dtype=x.dtype)
    return not found.get()[0]

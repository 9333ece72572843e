"""The batch gather on the GPU: the launches of batching.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import Clock
from .registry import twin

# The C++ names of the dtypes of samples and row numbers.
NAMES = {"u1": "u8", "i1": "signed char", "u2": "unsigned short", "i2": "short", "u4": "u32", "i4": "int", "u8": "u64",
         "i8": "i64", "f4": "float", "f8": "double"}  # fmt: skip


def name(array: Any) -> str:
    """The C++ name of an array's dtype."""
    return NAMES[array.dtype.str[1:]]


@twin("gather", "cupy")
def gather(source: Any, indices: Any, scale: float, out: Any) -> None:
    cuda.launch(
        "batching", "gather", len(indices), cuda.THREADS, source, indices, source.shape[1], scale, out,
        dtype=out.dtype, SOURCE=name(source), INDEX=name(indices),
    )  # fmt: skip


def begin_step(
    source: Any, targets: Any, weights: Any, order: Any, scale: float, clock: Clock,
    x: Any, batch_targets: Any, batch_weights: Any,
) -> None:  # fmt: skip
    """Gather the batch that the clock points to, from a data set on the GPU: see ``begin_step`` in batching.cu."""
    n = len(x)
    arrivals = cuda.scratch("begin_step", 1, "i4", zero=True)
    cuda.launch(
        "batching", "begin_step", n, cuda.THREADS, source, targets, weights, order, clock.batch_size, source.shape[1],
        targets.nbytes // len(targets) // 4, scale, x, batch_targets, batch_weights, arrivals, clock.array,
        dtype=x.dtype, SOURCE=name(source), INDEX="int",
    )  # fmt: skip

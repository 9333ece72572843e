"""The op calls of a real training step, caught and timed one by one (inside scratchnet's worker)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scratchnet.kernels import registry

from scratchnet.backend import array_module, get_backend, ops

from .frameworks.scratchnet import ScratchnetStep
from .limits import best

Call = tuple[str, tuple[Any, ...]]


def is_array(value: Any) -> bool:
    """Whether an op's argument is an array of the backend in use."""
    return isinstance(value, np.ndarray | array_module().ndarray)


def record(step: Callable[[], Any]) -> list[Call]:
    """Every op call of ``step()`` with its very arguments, in order."""
    calls: list[Call] = []

    def spy(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> None:
            calls.append((name, args))
            function(*args)

        return call

    for name, op in registry.ops().items():
        if get_backend() == "numpy" or get_backend() in op.twins:
            setattr(ops, name, spy(name, op.implementation(get_backend())))
    try:
        step()
    finally:
        vars(ops).clear()
    return calls


def flops(name: str, args: tuple[Any, ...]) -> float:
    """Floating-point operations of the products in a call, two per multiply-add; 0 for ops without a product.

    A convolution is counted as the direct one, padding included, whatever algorithm runs.
    """
    if name in ("dense_forward", "conv2d_forward"):
        w, y = args[1], args[-1]
        return 2.0 * y.size * w.size / w.shape[-1]
    if name in ("dense_backward", "conv2d_backward"):
        w, y, dx = args[1], args[2], args[-1]
        return 2.0 * y.size * w.size / w.shape[-1] * (2 if dx.size else 1)
    return 0.0


def touched(name: str, args: tuple[Any, ...]) -> int:
    """Bytes that a call must read or write at least: each array once, and once more where it is updated in place."""
    arrays = [arg for arg in args if is_array(arg)]
    updated = [args[position] for position in registry.get(name).updates]
    return sum(array.nbytes for array in arrays + updated)


def shapes(args: tuple[Any, ...]) -> str:
    """Shapes of the first two arrays of a call, for the table."""
    arrays = [arg for arg in args if is_array(arg) and arg.size]
    return " ".join("x".join(map(str, array.shape)) for array in arrays[:2])


def time_ops(adapter: ScratchnetStep, seconds: float) -> list[dict[str, Any]]:
    """One row per op call of a training step: op, shapes, best seconds of a call, FLOPs and bytes.

    The same arrays are used again and again, so they lie in whatever cache they fit; the limit for copying is taken at
    the same size.
    """
    adapter.eager_step(0)
    rows = []
    for name, args in record(lambda: adapter.eager_step(1)):
        function = registry.get(name).implementation(get_backend())
        taken = best(partial(function, *args), seconds)
        rows.append(
            {
                "op": name,
                "shapes": shapes(args),
                "seconds": taken,
                "flops": flops(name, args),
                "bytes": touched(name, args),
            }
        )
    return rows

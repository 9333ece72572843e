"""The table in ops/index.md: each op's reference against its Numba kernel, on shapes of the tutorials.

NUMBA_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python docs/ops/measure.py [SECONDS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
from scratchnet.kernels import registry

import scratchnet as sn

RNG = np.random.default_rng(0)
Case = tuple[str, str, tuple[Any, ...], tuple[Any, ...]]  # what it is, the op, its arguments, the arrays to fill


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32)


def empty(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.empty(shape, dtype)


def dense() -> Iterator[Case]:
    x, w, b = normal(64, 784), normal(784, 128), normal(128)
    y = registry.get("dense_forward").reference(x, w, b, True)
    outputs = empty(784, 128), empty(128), empty(64, 784)
    yield "dense forward, 64 x 784 x 128", "dense_forward", (x, w, b, True), (empty(64, 128),)
    yield "dense backward, the same", "dense_backward", (x, w, y, normal(64, 128), True), outputs


def convolution() -> Iterator[Case]:
    x, w, b, window = normal(128, 14, 14, 32), normal(3, 3, 32, 64), normal(64), ((1, 1), (1, 1, 1, 1), (1, 1), 1, True)
    y = registry.get("conv2d_forward").reference(x, w, b, *window)
    outputs = empty(3, 3, 32, 64), empty(64), empty(128, 14, 14, 32)
    yield "conv2d forward, 3x3, 128 x 14 x 14 x 32 to 64", "conv2d_forward", (x, w, b, *window), (empty(*y.shape),)
    yield "conv2d backward, the same", "conv2d_backward", (x, w, y, normal(*y.shape), *window), outputs


def pooling() -> Iterator[Case]:
    x, window = normal(128, 28, 28, 32), ((2, 2), (2, 2), (0, 0, 0, 0))
    y, argmax = registry.get("max_pool_forward").reference(x, *window)
    outputs = empty(*y.shape), empty(*y.shape, dtype=np.uint8)
    yield "max pooling forward, 2x2, 128 x 28 x 28 x 32", "max_pool_forward", (x, *window), outputs
    arguments = normal(*y.shape), argmax, *window, x.shape
    yield "max pooling backward, the same", "max_pool_backward", arguments, (empty(*x.shape),)


def others() -> Iterator[Case]:
    x, ones, zeros = normal(25_088, 64), np.ones(64, np.float32), np.zeros(64, np.float32)
    outputs = empty(*x.shape), empty(64, dtype=np.float64), empty(64, dtype=np.float64)
    arguments = x, ones, zeros, zeros.copy(), ones.copy(), 0.99, 1e-3
    yield "batch normalization forward, 25,088 rows of 64", "batch_norm_forward", arguments, outputs
    half, plain, nothing = normal(500_000), (0.0, 0.0, np.inf), np.empty(0, np.float32)
    yield "GELU, 500,000 numbers", "activation_forward", (half, 3, plain), (empty(500_000),)
    outputs = empty(500_000), empty(500_000, dtype=np.uint8)
    yield "dropout forward, 500,000 numbers", "dropout_forward", (half, 7, 3, 0.4), outputs
    labels, weights = RNG.integers(0, 10, 64).astype(np.int32), np.ones(64, np.float32)
    arguments = normal(64, 10), labels, weights, 0.0, np.zeros(2)
    yield "softmax and cross-entropy, 64 x 10", "sparse_softmax_cross_entropy", arguments, (empty(64, 10),)
    p, g, m, v = normal(118_282), normal(118_282), np.zeros(118_282, np.float32), np.ones(118_282, np.float32)
    yield "Adam, 118,282 parameters", "adam", (p, g, m, v, nothing, 1e-3, 0.9, 0.999, 1e-7, 0.0), ()


def cases() -> Iterator[Case]:
    yield from (*dense(), *convolution(), *pooling(), *others())


def best(function: Callable[[], Any], seconds: float) -> float:
    """Milliseconds of the shortest call, the first, which may compile, left out."""
    function()
    times, end = list[float](), perf_counter() + seconds
    while len(times) < 3 or perf_counter() < end:
        began = perf_counter()
        function()
        times.append(perf_counter() - began)
    return min(times) * 1e3


def main(seconds: float = 1.0) -> None:
    print("| op | reference, ms | kernel, ms | times |\n|---|---|---|---|")
    with sn.use_backend("numba"):
        for what, name, arguments, outputs in cases():
            op = registry.get(name)
            kernel = op.implementation("numba")
            slow = best(lambda: op.reference(*arguments), seconds)  # noqa: B023  # called before the next turn
            fast = best(lambda: kernel(*arguments, *outputs), seconds)  # noqa: B023
            print(f"| {what} | {slow:.3g} | {fast:.3g} | {slow / fast:.1f} |", flush=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))

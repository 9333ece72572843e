"""What the machine can do at best, measured: the matrix product of NumPy's BLAS, and copying."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import numpy as np

SIDE = 2048
COPY_BYTES = tuple(2**power for power in range(16, 29, 2))  # 64 KiB in a core's cache to 256 MiB in memory


def best(function: Callable[[], Any], seconds: float) -> float:
    """The shortest time of one call, tried over and over for about ``seconds``."""
    function()
    shortest, end = float("inf"), perf_counter() + seconds
    while True:
        began = perf_counter()
        function()
        now = perf_counter()
        shortest = min(shortest, now - began)
        if now > end:
            return shortest


def sgemm(seconds: float) -> float:
    """GFLOP/s of a float32 product of two square matrices, with as many threads as the BLAS was given."""
    a = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    out = np.empty_like(a)
    return 2 * SIDE**3 / best(lambda: np.dot(a, a, out=out), 3 * seconds) / 1e9


def copy(size: int, threads: int, seconds: float) -> float:
    """GB/s of ``np.copyto``, bytes read plus bytes written, when the threads touch ``size`` bytes in all."""
    each = size // 2 // threads
    pairs = [(np.ones(each, np.uint8), np.empty(each, np.uint8)) for _ in range(threads)]
    repeats = max(1, 2**26 // size)

    def work(pair: tuple[np.ndarray, np.ndarray]) -> None:
        for _ in range(repeats):
            np.copyto(pair[1], pair[0])

    if threads == 1:
        return size * repeats / best(lambda: work(pairs[0]), seconds) / 1e9
    with ThreadPoolExecutor(threads) as pool:
        return size * repeats / best(lambda: list(pool.map(work, pairs)), seconds) / 1e9


def measure(threads: int, seconds: float) -> dict[str, Any]:
    """Limits of this process: ``sgemm`` in GFLOP/s; ``copy`` in GB/s by bytes touched, by one thread or all."""
    rates = {size: max(copy(size, count, seconds) for count in {1, threads}) for size in COPY_BYTES}
    return {"threads": threads, "sgemm": sgemm(seconds), "copy": {str(size): rate for size, rate in rates.items()}}


def least_seconds(limits: dict[str, Any], flops: float, size: float) -> float:
    """No op that does ``flops`` and touches ``size`` bytes can be expected to be faster than this."""
    sizes = [int(key) for key in limits["copy"]]
    rate = np.interp(np.log2(max(size, 1)), np.log2(sizes), list(limits["copy"].values()))
    return max(flops / (limits["sgemm"] * 1e9), size / (float(rate) * 1e9))

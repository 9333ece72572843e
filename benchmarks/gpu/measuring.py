"""What a worker measures of the GPU: its limits, and every kernel of a training step against them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scratchnet.kernels import cuda, registry

from scratchnet.backend import array_module, get_backend

from .. import opcalls
from .stopwatch import Stopwatch

COPY_BYTES = tuple(2**power for power in range(20, 32, 2))  # 1 MiB, in the cache, to 1 GiB, in memory
CALLS = 20  # of a kernel in one graph: Python needs longer for a launch than a small kernel takes
SIDE = 8192  # of the product whose rate counts as the peak


def device_seconds(call: Callable[[], Any], least: float = 0.02) -> float:
    """Seconds of one call on the GPU, the best of several graphs of many calls each."""
    driver = cuda.driver()
    call()  # compiles and allocates memory, which a capture must not do
    graph = driver.capture(lambda: [call() for _ in range(CALLS)])
    graph.launch()
    best = total = 0.0
    while total < least:
        stopwatch = Stopwatch()
        stopwatch.start()
        graph.launch()
        taken = stopwatch.seconds()
        best, total = min(best or taken, taken), total + taken
    return best / CALLS


def copy_rate(size: int) -> float:
    """Bytes per second, read and written together, of a copy inside the GPU that touches ``size`` bytes."""
    source, target = (array_module().empty(size // 2, np.uint8) for _ in range(2))
    return size / device_seconds(partial(target.data.copy_from_device_async, source.data, source.nbytes))


def limits(adapter: Any) -> dict[str, Any]:
    """Copy bandwidth by bytes touched."""
    return {"copy": {str(size): copy_rate(size) for size in COPY_BYTES}}


def peak(adapter: Any, seconds: float, side: int = SIDE) -> dict[str, Any]:
    """FLOP/s of a large product by cuBLAS, through PyTorch (in PyTorch's worker)."""
    return {"flops": adapter.peak(side, seconds)}


def own_peak(adapter: Any, side: int = SIDE) -> dict[str, Any]:
    """FLOP/s of our own product at the same size, in float32 or on tensor cores, as the adapter is set."""
    xp, products = array_module(), registry.get("dense_forward").implementation("cupy")
    # Random numbers: on ones, as on zeros, fewer of a chip's bits switch, and it runs faster than on data.
    x, w = (xp.asarray(np.random.default_rng(i).standard_normal((side, side), dtype=np.float32)) for i in range(2))
    y = xp.empty((side, side), np.float32)
    with adapter.trainer.running():
        return {"flops": 2 * side**3 / device_seconds(partial(products, x, w, xp.empty(0, np.float32), False, y))}


def kernels(adapter: Any) -> dict[str, Any]:
    """A row per op call of a training step: op, shapes, seconds, floating-point operations and bytes.

    The step is one over all that is loaded, so that the gather of its batch has touched every row.
    """
    adapter.eager_step(0)
    rows = []
    for name, args in opcalls.record(partial(adapter.eager_step, 0)):
        with adapter.trainer.running():
            seconds = device_seconds(partial(registry.get(name).implementation(get_backend()), *args))
        rows.append(
            {
                "op": name,
                "shapes": opcalls.shapes(args),
                "seconds": seconds,
                "flops": opcalls.flops(name, args),
                "bytes": opcalls.touched(name, args),
            }
        )
    return {"ops": rows}


def products(adapter: Any) -> dict[str, Any]:
    """Every product of a training step, compared with cuBLASLt's, see `products.measure`."""
    from .products import measure

    return measure(adapter)


def training(adapter: Any, **arguments: Any) -> dict[str, Any]:
    """A whole training by its recipe, see `training.train`."""
    from .training import train

    return train(**arguments)

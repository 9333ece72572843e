"""Our matrix products against cuBLASLt's: every product of a training step, bias and ReLU included (in the worker)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scratchnet.kernels import registry

from scratchnet.backend import array_module, get_backend

from .. import opcalls
from .cublaslt import WORKSPACE, CublasLt, Product, load
from .measuring import device_seconds


def of_call(name: str, args: tuple[Any, ...]) -> list[Product]:
    """The products that an op call consists of, if it does.

    A convolution's are those of its windows laid out in memory: what a library would have to lay out first is not
    counted against it.
    """
    if name == "dense_forward":
        (n, inputs), outputs = args[0].shape, args[1].shape[1]
        return [Product("forward", n, outputs, inputs)]
    if name == "conv2d_forward":
        (kh, kw, channels, filters), y = args[1].shape, args[-1]
        return [Product("forward", y.size // filters, filters, kh * kw * channels)]
    if name in ("dense_backward", "conv2d_backward"):
        x, w, dy, dx = args[0], args[1], args[3], args[-1]
        outputs, channels = w.shape[-1], w.shape[-2]
        taps, rows = w.size // (channels * outputs), dy.size // outputs
        found = [Product("dw", taps * channels, outputs, rows, a_transposed=True)]
        if dx.size:
            found.append(Product("dx", x.size // channels, channels, taps * outputs, b_transposed=True))
        return found
    return []


def best(lt: CublasLt, product: Product, precision: str, biased: bool, relu: bool) -> tuple[float, int]:
    """Seconds of the library's fastest way, and how many it proposed."""
    xp, rng = array_module(), np.random.default_rng(0)

    def some(*shape: int) -> Any:
        return xp.asarray(rng.standard_normal(shape, dtype=np.float32))

    a, b = some(product.m, product.k), some(product.k, product.n)  # transposed or not, it is as many numbers
    c, bias = xp.empty((product.m, product.n), np.float32), some(product.n) if biased else None
    ways = lt.ways(product, precision, a, b, c, bias, relu)
    return min(map(device_seconds, ways)), len(ways)


def measure(adapter: Any) -> dict[str, Any]:
    """A row per op call with products: op, shapes, our seconds, the library's, and the algorithms that it tried."""
    xp, precision = array_module(), adapter.settings["precision"]
    lt = CublasLt(load(), xp.empty(WORKSPACE, np.uint8), lambda: xp.cuda.get_current_stream().ptr)
    adapter.eager_step(0)
    rows = []
    for name, args in opcalls.record(partial(adapter.eager_step, 0)):
        if not (parts := of_call(name, args)):
            continue
        ours: Callable[..., Any] = registry.get(name).implementation(get_backend())
        with adapter.trainer.running():
            seconds = device_seconds(partial(ours, *args))
        forward = name.endswith("forward")
        theirs = [best(lt, part, precision, forward, forward and bool(args[-2])) for part in parts]
        rows.append(
            {
                "op": name,
                "shapes": opcalls.shapes(args),
                "flops": sum(part.flops for part in parts),
                "seconds": seconds,
                "cublaslt": sum(seconds for seconds, _ in theirs),
                "tried": sum(count for _, count in theirs),
            }
        )
    return {"products": rows}

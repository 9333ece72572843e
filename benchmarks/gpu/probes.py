"""Single checks of a GPU for gpu_check.py: ``python -m benchmarks.gpu.probes NAME`` prints lines, the last sums up."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scratchnet.kernels import cuda, gemm_cuda, registry
from scratchnet.kernels.clock import PER_STEP

import scratchnet as sn
from scratchnet import environment

TESTS = Path(__file__).resolve().parents[2] / "tests"
# What a source is compiled with besides its dtype, if it is not the tile of a product.
CONSTANTS: dict[str, dict[str, Any]] = {
    "pooling": {"POSITION": "u8"},
    "batching": {"SOURCE": "u8", "INDEX": "int"},
    "optimizers": {"PER_STEP": PER_STEP},
}


@contextmanager
def device() -> Iterator[Any]:
    """The driver of the GPU, or of the emulated one where SCRATCHNET_GPU says so."""
    if os.environ.get("SCRATCHNET_GPU") == "emulated":
        sys.path.insert(0, str(TESTS))
        from emulation.device import backend

        with backend() as driver:
            yield driver
    else:
        with sn.use_backend("cupy"):
            yield cuda.driver()


def probe_environment() -> str:
    """Versions, machine, GPU."""
    from .command import describe_gpu

    gpu = describe_gpu()
    for name, value in {**environment.versions(), **gpu}.items():
        print(f"{name}: {value}")
    return f"{gpu['name']}, driver for CUDA {gpu['driver']}, CuPy {gpu['cupy']}"


def probe_capture() -> str:
    """The matrix product inside a capture: nothing runs while it is recorded, and a replay gives the eager bits."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((40, 70)).astype(np.float32), rng.standard_normal((70, 50)).astype(np.float32)
    with device() as driver:
        xp, product = driver.xp, registry.get("dense_forward").implementation("cupy")
        inputs = xp.asarray(x), xp.asarray(w), xp.empty(0, np.float32), False
        eager, captured = (xp.full((40, 50), value, np.float32) for value in (0, 7))
        with cuda.silent():
            product(*inputs, captured)  # compiled and loaded, never launched: as in a captured fit
        graph = driver.capture(lambda: product(*inputs, captured))
        if (captured.get() != 7).any():
            raise AssertionError("the capture ran the product instead of recording it")
        graph.launch()
        product(*inputs, eager)
        if (captured.get() != eager.get()).any():
            raise AssertionError("the captured product has other bits than the eager one")
        error = np.abs(eager.get() - x.astype(np.float64) @ w).max()
        if not error < 1e-4:
            raise AssertionError(f"the product is wrong by {error:.1e}")
    return f"captured, replayed, the bits of the eager product, error {error:.1e}"


def variants(capability: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every source with every set of options that it may be compiled with: products with every tile."""
    for path in sorted(cuda.FOLDER.glob("*.cu")):
        name, product = path.stem, '"gemm.cuh"' in path.read_text()
        for kind in list(gemm_cuda.TILES) if product else ["float32", "float64"]:
            if kind in ("tf32", "mixed_bfloat16") and capability < 80:
                continue
            dtype = np.dtype("f8" if kind == "float64" else "f4")
            with gemm_cuda.precision(kind):
                tiles = [gemm_cuda.constants(tile, dtype) for tile in gemm_cuda.TILES[kind]] if product else [{}]
            for tile in tiles:
                yield name, cuda.options(dtype, {**CONSTANTS.get(name, {}), **tile})


def probe_compile() -> str:
    """Every kernel of every source by CuPy for this GPU, a core for each source: one takes up to three seconds."""
    with device() as driver, ThreadPoolExecutor(os.cpu_count()) as pool:

        def load(name: str, options: tuple[str, ...]) -> int:
            for kernel in cuda.signatures(name):
                driver.function(cuda.source(name), kernel, options)
            return len(cuda.signatures(name))

        every = dict.fromkeys(variants(driver.compute_capability))  # TF32 and bfloat16 share float32's smallest tile
        count = sum(pool.map(load, *zip(*every, strict=True)))
    return f"{count} kernels compiled and loaded"


def probe_kernels() -> str:
    """Every op once at its small shapes, eager; and a captured fit: what compute-sanitizer watches."""
    sys.path.insert(0, str(TESTS))
    import test_gpu
    from cases import OPS

    ran = 0
    with device() as driver:
        if hasattr(driver.xp, "cuda"):
            driver.xp.cuda.set_allocator(None)  # every array by itself: inside a pool nothing is out of bounds
        for case in OPS:
            inputs = case.make(np.random.default_rng(0), np.dtype("f4"))
            if sum(a.size for a in inputs if isinstance(a, np.ndarray)) < 20_000:
                test_gpu.on_gpu(driver, case, inputs, "float32")
                ran += 1
        for precision in ("float32", "tf32", "mixed_bfloat16"):
            if precision == "float32" or driver.compute_capability >= 80:
                test_gpu.trained(True, precision=precision)
    return f"{ran} ops and the captured fits ran"


PROBES = {
    "environment": probe_environment,
    "capture": probe_capture,
    "compile": probe_compile,
    "kernels": probe_kernels,
}

if __name__ == "__main__":
    print(PROBES[sys.argv[1]]())

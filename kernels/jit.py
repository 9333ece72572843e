"""Numba, but only when it is asked for.

``@jit`` marks a kernel; ``compile_marked`` turns every marked function into a Numba dispatcher, in place, when the numba
backend is first chosen. So a kernel stands in the same file as its reference, and that file imports where Numba does not exist.
A marked function that was not turned is still plain Python, and right: `prange` is then `range`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

prange: Any = range


def thread_id() -> int:
    """Which thread of a parallel loop this is, for scratch memory of its own; results never depend on it."""
    return 0


def max_threads() -> int:
    """How many threads a parallel loop may have."""
    numba = sys.modules.get("numba")
    return int(numba.config.NUMBA_NUM_THREADS) if numba else 1


_marked: list[tuple[Callable[..., Any], dict[str, Any] | None]] = []  # options; None: an intrinsic

# `nnan` and `ninf` are left out of fast-math: NaN and Inf in the data or the loss must stay visible.
# `reassoc` is what lets a sum be vectorized, `contract` what lets a product and a sum become one instruction.
FASTMATH = {"nsz", "arcp", "contract", "reassoc"}


def jit(function: F | None = None, *, parallel: bool = False) -> Any:
    """Mark a function to be compiled by Numba once the numba backend is in use."""
    if function is None:
        return lambda f: jit(f, parallel=parallel)
    _marked.append((function, {"parallel": parallel}))
    return function


def intrinsic(function: F) -> F:
    """Mark a function that emits code itself (`numba.extending.intrinsic`), for instructions that Numba has no words for."""
    _marked.append((function, None))
    return function


@functools.cache
def _host_features() -> dict[str, bool]:
    try:
        from llvmlite import binding
    except ImportError:
        return {}
    return dict(binding.get_host_cpu_features())


def host_vector_bytes() -> int:
    """Bytes of a SIMD register of this machine."""
    features = _host_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


def host_registers() -> int:
    """How many SIMD registers this machine has."""
    features = _host_features()
    return 32 if features.get("avx512f") or features.get("neon") else 16


def _sources_digest() -> str:
    """A digest of all kernel sources: Numba's own cache does not notice a change in a helper of another file."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def compile_marked(cache_folder: Path) -> None:
    """Replace every marked function by its Numba dispatcher (compiled lazily, cached under ``cache_folder``).

    Where the folder cannot be written, kernels are compiled without a cache.
    """
    _wait_briefly_then_sleep()
    import numba

    folder = cache_folder / f"numba-{numba.__version__}-{_sources_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cached = os.access(folder, os.W_OK)
    except OSError:
        cached = False
    previous = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    warnings.filterwarnings("ignore", category=numba.NumbaPerformanceWarning)
    for function, options in _marked:
        if options is None:
            compiled = numba.extending.intrinsic(function)
        else:
            compiled = numba.njit(error_model="numpy", fastmath=FASTMATH, cache=cached, nogil=True, **options)(function)
        _replace(function, compiled)
    _replace(prange, numba.prange)
    _replace(thread_id, numba.get_thread_id)
    numba.config.CACHE_DIR = previous
    _marked.clear()


def _wait_briefly_then_sleep() -> None:
    """Say how OpenMP's threads wait for work, unless the user has said it.

    Active waiting costs 8 ms per call when another process holds a core, so a waiting thread must sleep; but waking it costs
    45 us. So it looks for work a few microseconds before it sleeps: five dense layers in a row (64 x 784 x 128) took 0.29 ms
    instead of 0.51 on two idle cores, and 0.67 instead of 0.61 with one core busy.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "300")


def _kernel_modules() -> list[Any]:
    package = __package__ or ""
    return [module for name, module in list(sys.modules.items()) if name.startswith(package + ".")]


def _replace(function: Callable[..., Any], compiled: Any) -> None:
    """Put the compiled function wherever a kernel file holds the plain one, imported names included."""
    for module in _kernel_modules():
        for name, value in list(vars(module).items()):
            if value is function and module.__name__ != __name__:
                setattr(module, name, compiled)

"""Numba, but only when it is asked for.

``@jit`` marks a kernel; ``compile_marked`` turns every marked function into a Numba dispatcher, in place, when the numba
backend is first chosen. So a kernel stands in the same file as its reference, and that file imports where Numba does not exist.
A marked function that was not turned is still plain Python, and right: `prange` is then `range`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

prange: Any = range

_marked: list[tuple[Callable[..., Any], bool]] = []

# `nnan` and `ninf` are left out of fast-math: NaN and Inf in the data or the loss must stay visible.
# `reassoc` is what lets a sum be vectorized, `contract` what lets a product and a sum become one instruction.
FASTMATH = {"nsz", "arcp", "contract", "reassoc"}


def jit(function: F | None = None, *, parallel: bool = False) -> Any:
    """Mark a function to be compiled by Numba once the numba backend is in use."""
    if function is None:
        return lambda f: jit(f, parallel=parallel)
    _marked.append((function, parallel))
    return function


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
    # A waiting pool must sleep: OpenMP's active waiting costs 8 ms per call when another process holds a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
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
    for function, parallel in _marked:
        module = sys.modules[function.__module__]
        compiled = numba.njit(
            error_model="numpy", fastmath=FASTMATH, cache=cached, nogil=True, parallel=parallel
        )(function)
        setattr(module, function.__name__, compiled)
        if hasattr(module, "prange"):
            module.prange = numba.prange
    numba.config.CACHE_DIR = previous
    _marked.clear()

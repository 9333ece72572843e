"""The backend switch: which implementation of every op runs, and where arrays live.

``ops.NAME(...)`` calls op NAME on the chosen backend, so layers, losses and optimizers do not depend on which backend
that is. Code for a single backend (recorded steps, GPU memory, compilation) asks `get_backend`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import BackendError
from .kernels import cuda, gemm_cuda, registry
from .paths import cache_dir

BACKENDS = ("numpy", "numba", "cupy")


class _Ops:
    """The ops of the current backend as attributes, each looked up once."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        backend = get_backend()
        if backend in _left_behind:
            raise BackendError(
                f"this process was forked from one that had used the {backend} backend, whose threads a fork leaves "
                "behind: start it with multiprocessing's 'spawn', or use sn.set_backend(\"numpy\") in it"
            )
        if backend == "numba" and _alone:
            _require_the_one_thread()
        implementation = registry.get(name).implementation(backend)
        _used.add(backend)
        if not _alone:
            self.__dict__[name] = implementation
        return implementation


ops = _Ops()
_current: str | None = None
_used: set[str] = set()
_left_behind: set[str] = set()  # backends that a fork has made unusable here: OpenMP would end the process


_alone = False  # whether Numba's threading layer serves only one thread: workqueue ends the process if a second uses it
_the_one: int | None = None  # that thread: the first to use a kernel


def _require_the_one_thread() -> None:
    global _the_one
    if _the_one is None:
        _the_one = threading.get_ident()
    if _the_one != threading.get_ident():
        raise BackendError(
            "Numba's threading layer here, workqueue, serves one thread alone: train in one thread, or install one "
            'that serves several (OpenMP, or pip install tbb), or use sn.set_backend("numpy")'
        )


def _after_fork() -> None:
    _left_behind.update(_used - {"numpy"})
    ops.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def usable() -> str | None:
    """The backend in use; None before one was chosen, and after a fork that left its threads behind."""
    return None if _current in _left_behind else _current


def get_backend() -> str:
    """The name of the backend in use. The first use chooses ``auto``."""
    if _current is None:
        set_backend("auto")
    assert _current is not None
    return _current


def set_backend(name: str) -> None:
    """Choose where and how the arithmetic runs.

    Parameters
    ----------
    name : {"auto", "numpy", "numba", "cupy"}
        ``numpy`` runs the textbook references and needs NumPy alone; ``numba`` runs jitted kernels on the CPU;
        ``cupy`` runs CUDA kernels on a GPU; ``auto`` takes the one that ``SCRATCHNET_BACKEND`` names, or the fastest
        available.

    Raises
    ------
    BackendError
        If the name is unknown, or the backend's library or hardware is missing; the message says how to get it.
    """
    global _current
    known = isinstance(name, str)  # comparing an array with a string raises an error of its own
    if known and name == "auto":
        name = os.environ.get("SCRATCHNET_BACKEND") or "auto"
    if known and name == "auto":
        name = _fastest()
    if not known or name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r:.80}; expected one of auto, {', '.join(BACKENDS)}")
    if name == "numba":
        _prepare_numba()
    elif name == "cupy":
        _prepare_cupy()
    if name != _current:
        ops.__dict__.clear()
    _current = name


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """``with use_backend("numpy"): ...``: another backend within the block, the previous one afterwards."""
    previous = _current
    set_backend(name)
    try:
        yield
    finally:
        set_backend(previous or "auto")


def _fastest() -> str:
    if importlib.util.find_spec("cupy") is not None and _driver_found():
        try:
            _prepare_cupy()
            return "cupy"
        except BackendError:
            pass  # CuPy without a usable GPU: use the CPU
    if importlib.util.find_spec("numba") is not None:
        return "numba"
    return "numpy"


def _driver_found() -> bool:
    """Whether NVIDIA's driver can be loaded. CuPy, which could tell more, takes 0.25 s and 230 MB to import."""
    import ctypes

    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _prepare_numba() -> None:
    global _alone
    if importlib.util.find_spec("numba") is None:
        raise BackendError(
            "the numba backend needs Numba, which is not installed: pip install numba "
            '(or sn.set_backend("numpy"), which needs NumPy alone)'
        )
    from .kernels.jit import compile_marked
    from .kernels.threading_layer import threading_layer

    registry.ops()
    folder = cache_dir() / "kernels"
    try:
        compile_marked(folder)
        if sys.modules["numba"].config.DISABLE_JIT:
            raise ValueError("NUMBA_DISABLE_JIT is set, and kernels are compiled")
        _alone = threading_layer() == "workqueue"
    except (ImportError, ValueError, RuntimeError) as error:  # NUMBA_... in the environment asks for the impossible
        raise BackendError(
            f"the numba backend: Numba does not start ({_one_line(error)}): check the NUMBA_... variables of the "
            'environment, or use sn.set_backend("numpy")'
        ) from None


def _prepare_cupy() -> None:
    if importlib.util.find_spec("cupy") is None:
        raise BackendError(
            "the cupy backend needs CuPy, which is not installed: pip install 'scratchnet[cuda13x]' "
            "(or 'scratchnet[cuda12x]' for a CUDA 12 driver)"
        )
    try:
        import cupy
        from cupy.cuda import nvrtc, runtime

        nvrtc.getVersion()
    except Exception as error:
        raise BackendError(
            f"the cupy backend: CuPy is installed but does not load ({_one_line(error)}): "
            "pip install --force-reinstall 'scratchnet[cuda13x]' (or 'scratchnet[cuda12x]')"
        ) from None
    driver, made_for = runtime.driverGetVersion() // 1000, runtime.runtimeGetVersion() // 1000
    if driver == 0:
        raise BackendError("the cupy backend needs an NVIDIA GPU and its driver: this machine has no driver")
    if driver < made_for:
        raise BackendError(
            f"the cupy backend: the driver is one of CUDA {driver}, the installed CuPy is for CUDA {made_for}: "
            f"pip uninstall cupy-cuda{made_for}x, then pip install 'scratchnet[cuda{driver}x]'"
        )
    try:
        count = runtime.getDeviceCount()
    except Exception as error:
        raise BackendError(f"the cupy backend needs an NVIDIA GPU that works: {_one_line(error)}") from None
    if count == 0:
        raise BackendError("the cupy backend needs an NVIDIA GPU: the driver sees none (CUDA_VISIBLE_DEVICES?)")
    capability = int(cupy.cuda.Device().compute_capability)
    if capability < 70:
        raise BackendError(
            f"the cupy backend needs a GPU of compute capability 7.0 (Volta) or later, this one has {capability / 10}"
        )
    if capability < 75 and made_for >= 13:
        raise BackendError(
            f"the cupy backend: CUDA {made_for} no longer compiles for this GPU's compute capability, "
            f"{capability / 10}: pip uninstall cupy-cuda{made_for}x, then pip install 'scratchnet[cuda12x]'"
        )


def _one_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


PRECISIONS = ("float32", "tf32", "mixed_bfloat16")


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """``with products_in("tf32"): ...``: matrix products of float32 arrays run on tensor cores.

    Raises
    ------
    BackendError
        If the backend or the GPU has none.
    """
    if precision == "float32":
        yield
        return
    if get_backend() != "cupy":
        raise BackendError(f"precision={precision!r} needs the cupy backend; {get_backend()!r} computes in float32")
    if (capability := cuda.driver().compute_capability) < 80:
        raise BackendError(
            f"precision={precision!r} needs a GPU of compute capability 8.0 (Ampere) or later, this one has "
            f"{capability / 10}"
        )
    with gemm_cuda.precision(precision):
        yield


def array_module() -> Any:
    """The NumPy-like module of the arrays of the current backend: ``numpy``, or ``cupy`` on a GPU."""
    return cuda.driver().xp if (_current or get_backend()) == "cupy" else np


def contiguous(array: Any, dtype: Any) -> Any:
    """A contiguous array of this dtype where the current backend computes, from one of NumPy's or of the backend's.

    NumPy converts its own: CuPy knows fewer dtypes, and ``cupy.asarray`` keeps an array that lies by columns as it is.
    """
    if isinstance(array, np.ndarray):
        return array_module().asarray(np.ascontiguousarray(array, dtype=dtype))
    return array_module().ascontiguousarray(array, dtype=dtype)


def to_numpy(array: Any) -> np.ndarray:
    """A NumPy array with the content of an array of any backend, or of anything else that NumPy converts."""
    on_gpu = hasattr(type(array), "__cuda_array_interface__") and hasattr(array, "get")  # pandas has another get
    return array.get() if on_gpu else np.asarray(array)


def all_finite(arrays: Iterable[Any]) -> bool:
    """Whether float arrays of the current backend contain neither NaN nor Inf."""
    if get_backend() == "cupy":
        from .kernels import elementwise_cuda

        return elementwise_cuda.all_finite(arrays)
    return all(bool(np.isfinite(array).all()) for array in arrays)


def threads() -> int:
    """How many threads a parallel kernel may use now; 1 unless the backend is numba."""
    if get_backend() != "numba":
        return 1
    import numba

    return int(numba.get_num_threads())


def set_threads(count: int) -> None:
    """Let the numba backend use ``count`` threads. Results do not depend on it.

    Raises
    ------
    BackendError
        If the count is not between 1 and the number with which the process started.
    """
    if get_backend() != "numba":
        return
    import numba

    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined, unused-ignore]  # set when it is imported
    if not 1 <= count <= most:
        raise BackendError(f"threads: expected 1 to {most}, got {count}")
    numba.set_num_threads(count)

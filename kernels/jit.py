"""Numba, but only on request.

``@kernel`` marks a kernel, ``@jit`` what kernels call; ``compile_marked`` turns every marked function into a Numba
dispatcher, in place, when the numba backend is first chosen. So a kernel can share a file with its reference, and the
file can be imported without Numba. Kernels cannot run without it: most call functions that exist in compiled code only,
such as `at` (addresses.py). The numpy backend consists of the references.
"""

from __future__ import annotations

import functools
import inspect
import os
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from .kernel_cache import caching_in, kernel_folder

F = TypeVar("F", bound=Callable[..., Any])

prange: Any = range


def thread_id() -> int:
    """This thread's number in a parallel loop, for scratch memory of its own; results never depend on it."""
    return 0


def max_threads() -> int:
    """How many threads a parallel loop may have."""
    numba = sys.modules.get("numba")
    return int(numba.config.NUMBA_NUM_THREADS) if numba else 1


marked: list[tuple[Callable[..., Any], Callable[..., Any]]] = []  # a function, and what compiles it

# `nnan` and `ninf` are left out of fast-math: NaN and Inf in the data or the loss must stay visible.
# `reassoc` is what lets a sum be vectorized, `contract` what lets a product and a sum become one instruction.

OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"nsz", "arcp", "contract", "reassoc"}}


def jit(function: F | None = None, *, parallel: bool = False, exact: bool = False) -> Any:
    """Mark a function that kernels call, to be compiled by Numba once the numba backend is in use.

    With ``exact`` its operations are carried out as they are written, also where it is inlined.
    """
    if function is None:
        return lambda f: jit(f, parallel=parallel, exact=exact)
    marked.append((function, functools.partial(compile_function, parallel=parallel, exact=exact)))
    return function


def kernel(function: F) -> F:
    """Mark a function of a task number and further arguments, which `launch` (launching.py) runs for all tasks."""

    def turn(function: F, folder: Path | None) -> Any:
        dispatcher = compile_function(function, folder, False)
        # What launching.py derives from it at its launches.
        dispatcher.cache_folder, dispatcher.framed, dispatcher.addresses, dispatcher.packed = folder, {}, {}, None
        return dispatcher

    marked.append((function, turn))
    return function


def written_for(kernel: Any, name: str, source: str, **words: Any) -> Callable[..., Any]:
    """A function that calls a kernel: ``source`` defines it, with NAME for its name, KERNEL for the kernel's and
    ARGUMENTS for the kernel's arguments after the task; ``words`` is whatever else it calls.

    Each kernel gets its own, because Numba's cache identifies a function by file and name. Its line number is the
    kernel's: from Python 3.13 on, getting the source of a function fails if its line is inside a docstring.
    """
    function = kernel.py_func
    full, lines = f"{function.__name__}_{name}", "\n" * (function.__code__.co_firstlineno - 1)
    arguments = ", ".join(list(inspect.signature(function).parameters)[1:])
    text = lines + source.lstrip()
    for word, meaning in (("NAME", full), ("KERNEL", function.__name__), ("ARGUMENTS", arguments)):
        text = text.replace(word, meaning)
    scope = {"__name__": function.__module__, function.__name__: kernel, **words}
    exec(compile(text, function.__code__.co_filename, "exec"), scope)
    return cast(Callable[..., Any], scope[full])


def intrinsic(function: F) -> F:
    """Mark a function that emits code itself (`numba.extending.intrinsic`), for instructions Numba cannot express."""
    marked.append((function, lambda f, folder: _numba().extending.intrinsic(f)))
    return function


def float32_version(double: Callable[[float], float]) -> Callable[[F], F]:
    """Mark a function of a float32. Kernels call it by its name for a float64 too, and then get ``double``."""

    def mark(function: F) -> F:
        marked.append((function, functools.partial(_by_type, double=double)))
        return function

    return mark


@functools.cache
def _host_features() -> dict[str, bool]:
    try:
        from llvmlite import binding
    except ImportError:
        return {}
    return dict(binding.get_host_cpu_features())


def host_vector_bytes() -> int:
    """Bytes in a SIMD register of this machine."""
    features = _host_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


def host_registers() -> int:
    """How many SIMD registers this machine has."""
    features = _host_features()
    return 32 if features.get("avx512f") or features.get("neon") else 16


def compile_marked(cache_folder: Path) -> None:
    """Replace every marked function by its Numba dispatcher (compiled lazily, cached under ``cache_folder``).

    If the folder cannot be written or its disk is full, kernels are compiled without a cache.
    """
    if not marked:  # all are compiled: no need to digest the sources again, which takes over a millisecond
        return
    _wait_briefly_then_sleep()
    import numba

    folder = kernel_folder(cache_folder)
    warnings.filterwarnings("ignore", category=numba.NumbaPerformanceWarning)
    _name_yield()
    for function, turn in marked:
        _replace(function, turn(function, folder))
    _replace(prange, numba.prange)
    _replace(thread_id, numba.get_thread_id)
    marked.clear()


YIELD = "scratchnet_yield"  # the name by which compiled code finds the system's function that yields the processor


def _name_yield() -> None:
    import ctypes

    from llvmlite import binding

    library = ctypes.CDLL(None) if os.name == "posix" else ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    function = library.sched_yield if os.name == "posix" else library.SwitchToThread
    binding.add_symbol(YIELD, ctypes.cast(function, ctypes.c_void_p).value)


def host_is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _numba() -> Any:
    return sys.modules["numba"]


def compile_function(function: Callable[..., Any], folder: Path | None, parallel: bool, exact: bool = False) -> Any:
    """A Numba dispatcher for a function, cached under ``folder`` if there is one.

    All but the parallel ones are inlined into their callers. Left to itself, the compiler keeps some separate: a caller
    then has its own copy, optimized twice, and whether the copy or the original runs depends on which was loaded first,
    so freshly compiled kernels gave different last bits from those in the cache. (Inlining also lets dropout, which
    calls a function for each block of random bits, be vectorized: it takes less than a fifth of the time.)
    """
    options = {"nogil": True, "parallel": parallel, "forceinline": not parallel, **OPTIONS}
    if exact:
        options["fastmath"] = False
    with caching_in(folder):
        return _numba().njit(cache=folder is not None, **options)(function)


def _by_type(function: Callable[..., Any], folder: Path | None, double: Callable[..., Any]) -> Any:
    """What compiled code sees as one function, and compiles as ``function`` or ``double`` for the type it is given."""
    numba = _numba()
    single = compile_function(function, folder, False)
    if inspect.isfunction(double):
        double = compile_function(double, folder, False)

    def either(x: Any) -> Any:
        raise TypeError(f"{function.__name__} exists in compiled code only")

    overload = numba.extending.overload(either, jit_options={"forceinline": True, **OPTIONS})
    overload(lambda x: (lambda x: single(x)) if x == numba.types.float32 else (lambda x: double(x)))
    return either


def _wait_briefly_then_sleep() -> None:
    """Set how OpenMP's threads wait for work, unless the user has already done so.

    Busy waiting costs 8 ms per call when another process holds a core, so a waiting thread must sleep; but waking it
    costs 25 to 45 us. So it looks for work for some microseconds before it sleeps. A training step of 784-128-128-10 at
    64 images on two Zen 5 cores: 0.17 ms with 1,000 looks, 0.14 with 3,000 or 10,000; of 784-200-10 at 100 images, on a
    host with other load: 0.44, 0.35 and 0.28. (With a core taken, a step soon uses one thread: scratchnet/pace.py.)
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _kernel_modules() -> list[Any]:
    package = __package__ or ""
    return [module for name, module in list(sys.modules.items()) if name.startswith(package + ".")]


def _replace(function: Callable[..., Any], compiled: Any) -> None:
    """Put the compiled function wherever a kernel file has the plain one, imported names included."""
    for module in _kernel_modules():
        for name, value in list(vars(module).items()):
            if value is function and module.__name__ != __name__:
                setattr(module, name, compiled)

"""CUDA: sources, compilation, launches and scratch memory. All use of CuPy is in cupy_driver.py.

A kernel is in ``NAME.cu``; its launch, next to it in ``NAME_cuda.py``, is the op's twin for the ``cupy`` backend::

    launch("dense", "dense_forward", blocks, threads, x, w, b, n, ..., y, dtype=x.dtype, BM=64, ...)

compiles ``dense.cu`` for this dtype and these constants (once; CuPy keeps the result in its own folder), converts each
argument to the type that the source declares for it, and launches. An array of size 0 and None arrive as null pointers.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..errors import BackendError
from .cupy_driver import CupyDriver

WARP = 32
VECTOR_BYTES = 16  # the largest access that a thread makes
THREADS = 256  # in a block of an elementwise kernel
MOST_BLOCKS = 8192  # of such a kernel: enough to fill any GPU; each thread then loops over further elements

FOLDER = Path(__file__).parent

# A null pointer by value. For None, CuPy passes garbage to the kernel: https://github.com/cupy/cupy/issues/9046
NULL = np.uint64(0)
MOST_PLACES = 2**31 - 1  # the most that a Divider can decompose

DIVIDER = np.dtype([("divisor", "u4"), ("magic", "u4"), ("shift", "u4")])


def _structure(numbers: str, dividers: str) -> np.dtype[Any]:
    return np.dtype([(name, "i4") for name in numbers.split()] + [(name, DIVIDER) for name in dividers.split()])


# Structures that kernels take by value, their fields in the order in which the sources declare them.
STRUCTURES: dict[str, np.dtype[Any]] = {
    "Divider": DIVIDER,
    "Pool": _structure("h w oh ow kh kw sh sw top left", "rows columns channels by_sh by_sw"),
    "Geometry": _structure(
        "h w c oh ow f kh kw cg fg sh sw dh dw top left", "by_oh by_ow by_h by_w by_kw by_cg by_fg by_sh by_sw"
    ),
}
NUMBERS = {"int": "i4", "i64": "i8", "u32": "u4", "u64": "u8", "bool": "?", "double": "f8"}

_INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)
_KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\(([^)]*)\)')


_driver: Any = None


def driver() -> Any:
    """The driver in use."""
    global _driver
    if _driver is None:
        _driver = CupyDriver()
    return _driver


@functools.cache
def source(name: str) -> str:
    """The text of ``NAME.cu`` with its headers inlined, each once."""
    seen: set[str] = set()

    def read(path: Path) -> str:
        return _INCLUDE.sub(lambda match: include(match[1]), path.read_text(encoding="utf-8"))

    def include(header: str) -> str:
        if header in seen:
            return ""
        seen.add(header)
        return read(FOLDER / header)

    return read(FOLDER / f"{name}.cu")


@functools.cache
def signatures(name: str) -> dict[str, tuple[str, ...]]:
    """For every kernel of ``NAME.cu``: the types of its parameters, ``"*"`` for pointers."""
    kernels = {}
    for kernel, parameters in _KERNEL.findall((FOLDER / f"{name}.cu").read_text(encoding="utf-8")):
        types = (re.sub(r"\s*\w+\s*$", "", parameter.strip()) for parameter in parameters.split(","))
        kernels[kernel] = tuple("*" if "*" in kind else kind.replace("const ", "") for kind in types)
    return kernels


def options(dtype: Any, constants: dict[str, Any]) -> tuple[str, ...]:
    """The compiler's options: the dtype as REAL, and the constants."""
    return _options(np.dtype(dtype).itemsize, tuple(constants.items()))


@functools.cache
def _options(itemsize: int, constants: tuple[tuple[str, Any], ...]) -> tuple[str, ...]:
    real = "double" if itemsize == 8 else "float"
    return (f"-DREAL={real}", *(f"-D{name}={value}" for name, value in sorted(constants)))


@functools.cache
def _function(name: str, kernel: str, compiler_options: tuple[str, ...]) -> Any:
    began = perf_counter()
    function = driver().function(source(name), kernel, compiler_options)
    if _told is not None:
        _told(f"{name}: {kernel}", perf_counter() - began)
    return function


_told: Callable[[str, float], None] | None = None


@contextmanager
def loading(told: Callable[[str, float], None]) -> Iterator[None]:
    """Within the block, ``told(kernel, seconds)`` is called for every kernel that is compiled or loaded."""
    global _told
    previous, _told = _told, told
    try:
        yield
    finally:
        _told = previous


def launch(
    name: str, kernel: str, grid: int | tuple[int, ...], threads: int, *values: Any, dtype: Any, **constants: Any
) -> None:
    """Launch a kernel of ``NAME.cu``; a grid of no blocks, as for a batch of no samples, has nothing to do."""
    kinds = signatures(name)[kernel]
    if len(kinds) != len(values):
        raise TypeError(f"{kernel} takes {len(kinds)} arguments, got {len(values)}")
    if any(kind in STRUCTURES for kind in kinds):
        _require_places(kernel, values)
    function = _function(name, kernel, options(dtype, constants))
    if _own.silent:  # early: an epoch's thousand steps come here for their optimizer's numbers, and each must be fast
        return
    grid = (grid,) if isinstance(grid, int) else grid
    if 0 in grid:
        return
    device = driver()
    arguments = [_argument(device, kind, value, dtype) for kind, value in zip(kinds, values, strict=True)]
    device.launch(function, grid, threads, arguments)


def _argument(device: Any, kind: str, value: Any, dtype: Any) -> Any:
    if kind == "*":
        if value is None:
            return NULL
        if not device.is_array(value):
            raise TypeError(f"expected an array in the GPU's memory, got {type(value).__name__}")
        return value if value.size else NULL
    if kind in STRUCTURES:
        return value
    return np.dtype(dtype if kind == "REAL" else NUMBERS[kind]).type(value)


def _require_places(kernel: str, values: tuple[Any, ...]) -> None:
    largest = max((value for value in values if hasattr(value, "nbytes")), key=lambda array: array.size, default=None)
    if largest is not None and largest.size > MOST_PLACES:
        raise BackendError(
            f"{kernel}: an array of shape {largest.shape} has more than {MOST_PLACES} numbers, the most that this "
            "kernel can count: use a smaller batch_size"
        )


def spread(array_or_count: Any) -> tuple[int, int]:
    """Blocks and threads per block for work on an array, one vector per thread, or for a given number of threads."""
    if isinstance(array_or_count, int):
        count = array_or_count
    else:
        count = -(-array_or_count.size * array_or_count.itemsize // VECTOR_BYTES)
    return max(1, min(MOST_BLOCKS, -(-count // THREADS))), THREADS


@functools.cache
def divider(divisor: int) -> Any:
    """What ``Divider`` in common.cuh needs to divide numbers below 2^31 by ``divisor``."""
    shift = (divisor - 1).bit_length()
    return np.array((divisor, ((1 << shift) - divisor) * (1 << 32) // divisor + 1, shift), DIVIDER)


@functools.cache
def structure(kind: str, *values: int) -> Any:
    """A structure with these values; the value for a divider is the divisor."""
    fields = STRUCTURES[kind].fields or {}
    pairs = zip(fields.values(), values, strict=True)
    return np.array(tuple(divider(v)[()] if dtype == DIVIDER else v for (dtype, *_), v in pairs), STRUCTURES[kind])


class _Own(threading.local):
    """What every thread has to itself: two threads that train at once must not share memory."""

    silent = False

    def __init__(self) -> None:
        self.scratch: dict[tuple[str, str], Any] = {}


_own = _Own()


@contextmanager
def silent() -> Iterator[None]:
    """Within the block nothing is launched: kernels are only compiled, and memory is only allocated."""
    previous, _own.silent = _own.silent, True
    try:
        yield
    finally:
        _own.silent = previous


# Memory ---------------------------------------------------------------------------------------------------------------


def scratch(name: str, size: int, dtype: Any, zero: bool = False) -> Any:
    """A reused 1-D array on the GPU: uninitialized or, with ``zero``, all zeros when it is created."""
    key = (name, np.dtype(dtype).char)
    array = _own.scratch.get(key)
    if array is None or array.size < size:
        array = _own.scratch[key] = (driver().xp.zeros if zero else driver().xp.empty)(max(size, 1), dtype)
    return array


def scratch_arrays() -> list[Any]:
    """All scratch memory of this thread: a captured graph keeps it, because its launches hold the addresses."""
    return list(_own.scratch.values())


def forget_scratch() -> None:
    """Release all scratch memory of this thread."""
    _own.scratch.clear()


def forget() -> None:
    """Release compiled functions and scratch memory."""
    forget_scratch()
    _function.cache_clear()

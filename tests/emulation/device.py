"""A GPU in memory: arrays that behave as CuPy's do where scratchnet uses them, and launches of the emulated kernels."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import build

PAGE = mmap.PAGESIZE
PROT_NONE = 0  # no access; mmap has no name for it
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

at_end = True  # of its pages: whether an access behind an array or one before it faults


class _Memory:
    """Bytes between two pages that nobody may touch, filled with 0xff: NaN in every float."""

    def __init__(self, size: int) -> None:
        inner = -(-size // PAGE) * PAGE
        self.size, self.length = size, inner + 2 * PAGE
        self.base = _libc.mmap(None, self.length, PROT_NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        _libc.mprotect(self.base + PAGE, inner, mmap.PROT_READ | mmap.PROT_WRITE)
        start = self.base + PAGE + ((inner - size) // 16 * 16 if at_end else 0)
        self.bytes = (ctypes.c_char * size).from_address(start)
        ctypes.memset(start, 0xFF, size)

    def __del__(self) -> None:
        _libc.munmap(self.base, self.length)


def _host(value: Any) -> Any:
    if isinstance(value, Array):
        return value.host
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")  # as CuPy says it
    if isinstance(value, tuple):
        return tuple(_host(item) for item in value)
    return value


class Array:
    """An array of the emulated GPU. As CuPy's, it does not mix with NumPy's arrays, nor turn into one by itself."""

    __array_priority__ = 100

    def __init__(self, host: np.ndarray, memory: Any) -> None:
        self.host, self.memory = host, memory

    def _view(self, host: np.ndarray) -> Array:
        return Array(host, self.memory)

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    size = property(lambda self: self.host.size)
    ndim = property(lambda self: self.host.ndim)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    flags = property(lambda self: self.host.flags)

    @property
    def address(self) -> int:
        return self.host.ctypes.data

    def __len__(self) -> int:
        return len(self.host)

    def __array__(self, *_: Any, **__: Any) -> None:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, *_: Any, **__: Any) -> None:
        raise TypeError("a NumPy function was called with an array of the GPU")

    def get(self) -> np.ndarray:
        return self.host.copy()

    def set(self, values: np.ndarray) -> None:
        self.host[...] = values

    def fill(self, value: Any) -> None:
        self.host.fill(value)

    def copy(self) -> Array:
        return asarray(self.host)

    def reshape(self, *shape: Any) -> Array:
        view = self.host.reshape(*shape)
        if view.size and not np.shares_memory(view, self.host):
            raise AssertionError("reshape made a copy")
        return self._view(view)

    def astype(self, dtype: Any) -> Array:
        return asarray(self.host.astype(dtype))

    def __getitem__(self, key: Any) -> Array:
        part = self.host[_host(key)]
        return self._view(part) if np.shares_memory(part, self.host) else asarray(np.asarray(part))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.host[_host(key)] = _host(value)

    def __float__(self) -> float:
        return float(self.host)


def empty(shape: Any, dtype: Any = np.float64) -> Array:
    dtype, shape = np.dtype(dtype), (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if not size:
        return Array(np.empty(shape, dtype), None)
    memory = _Memory(size)
    return Array(np.frombuffer(memory.bytes, dtype).reshape(shape), memory)


def zeros(shape: Any, dtype: Any = np.float64) -> Array:
    array = empty(shape, dtype)
    array.fill(0)
    return array


def ones(shape: Any, dtype: Any = np.float64) -> Array:
    array = empty(shape, dtype)
    array.fill(1)
    return array


def asarray(values: Any, dtype: Any = None) -> Array:
    if isinstance(values, Array) and (dtype is None or values.dtype == dtype):
        return values
    host = np.asarray(values.host if isinstance(values, Array) else values, dtype)
    array = empty(host.shape, host.dtype)
    array.host[...] = host
    return array


def array(values: Any, dtype: Any = None) -> Array:
    return asarray(np.array(_host(values) if isinstance(values, Array) else values, dtype))


def ascontiguousarray(values: Any, dtype: Any = None) -> Array:
    if isinstance(values, Array) and values.flags.c_contiguous and (dtype is None or values.dtype == dtype):
        return values
    return asarray(np.ascontiguousarray(values.host if isinstance(values, Array) else values, dtype))


class Module:
    """What ``import cupy`` would give, as far as scratchnet uses it."""

    ndarray = Array
    empty, zeros, ones = staticmethod(empty), staticmethod(zeros), staticmethod(ones)
    array, asarray, ascontiguousarray = staticmethod(array), staticmethod(asarray), staticmethod(ascontiguousarray)


class Driver:
    """The emulated counterpart of `scratchnet.kernels.cuda.CupyDriver`."""

    def __init__(self, order: int = 0) -> None:
        self.xp, self.order = Module, order
        self.launches: list[str] = []
        self._recording: list[Any] | None = None

    def function(self, source: str, kernel: str, options: tuple[str, ...]) -> Any:
        return build.kernel(source, kernel, options)

    def is_array(self, value: Any) -> bool:
        return isinstance(value, Array)

    def launch(self, function: Any, grid: tuple[int, ...], threads: int, arguments: list[Any]) -> None:
        if self._recording is not None:
            self._recording.append((function, grid, threads, arguments))
            return
        self.launches.append(function.name)
        values = [self._value(argument) for argument in arguments]
        addresses = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        dims = (ctypes.c_uint * 4)(*[*grid, 1, 1][:3], threads)
        if error := function.run(dims, self.order, addresses):
            raise RuntimeError(f"{function.name}: {error.decode()}")

    @staticmethod
    def _value(argument: Any) -> np.ndarray:
        if argument is None:
            return np.zeros(1, np.uint64)
        if isinstance(argument, Array):
            return np.array([argument.address], np.uint64)
        return np.atleast_1d(np.asarray(argument))


@contextlib.contextmanager
def device(order: int = 0, end: bool = True) -> Iterator[Driver]:
    """Inside the block the kernels' launches run on the emulated GPU."""
    global at_end
    from scratchnet.kernels import cuda

    driver, previous = Driver(order), cuda._driver
    cuda.forget()
    cuda._driver, at_end, former = driver, end, at_end
    try:
        yield driver
    finally:
        cuda.forget()
        cuda._driver, at_end = previous, former

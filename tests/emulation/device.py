"""A GPU in memory: arrays that behave as CuPy's do where scratchnet uses them, and launches of the emulated kernels."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import threading
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

    used, total = 0, 2**34

    def __init__(self, size: int) -> None:
        if _Memory.used + size > _Memory.total:
            raise MemoryError(f"Out of memory allocating {size:,} bytes (allocated so far: {_Memory.used:,} bytes).")
        _Memory.used += size
        inner = -(-size // PAGE) * PAGE
        self.size, self.length = size, inner + 2 * PAGE
        self.base = _libc.mmap(None, self.length, PROT_NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        _libc.mprotect(self.base + PAGE, inner, mmap.PROT_READ | mmap.PROT_WRITE)
        start = self.base + PAGE + ((inner - size) // 16 * 16 if at_end else 0)
        self.bytes = (ctypes.c_char * size).from_address(start)
        ctypes.memset(start, 0xFF, size)

    def __del__(self) -> None:
        if not hasattr(self, "base"):
            return
        _Memory.used -= self.size
        _libc.munmap(self.base, self.length)


capturing = False  # whether launches are being recorded: nothing else may be asked of the GPU then


def _executes() -> None:
    """Called by everything that makes the GPU work, or waits for it, in another way than by a launch of ours."""
    if capturing:
        raise RuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")


def _host(value: Any) -> Any:
    if isinstance(value, Array):
        return value.host
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")  # as CuPy says it
    return value


class Array:
    """An array of the emulated GPU. As CuPy's, it does not mix with NumPy's arrays, nor turn into one by itself."""

    def __init__(self, host: np.ndarray, memory: Any) -> None:
        self.host, self.memory = host, memory

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    size = property(lambda self: self.host.size)
    ndim = property(lambda self: self.host.ndim)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    flags = property(lambda self: self.host.flags)
    address = property(lambda self: self.host.ctypes.data)
    __cuda_array_interface__ = property(lambda self: {**self.host.__array_interface__, "version": 3})

    def __len__(self) -> int:
        return len(self.host)

    def __array__(self, *_: Any, **__: Any) -> None:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        _executes()
        return asarray(np.asarray(getattr(ufunc, method)(*map(_host, inputs), **kwargs)))

    def get(self) -> np.ndarray:
        _executes()
        return self.host.copy()

    def set(self, values: np.ndarray) -> None:
        _executes()
        if values.dtype != self.dtype:
            raise TypeError(f"{values.dtype} array cannot be set to {self.dtype} array")
        if values.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {values.shape}")
        self.host[...] = values

    def copy(self) -> Array:
        return array(self)

    def __deepcopy__(self, _: Any) -> Array:
        return self.copy()

    def fill(self, value: Any) -> None:
        _executes()
        self.host.fill(_host(value))

    def reshape(self, *shape: Any) -> Array:
        view = self.host.reshape(*shape)
        if view.size and not np.shares_memory(view, self.host):
            raise AssertionError("reshape made a copy")
        return Array(view, self.memory)

    def astype(self, dtype: Any) -> Array:
        return array(self, dtype)

    def any(self) -> Array:
        _executes()
        return asarray(np.asarray(self.host.any()))

    def sum(self, *args: Any, **kwargs: Any) -> Array:
        _executes()
        return asarray(np.asarray(self.host.sum(*args, **kwargs)))

    def __getitem__(self, key: Any) -> Array:
        part = np.asarray(self.host[key.host if isinstance(key, Array) else key])
        if np.shares_memory(part, self.host):
            return Array(part, self.memory)
        _executes()
        return asarray(part)

    def __setitem__(self, key: Any, value: Any) -> None:
        _executes()
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self.host[key] = _host(value)

    def __float__(self) -> float:
        return float(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())


def _operator(name: str) -> Any:
    def method(self: Array, other: Any) -> Array:
        _executes()
        result = getattr(self.host, name)(_host(other))
        return self if name.startswith("__i") else asarray(np.asarray(result))

    return method


for _name in ("add", "sub", "mul", "truediv", "radd", "rsub", "rmul", "rtruediv", "iadd", "isub", "imul", "eq", "ne"):
    setattr(Array, f"__{_name}__", _operator(f"__{_name}__"))


def empty(shape: Any, dtype: Any = np.float64) -> Array:
    dtype, shape = np.dtype(dtype), (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if not size:
        return Array(np.empty(shape, dtype), None)
    memory = _Memory(size)
    return Array(np.frombuffer(memory.bytes, dtype).reshape(shape), memory)


def full(shape: Any, value: Any, dtype: Any = np.float64) -> Array:
    _executes()
    array = empty(shape, dtype)
    array.host.fill(value)
    return array


def zeros(shape: Any, dtype: Any = np.float64) -> Array:
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = np.float64) -> Array:
    return full(shape, 1, dtype)


def empty_like(other: Array) -> Array:
    return empty(other.shape, other.dtype)


def full_like(other: Array, value: Any) -> Array:
    return full(other.shape, value, other.dtype)


def may_share_memory(a: Array, b: Array) -> bool:
    return bool(np.may_share_memory(a.host, b.host))


def asarray(values: Any, dtype: Any = None) -> Array:
    if isinstance(values, Array) and (dtype is None or values.dtype == dtype):
        return values
    return array(values, dtype)


def array(values: Any, dtype: Any = None) -> Array:
    _executes()
    host = np.asarray(values.host if isinstance(values, Array) else values, dtype)
    if host.dtype.char not in "?bhilqBHILQefd":  # and complex numbers, which nobody here has
        raise ValueError(f"Unsupported dtype {host.dtype}")
    host = host.astype(host.dtype.newbyteorder("="), copy=False)
    by_columns = host.flags.f_contiguous and not host.flags.c_contiguous  # stays so, as with CuPy
    made = empty(host.shape[::-1] if by_columns else host.shape, host.dtype)
    made.host = made.host.T if by_columns else made.host
    made.host[...] = host
    return made


def ascontiguousarray(values: Array, dtype: Any = None) -> Array:
    if not isinstance(values, Array):
        raise TypeError(f"Argument 'a' has incorrect type (expected ndarray, got {type(values).__name__})")
    if values.flags.c_contiguous and (dtype is None or values.dtype == dtype):
        return values
    return array(np.ascontiguousarray(values.host), dtype)


class Module:
    """What ``import cupy`` would give, as far as scratchnet uses it."""

    ndarray = Array
    empty, zeros, ones, full = map(staticmethod, (empty, zeros, ones, full))
    empty_like, full_like = map(staticmethod, (empty_like, full_like))
    array, asarray, ascontiguousarray = map(staticmethod, (array, asarray, ascontiguousarray))
    may_share_memory = staticmethod(may_share_memory)


_in_order = threading.Lock()  # launches of two threads follow each other, as in a stream


class Graph:
    """Recorded launches; arrays stay where the launches found them."""

    def __init__(self, driver: Driver, recorded: list[Any]) -> None:
        self._driver, self._recorded = driver, recorded
        self.memory: list[Any] = []

    def launch(self) -> None:
        self._driver.replays += 1
        for function, grid, threads, values in self._recorded:
            self._driver.run(function, grid, threads, values)


class Driver:
    """The emulated counterpart of `scratchnet.kernels.cupy_driver.CupyDriver`.

    ``launches`` are the names of all kernels that ran, ``replays`` counts the graphs that were launched.
    """

    compute_capability = 90

    def __init__(self, order: int = 0) -> None:
        self.xp, self.order = Module, order
        self.launches: list[str] = []
        self.replays = 0
        self._recorded: list[Any] = []

    def function(self, source: str, kernel: str, options: tuple[str, ...]) -> Any:
        if capturing:
            raise RuntimeError(f"{kernel} is compiled inside a capture")
        return build.kernel(source, kernel, options)

    def name(self) -> str:
        return "an emulated GPU"

    def is_array(self, value: Any) -> bool:
        return isinstance(value, Array)

    def memory(self) -> dict[str, int]:
        return {"total": _Memory.total, "free": _Memory.total - _Memory.used, "used": _Memory.used}

    def release(self) -> None:
        pass

    def pinned(self, shape: Any, dtype: Any) -> np.ndarray:
        return np.empty(shape, dtype)

    def wait(self) -> None:
        _executes()

    def upload(self, array: Array, values: np.ndarray) -> None:
        array.set(values)

    def capture(self, work: Any) -> Graph:
        global capturing
        capturing, self._recorded = True, []
        try:
            work()
        finally:
            capturing = False
        return Graph(self, self._recorded)

    def launch(self, function: Any, grid: tuple[int, ...], threads: int, arguments: list[Any]) -> None:
        values = [self._value(argument) for argument in arguments]  # by value, and arrays by their addresses
        if capturing:
            self._recorded.append((function, grid, threads, values))
        else:
            self.run(function, grid, threads, values)

    def run(self, function: Any, grid: tuple[int, ...], threads: int, values: list[np.ndarray]) -> None:
        self.launches.append(function.name)
        addresses = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        dims = (ctypes.c_uint * 4)(*[*grid, 1, 1][:3], threads)
        with _in_order:
            error = function.run(dims, self.order, addresses)
        if error:
            raise RuntimeError(f"{function.name}: {error.decode()}")

    @staticmethod
    def _value(argument: Any) -> np.ndarray:
        if argument is None:
            raise TypeError("None is no argument of a kernel: CuPy makes a pointer to anywhere of it")
        if isinstance(argument, Array):
            return np.array([argument.address], np.uint64)
        return np.atleast_1d(np.array(argument))


@contextlib.contextmanager
def backend() -> Iterator[Driver]:
    """Inside the block ``cupy`` is the current backend, on the emulated GPU."""
    import scratchnet as sn

    prepare, sn.backend._prepare_cupy = sn.backend._prepare_cupy, lambda: None
    try:
        with device() as driver, sn.use_backend("cupy"):
            yield driver
    finally:
        sn.backend._prepare_cupy = prepare


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

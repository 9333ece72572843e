"""The GPU through CuPy: all that kernels need. Apart from the choice of the backend, only this file knows CuPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

OUT_OF_MEMORY = 2  # among the errors of CUDA's runtime, and of its driver


@contextmanager
def memory_errors() -> Iterator[None]:
    """Within the block, CUDA's own out-of-memory errors are MemoryErrors, as those of CuPy's pool already are."""
    try:
        yield
    except RuntimeError as error:
        if getattr(error, "status", None) != OUT_OF_MEMORY:
            raise
        raise MemoryError(str(error)) from None


class CupyDriver:
    """What kernels need from a GPU, through CuPy. The tests have another driver, which runs the sources on a CPU."""

    def __init__(self) -> None:
        import cupy

        self.xp = cupy
        self.compute_capability = int(cupy.cuda.Device().compute_capability)  # 90 for an H100

    def name(self) -> str:
        """NVIDIA's name for this GPU."""
        name = self.xp.cuda.runtime.getDeviceProperties(self.xp.cuda.Device().id)["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def function(self, source: str, kernel: str, options: tuple[str, ...]) -> Any:
        """The compiled kernel, loaded: with a driver older than CUDA 12.3, loading is not allowed in a capture."""
        with memory_errors():
            return self.xp.RawModule(code=source, options=("-std=c++17", *options)).get_function(kernel)

    def launch(self, function: Any, grid: tuple[int, ...], threads: int, arguments: list[Any]) -> None:
        """Put a launch on the current stream."""
        function(grid, (threads,), arguments)

    def is_array(self, value: Any) -> bool:
        """Whether a value is an array in GPU memory."""
        return isinstance(value, self.xp.ndarray)

    def memory(self) -> dict[str, int]:
        """Bytes: ``total``, ``free`` for us (what CuPy's pool keeps for later is free), ``used`` by our arrays."""
        free, total = self.xp.cuda.runtime.memGetInfo()
        pool = self.xp.get_default_memory_pool()
        free, used = free + pool.free_bytes(), pool.used_bytes()
        if limit := pool.get_limit():  # CUPY_GPU_MEMORY_LIMIT
            free = min(free, limit - used)
        return {"total": total, "free": free, "used": used}

    def release(self) -> None:
        """Return the memory that CuPy's pool keeps for later to the GPU."""
        self.xp.get_default_memory_pool().free_all_blocks()

    def pinned(self, shape: Any, dtype: Any) -> np.ndarray:
        """Host memory that the GPU reads directly: `upload` from it does not wait for anything."""
        count = int(np.prod(shape))
        with memory_errors():
            memory = self.xp.cuda.alloc_pinned_memory(count * np.dtype(dtype).itemsize)
        return np.frombuffer(memory, dtype, count).reshape(shape)

    def upload(self, array: Any, values: np.ndarray) -> None:
        """Copy ``values`` from pinned memory into an array, in order with the launches."""
        array.set(values)

    def wait(self) -> None:
        """Wait until everything launched so far is done."""
        self.xp.cuda.get_current_stream().synchronize()

    def capture(self, work: Callable[[], Any]) -> Graph:
        """Call ``work`` with all its launches recorded instead of executed."""
        stream = self.xp.cuda.Stream(non_blocking=True)
        with memory_errors(), stream:
            stream.begin_capture()
            try:
                work()
            except BaseException:
                with suppress(self.xp.cuda.runtime.CUDARuntimeError):  # the error in the work itself says more
                    stream.end_capture()
                raise
            graph = stream.end_capture()
        return Graph(graph.launch)


class Graph:
    """A captured sequence of launches; ``memory`` is kept because the launches hold its addresses."""

    def __init__(self, launch: Callable[[], None]) -> None:
        self.launch, self.memory = launch, list[Any]()

"""The GPU by CuPy: all that kernels need of it. Beside the choice of the backend, this file is all that knows CuPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

OUT_OF_MEMORY = 2  # among the errors of CUDA's runtime, and of its driver


@contextmanager
def memory_errors() -> Iterator[None]:
    """Inside the block CUDA's own errors for want of memory are MemoryErrors, as those of CuPy's pool are anyway."""
    try:
        yield
    except RuntimeError as error:
        if getattr(error, "status", None) != OUT_OF_MEMORY:
            raise
        raise MemoryError(str(error)) from None


class CupyDriver:
    """What kernels need of a GPU, by CuPy. The tests have another one, which runs the same sources on a CPU."""

    def __init__(self) -> None:
        import cupy

        self.xp = cupy
        self.compute_capability = int(cupy.cuda.Device().compute_capability)  # 90 for an H100

    def name(self) -> str:
        """What NVIDIA calls this GPU."""
        name = self.xp.cuda.runtime.getDeviceProperties(self.xp.cuda.Device().id)["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def function(self, source: str, kernel: str, options: tuple[str, ...]) -> Any:
        """The compiled kernel, loaded: a stream capture must not do that, where the driver is older than CUDA 12.3."""
        with memory_errors():
            return self.xp.RawModule(code=source, options=("-std=c++17", *options)).get_function(kernel)

    def launch(self, function: Any, grid: tuple[int, ...], threads: int, arguments: list[Any]) -> None:
        """Put a launch on the current stream."""
        function(grid, (threads,), arguments)

    def is_array(self, value: Any) -> bool:
        """Whether a value is an array in the GPU's memory."""
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
        """Give the memory that CuPy's pool keeps for later back to the GPU."""
        self.xp.get_default_memory_pool().free_all_blocks()

    def pinned(self, shape: Any, dtype: Any) -> np.ndarray:
        """Host memory that the GPU reads by itself: `upload` from it does not wait for anything."""
        count = int(np.prod(shape))
        with memory_errors():
            memory = self.xp.cuda.alloc_pinned_memory(count * np.dtype(dtype).itemsize)
        return np.frombuffer(memory, dtype, count).reshape(shape)

    def upload(self, array: Any, values: np.ndarray) -> None:
        """Copy ``values`` from pinned memory into an array, in the order of the launches."""
        array.set(values)

    def wait(self) -> None:
        """Return when everything launched so far is done."""
        self.xp.cuda.get_current_stream().synchronize()

    def capture(self, work: Callable[[], Any]) -> Graph:
        """Run ``work`` with all its launches recorded instead of run."""
        stream = self.xp.cuda.Stream(non_blocking=True)
        with memory_errors(), stream:
            stream.begin_capture()
            try:
                work()
            except BaseException:
                with suppress(self.xp.cuda.runtime.CUDARuntimeError):  # what went wrong in the work says more
                    stream.end_capture()
                raise
            graph = stream.end_capture()
        return Graph(graph.launch)


class Graph:
    """A captured sequence of launches; ``memory`` is kept because the launches know its addresses."""

    def __init__(self, launch: Callable[[], None]) -> None:
        self.launch, self.memory = launch, list[Any]()

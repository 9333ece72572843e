"""What is asked of CuPy, with a CuPy that only takes notes: this file cannot tell what a GPU does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scratchnet.kernels import cuda
from scratchnet.kernels.cupy_driver import CupyDriver


class CudaError(RuntimeError):
    """In place of CuPy's CUDARuntimeError and CUDADriverError."""

    def __init__(self, message: str, status: int = 901) -> None:
        super().__init__(message)
        self.status = status


class Stream:
    """A stream whose capture may be broken."""

    log: list[str]
    broken = False

    def __init__(self, non_blocking: bool) -> None:
        assert non_blocking
        Stream.log = ["made"]

    def __enter__(self) -> Stream:
        self.log.append("current")
        return self

    def __exit__(self, *_: Any) -> None:
        self.log.append("left")

    def begin_capture(self) -> None:
        self.log.append("begin")

    def end_capture(self) -> Any:
        self.log.append("end")
        if self.broken:
            raise CudaError("cudaErrorStreamCaptureInvalidated")
        return SimpleNamespace(launch=lambda: self.log.append("launched"))


class Pool:
    """A memory pool that keeps 30 bytes for later and has given out 50."""

    limit = 0

    def free_bytes(self) -> int:
        return 30

    def used_bytes(self) -> int:
        return 50

    def get_limit(self) -> int:
        return self.limit


@pytest.fixture
def driver() -> CupyDriver:
    made = CupyDriver.__new__(CupyDriver)
    pool = Pool()
    made.xp = SimpleNamespace(
        ndarray=np.ndarray,
        get_default_memory_pool=lambda: pool,
        cuda=SimpleNamespace(
            Stream=Stream,
            Device=lambda: SimpleNamespace(id=2),
            get_current_stream=lambda: SimpleNamespace(synchronize=lambda: Stream.log.append("waited")),
            runtime=SimpleNamespace(
                CUDARuntimeError=CudaError,
                memGetInfo=lambda: (200, 1000),
                getDeviceProperties=lambda number: {"name": b"GPU %d" % number},
            ),
        ),
        RawModule=lambda code, options: SimpleNamespace(get_function=lambda name: (code, name, options)),
    )
    return made


def test_sources_are_compiled_as_cpp17(driver: CupyDriver) -> None:
    assert driver.function("source", "kernel", ("-DREAL=float",)) == (
        "source",
        "kernel",
        ("-std=c++17", "-DREAL=float"),
    )


def test_the_device_in_use_is_named_and_waited_for(driver: CupyDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "log", [], raising=False)
    assert driver.name() == "GPU 2"
    driver.wait()
    assert Stream.log == ["waited"]


def test_free_memory_is_the_gpus_and_the_pools_up_to_the_users_limit(driver: CupyDriver) -> None:
    assert driver.memory() == {"total": 1000, "free": 230, "used": 50}
    driver.xp.get_default_memory_pool().limit = 90
    assert driver.memory() == {"total": 1000, "free": 40, "used": 50}


def test_a_capture_is_a_streams_of_its_own(driver: CupyDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = driver.capture(lambda: Stream.log.append("work"))
    graph.launch()
    assert Stream.log == ["made", "current", "begin", "work", "end", "left", "launched"]


@pytest.mark.parametrize("broken", [False, True])
def test_what_goes_wrong_in_a_capture_is_said(
    broken: bool, driver: CupyDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stream, "broken", broken)

    def work() -> None:
        raise KeyError("the work's own error")

    with pytest.raises(KeyError, match="own error"):
        driver.capture(work)
    assert Stream.log == ["made", "current", "begin", "end", "left"]


def test_what_is_not_there_is_a_null_pointer_by_value(driver: CupyDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy makes a pointer to anywhere of None: https://github.com/cupy/cupy/issues/9046."""
    launched: list[Any] = []
    monkeypatch.setattr(driver, "launch", lambda *launch: launched.append(launch))
    monkeypatch.setattr(cuda, "_driver", driver)
    cuda.forget()
    x, empty = np.ones(4, np.float32), np.empty(0, np.float32)
    cuda.launch("optimizers", "sgd", 3, 256, x, x, empty, 0.5, 0, 0, True, 0, None, None, 4, dtype=x.dtype, PER_STEP=4)
    cuda.forget()
    ((_, name, options), grid, threads, arguments) = launched[0]
    assert (name, grid, threads) == ("sgd", (3,), 256)
    assert {"-DREAL=float", "-DPER_STEP=4", "-std=c++17"} == set(options)
    assert [type(argument).__name__ for argument in arguments] == [
        "ndarray", "ndarray", "uint64", "float64", "float64", "float32", "bool", "float32", "uint64", "uint64", "int64",
    ]  # fmt: skip
    assert [int(arguments[i]) for i in (2, 8, 9)] == [0, 0, 0]


@pytest.mark.parametrize(("status", "error"), [(2, MemoryError), (901, CudaError)])
def test_memory_that_cuda_itself_lacks_is_a_memory_error(
    status: int, error: type[Exception], driver: CupyDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CuPy says so only of its pool; a module is loaded and a graph instantiated with memory of CUDA's own."""

    def fails(*_: Any, **__: Any) -> None:
        raise CudaError("cudaErrorMemoryAllocation: out of memory", status)

    monkeypatch.setattr(Stream, "end_capture", fails)
    with pytest.raises(error, match="out of memory"):
        driver.capture(lambda: None)
    monkeypatch.setattr(driver.xp, "RawModule", lambda **_: SimpleNamespace(get_function=fails))
    with pytest.raises(error, match="out of memory"):
        driver.function("source", "kernel", ())

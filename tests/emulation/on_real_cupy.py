"""What the real CuPy does with what scratchnet asks of it: run by test_real_cupy.py in a process of its own.

The emulated GPU of real_cupy.py stands in NVIDIA's place, so this is about CuPy and the rules of captures. In the other
tests device.py stands in CuPy's place; here it is seen to answer as CuPy does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scratchnet.kernels import cuda
from scratchnet.kernels.cupy_driver import CupyDriver

import scratchnet as sn
from emulation import device, real_cupy
from scratchnet import layers as L  # noqa: N812

X = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 1)).astype(np.uint8)
Y = np.random.default_rng(1).integers(0, 10, 70)
OUT_OF_MEMORY = 2


@pytest.fixture(scope="module")
def gpu() -> Iterator[CupyDriver]:
    with real_cupy.backend() as driver:
        yield driver


def model(**kwargs: Any) -> sn.Sequential:
    sn.utils.set_random_seed(3)
    made = sn.Sequential([
        L.Input((8, 8, 1)), L.Conv2D(4, 3, padding="same", activation="relu"), L.MaxPooling2D(2), L.Dropout(0.3),
        L.BatchNormalization(), L.Flatten(), L.Dense(10),
    ])  # fmt: skip
    loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(sn.optimizers.Adam(clipnorm=0.5), loss, **{"metrics": ["accuracy"], **kwargs})
    return made


def trained(capture: bool = True) -> list[np.ndarray]:
    """Weights and losses of two epochs with whole and short batches."""
    made = model(capture=capture)
    history = made.fit(sn.datasets.Pixels(X), Y, batch_size=16, epochs=2, verbose=0).history
    return [*made.get_weights(), np.array(history["loss"])]


def assert_same_bits(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


# Training -------------------------------------------------------------------------------------------------------------


def test_arguments_have_the_bytes_that_kernels_read(gpu: CupyDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    launch, seen = gpu.launch, set()

    def measured(function: Any, grid: tuple[int, ...], threads: int, arguments: list[Any]) -> None:
        given = [8 if gpu.is_array(argument) else argument.nbytes for argument in arguments]
        assert given == real_cupy.sizes[function.kernel.ptr], function.name
        seen.add(function.name)
        launch(function, grid, threads, arguments)

    monkeypatch.setattr(gpu, "launch", measured)
    trained()
    assert {"conv2d_forward", "max_pool_backward", "dropout_forward", "batch_norm_gradients", "adam"} < seen


def test_captured_and_eager_steps_have_the_bits_of_the_stand_in(gpu: CupyDriver) -> None:
    captured = trained()
    assert real_cupy.calls()["cudaGraphLaunch"] > 0
    assert real_cupy.calls(while_capturing=True) == {}  # neither memory nor modules nor copies: launches alone
    assert_same_bits(captured, trained(capture=False))
    with device.backend():
        assert_same_bits(captured, trained())


def test_predictions_files_copies_and_other_backends(gpu: CupyDriver, tmp_path: Path) -> None:
    made = model()
    made.fit(sn.datasets.Pixels(X), Y, batch_size=16, verbose=0, validation_split=0.2)
    outputs, figures = made.predict(X / 255, verbose=0), made.evaluate(X / 255, Y, verbose=0)
    made.save(tmp_path / "model.safetensors")
    for other in (sn.load_model(tmp_path / "model.safetensors"), copy.deepcopy(made)):
        np.testing.assert_array_equal(other.predict(X / 255, verbose=0), outputs)
    with sn.use_backend("numpy"):
        np.testing.assert_allclose(made.predict(X / 255, verbose=0), outputs, rtol=1e-4, atol=1e-5)
        assert made.evaluate(X / 255, Y, verbose=0) == pytest.approx(figures, rel=1e-4)


@pytest.mark.parametrize("loss", ["mse", "categorical_crossentropy"])
def test_targets_of_floats(loss: str, gpu: CupyDriver) -> None:
    sn.utils.set_random_seed(0)
    made = sn.Sequential([L.Input((8, 8, 1)), L.Flatten(), L.Dense(10, activation="softmax")])
    made.compile("sgd", loss, metrics=["accuracy"])
    first, *_, last = made.fit(X / 255, np.asfortranarray(np.eye(10)[Y]), epochs=3, verbose=0).history["loss"]
    assert last < first


def test_gradients(gpu: CupyDriver) -> None:
    report = sn.check_gradients(L.Dense(3), np.random.default_rng(0).standard_normal((4, 5)))
    assert report.ok, report


# What a capture refuses, and what CUDA lacks --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["get", "set", "asarray", "wait", "own error"])
def test_the_stream_is_usable_after_a_capture_that_failed(name: str, gpu: CupyDriver) -> None:
    array, stream = gpu.xp.ones(3), gpu.xp.cuda.get_current_stream()

    def own_error() -> None:
        raise KeyError("own error")

    works: dict[str, Callable[[], Any]] = {
        "get": array.get,
        "set": lambda: array.set(np.ones(3)),
        "asarray": lambda: gpu.xp.asarray(np.ones(3)),
        "wait": gpu.wait,
        "own error": own_error,
    }
    with pytest.raises((RuntimeError, KeyError), match=r"captur|own error"):
        gpu.capture(works[name])
    assert gpu.xp.cuda.get_current_stream() == stream
    assert gpu.xp.ones(3).get().sum() == 3
    assert gpu.capture(lambda: None).launch() is None


def test_memory_that_cuda_lacks_for_a_graph_or_a_module(gpu: CupyDriver) -> None:
    real_cupy.fail("cudaGraphInstantiate", OUT_OF_MEMORY)
    with pytest.raises(sn.errors.BackendError, match=r"memory is too small for batch_size=16.*batch_size=14 would fit"):
        trained()
    real_cupy.fail("cuModuleLoadData", OUT_OF_MEMORY)
    with pytest.raises(MemoryError):
        gpu.function(cuda.source("elementwise"), "add", ("-DREAL=float", "-DNEVER_SEEN"))
    trained()


def test_an_upload_from_pinned_memory_waits_for_nothing(gpu: CupyDriver) -> None:
    values, array = gpu.pinned((5, 4), np.float64), gpu.xp.zeros((5, 4))
    values[...] = np.arange(20).reshape(5, 4)
    before = real_cupy.calls()
    gpu.upload(array[1:3], values[1:3])
    changed = {name: count for name, count in real_cupy.calls().items() if count != before.get(name)}
    assert changed == {"cudaMemcpyAsync": before["cudaMemcpyAsync"] + 1}
    np.testing.assert_array_equal(array.get()[1:3], values[1:3])


def test_what_is_said_of_the_gpu(gpu: CupyDriver) -> None:
    assert (gpu.name(), gpu.compute_capability) == ("Emulated H200", 90)
    memory = gpu.memory()
    assert memory["total"] == 2**33
    kept = gpu.xp.zeros(2**20)
    assert gpu.memory()["used"] == memory["used"] + kept.nbytes


# The stand-in ---------------------------------------------------------------------------------------------------------

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
ASKED: dict[str, Callable[[Any], Any]] = {
    "asarray": lambda xp: xp.asarray(ROWS),
    "asarray of columns": lambda xp: xp.asarray(np.asfortranarray(ROWS)),
    "asarray of columns as float64": lambda xp: xp.asarray(np.asfortranarray(ROWS), dtype=np.float64),
    "asarray of every other": lambda xp: xp.asarray(ROWS[:, ::2]),
    "asarray of the other byte order": lambda xp: xp.asarray(ROWS.astype(">f4")),
    "asarray of an array": lambda xp: xp.asarray(xp.asarray(ROWS), dtype=np.float64),
    "ascontiguousarray of an array": lambda xp: xp.ascontiguousarray(xp.asarray(np.asfortranarray(ROWS))),
    "ascontiguousarray of NumPy's": lambda xp: xp.ascontiguousarray(ROWS),
    "NumPy of an array": lambda xp: np.asarray(xp.asarray(ROWS)),
    "plus NumPy's": lambda xp: xp.asarray(ROWS) + ROWS,
    "plus a number": lambda xp: xp.asarray(ROWS) + np.float64(1),
    "times a number of Python": lambda xp: 2.5 * xp.asarray(ROWS),
    "a row": lambda xp: xp.asarray(ROWS)[1],
    "by indices": lambda xp: xp.asarray(ROWS)[np.array([1, 0, 1])],
    "an element as a number": lambda xp: float(xp.asarray(ROWS)[1, 1]),
    "assigned from an array": lambda xp: _assigned(xp, xp.asarray(ROWS[0])),
    "assigned from NumPy's": lambda xp: _assigned(xp, ROWS[0]),
    "reshaped": lambda xp: xp.asarray(ROWS).reshape(3, 2),
    "sum": lambda xp: float(xp.asarray(ROWS).sum()),
    "any": lambda xp: bool((xp.asarray(ROWS) != xp.asarray(ROWS)).any()),
    "set of another shape": lambda xp: xp.asarray(ROWS).set(ROWS[0]),
    "set of another dtype": lambda xp: xp.asarray(ROWS).set(ROWS.astype(np.float64)),
    "share memory": lambda xp: (lambda a: xp.may_share_memory(a, a[1:]))(xp.asarray(ROWS)),
    "share none": lambda xp: xp.may_share_memory(xp.asarray(ROWS), xp.asarray(ROWS)),
    "deep copy": lambda xp: copy.deepcopy(xp.asarray(ROWS)),
}  # fmt: skip


def _assigned(xp: Any, row: Any) -> Any:
    array = xp.zeros((2, 3), np.float32)
    array[1] = row
    return array


def outcome(ask: Callable[[Any], Any], xp: Any) -> Any:
    """What came of it: an error's type, a number, or an array's order, dtype and content."""
    try:
        result = ask(xp)
    except Exception as error:
        return type(error)
    if not isinstance(result, xp.ndarray):
        return result
    return result.flags.c_contiguous, result.flags.f_contiguous, result.dtype, result.get().tolist()


@pytest.mark.parametrize("name", ASKED)
def test_the_stand_in_answers_as_cupy_does(name: str, gpu: CupyDriver) -> None:
    assert outcome(ASKED[name], device.Module) == outcome(ASKED[name], gpu.xp)

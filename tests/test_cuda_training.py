"""Whole trainings on the emulated GPU: every layer's gradient, captured steps, what comes back and what is refused.

The emulated arrays refuse what CuPy refuses (NumPy's arrays among them, anything but a launch inside a capture), and a
captured step is only recorded, as on a real GPU: a number of the host that was baked in would show.
"""

from __future__ import annotations

import copy
import ctypes
import gc
import sys
import zlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cases import LAYERS, LOSSES, LayerCase, LossCase
from emulation import build
from emulation.device import Driver, _Memory, backend

import scratchnet as sn
from scratchnet import capture, gpu_memory
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import BackendError
from scratchnet.layers.random_stream import RandomLayer

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")


@pytest.fixture
def gpu() -> Iterator[Driver]:
    with backend() as driver:
        yield driver


X = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 1)).astype(np.uint8)
Y = np.random.default_rng(1).integers(0, 10, 70)


def network() -> list[Any]:
    return [
        L.RandomFlip("horizontal"), L.RandomTranslation(0.2, 0.2), L.Conv2D(8, 3, padding="same", activation="relu"),
        L.MaxPooling2D(2), L.LayerNormalization(), L.Dropout(0.3), L.BatchNormalization(), L.GaussianNoise(0.1),
        L.Flatten(), L.Dense(16, activation="relu"), L.Dropout(0.2), L.Dense(10),
    ]  # fmt: skip


def model(optimizer: Any = "adam", layers: Any = None, loss: Any = None, **kwargs: Any) -> sn.Sequential:
    sn.utils.set_random_seed(3)
    made = sn.Sequential([L.Input((8, 8, 1)), *(layers or network())])
    loss = loss or sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(optimizer, loss, **{"metrics": ["accuracy"], **kwargs})
    return made


def pixels(x: np.ndarray = X) -> Any:
    return sn.datasets.Pixels(x)


def trained(capture: bool = True, fit: Any = None, **kwargs: Any) -> tuple[list[np.ndarray], dict[str, list[float]]]:
    """Weights and history after a short fit."""
    made = model(capture=capture, **kwargs)
    history = made.fit(pixels(), Y, **{"batch_size": 16, "epochs": 2, "verbose": 0, **(fit or {})})
    return made.get_weights(), history.history


def assert_same_bits(one: Any, other: Any) -> None:
    for a, b in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert one[1] == other[1]


# Gradients ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_gradients_of_every_layer(case: LayerCase, gpu: Driver) -> None:
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    x = rng.standard_normal(case.shape)
    report = sn.check_gradients(case.make(dtype="float32"), x, training=case.training, max_elements=16, projections=2)
    assert report.ok, report


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_a_batch_of_no_samples(case: LayerCase, gpu: Driver) -> None:
    """CUDA has no grid of no blocks, and a weight's gradient, a sum of no terms, is 0."""
    layer = case.make(dtype="float32")
    layer.build(case.shape[1:])
    y = layer.forward(np.zeros((0, *case.shape[1:])), training=case.training)
    assert y.shape == (0, *layer.output_shape)
    assert layer.backward(y).shape == (0, *case.shape[1:])
    for inner in layer.walk():
        assert not any(gradient.get().any() for gradient in inner.grads.values())


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_gradients_of_every_loss(case: LossCase, gpu: Driver) -> None:
    report = sn.check_gradients(case.loss, *case.make(np.random.default_rng(3)))
    assert report.ok, report


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_a_losss_gradient_by_itself(case: LossCase, gpu: Driver) -> None:
    y_pred, targets = (np.asarray(given) for given in case.make(np.random.default_rng(3)))
    with sn.use_backend("numpy"):
        expected = case.loss.gradient(targets, y_pred)
    np.testing.assert_allclose(case.loss.gradient(targets, y_pred).get(), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_of_the_largest_numbers(approximate: bool, gpu: Driver) -> None:
    x = np.array([[3e38, -3e38, 1e19, -1e19]], np.float32)
    np.testing.assert_array_equal(L.GELU(approximate)(x).get(), np.maximum(x, 0))


# Captured steps -------------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "adam-schedule-clipnorm": lambda: sn.optimizers.Adam(
        sn.optimizers.schedules.ExponentialDecay(1e-2, 3, 0.8), clipnorm=0.5
    ),
    "adamw-amsgrad": lambda: sn.optimizers.AdamW(1e-2, amsgrad=True),
    "sgd-nesterov-clipvalue": lambda: sn.optimizers.SGD(0.01, 0.9, True, clipvalue=0.1),
    "sgd-global": lambda: sn.optimizers.SGD(0.01, global_clipnorm=0.5),
    "nadam": lambda: sn.optimizers.Nadam(),
    "rmsprop": lambda: sn.optimizers.RMSprop(1e-3, momentum=0.5, centered=True),
    "adagrad": lambda: sn.optimizers.Adagrad(0.01),
    "adadelta": lambda: sn.optimizers.Adadelta(0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_captured_steps_give_the_bits_of_eager_ones(name: str, gpu: Driver) -> None:
    captured = trained(True, optimizer=OPTIMIZERS[name]())
    assert gpu.replays == 2 * 5
    eager = trained(False, optimizer=OPTIMIZERS[name]())
    assert gpu.replays == 2 * 5
    assert_same_bits(captured, eager)


@pytest.mark.parametrize(
    "fit",
    [
        {"batch_size": 2},  # two epochs of 35 steps: 32 in one graph, then 3 single ones
        {"steps_per_epoch": 7},  # the shuffled stream goes on across epochs
        {"sample_weight": np.linspace(0, 2, 70)},
        {"class_weight": {3: 2.0}, "drop_last": True},
        {"shuffle": False, "validation_data": (pixels(X[:9]), Y[:9])},
        {"validation_split": 0.3, "validation_batch_size": 30},  # takes larger buffers between two replays
    ],
    ids=lambda fit: "-".join(fit),
)
def test_captured_fits_of_all_kinds(fit: dict[str, Any], gpu: Driver) -> None:
    assert_same_bits(trained(True, fit), trained(False, fit))


def test_other_targets_and_dtypes(gpu: Driver) -> None:
    onehot = sn.losses.CategoricalCrossentropy(from_logits=True)
    for capture_it in (True, False):
        sn.config.set_floatx("float64")
        try:
            double = model(loss=onehot, capture=capture_it)
        finally:
            sn.config.set_floatx("float32")
        double.fit(pixels(), np.eye(10)[Y], batch_size=16, verbose=0)
        single = model(loss="mse", layers=[L.Flatten(), L.Dense(3)], metrics=None, capture=capture_it)
        single.fit(X / np.float32(255), np.linspace(0, 1, 210).reshape(70, 3), batch_size=16, verbose=0)
        weights = [*double.get_weights(), *single.get_weights()]
        if capture_it:
            first = weights
    assert first[0].dtype == np.float64
    assert all((a == b).all() for a, b in zip(first, weights, strict=True))


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="a long double is a double here")
def test_numbers_of_a_dtype_that_cupy_does_not_have(gpu: Driver) -> None:
    x, y = (X / 255).astype(np.longdouble), np.eye(10, dtype=np.longdouble)[Y]
    made = model(loss="mse", metrics=None)
    made.fit(x, y, batch_size=16, verbose=0)
    assert made.train_on_batch(x[:4], y[:4]) > 0
    assert made.layers[0](x[:4]).dtype == np.float32
    assert sn.losses.MeanSquaredError()(y, 2 * y) == pytest.approx(0.1)
    assert float(sn.activations.relu(x[:4]).sum()) == pytest.approx(float(x[:4].sum()))


@pytest.mark.parametrize("loss", ["mse", "categorical_crossentropy"])
def test_targets_that_lie_in_memory_by_columns(loss: str, gpu: Driver) -> None:
    """A pandas table's do, and CuPy keeps that order, which kernels do not know."""
    rows = np.eye(10, dtype=np.float32)[Y]
    weights = []
    for targets in (rows, np.asfortranarray(rows)):
        made = model(loss=loss, layers=[L.Flatten(), L.Dense(10, activation="softmax")], metrics=None)
        made.fit(pixels(), targets, batch_size=16, verbose=0)
        weights.append(made.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_epoch_is_replayed_and_read_back_once(gpu: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []
    array = type(gpu.xp.zeros(1))
    get = array.get
    monkeypatch.setattr(array, "get", lambda self: reads.append(self.shape) or get(self))
    made = model(metrics=["accuracy"])
    made.fit(pixels(), Y, batch_size=1, epochs=3, verbose=0)
    assert gpu.replays == 3 * (70 // capture.UNROLLED + 70 % capture.UNROLLED)
    assert reads == [(3,), (1,), (2,)] * 3  # after an epoch: the clock, whether all weights are finite, the totals
    assert made.optimizer.iterations == 210
    assert [layer.step for layer in made.layers if isinstance(layer, RandomLayer)] == [210] * 5


def test_the_gpu_follows_the_cpu(gpu: Driver) -> None:
    weights, history = trained()
    with sn.use_backend("numba"):
        others, other_history = trained()
    assert history["accuracy"] == other_history["accuracy"]
    np.testing.assert_allclose(history["loss"], other_history["loss"], rtol=1e-5)
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


class Rates(sn.callbacks.Callback):
    """Changes the learning rate inside the epoch, as a warm-up does."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = 0.01 / (batch + 1)


class Watcher(sn.callbacks.Callback):
    """Looks at the running means and at the counters after every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append((batch, dict(logs), self.model.optimizer.iterations, self.model.progress.samples))


def test_callbacks_between_batches_see_and_change_what_they_do_eagerly(gpu: Driver) -> None:
    runs = []
    for capture_it in (True, False):
        watcher = Watcher()
        result = trained(capture_it, {"callbacks": [Rates(), watcher]}, optimizer="sgd")
        runs.append((result, watcher.seen))
    assert_same_bits(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert len(runs[0][1]) == 10


class StopAfter(sn.callbacks.Callback):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_training = self.model.optimizer.iterations == self.steps


def test_a_stopped_fit_goes_on_with_the_same_bits(gpu: Driver, tmp_path: Any) -> None:
    from scratchnet import checkpoint

    whole = trained(True, {"epochs": 3})
    keep = lambda: sn.callbacks.TrainingCheckpoint(tmp_path)  # noqa: E731
    trained(True, {"epochs": 3, "callbacks": [StopAfter(7), keep()]})
    made = model()
    progress = checkpoint.resume(tmp_path, made)
    assert (progress.epoch, progress.step) == (1, 2)
    history = made.fit(pixels(), Y, batch_size=16, epochs=3, verbose=0, progress=progress, callbacks=[keep()])
    assert_same_bits(whole, (made.get_weights(), history.history))


def test_a_loss_that_is_not_finite_is_found_and_the_weights_are_those_before_it(gpu: Driver) -> None:
    layers = [L.Flatten(), L.Dense(16, activation="relu"), L.Dense(10)]
    messages, weights = [], []
    for name, capture_it in (("cupy", True), ("cupy", False), ("numba", True)):
        with sn.use_backend(name):
            fresh = [type(one)(**one.config()) for one in layers]
            made = model(sn.optimizers.SGD(1e30), layers=fresh, capture=capture_it)  # the logits overflow soon
            with pytest.raises(sn.errors.NumericsError) as caught:
                made.fit(pixels(), Y, batch_size=4, epochs=2, verbose=0)
            messages.append((str(caught.value), caught.value.step, made.optimizer.iterations, made.progress.step))
            weights.append(made.get_weights())
    assert messages[0] == messages[1]
    assert messages[0][1:] == messages[2][1:]
    assert 0 < messages[0][1] < 10
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert all(np.isfinite(a).all() for a in weights[0])


def test_metrics_on_the_host_are_computed_step_by_step(gpu: Driver) -> None:
    measured = ["sparse_top_k_categorical_accuracy", "sparse_categorical_crossentropy"]
    result = trained(metrics=["accuracy", *measured])
    assert gpu.replays == 0
    with sn.use_backend("numba"):
        other = trained(metrics=["accuracy", *measured])
    assert result[1][measured[0]] == other[1][measured[0]]
    assert result[1][measured[1]] == pytest.approx(other[1][measured[1]], rel=1e-5)


# Everything else a user meets -----------------------------------------------------------------------------------------


def test_weights_go_from_gpu_to_cpu_and_back(gpu: Driver, tmp_path: Any) -> None:
    made = model()
    made.fit(pixels(), Y, batch_size=16, verbose=0)
    made.save(tmp_path / "gpu.safetensors")
    with sn.use_backend("numba"):
        cpu = sn.load_model(tmp_path / "gpu.safetensors")
        expected = cpu.predict(pixels())
        cpu.fit(pixels(), Y, batch_size=16, verbose=0)
        cpu.save(tmp_path / "cpu.safetensors")
        further = cpu.predict(pixels())
    np.testing.assert_allclose(made.predict(pixels(), batch_size=16), expected, rtol=0, atol=1e-5)
    back = sn.load_model(tmp_path / "cpu.safetensors")
    np.testing.assert_allclose(back.predict(pixels()), further, rtol=0, atol=1e-5)
    assert back.optimizer.iterations == 10


@pytest.mark.parametrize("where", ["cupy", "numba"])
def test_arrays_that_are_on_the_gpu_are_taken(where: str, gpu: Driver) -> None:
    x, weights = X / np.float32(255), np.linspace(0.5, 1.5, len(X), dtype=np.float32)

    def results(*arrays: Any) -> list[np.ndarray]:
        made, (x, y, weights) = model(layers=network()[7:]), arrays
        history = made.fit(
            x, y, sample_weight=weights, class_weight={3: 2.0}, validation_split=0.2, batch_size=16, verbose=0
        )
        metric = sn.metrics.get("mse")
        metric.update_state(y, y)
        return [made.predict(x), np.array([history.history["val_loss"], made.evaluate(x, y, verbose=0)[:1]])]

    with sn.use_backend(where):
        for one, other in zip(results(*map(gpu.xp.asarray, (x, Y, weights))), results(x, Y, weights), strict=True):
            np.testing.assert_array_equal(one, other)


def test_values_are_set_by_kerass_function(gpu: Driver) -> None:
    bias = model(layers=[L.Flatten(), L.Dense(10)]).layers[-1].params["bias"]
    for values in (np.arange(10.0), list(range(10)), np.arange(10, dtype=np.float32)):
        bias.fill(7)
        sn.backend.set_value(bias, values)
        np.testing.assert_array_equal(sn.backend.get_value(bias), np.arange(10))


def test_single_batches_and_evaluation(gpu: Driver) -> None:
    made = model()
    by_batch = [made.train_on_batch(X[:16] / np.float32(255), Y[:16]) for _ in range(2)]
    results = made.evaluate(pixels(), Y, verbose=0), made.test_on_batch(X / np.float32(255), Y)
    with sn.use_backend("numba"):
        other = model()
        expected = [other.train_on_batch(X[:16] / np.float32(255), Y[:16]) for _ in range(2)]
        np.testing.assert_allclose(by_batch, expected, rtol=1e-5)
        np.testing.assert_allclose(results[0], other.evaluate(pixels(), Y, verbose=0), rtol=1e-4)
    np.testing.assert_allclose(*results, rtol=1e-5)


@pytest.mark.parametrize(("precision", "rtol"), [("tf32", 3e-3), ("mixed_bfloat16", 3e-2)])
def test_tensor_cores_on_request(precision: str, rtol: float, gpu: Driver) -> None:
    losses = []
    for one in ("float32", precision):
        rounded = model(precision=one, layers=network()[6:])
        losses += rounded.fit(pixels(), Y, batch_size=16, verbose=0).history["loss"]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=rtol)
    with sn.use_backend("numba"), pytest.raises(sn.errors.BackendError, match="needs the cupy backend"):
        model(precision=precision).predict(pixels())
    gpu.compute_capability = 75
    with pytest.raises(sn.errors.BackendError, match=r"8\.0 \(Ampere\) or later, this one has 7\.5"):
        rounded.predict(pixels())
    with pytest.raises(sn.errors.ConfigError, match="expected one of float32, tf32, mixed_bfloat16, got 'bf16'"):
        model(precision="bf16")


def leave_free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Make the emulated GPU so small that ``size`` bytes are left of it."""
    gc.collect()  # or what other tests left in cycles is freed in the middle of this one
    monkeypatch.setattr(_Memory, "total", _Memory.used + size)


def test_a_full_gpu_is_answered_with_the_batch_that_would_fit(gpu: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    many = np.tile(X, (60, 1, 1, 1)), np.tile(Y, 60)
    made = model(layers=network()[2:4] + network()[7:])
    leave_free(monkeypatch, 20_000_000)
    message = r"batch_size=4000, which takes .* batch_size=\d+ would fit"
    with pytest.raises(sn.errors.BackendError, match=message) as caught:
        made.fit(pixels(many[0]), many[1], batch_size=4000, verbose=0)
    fits = int(str(caught.value).split("batch_size=")[2].split()[0])
    del caught  # its traceback holds on to arrays
    assert 100 < fits < 4000
    made.fit(pixels(many[0]), many[1], batch_size=int(0.95 * fits), verbose=0)
    with pytest.raises(sn.errors.BackendError, match="would fit"):
        made.fit(pixels(many[0]), many[1], batch_size=int(1.3 * fits), verbose=0)
    del made  # prediction needs less: no gradients
    other = model(layers=network()[2:4] + network()[7:])
    leave_free(monkeypatch, 8_000_000)
    with pytest.raises(sn.errors.BackendError, match="would fit"):
        other.predict(pixels(many[0]), batch_size=4000)
    leave_free(monkeypatch, 100_000)
    with pytest.raises(sn.errors.BackendError, match=r"no room for a data set of 0\.00 GiB"):
        other.predict(pixels(many[0]))


def test_single_batches_too_are_answered_with_the_batch_that_would_fit(
    gpu: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = gpu.xp.asarray(np.zeros((600, 8, 8, 1), np.float32)), np.zeros(600, np.int64)
    made = model(layers=[L.Conv2D(32, 3, padding="same"), L.Flatten(), L.Dense(10)])
    made.train_on_batch(x[:2], y[:2])
    for call, room in ((made.train_on_batch, 5_000_000), (made.test_on_batch, 2_000_000)):
        gpu_memory._release(made)
        leave_free(monkeypatch, room)
        with pytest.raises(BackendError, match=r"batch_size=600, which takes .* batch_size=\d+ would fit") as caught:
            call(x, y)
        fits = int(str(caught.value).split("batch_size=")[2].split()[0])
        del caught
        call(x[:fits], y[:fits])


class Masking(L.Layer):
    """A layer with an array of its own that is no buffer."""

    backends = ("numpy", "numba", "cupy")

    def build(self, input_shape: tuple[int, ...], rng: Any = None) -> None:
        super().build(input_shape, rng)
        self.mask = sn.backend.array_module().ones(input_shape, self.dtype)

    def forward(self, x: Any, training: bool = False) -> Any:
        return self.check_input(x) * self.mask

    def backward(self, dy: Any) -> Any:
        return self.check_gradient(dy) * self.mask


def test_a_layer_of_a_users_own_keeps_its_arrays_when_memory_runs_out(
    gpu: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = model(layers=[L.Flatten(), Masking(), L.Dense(1000), L.Dense(10)])
    made.fit(pixels(), Y, verbose=0)
    many = np.repeat(pixels(), 60, axis=0), np.repeat(Y, 60)
    gpu_memory._release(made)
    leave_free(monkeypatch, 4_000_000)
    with pytest.raises(BackendError, match=r"batch_size=\d+ would fit"):
        made.fit(*many, batch_size=len(many[0]), verbose=0)
    made.fit(pixels(), Y, verbose=0)


def test_a_graph_that_has_no_memory_is_answered_with_a_smaller_batch(
    gpu: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(work: Any) -> None:
        raise MemoryError("cudaErrorMemoryAllocation: out of memory")

    monkeypatch.setattr(gpu, "capture", fails)
    with pytest.raises(BackendError, match=r"too small for batch_size=40, .*: batch_size=36 would fit"):
        model(layers=network()[7:]).fit(pixels(), Y, batch_size=40, verbose=0)


def test_a_gradient_check_leaves_the_memory_to_the_model(gpu: Driver) -> None:
    """It works on a deep copy, whose arrays have memory of their own."""
    made = model(layers=network()[7:])
    before = made.predict(pixels())
    assert sn.check_gradients(made, X[:2] / 255, Y[:2], max_elements=2)
    gc.collect()
    np.testing.assert_array_equal(made.predict(pixels()), before)
    made.fit(pixels(), Y, verbose=0)
    one = gpu.xp.zeros(3)
    other = copy.deepcopy({"array": one})["array"]
    other.fill(7)
    assert (one.get() == 0).all()
    assert (other.get() == 7).all()


def test_memory_is_reported(gpu: Driver) -> None:
    report = gpu_memory.device_memory()
    assert report is not None
    assert report["free"] + report["used"] == report["total"]
    with sn.use_backend("numba"):
        assert gpu_memory.device_memory() is None


# Machines without a GPU, or with the wrong CuPy -----------------------------------------------------------------------


def fake_cupy(driver: int, runtime: int, count: Any = 1, capability: str = "90", nvrtc: Any = None) -> dict[str, Any]:
    """A cupy module as it is on such a machine."""

    def devices() -> int:
        if isinstance(count, Exception):
            raise count
        return int(count)

    def version() -> tuple[int, int]:
        if nvrtc is not None:
            raise nvrtc
        return 13, 0

    cupy, cuda = ModuleType("cupy"), ModuleType("cupy.cuda")
    cuda.runtime = SimpleNamespace(  # type: ignore[attr-defined]
        driverGetVersion=lambda: driver, runtimeGetVersion=lambda: runtime, getDeviceCount=devices
    )
    cuda.nvrtc = SimpleNamespace(getVersion=version)  # type: ignore[attr-defined]
    cuda.Device = lambda: SimpleNamespace(compute_capability=capability)  # type: ignore[attr-defined]
    cupy.cuda = cuda  # type: ignore[attr-defined]
    return {"cupy": cupy, "cupy.cuda": cuda}


REFUSALS = {
    "no driver": ({"driver": 0, "runtime": 13000}, "this machine has no driver"),
    "wrong extra": (
        {"driver": 12040, "runtime": 13000},
        r"the driver is one of CUDA 12, the installed CuPy is for CUDA 13: .*'scratchnet\[cuda12x\]'",
    ),
    "no library": (
        {"driver": 13000, "runtime": 13000, "nvrtc": RuntimeError("libnvrtc.so.13: cannot open\nmore")},
        r"does not load \(libnvrtc\.so\.13: cannot open\): pip install",
    ),
    "broken": (
        {"driver": 13000, "runtime": 13000, "count": RuntimeError("cudaErrorUnknown: unknown error")},
        "an NVIDIA GPU that works: cudaErrorUnknown",
    ),
    "hidden": ({"driver": 13000, "runtime": 13000, "count": 0}, "CUDA_VISIBLE_DEVICES"),
    "too old for the newest compiler": (
        {"driver": 13000, "runtime": 13000, "capability": "70"},
        r"CUDA 13 no longer compiles for this GPU's compute capability, 7\.0: .*'scratchnet\[cuda12x\]'",
    ),
    "old": ({"driver": 12080, "runtime": 12080, "capability": "61"}, r"7\.0 \(Volta\) or later, this one has 6\.1"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_in_one_line_what_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, message = REFUSALS[name]
    for module, fake in fake_cupy(**machine).items():
        monkeypatch.setitem(sys.modules, module, fake)
    monkeypatch.setattr(sn.backend.importlib.util, "find_spec", lambda name: SimpleNamespace())
    monkeypatch.delenv("SCRATCHNET_BACKEND")
    monkeypatch.setattr(sn.backend, "_driver_found", lambda: True)
    with pytest.raises(sn.errors.BackendError, match=message) as caught:
        sn.set_backend("cupy")
    assert "\n" not in str(caught.value)
    with sn.use_backend("auto"):
        assert sn.get_backend() == "numba"


def test_auto_takes_a_gpu_that_works_but_in_these_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, fake in fake_cupy(driver=13000, runtime=13000).items():
        monkeypatch.setitem(sys.modules, module, fake)
    monkeypatch.setattr(sn.backend.importlib.util, "find_spec", lambda name: SimpleNamespace())
    with sn.use_backend("auto"):
        assert sn.get_backend() != "cupy"  # by conftest.py
    monkeypatch.delenv("SCRATCHNET_BACKEND")
    monkeypatch.setattr(sn.backend, "_driver_found", lambda: True)
    with sn.use_backend("auto"):
        assert sn.get_backend() == "cupy"


def test_auto_does_not_load_cupy_where_there_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(sn.backend.importlib.util, "find_spec", lambda name: SimpleNamespace())
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(sn.backend, "_prepare_cupy", lambda: pytest.fail("CuPy was asked"))
    monkeypatch.delenv("SCRATCHNET_BACKEND")
    assert sn.backend._fastest() == "numba"


def test_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sn.backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(sn.errors.BackendError, match=r"not installed: pip install 'scratchnet\[cuda13x\]'"):
        sn.set_backend("cupy")


def test_a_layer_in_plain_numpy_is_refused_by_its_name(gpu: Driver) -> None:
    class Square(L.Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            self.x = self.check_input(x)
            return self.x**2

        def backward(self, dy: Any) -> Any:
            return 2 * self.x * dy

    own = sn.Sequential([L.Flatten(input_shape=(8, 8, 1)), Square(), L.Dense(10)])
    own.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
    for call in (lambda: own.fit(X, Y, verbose=0), lambda: own.predict(X), lambda: own.forward(X)):
        with pytest.raises(BackendError, match=r"^Square \(square\) is a class of your own .* not on cupy"):
            call()

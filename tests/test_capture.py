"""A captured epoch on the emulated GPU is the epoch run step by step: with user-defined parts, with settings that
change on the way, and when something fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from emulation import build
from emulation.device import Driver, backend

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import NumericsError

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")

ALL = ("numpy", "numba", "cupy")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((70, 6)).astype(np.float32)
Y = RNG.integers(0, 4, 70)
STEPS = 5  # of an epoch with batches of 16: four and a short one


@pytest.fixture
def gpu() -> Iterator[Driver]:
    with backend() as driver:
        yield driver


def model(capture: bool, optimizer: Any = None, middle: Any = None, loss: Any = None) -> sn.Sequential:
    sn.utils.set_random_seed(3)
    middle = [L.BatchNormalization(), L.ReLU(), L.Dropout(0.3), L.GaussianNoise(0.2)] if middle is None else middle
    made = sn.Sequential([L.Input((6,)), L.Dense(8), *middle, L.Dense(4)])
    made.compile(
        optimizer or sn.optimizers.Adam(0.01, weight_decay=0.01),
        loss or sn.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        capture=capture,
    )
    return made


def state(made: sn.Sequential) -> dict[str, Any]:
    """Everything that a fit leaves behind."""
    return {
        "weights": [weight.tolist() for weight in made.get_weights()],
        "slots": {name: slot.get().tolist() for name, slot in made.optimizer.slots.items()},
        "iterations": made.optimizer.iterations,
        "dropout": [layer.step for layer in made.layers if isinstance(layer, L.Dropout)],
        "history": made.history.history,
        "progress": (made.progress.epoch, made.progress.step, made.progress.samples),
    }


def fit(made: sn.Sequential, **settings: Any) -> dict[str, Any]:
    sn.utils.set_random_seed(8)
    made.fit(X, Y, **{"batch_size": 16, "epochs": 3, "verbose": 0, **settings})
    return state(made)


# User-defined parts ---------------------------------------------------------------------------------------------------


class Plain(sn.optimizers.Optimizer):
    """In arithmetic that CuPy's arrays know."""

    calls = 0
    counters = ("iterations", "calls")

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        self.calls += 1
        params -= grads * rate


class Doubled(L.Dense):
    backends = ALL

    def forward(self, x: Any, training: bool = False) -> Any:
        return super().forward(x, training) * 2

    def backward(self, dy: Any) -> Any:
        return super().backward(dy * 2)


class Halved(sn.losses.SparseCategoricalCrossentropy):
    backends = ALL

    def evaluate(self, y: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        super().evaluate(y, targets, weights * 0.5, logits, totals, dy)


def patched() -> Any:
    optimizer = sn.optimizers.SGD(0.1)
    update = optimizer.update
    optimizer.update = lambda params, grads, *rest: update(params, grads * 0.5, *rest)  # type: ignore[method-assign]
    return optimizer


OWN: dict[str, Callable[[], dict[str, Any]]] = {
    "optimizer": lambda: {"optimizer": Plain(0.1)},
    "method of an optimizer": lambda: {"optimizer": patched()},
    "layer": lambda: {"middle": [Doubled(5)]},
    "layer inside another": lambda: {"middle": [sn.Sequential([L.Dense(5), Doubled(5)])]},
    "loss": lambda: {"loss": Halved(from_logits=True)},
}


@pytest.mark.parametrize("part", OWN)
def test_parts_of_a_user_s_own_run_from_python(part: str, gpu: Driver) -> None:
    captured, eager = (model(capture, **OWN[part]()) for capture in (True, False))
    assert fit(captured) == fit(eager)
    assert gpu.replays == 0
    if part == "optimizer":
        assert captured.optimizer.calls == 3 * STEPS


class Remembering(sn.optimizers.schedules.LearningRateSchedule):
    """A rate that depends on how often it was asked for, and, in the end, on nothing: it fails."""

    def __init__(self, last: int) -> None:
        self.asked: list[int] = []
        self.last = last

    def __call__(self, step: int) -> float:
        self.asked.append(step)
        if step == self.last:
            raise RuntimeError(f"no rate for step {step}")
        return 0.1 / len(self.asked)


def test_a_schedule_of_a_user_s_own_is_asked_once_for_every_step_when_it_comes(gpu: Driver) -> None:
    schedules = [Remembering(-1), Remembering(-1)]
    captured, eager = (model(not k, sn.optimizers.Nadam(schedules[k])) for k in (0, 1))
    assert fit(captured, batch_size=2, epochs=2) == fit(eager, batch_size=2, epochs=2)
    assert schedules[0].asked == schedules[1].asked == list(range(70))
    assert gpu.replays == 70


# Settings that change -------------------------------------------------------------------------------------------------


CHANGES: dict[str, Callable[[sn.Sequential], None]] = {
    "beta_1": lambda made: setattr(made.optimizer, "beta_1", 0.5),
    "clipvalue": lambda made: setattr(made.optimizer, "clipvalue", 1e-3),
    "weight_decay": lambda made: setattr(made.optimizer, "weight_decay", 0.5),
    "learning_rate": lambda made: setattr(made.optimizer, "learning_rate", 0.1),
    "number of a schedule": lambda made: setattr(made.optimizer.rate_or_schedule, "decay_rate", 0.1),
    "rate of Dropout": lambda made: setattr(made.layers[3], "rate", 0.6),
    "key of Dropout": lambda made: setattr(made.layers[3], "key", 7),
    "stddev of GaussianNoise": lambda made: setattr(made.layers[4], "stddev", 0.6),
    "momentum of BatchNormalization": lambda made: setattr(made.layers[1], "momentum", 0.5),
    "smoothing of a loss": lambda made: setattr(made.loss, "label_smoothing", 0.3),
    "array of a weight": lambda made: made.layers[-1].params.update(kernel=made.layers[-1].kernel / 2),
    "iterations": lambda made: setattr(made.optimizer, "iterations", 100),
    "step of a callback's own": lambda made: made.train_on_batch(X[:9], Y[:9]),
    "gradients of a callback's own": lambda made: made.loss_and_gradients(X[:9], Y[:9]),
    "masks of a callback's own": lambda made: made(X[:9], training=True),
}


class Change(sn.callbacks.Callback):
    """Changes something once, after a number of steps."""

    def __init__(self, change: Callable[[sn.Sequential], None], at: int) -> None:
        super().__init__()
        self.change, self.at = change, at

    def look(self) -> None:
        if self.model.optimizer.iterations == self.at:
            self.change(self.model)


class ChangeBetweenBatches(Change):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.look()


class ChangeBetweenEpochs(Change):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.look()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["batches", "epochs"])
def test_a_changed_setting_counts_at_once(change: str, when: str, gpu: Driver) -> None:
    def run(capture: bool, at: int) -> dict[str, Any]:
        rate = sn.optimizers.schedules.ExponentialDecay(0.01, 10, 0.5) if "schedule" in change else 0.01
        made = model(capture, sn.optimizers.Adam(rate, weight_decay=0.01))
        kind = ChangeBetweenBatches if when == "batches" else ChangeBetweenEpochs
        return fit(made, callbacks=[kind(CHANGES[change], at)])

    at = 7 if when == "batches" else STEPS
    captured = run(True, at)
    assert gpu.replays == 3 * STEPS
    assert captured == run(False, at) != run(False, -1)


def test_what_stays_as_it_is_is_captured_once(gpu: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    captures: list[Any] = []
    capture = gpu.capture
    monkeypatch.setattr(gpu, "capture", lambda work: captures.append(work) or capture(work))
    rate = sn.optimizers.schedules.ExponentialDecay(0.01, 10, 0.5)
    halve = Change(lambda made: made.set_weights([weight / 2 for weight in made.get_weights()]), STEPS)
    fit(model(True, sn.optimizers.Adam(rate)), validation_data=(X, Y), callbacks=[halve])
    assert len(captures) == 2  # one for each batch size


def test_a_larger_batch_in_between_changes_nothing(gpu: Driver) -> None:
    many = np.repeat(X, 20, axis=0), np.repeat(Y, 20)
    callbacks = [[ChangeBetweenEpochs(lambda made: made.test_on_batch(*many), STEPS)], None]
    asks, does_not = (fit(model(True), callbacks=one) for one in callbacks)
    assert asks == does_not


class StopsAt(sn.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_training = batch == 1


def test_a_resumed_fit_that_begins_with_the_short_batch(gpu: Driver, tmp_path: Any) -> None:
    whole = fit(model(True), batch_size=32)
    fit(model(True), batch_size=32, callbacks=[StopsAt(), sn.callbacks.TrainingCheckpoint(tmp_path)])
    rest = model(True)
    progress = sn.checkpoint.resume(tmp_path, rest)
    assert (progress.epoch, progress.step) == (0, 2)  # 6 of 70 samples are left of the epoch
    assert fit(rest, batch_size=32, progress=progress) == whole


# Failures -------------------------------------------------------------------------------------------------------------


def fails(capture: bool, error: type[Exception], optimizer: Any = None, **settings: Any) -> dict[str, Any]:
    made = model(capture, optimizer)
    with pytest.raises(error) as caught:
        fit(made, **settings)
    return {"said": str(caught.value), **state(made)}


@pytest.mark.parametrize("bad", [0, 1, 20, 34])
def test_after_a_loss_that_is_not_finite_nothing_changes_any_more(bad: int, gpu: Driver) -> None:
    weights = np.ones(70)
    weights[2 * bad] = np.inf  # the loss alone: what the layers compute stays finite
    both = [
        fails(capture, NumericsError, batch_size=2, shuffle=False, sample_weight=weights) for capture in (True, False)
    ]
    assert both[0] == both[1]
    assert both[0]["iterations"] == bad
    assert both[0]["dropout"] == [bad + 1]


@pytest.mark.parametrize("change", ["iterations", "step of a callback's own"])
def test_the_step_of_a_loss_that_is_not_finite_is_found_after_a_callback_s_own_steps(change: str, gpu: Driver) -> None:
    weights = np.ones(70)
    weights[40] = np.inf
    settings = {"batch_size": 2, "shuffle": False, "sample_weight": weights}
    own = ChangeBetweenBatches(CHANGES[change], 3)
    both = [fails(capture, NumericsError, callbacks=[own], **settings) for capture in (True, False)]
    assert both[0] == both[1]


class Raises(sn.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 4:
            raise RuntimeError("not of step 4")


@pytest.mark.parametrize("later", ["callback", "schedule", "checkpoint"])
def test_a_loss_that_is_not_finite_comes_before_what_happens_later(later: str, gpu: Driver, tmp_path: Any) -> None:
    weights = np.ones(70)
    weights[5] = np.inf
    both = []
    for capture in (True, False):
        folder = tmp_path / str(capture)
        watchers = {"callback": Raises(), "checkpoint": sn.callbacks.TrainingCheckpoint(folder, every_steps=2)}
        optimizer = sn.optimizers.Adam(Remembering(4) if later == "schedule" else 0.01)
        callbacks = [watchers[later]] if later in watchers else None
        settings = {"batch_size": 2, "shuffle": False, "sample_weight": weights, "callbacks": callbacks}
        both.append(fails(capture, NumericsError, optimizer, **settings))
        if later == "checkpoint":
            made = model(capture, sn.optimizers.Adam(0.01))
            both[-1]["resumed"] = sn.checkpoint.resume(folder, made).step
            both[-1]["kept"] = [weight.tolist() for weight in made.get_weights()]
    assert both[0] == both[1]
    assert both[0]["iterations"] == 2


def test_an_interrupted_epoch_waits_for_what_is_queued(gpu: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupts(sn.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            monkeypatch.setattr(gpu, "wait", lambda: waited.append(batch))
            raise KeyboardInterrupt

    waited: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        fit(model(True), batch_size=2, callbacks=[Interrupts()])
    assert waited == [0]


@pytest.mark.parametrize("last", [0, 3, 40])
def test_a_schedule_of_a_user_s_own_that_fails_does_so_at_its_step(last: int, gpu: Driver) -> None:
    both = [fails(capture, RuntimeError, sn.optimizers.Nadam(Remembering(last)), batch_size=2) for capture in (1, 0)]
    assert both[0] == both[1]
    assert both[0]["iterations"] == last


def test_a_schedule_of_ours_that_fails_does_so_at_its_step(gpu: Driver) -> None:
    both = []
    for capture in (True, False):
        overflows = sn.optimizers.schedules.ExponentialDecay(1e-303, 40, 1e300)  # at step 42
        made = model(capture, sn.optimizers.SGD(overflows), middle=[])
        with pytest.raises(sn.errors.ConfigError, match=r"learning_rate of step 42: expected a number in .*, got inf"):
            fit(made, batch_size=2)
        both.append(state(made))
    assert both[0] == both[1]
    assert 40 < both[0]["iterations"] < 45

"""A recorded step is the step: the same bits as run from Python, and whatever is changed on the way is noticed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import layers, optimizers, stepping
from scratchnet.batches import Feed, Source
from scratchnet.errors import NumericsError
from scratchnet.recording import Recording
from scratchnet.training import Trainer

RNG = np.random.default_rng(5)
X = (RNG.random((75, 6, 5)) * (RNG.random((6, 5)) < 0.6)).astype("float32")
LABELS = RNG.integers(0, 4, 75)
BATCH = 32  # 75 samples: two of these and a short one
STEPS = 3 * 3 + 4  # from Python: all with capture=False, and the first two of each of the two batch sizes


@pytest.fixture(autouse=True)
def numba_backend() -> Any:
    with sn.use_backend("numba"):
        yield


def mlp(*middle: Any) -> list[Any]:
    return [layers.Input((6, 5)), layers.Flatten(), layers.Dense(40, activation="relu"), *middle, layers.Dense(4)]


def images(*middle: Any) -> list[Any]:
    return [layers.Input((6, 5)), layers.Reshape((6, 5, 1)), *middle, layers.Flatten(), layers.Dense(4)]


NETWORKS: dict[str, Callable[[], list[Any]]] = {
    "relu": mlp,
    "softmax at the end": lambda: [*mlp(), layers.Softmax()],
    "dropout": lambda: mlp(layers.Dropout(0.3), layers.Dense(9, activation="tanh"), layers.Dropout(0.5)),
    "dropout of the input": lambda: [layers.Input((6, 5)), layers.Dropout(0.2), *mlp()[1:]],
    "activations": lambda: mlp(layers.Dense(8, activation="gelu"), layers.LeakyReLU(0.1), layers.Activation("sigmoid")),
    "a stack with dropout inside": lambda: mlp(sn.Sequential([layers.Dense(12), layers.ReLU(), layers.Dropout(0.4)])),
    "residual": lambda: mlp(layers.Residual([layers.Dense(40, activation="relu"), layers.Dense(40)])),
    "sigmoid at the end": lambda: mlp(layers.Dense(4), layers.Activation("sigmoid")),
    "doubles": lambda: [
        layers.Input((6, 5), dtype="float64"),
        layers.Flatten(dtype="float64"),
        layers.Dense(4, dtype="float64"),
    ],
    "convolution": lambda: images(layers.Conv2D(3, 3), layers.Conv2D(6, 2, strides=2, groups=3, activation="relu")),
    "Winograd's convolution": lambda: images(
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.Conv2D(16, 3),
        layers.Conv2D(16, 5, padding="same"),
    ),
    "encoder and decoder": lambda: images(
        layers.SeparableConv2D(4, 3, 2, "same", activation="relu"),
        layers.UpSampling2D(2),
        layers.Cropping2D(1),
        layers.Conv2DTranspose(3, 3, 2, "same", activation="relu"),
        layers.DepthwiseConv2D(3),
    ),
    "pooling": lambda: images(
        layers.ZeroPadding2D((1, 2)), layers.MaxPooling2D(3, 2, padding="same"), layers.AveragePooling2D(2)
    ),
    "pooling beside dropout": lambda: images(sn.Sequential([layers.MaxPooling2D(2), layers.Dropout(0.3)])),
    "batch norm": lambda: images(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.GlobalMaxPooling2D()),
    "layer norm": lambda: mlp(layers.LayerNormalization()),
    "convolution with dropout": lambda: images(layers.Dropout(0.2), layers.Conv2D(4, 3), layers.Dropout(0.5)),
    "augmentation": lambda: images(
        layers.RandomFlip(), layers.RandomTranslation(0.4, 0.4), layers.Conv2D(4, 3), layers.GaussianNoise(0.1)
    ),
    "rescaled": lambda: [layers.Input((6, 5)), layers.Rescaling(2.0, -1.0), *mlp()[1:]],
}
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": lambda: optimizers.Adam(0.01),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.01),
    "nadam": lambda: optimizers.Nadam(0.01),
    "sgd": lambda: optimizers.SGD(0.1),
    "nesterov": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01, centered=True, momentum=0.5),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "schedule": lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.02, 3, 0.8)),
    "clipped values": lambda: optimizers.Adam(0.01, clipvalue=1e-3),
    "clipped norms": lambda: optimizers.SGD(0.1, clipnorm=0.02),
    "clipped together": lambda: optimizers.SGD(0.1, global_clipnorm=0.05),
}


def build(network: Callable[[], list[Any]], optimizer: Any, loss: Any = None, capture: bool = True) -> sn.Sequential:
    sn.utils.set_random_seed(3)
    model = sn.Sequential(network())
    last = model.layers[-1]
    loss = loss or sn.losses.SparseCategoricalCrossentropy(from_logits=not isinstance(last, layers.Softmax))
    model.compile(optimizer, loss, metrics=["accuracy"] if loss.counts_correct else None, capture=capture)
    return model


class Counting:
    """How many steps were run from Python."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        real = Trainer.gradients

        def gradients(trainer: Trainer, *batch: Any) -> None:
            self.steps += 1
            real(trainer, *batch)

        monkeypatch.setattr(Trainer, "gradients", gradients)


@pytest.fixture
def from_python(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def assert_same(one: sn.Sequential, other: sn.Sequential) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, slot in one.optimizer.slots.items():
        np.testing.assert_array_equal(slot, other.optimizer.slots[name])
    assert one.optimizer.iterations == other.optimizer.iterations


def fit_both(make: Callable[[bool], sn.Sequential], x: Any = X, y: Any = LABELS, **settings: Any) -> list[Any]:
    models = []
    for capture in (True, False):
        model = make(capture)
        sn.utils.set_random_seed(8)
        history = model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0, **settings).history
        models.append((model, history))
    (recorded, first), (plain, second) = models
    assert first == second
    assert_same(recorded, plain)
    return [recorded, plain]


@pytest.mark.parametrize("network", NETWORKS)
def test_networks(network: str, from_python: Counting) -> None:
    fit_both(lambda capture: build(NETWORKS[network], optimizers.Adam(0.01), capture=capture))
    assert from_python.steps == STEPS


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer: str, from_python: Counting) -> None:
    fit_both(lambda capture: build(mlp, OPTIMIZERS[optimizer](), capture=capture))
    assert from_python.steps == STEPS


@pytest.mark.parametrize("case", ["squares", "one-hot", "smoothing", "probabilities", "float64", "weights", "pixels"])
def test_losses_and_data(case: str, from_python: Counting) -> None:
    x, y, network, loss, settings = X, LABELS, mlp, None, {}
    if case == "squares":
        y, loss = np.eye(4)[LABELS], sn.losses.MeanSquaredError()
    elif case == "one-hot":
        y, loss = np.eye(4)[LABELS], sn.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    elif case == "smoothing":
        loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    elif case == "probabilities":
        network = NETWORKS["sigmoid at the end"]
        loss = sn.losses.SparseCategoricalCrossentropy()
    elif case == "float64":
        network = NETWORKS["doubles"]
    elif case == "weights":
        settings = {"sample_weight": RNG.random(75)}
    else:
        x = sn.datasets.Pixels((X * 255).astype("uint8"))
    fit_both(lambda capture: build(network, optimizers.Adam(0.01), loss, capture), x, y, **settings)
    assert from_python.steps == STEPS


def test_wide_inputs_with_zeros(from_python: Counting) -> None:
    x = (RNG.random((64, 400)) * np.repeat(RNG.random((64, 20)) < 0.2, 20, axis=1)).astype("float32")
    network = lambda: [layers.Input((400,)), layers.Dense(96, activation="relu"), layers.Dense(4)]  # noqa: E731
    recorded, plain = fit_both(lambda capture: build(network, optimizers.Adam(0.01), capture=capture), x, LABELS[:64])
    for model in (recorded, plain):
        for _ in range(3):
            model.train_on_batch(x[:BATCH], LABELS[:BATCH])
    assert_same(recorded, plain)
    (program,) = [one.program for one in recorded.trainer().stepper.recordings.values()]
    assert {"_multiply", "_gradient"} <= {launch.kernel.py_func.__name__ for launch in program.launches}
    assert from_python.steps == 6 + 2 + 3 + 2


@pytest.mark.parametrize("case", ["a layer of the user's", "a metric on the host"])
def test_what_cannot_be_recorded_runs_from_python(case: str, from_python: Counting) -> None:
    class Doubled(layers.Dense):
        def forward(self, x: Any, training: bool = False) -> Any:
            return 2 * super().forward(x, training)

        def backward(self, dy: Any) -> Any:
            return super().backward(2 * dy)

    def make(capture: bool) -> sn.Sequential:
        network, optimizer = mlp, optimizers.Adam(0.01)
        if case == "a layer of the user's":
            network = lambda: mlp(Doubled(7))  # noqa: E731
        model = build(network, optimizer, capture=capture)
        if case == "a metric on the host":
            model.compile(optimizer, model.loss, metrics=[lambda y, p: (p.argmax(-1) == y).astype(float)])
        return model

    fit_both(make)
    assert from_python.steps == 18


MANY_X, MANY_LABELS = RNG.random((999, 6, 5)).astype("float32"), RNG.integers(0, 4, 999)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps were taken together, each time."""
    counts: list[int] = []
    real = Recording.replay_steps

    def replay_steps(recording: Recording, *arguments: Any) -> int:
        counts.append(real(recording, *arguments))
        return counts[-1]

    monkeypatch.setattr(Recording, "replay_steps", replay_steps)
    return counts


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shuffle": False},
        {"drop_last": True},
        {"steps_per_epoch": 70},  # passes end in the middle of an epoch
        {"sample_weight": RNG.random(999)},
        {"validation_split": 0.2},
        {"class_weight": {0: 2.0, 1: 0.5}},
    ],
    ids=lambda settings: next(iter(settings), "plain"),
)
def test_many_steps_together(settings: dict[str, Any], together: list[int]) -> None:
    def make(capture: bool) -> sn.Sequential:
        model = build(mlp, OPTIMIZERS["schedule"](), capture=capture)
        fit = model.fit
        model.fit = lambda *args, **kwargs: fit(*args, **{**kwargs, "batch_size": 10})  # type: ignore[method-assign]
        return model

    fit_both(make, MANY_X, MANY_LABELS, **settings)
    assert max(together) > 8
    assert sum(together) > 150


def test_feeds_in_turn() -> None:
    models = []
    for capture in (True, False):
        model = build(mlp, optimizers.Adam(0.01), capture=capture)
        trainer = model.trainer()
        feeds = [Feed(Source(x, (6, 5), "float32"), LABELS.astype(np.int32)) for x in (X, X[::-1] + 1)]
        with trainer.running():
            for k in (0, 0, 1, 1, 0, 1):
                assert trainer.stepper.steps(feeds[k], np.arange(8 * k, 8 * k + 8).reshape(1, 8)) == 1
        models.append(model)
    assert_same(*models)


def test_a_callback_between_batches_sees_every_step(together: list[int]) -> None:
    seen: list[int] = []
    counter = sn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    build(mlp, optimizers.Adam(0.01)).fit(MANY_X, MANY_LABELS, batch_size=10, verbose=0, callbacks=[counter])
    assert seen == list(range(100))
    assert together == []


def test_many_steps_with_targets_that_only_numpy_can_take() -> None:
    fit_both(lambda capture: build(mlp, optimizers.Adam(0.01), sn.losses.MeanSquaredError(), capture),
             MANY_X, np.asfortranarray(np.eye(4)[MANY_LABELS]))  # fmt: skip


@pytest.mark.parametrize("bad", [0, 37, 64, 98])
def test_the_step_whose_loss_is_not_finite_is_found(bad: int) -> None:
    x = MANY_X.copy()
    x[10 * bad + 3] = 3e38
    said = []
    for capture in (True, False):
        model = build(mlp, optimizers.SGD(0.01), capture=capture)
        with pytest.raises(NumericsError) as error:
            model.fit(x, MANY_LABELS, batch_size=10, shuffle=False, verbose=0)
        said.append((str(error.value), model.progress.step, model.progress.samples, model.optimizer.iterations))
        said.append([weight.tolist() for weight in model.get_weights()])
    assert said[:2] == said[2:]
    assert said[0][1:] == (bad, 10 * bad, bad)


class Change(sn.callbacks.Callback):
    def __init__(self, change: Callable[[sn.Sequential], None]) -> None:
        self.change = change

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.optimizer.iterations == 11:  # its numbers are worked out for steps 8 to 15 at once
            self.change(self.model)


def set_rate(model: sn.Sequential) -> None:
    model.optimizer.learning_rate = 0.2 * model.optimizer.learning_rate


def set_beta(model: sn.Sequential) -> None:
    model.optimizer.beta_1 = 0.5


def set_dropout(model: sn.Sequential) -> None:
    model.layers[2].rate = 0.7


def halve_weights(model: sn.Sequential) -> None:
    model.set_weights([weight / 2 for weight in model.get_weights()])


def set_clipping(model: sn.Sequential) -> None:
    model.optimizer.clipvalue = 1e-3


def set_smoothing(model: sn.Sequential) -> None:
    model.loss.label_smoothing = 0.3


def set_decay(model: sn.Sequential) -> None:
    model.optimizer.rate_or_schedule.decay_rate = 0.2


def set_activation(model: sn.Sequential) -> None:
    model.layers[1].activation = "tanh"


CHANGES = [set_activation, set_rate, set_beta, set_dropout, halve_weights, set_clipping, set_smoothing, set_decay]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_between_two_steps_count_at_once(change: Callable[[sn.Sequential], None]) -> None:
    network = lambda: mlp(layers.Dropout(0.1))  # noqa: E731
    # One callback object would carry its model over.
    models = []
    for capture in (True, False):
        rate = optimizers.schedules.ExponentialDecay(0.01, 3, 0.9) if change is set_decay else 0.01
        model = build(network, optimizers.Adam(rate), capture=capture)
        sn.utils.set_random_seed(8)
        model.fit(X, LABELS, batch_size=BATCH, epochs=5, verbose=0, callbacks=[Change(change)])
        models.append(model)
    assert_same(*models)


def test_a_loss_that_is_not_finite_leaves_the_weights_alone(from_python: Counting) -> None:
    said = []
    for capture in (True, False):
        model = build(mlp, optimizers.Adam(0.01), capture=capture)
        for _ in range(2):
            model.train_on_batch(X[:BATCH], LABELS[:BATCH])
        good = model.get_weights()
        model.set_weights([weight * 1e25 for weight in good])
        before = model.get_weights()
        with pytest.raises(NumericsError) as error:
            model.train_on_batch(X[:BATCH], LABELS[:BATCH])
        said.append(str(error.value))
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert model.optimizer.iterations == 2
        model.set_weights(good)
        model.train_on_batch(X[:BATCH], LABELS[:BATCH])
    assert said[0] == said[1]
    assert from_python.steps == 4 + 2


def test_long_steps_are_not_taken_together(together: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "TOGETHER_SECONDS", 0.0)
    build(mlp, optimizers.Adam(0.01)).fit(MANY_X, MANY_LABELS, batch_size=10, verbose=0)
    assert together == []


def test_samples_that_are_the_targets_once() -> None:
    """Then it is not known which of the two a launch reads."""
    clean = X.reshape(len(X), 30)
    noisy = clean + RNG.normal(0, 0.3, clean.shape).astype("float32")
    models = []
    for capture in (True, False):
        sn.utils.set_random_seed(3)
        model = sn.Sequential([layers.Dense(30, input_shape=(30,))])
        model.compile(optimizers.SGD(0.1), "mse", capture=capture)
        for x in (clean, clean, clean, noisy, noisy, clean, noisy):
            model.train_on_batch(x, clean)
        models.append(model)
    assert_same(*models)


def test_few_recordings_are_kept_and_none_after_a_fit() -> None:
    model = build(mlp, optimizers.Adam(0.01))
    for n in [*range(1, 20), *range(1, 20)]:
        model.train_on_batch(X[:n], LABELS[:n])
    assert list(model.trainer().stepper.recordings) == [16, 17, 18, 19]
    x = MANY_X.copy()
    gone = weakref.ref(x)
    model.fit(x, MANY_LABELS, epochs=2, verbose=0)
    del x
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("capture", [True, False])
def test_an_array_put_in_place_of_a_weight_is_trained_from_then_on(capture: bool) -> None:
    """In the middle of fit, as if its numbers had been copied into the weight."""

    def put(model: sn.Sequential) -> None:
        model.layers[1].params["kernel"] = np.full((30, 40), 0.01)

    def copy(model: sn.Sequential) -> None:
        model.layers[1].kernel = np.full((30, 40), 0.01)

    models = []
    for change in (put, copy):
        model = build(mlp, optimizers.Adam(0.01), capture=capture)
        sn.utils.set_random_seed(8)
        model.fit(X, LABELS, batch_size=BATCH, epochs=5, verbose=0, callbacks=[Change(change)])
        models.append(model)
    assert_same(*models)
    assert np.ptp(models[0].layers[1].kernel) > 0.01


@pytest.mark.parametrize("change", ["a NumPy number", "a list in place", "other statistics", "another slot"])
def test_what_is_changed_in_other_ways_counts_at_once(change: str) -> None:
    models = []  # the optimizer's numbers are worked out for steps 9 to 16 at once
    for capture in (True, False):
        middle = layers.Dropout(0.3) if change == "a NumPy number" else layers.BatchNormalization()
        rate = optimizers.schedules.PiecewiseConstantDecay([1000], [0.01, 0.1])
        model = build(lambda middle=middle: mlp(middle), optimizers.Adam(rate), capture=capture)
        for step in range(20):
            if step == 11 and change == "a NumPy number":
                model.layers[2].rate = np.float32(0.8)
            elif step == 11 and change == "a list in place":
                model.optimizer.rate_or_schedule.values[0] = 0.5
            elif step == 11 and change == "other statistics":
                model.layers[2].state["moving_mean"] = np.ones(40, "float32")
            elif step == 11:
                model.optimizer.slots["velocity"] = np.ones_like(model.optimizer.slots["velocity"])
            model.train_on_batch(X[:BATCH], LABELS[:BATCH])
        models.append(model)
    assert_same(*models)


def test_a_schedule_that_fails_does_so_at_its_step() -> None:
    class Ends(optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: int) -> float:
            if step == 7:
                raise RuntimeError("no rate for step 7")
            return 0.01

    model = build(mlp, optimizers.Adam(Ends()))
    for _ in range(7):
        model.train_on_batch(X[:BATCH], LABELS[:BATCH])
    with pytest.raises(RuntimeError, match="no rate for step 7"):
        model.train_on_batch(X[:BATCH], LABELS[:BATCH])
    assert model.optimizer.iterations == 7


def test_steps_in_another_thread_and_on_another_backend() -> None:
    models = [build(mlp, optimizers.Adam(0.01), capture=capture) for capture in (True, False)]
    for model in models:
        step = lambda one=model: one.train_on_batch(X[:BATCH], LABELS[:BATCH])  # noqa: E731
        step()
        other = threading.Thread(target=step)
        other.start()
        other.join()
        step()
    assert_same(*models)
    with sn.use_backend("numpy"):
        for model in models:
            model.train_on_batch(X[:BATCH], LABELS[:BATCH])
    assert_same(*models)
    for model in models:
        model.train_on_batch(X[:BATCH], LABELS[:BATCH])
    assert_same(*models)


def test_a_batch_that_has_to_be_converted_is_run_from_python() -> None:
    """The launches would know the array that was made of the first batch."""
    models = []
    for capture in (True, False):
        model = build(mlp, optimizers.Adam(0.01), sn.losses.CategoricalCrossentropy(from_logits=True), capture)
        trainer = model.trainer()
        with trainer.running():
            for start in range(0, 40, 8):
                x, targets = X[start : start + 8], np.eye(4)[LABELS[start : start + 8]]  # in float64
                trainer.stepper.step(x, targets, trainer.weights(8))
        models.append(model)
    assert_same(*models)


FORKED = """
import os, sys
import numpy as np, scratchnet as sn
sn.set_backend("numba")
model = sn.Sequential([sn.layers.Input((300,)), sn.layers.Dense(64), sn.layers.Dense(3)])
model.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
x, y = np.ones((32, 300), "float32"), np.zeros(32, int)
for _ in range(3):
    model.train_on_batch(x, y)
child = os.fork()
if child == 0:
    try:
        model.train_on_batch(x, y)
    except sn.errors.BackendError as error:
        os._exit(7 if "forked" in str(error) else 1)
    os._exit(2)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], timeout=120, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr

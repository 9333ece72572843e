"""Callbacks: Keras's decisions, as the real Keras makes them; their files; what happens when one goes wrong."""

from __future__ import annotations

import json
import warnings

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet.errors import CheckpointError, ConfigError, NumericsError, ScratchnetError

RNG = np.random.default_rng(1)
X, Y = RNG.random((64, 6)), RNG.integers(0, 3, 64)


@pytest.fixture(autouse=True)
def _numpy_backend():
    with sn.use_backend("numpy"):
        yield


def small(rate=0.01, **compile_settings):
    """A model that is compiled."""
    sn.utils.set_random_seed(0)
    model = sn.Sequential([sn.layers.Dense(5, activation="relu", input_shape=(6,)), sn.layers.Dense(3)])
    loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(sn.optimizers.SGD(rate), loss, metrics=["accuracy"], **compile_settings)
    return model


def fit(model, *callbacks, epochs=3, **kwargs):
    kwargs = {"validation_split": 0.25, "batch_size": 16, "verbose": 0, **kwargs}
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **kwargs)


# The same decisions as Keras ------------------------------------------------------------------------------------------


class Stand:
    """What a callback sees of a model: one for Keras's callbacks and one for ours, told the same."""

    def __init__(self, rate=1.0):
        self.metrics, self.stop_training = [], False
        self.optimizer = sn.optimizers.SGD(rate)
        self.weights, self.saved = [np.zeros(1)], []

    def get_weights(self):
        return [np.array(w) for w in self.weights]

    def set_weights(self, weights):
        self.weights = weights


def drive(callback, model, values, name):
    """Tell a callback of one epoch per value; the logs that it leaves, and what it did to the model."""
    callback.set_model(model)
    callback.on_train_begin({})
    rows = []
    for epoch, value in enumerate(values):
        model.weights = [np.array([float(epoch)])]
        callback.on_epoch_begin(epoch, {})
        logs = {name: value}
        callback.on_epoch_end(epoch, logs)
        rows.append((dict(logs), model.stop_training, model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end({})
    return rows, float(model.weights[0][0])


def walks(count=60):
    """Curves that wander in steps of 1/64: exact in float32, which Keras compares in, with many ties."""
    rng = np.random.default_rng(5)
    for _ in range(count):
        yield rng, [float(v) for v in 2 - np.cumsum(rng.integers(-3, 4, rng.integers(1, 30))) / 64]


@keras_side.GROUP
def test_early_stopping_stops_when_keras_does_and_restores_the_same_weights(capsys):
    theirs = keras_side.keras().callbacks.EarlyStopping
    stopped = 0
    for rng, values in walks():
        arguments = {
            "min_delta": int(rng.integers(0, 4)) / 64,
            "patience": int(rng.integers(0, 5)),
            "baseline": None if rng.random() < 0.6 else 2 - int(rng.integers(0, 9)) / 64,
            "restore_best_weights": bool(rng.random() < 0.5),
            "start_from_epoch": int(rng.integers(0, 3)),
            "monitor": "val_loss",
            "mode": ["auto", "min", "max"][int(rng.integers(3))],
            "verbose": 1,
        }
        expected = drive(theirs(**arguments), Stand(), values, "val_loss")
        said = capsys.readouterr().out
        assert drive(sn.callbacks.EarlyStopping(**arguments), Stand(), values, "val_loss") == expected, arguments
        assert capsys.readouterr().out == said
        stopped += "early stopping" in said
    assert 10 < stopped < 60


@keras_side.GROUP
def test_reduce_lr_on_plateau_reduces_when_keras_does():
    theirs = keras_side.keras().callbacks.ReduceLROnPlateau
    reduced = 0
    for rng, values in walks():
        arguments = {
            "factor": [0.5, 0.25][int(rng.integers(2))],
            "patience": int(rng.integers(1, 5)),
            "min_delta": int(rng.integers(0, 4)) / 64,
            "cooldown": int(rng.integers(0, 4)),
            "min_lr": [0.0, 0.125][int(rng.integers(2))],
            "mode": ["auto", "min", "max"][int(rng.integers(3))],
        }
        expected = drive(theirs(**arguments), Stand(), values, "val_loss")
        assert drive(sn.callbacks.ReduceLROnPlateau(**arguments), Stand(), values, "val_loss") == expected, arguments
        reduced += expected[0][-1][2] < 1
    assert 10 < reduced < 60


class Rounding(Stand):
    """Its optimizer has the learning rate in float32, as Keras's have it."""

    def __init__(self, rate):
        super().__init__(rate)
        self.optimizer = RoundingOptimizer()
        self.optimizer.learning_rate = rate


class RoundingOptimizer:
    def __setattr__(self, name, value):
        super().__setattr__(name, np.float32(value))


@keras_side.GROUP
def test_reduce_lr_on_plateau_waits_at_its_least_rate_as_keras_does():
    """0.1 * 0.1 * 0.1 lies above 0.001 in double precision, not in Keras's float32: the rate has not fallen then."""
    theirs = keras_side.keras().callbacks.ReduceLROnPlateau

    def driven(callback, model, values):
        rows, _ = drive(callback, model, values, "val_loss")
        return [rate for *_, rate in rows], callback.wait, callback.cooldown_counter

    for rng, values in walks(100):
        arguments = {
            "factor": [0.1, 0.3, 0.7][int(rng.integers(3))],
            "patience": int(rng.integers(1, 3)),
            "cooldown": int(rng.integers(0, 3)),
            "min_lr": [0.001, 0.09, 0.1, 0.3, 0.7, 0.49][int(rng.integers(6))],
        }
        rate = [1.0, 0.1, 0.3][int(rng.integers(3))]
        expected, *waits = driven(theirs(**arguments), Rounding(rate), values)
        got, *ours = driven(sn.callbacks.ReduceLROnPlateau(**arguments), Stand(rate), values)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        assert ours == waits, arguments


@pytest.mark.parametrize(
    ("name", "rises"),
    [("mae", False), ("mse", False), ("mean_squared_error", False), ("mean_absolute_error", False), ("acc", True),
     ("accuracy", True), ("binary_accuracy", True), ("top_k", True), ("sparse_top_k_categorical_accuracy", True)],
)  # fmt: skip
def test_the_direction_of_every_metric_is_known(name, rises):
    model = sn.Sequential([sn.layers.Dense(1, input_shape=(6,))])
    model.compile("sgd", "mse", metrics=[name])
    for callback in (
        sn.callbacks.EarlyStopping(f"val_{name}", patience=9),
        sn.callbacks.ReduceLROnPlateau(name),
    ):
        if "top_k" in name:  # of one output, it has no meaning in a fit
            callback.set_model(model)
        else:
            fit(model, callback, epochs=2)
        assert callback.rises() is rises
    renamed = sn.metrics.MeanAbsoluteError(name="accurate")  # the metric knows it better than its name
    model.compile("sgd", "mse", metrics=[renamed])
    stopping = sn.callbacks.EarlyStopping("val_accurate")
    fit(model, stopping, epochs=1)
    assert not stopping.rises()


@keras_side.GROUP
def test_learning_rate_scheduler_sets_what_keras_sets(capsys):
    theirs = keras_side.keras().callbacks.LearningRateScheduler
    for schedule in (lambda epoch, rate: rate * 0.5 if epoch > 1 else rate, lambda epoch: 1.0 / (epoch + 1)):
        expected = drive(theirs(schedule, verbose=1), Stand(), [1.0] * 5, "loss")
        said = capsys.readouterr().out
        assert drive(sn.callbacks.LearningRateScheduler(schedule, verbose=1), Stand(), [1.0] * 5, "loss") == expected
        assert capsys.readouterr().out.split("\n") == [line for line in said.split("\n")[1:] if line] + [""]


@keras_side.GROUP
def test_csv_logger_writes_the_bytes_that_keras_writes(tmp_path):
    theirs = keras_side.keras().callbacks.CSVLogger
    epochs = [
        {"loss": 0.1, "accuracy": np.float64(0.25)},
        {"loss": 1e-17, "accuracy": 1.0, "val_loss": 2.5},
        {"accuracy": np.array([0.5, 0.25]), "loss": "text, with a comma"},
    ]
    for separator, append, first in ((",", False, 0), (";", True, 0), (",", True, 1), (",", False, 1)):
        for side, cls in (("keras", theirs), ("ours", sn.callbacks.CSVLogger)):
            callback = cls(tmp_path / f"{side}.csv", separator=separator, append=append)
            callback.set_model(Stand())
            callback.on_train_begin({})
            for epoch, logs in enumerate(epochs[first:]):
                callback.on_epoch_begin(epoch, {})
                callback.on_epoch_end(epoch, dict(logs))
            callback.on_train_end({})
        assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "keras.csv").read_bytes()


@keras_side.GROUP
def test_model_checkpoint_saves_when_keras_does(tmp_path, monkeypatch):
    library = keras_side.keras()
    monkeypatch.setattr(sn.checkpoint, "save_training", lambda model, path: model.saved.append(path.name))

    def saved(cls, suffix, values, epochs, **arguments):
        model = Stand()
        model.save = lambda path, overwrite: model.saved.append(path.rsplit("/", 1)[1])
        callback = cls(str(tmp_path / ("{epoch:02d}-{val_loss:.3f}-{batch}" + suffix)), **arguments)
        callback.set_model(model)
        steps = len(values) // epochs
        for epoch in range(epochs):
            callback.on_epoch_begin(epoch)
            for batch, value in enumerate(values[epoch * steps : (epoch + 1) * steps]):
                callback.on_train_batch_end(batch, {"val_loss": value})
            callback.on_epoch_end(epoch, {"val_loss": value, "batch": "end"})
        return [name.removesuffix(suffix) for name in model.saved]

    count = 0
    for rng, values in walks(40):
        values = values * 3
        arguments = {
            "save_freq": ["epoch", 1, 2, 5][int(rng.integers(4))],
            "save_best_only": bool(rng.random() < 0.7),
            "mode": ["auto", "min", "max"][int(rng.integers(3))],
            "initial_value_threshold": None if rng.random() < 0.5 else 1.9375,
        }
        if arguments["save_freq"] != "epoch" and arguments["save_best_only"] and arguments["mode"] == "auto":
            arguments["mode"] = "min"  # Keras finds out the direction at the end of an epoch only, and fails before
        if arguments["save_freq"] != "epoch":
            arguments["save_best_only"] = False
        expected = saved(library.callbacks.ModelCheckpoint, ".keras", values, 3, **arguments)
        assert saved(sn.callbacks.ModelCheckpoint, ".safetensors", values, 3, **arguments) == expected, arguments
        count += len(expected)
    assert count > 100


# In a fit -------------------------------------------------------------------------------------------------------------


def test_callbacks_in_a_fit(tmp_path):
    seen = []
    model = small()
    callbacks = [
        sn.callbacks.ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.safetensors"),
        sn.callbacks.ModelCheckpoint(tmp_path / "weights.safetensors", save_weights_only=True, save_freq=5),
        sn.callbacks.CSVLogger(tmp_path / "log.csv"),
        sn.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        sn.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"], dict(logs))),
            on_epoch_begin=lambda epoch, logs: seen.append(epoch),
        ),
    ]
    history = fit(model, *callbacks).history
    assert history["learning_rate"] == [0.005, 0.0025, 0.00125]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        f"{epoch + 1:02d}-{loss:.2f}.safetensors" for epoch, loss in enumerate(history["val_loss"])
    ]
    assert [item for item in seen if isinstance(item, int)] == [0, 1, 2]
    batches = [item for item in seen if not isinstance(item, int)]
    assert [batch for batch, *_ in batches] == [0, 1, 2] * 3
    assert batches[-1][2] == {"loss": history["loss"][-1], "accuracy": history["accuracy"][-1]}
    other = small()
    other.load_weights(tmp_path / "weights.safetensors")
    last = sn.load_model(max((tmp_path / "new").iterdir()))
    np.testing.assert_array_equal(last.predict(X), model.predict(X))
    assert last.history is None
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,accuracy,loss,val_accuracy,val_loss"  # the scheduler comes after it
    assert lines[1].startswith("0,")


def test_what_a_callback_adds_to_the_logs_is_in_the_history():
    def add(epoch, logs):
        logs["extra"] = epoch * 2

    assert fit(small(), sn.callbacks.LambdaCallback(on_epoch_end=add)).history["extra"] == [0, 2, 4]


def test_early_stopping_in_a_fit_restores_the_best_weights():
    weights, losses = [], []

    def note(epoch, logs):
        weights.append(model.get_weights())
        losses.append(logs["val_loss"])

    model = small(rate=30.0)
    stopping = sn.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    history = fit(model, sn.callbacks.LambdaCallback(on_epoch_end=note), stopping, epochs=50)
    assert len(history.epoch) < 50
    best = int(np.argmin(losses))
    assert len(losses) == best + 3
    for ours, then in zip(model.get_weights(), weights[best], strict=True):
        np.testing.assert_array_equal(ours, then)


@pytest.mark.parametrize(
    "callback",
    [
        sn.callbacks.EarlyStopping("val_acuracy", mode="max"),
        sn.callbacks.ReduceLROnPlateau("val_acuracy", mode="max"),
        sn.callbacks.ModelCheckpoint("unused.safetensors", "val_acuracy", mode="max", save_best_only=True),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_a_quantity_that_does_not_exist_is_a_warning_that_names_those_that_do(callback, tmp_path):
    if hasattr(callback, "filepath"):
        callback.filepath = str(tmp_path / "m.safetensors")
    with pytest.warns(UserWarning, match="val_acuracy.*not there; there is: loss, accuracy, val_loss, val_accuracy"):
        assert len(fit(small(), callback).epoch) == 3


def test_a_direction_that_cannot_be_told_is_asked_for():
    def add(epoch, logs):
        logs["wiggle"] = epoch

    adding = sn.callbacks.LambdaCallback(on_epoch_end=add)
    asking = [
        lambda name: sn.callbacks.EarlyStopping(name, patience=1),
        lambda name: sn.callbacks.ReduceLROnPlateau(name),
        lambda name: sn.callbacks.ModelCheckpoint("unused.safetensors", name, save_best_only=True),
    ]
    for make in asking:
        model = small()
        with pytest.raises(ConfigError, match=r"'wiggle' should rise or fall: pass mode='max' or 'min'$"):
            fit(model, adding, make("wiggle"))
        with pytest.raises(ConfigError, match=r"'val_acuracy' should rise.*, or did you mean 'val_accuracy'"):
            fit(model, make("val_acuracy"))
        assert model.optimizer.iterations == 0  # said before training begins
    assert len(fit(small(), adding, sn.callbacks.EarlyStopping("wiggle", mode="max")).epoch) == 3
    assert len(fit(small(), sn.callbacks.EarlyStopping("val_accuracy", patience=9)).epoch) == 3
    with pytest.warns(UserWarning, match="mode: expected auto, min or max, got 'least'"):
        sn.callbacks.EarlyStopping(mode="least")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sn.callbacks.ReduceLROnPlateau(factor=1.0), r"factor: expected a number in \[0, 1\), got 1.0"),
        (lambda: sn.callbacks.ReduceLROnPlateau(factor=-1), r"factor: expected a number in \[0, 1\), got -1"),
        (lambda: sn.callbacks.ReduceLROnPlateau(min_lr="a"), r"ReduceLROnPlateau: min_lr: expected a number in .*'a'"),
        (lambda: sn.callbacks.ReduceLROnPlateau(cooldown=-1), r"cooldown: expected a number in \[0, inf\), got -1"),
        (
            lambda: sn.callbacks.EarlyStopping(baseline="a"),
            r"EarlyStopping: baseline: expected a number in .*, got 'a'",
        ),
        (lambda: sn.callbacks.EarlyStopping(patience="a"), r"patience: expected a number in \[0, inf\), got 'a'"),
        (lambda: sn.callbacks.EarlyStopping(start_from_epoch=None), "start_from_epoch: expected a number"),
        (lambda: sn.callbacks.EarlyStopping(min_delta="a"), "min_delta: expected a number"),
        (lambda: sn.callbacks.EarlyStopping(5), "EarlyStopping: monitor: expected a name in the logs, got 5"),
        (
            lambda: sn.callbacks.EarlyStopping(patiance=3),
            "^EarlyStopping has no argument 'patiance': did you mean 'pati",
        ),
        (lambda: sn.callbacks.CSVLogger("log", separator="ab"), "separator: expected one character, got 'ab'"),
        (lambda: sn.callbacks.CSVLogger(5), "CSVLogger: filename: expected a path, got 5"),
        (lambda: sn.callbacks.CSVLogger("log", sep=";"), "^CSVLogger has no argument 'sep'"),
        (lambda: sn.callbacks.ModelCheckpoint(None), "ModelCheckpoint: filepath: expected a path, got None"),
        (lambda: sn.callbacks.ModelCheckpoint("m.safetensors", period=2), "^ModelCheckpoint has no argument 'period'"),
        (
            lambda: sn.callbacks.ModelCheckpoint("m.safetensors", initial_value_threshold="a"),
            "initial_value_threshold: expected a",
        ),
        (lambda: sn.callbacks.TrainingCheckpoint(5), "TrainingCheckpoint: folder: expected a path, got 5"),
        (lambda: sn.callbacks.TensorBoard(log_dir=5), "TensorBoard: log_dir: expected a path, got 5"),
        (
            lambda: sn.callbacks.LearningRateScheduler(5),
            r"schedule: expected a function \(epoch, rate\) -> rate, got 5",
        ),
        (lambda: sn.callbacks.History(x=1), "^History has no argument 'x': it has: none$"),
        (lambda: sn.callbacks.Callback(x=1), "^Callback has no argument 'x': it has: none$"),
        (
            lambda: sn.callbacks.LambdaCallback(on_epoch_edn=print),
            "^LambdaCallback has no argument 'on_epoch_edn': did",
        ),
        (
            lambda: sn.callbacks.LambdaCallback(on_epoch_end=5),
            "LambdaCallback: on_epoch_end: expected a function, got 5",
        ),
        (
            lambda: sn.callbacks.ModelCheckpoint("m.safetensors", save_freq="step"),
            "save_freq: expected 'epoch' or a number",
        ),
        (lambda: sn.callbacks.ModelCheckpoint("m.safetensors", save_freq=0), "save_freq: expected 'epoch' or a number"),
        (lambda: sn.callbacks.TrainingCheckpoint("d", every_steps=0), "every_steps: expected a positive integer"),
        (lambda: fit(small(), "EarlyStopping"), "expected Callback objects, got 'EarlyStopping'"),
        (lambda: fit(small(), sn.callbacks.CSVLogger("/nowhere/log.csv")), "/nowhere/log.csv: cannot be written: No"),
        (lambda: fit(small(), sn.callbacks.LearningRateScheduler(lambda e, r: "x")), "return a float, got 'x'"),
        (
            lambda: fit(small(), sn.callbacks.ModelCheckpoint("{lost}.safetensors")),
            "'lost'; there is: epoch, loss, accuracy",
        ),
        (lambda: fit(small(), sn.callbacks.ModelCheckpoint("{epoch.x}.safetensors")), "cannot be filled in"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "callback", [sn.callbacks.ReduceLROnPlateau(), sn.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1)]
)
def test_a_schedule_is_not_silently_replaced(callback):
    model = small(sn.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(ConfigError, match="the optimizer follows a schedule: expected a number to be changed, got Cos"):
        fit(model, callback)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end"])
def test_a_callback_that_raises_stops_the_fit_with_its_own_exception_and_the_model_stays_usable(hook):
    class OwnError(Exception):
        pass

    def fail(*_):
        raise OwnError("mine")

    model = small()
    with pytest.raises(OwnError, match="mine"):
        fit(model, sn.callbacks.LambdaCallback(**{hook: fail}))
    before = model.get_weights()
    assert np.isfinite(model.predict(X)).all()
    assert all(layer.workspace is None and layer.needs_input_gradient for layer in model.walk())
    assert sn.check_gradients(small(), X[:3], Y[:3]).ok
    assert len(fit(model).epoch) == 3
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_evaluating_inside_an_epoch_changes_nothing():
    plain = fit(small()).history
    model = small()
    peek = sn.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: model.evaluate(X, Y, verbose=0),
        on_epoch_end=lambda epoch, logs: model.evaluate(X, Y, verbose=0),
    )
    assert fit(model, peek).history == plain


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    def spoil(epoch, logs):
        if epoch == 1:
            model.layers[1].params["kernel"][0, 0] = np.nan

    path = tmp_path / "model.safetensors"
    model = small()
    with pytest.raises(NumericsError, match=r"step 6: NaN in 'kernel' of layer 'dense_1'.*learning rate"):
        fit(model, sn.callbacks.LambdaCallback(on_epoch_end=spoil), sn.callbacks.ModelCheckpoint(path))
    assert np.isfinite(sn.load_model(path).predict(X)).all()
    model = small()
    with pytest.raises(NumericsError, match="NaN in 'kernel'"):
        fit(model, sn.callbacks.LambdaCallback(on_epoch_end=spoil), sn.callbacks.TrainingCheckpoint(tmp_path / "c"))
    assert sn.checkpoint.resume(tmp_path / "c", small()).epoch == 1


@pytest.mark.parametrize(("slot", "bad", "kind"), [("momentum", np.nan, "NaN"), ("velocity", np.inf, "Inf")])
def test_slots_of_the_optimizer_that_are_not_finite_are_not_saved(tmp_path, slot, bad, kind):
    def spoil(epoch, logs):
        if epoch == 1:
            model.optimizer.slots[slot][-1] = bad

    model, folder = small(), tmp_path / "c"
    model.compile("adam", model.loss)
    with pytest.raises(NumericsError, match=f"step 6: {kind} in the optimizer's '{slot}'.*learning rate") as caught:
        fit(model, sn.callbacks.LambdaCallback(on_epoch_end=spoil), sn.callbacks.TrainingCheckpoint(folder))
    assert "\n" not in str(caught.value)
    again = small()
    again.compile("adam", again.loss)
    assert sn.checkpoint.resume(folder, again).epoch == 1


def test_weights_that_the_last_step_spoilt_are_seen():
    def spoil(batch, logs):
        if model.optimizer.iterations == 6:
            model.layers[0].params["bias"][2] = np.inf

    model = small()
    with pytest.raises(NumericsError, match=r"step 6: Inf in 'bias' of layer 'dense'"):
        fit(model, sn.callbacks.LambdaCallback(on_train_batch_end=spoil))
    assert len(model.history.epoch) == 1


def test_a_model_checkpoint_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "model.safetensors", "bad\0name.safetensors"):
        with pytest.raises(ScratchnetError) as caught:
            fit(small(), sn.callbacks.ModelCheckpoint(path))
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "in the way"


def test_own_callbacks_keep_their_state_across_a_resume(tmp_path):
    class Counter(sn.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.count, self.array = 0, np.zeros(2)

        def on_train_batch_end(self, batch, logs=None):
            self.count += 1
            self.array += logs["loss"]

        def state(self):
            return {"count": np.int64(self.count), "deep": [{"array": self.array}, None, "text", float("inf")]}

        def load_state(self, state):
            assert state["deep"][1:] == [None, "text", float("inf")]
            self.count, self.array = state["count"], state["deep"][0]["array"].copy()

    def stop_at(step):
        def look(batch, logs):
            model.stop_training = model.optimizer.iterations == step

        return sn.callbacks.LambdaCallback(on_train_batch_end=look)

    whole, model = [Counter(), Counter()], small()
    fit(model, *whole)
    for step in (1, 2, 3, 7, None):
        model = small()
        progress = sn.checkpoint.resume(tmp_path, model)
        parts = [Counter(), Counter()]
        fit(model, *parts, stop_at(step), sn.callbacks.TrainingCheckpoint(tmp_path), progress=progress)
    for one, other in zip(whole, parts, strict=True):
        assert (one.count, one.array.tolist()) == (other.count, other.array.tolist()) == (9, one.array.tolist())


def test_a_state_that_cannot_be_saved_or_taken_up(tmp_path):
    class Odd(sn.callbacks.Callback):
        value: object = {1, 2}

        def state(self):
            return {"value": self.value}

        def load_state(self, state):
            raise KeyError("lost")

    with pytest.raises(CheckpointError, match="cannot be saved as JSON"):
        fit(small(), Odd(), sn.callbacks.TrainingCheckpoint(tmp_path / "a"))
    for value in ({1: "a number", "1": "text"}, {"__array__": "x"}):
        Odd.value = value
        with pytest.raises(CheckpointError, match="a state's names must be text"):
            fit(small(), Odd(), sn.callbacks.TrainingCheckpoint(tmp_path / "a"))
    Odd.value = [[]] * 100_000
    with pytest.raises(CheckpointError, match="keep long lists as arrays"):
        fit(small(), Odd(), sn.callbacks.TrainingCheckpoint(tmp_path / "a"))
    Odd.value = 1
    fit(small(), Odd(), sn.callbacks.TrainingCheckpoint(tmp_path / "b"), epochs=1)
    model = small()
    progress = sn.checkpoint.resume(tmp_path / "b", model)
    with pytest.raises(CheckpointError, match="callback Odd cannot take up its state: KeyError"):
        fit(model, Odd(), progress=progress)


def test_warnings_and_errors_are_one_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(small(), sn.callbacks.EarlyStopping("nothing", mode="min"))
    assert caught
    assert all("\n" not in str(one.message) for one in caught)
    assert issubclass(ConfigError, ScratchnetError)
    assert json.dumps(sn.callbacks.EarlyStopping().state())

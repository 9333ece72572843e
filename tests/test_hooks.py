"""When callbacks are called, and how they end a training: as Keras has it."""

from __future__ import annotations

from typing import Any

import keras_side
import numpy as np
import pytest
from emulation import build, device

import scratchnet as sn
from scratchnet.errors import NumericsError
from scratchnet.stepping import Stepper

RNG = np.random.default_rng(6)
X, Y = RNG.random((40, 4)), np.arange(40) % 3


pytestmark = pytest.mark.usefixtures("backend")


def network(library: Any = sn, rate: Any = 0.1) -> Any:
    """Compiled; of scratchnet or of Keras."""
    layers = library.layers
    if library is sn:
        sn.utils.set_random_seed(0)
    model = library.Sequential([layers.Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile(library.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def noted(library: Any, hooks: list[str], calls: list[Any]) -> Any:
    """A callback that notes which of its hooks are called, with which number and which logs."""

    class Noting(library.callbacks.Callback):
        pass

    def noting(hook: str) -> Any:
        def note(self: Any, *arguments: Any, **named: Any) -> None:
            *number, logs = [*arguments, *named.values()]
            calls.append((hook, *number, sorted(logs or {})))

        return note

    for hook in hooks:
        setattr(Noting, hook, noting(hook))
    return Noting()


KINDS = ("train", "test", "predict", "epoch", "train_batch", "test_batch", "predict_batch")
ALL = [f"on_{what}_{end}" for what in KINDS for end in ("begin", "end")]


@keras_side.GROUP
@pytest.mark.parametrize(
    "hooks",
    [ALL, [*ALL, "on_batch_begin", "on_batch_end"], ["on_batch_end", "on_test_end"], ["on_train_batch_begin"]],
    ids=lambda hooks: f"{len(hooks)}",
)
def test_hooks_are_called_when_keras_calls_them(hooks):
    sides = []
    for library in (sn, keras_side.keras()):
        calls: list[Any] = []
        model, callback = network(library), noted(library, hooks, calls)
        arguments = {"batch_size": 16, "verbose": 0, "callbacks": [callback]}
        model.fit(X, Y, epochs=2, validation_data=(X[:20], Y[:20]), validation_batch_size=8, shuffle=False, **arguments)
        calls.append("evaluate")
        model.evaluate(X, Y, **arguments)
        calls.append("predict")
        model.predict(X, **arguments)
        sides.append(calls)
    assert sides[0] == sides[1]
    assert len(sides[0]) > 5


def test_lambda_callbacks_have_every_hook():
    seen: list[str] = []
    names = [*ALL, "on_batch_begin", "on_batch_end"]
    hooks = {name: lambda *_, name=name: seen.append(name) for name in names}
    model, callback = network(), sn.callbacks.LambdaCallback(**hooks)
    model.fit(X, Y, validation_data=(X, Y), verbose=0, callbacks=[callback])
    model.evaluate(X, Y, verbose=0, callbacks=callback)
    model.predict(X, callbacks=callback)
    # As in Keras, who says what comes after a train batch has taken the place of the old name.
    assert set(seen) == set(ALL)
    old: list[int] = []
    model.fit(
        X, Y, verbose=0, callbacks=[sn.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: old.append(batch))]
    )
    assert old == [0, 1]


def test_logs_of_a_test_are_running_means_and_those_of_a_prediction_its_outputs():
    means, outputs = [], []
    watch = sn.callbacks.LambdaCallback(
        on_test_batch_end=lambda batch, logs: means.append(dict(logs)),
        on_test_end=lambda logs: means.append(logs),
        on_predict_batch_end=lambda batch, logs: outputs.append(logs["outputs"].copy()),
    )
    model = network()
    results = model.evaluate(X, Y, batch_size=16, verbose=0, callbacks=[watch], return_dict=True)
    first = model.evaluate(X[:16], Y[:16], batch_size=16, verbose=0, return_dict=True)
    assert means[0] == first
    assert means[2] == means[3] == results
    np.testing.assert_array_equal(
        np.concatenate(outputs or [model.predict(X, 16, callbacks=[watch])]), model.predict(X, 16)
    )
    assert [len(part) for part in outputs] == [16, 16, 8]


def test_testing_leaves_the_history_and_the_callbacks_of_the_fit_alone():
    model = network()
    history = model.fit(X, Y, verbose=0)
    callbacks = model.callbacks
    model.evaluate(X, Y, verbose=0, callbacks=[sn.callbacks.Callback()])
    model.predict(X, callbacks=[sn.callbacks.Callback()])
    assert model.history is history
    assert model.callbacks is callbacks


def test_steps_stay_together_where_nobody_looks_between_them(monkeypatch):
    """Callbacks that look at tests, predictions and epochs cost the training nothing."""
    taken: list[int] = []
    steps = Stepper.steps

    def watched(self: Any, feed: Any, indices: Any) -> int:
        taken.append(len(indices))
        return steps(self, feed, indices)

    monkeypatch.setattr(Stepper, "steps", watched)
    others = [hook for hook in ALL if "train_batch" not in hook]
    network().fit(X, Y, batch_size=2, verbose=0, callbacks=[noted(sn, others, [])])
    assert max(taken) == 20
    taken.clear()
    network().fit(X, Y, batch_size=2, verbose=0, callbacks=[noted(sn, ["on_batch_end"], [])])
    assert max(taken) == 1


def params_of(library: Any, **arguments: Any) -> list[Any]:
    """What a callback finds in ``params`` in a fit, a test and a prediction."""
    found: list[Any] = []
    hooks = ("on_train_begin", "on_test_begin", "on_predict_begin")
    watch = library.callbacks.LambdaCallback(**dict.fromkeys(hooks, lambda logs: found.append(dict(watch.params))))
    model = network(library)
    model.fit(X, Y, batch_size=16, epochs=2, callbacks=[watch], **arguments)
    for test in (model.evaluate, model.predict):
        test(X, *([Y] if test == model.evaluate else []), batch_size=16, callbacks=[watch], **arguments)
    return found


@keras_side.GROUP
@pytest.mark.parametrize("verbose", ["auto", 0, 1, 2])
def test_callbacks_know_kerass_params(verbose: Any) -> None:
    ours, theirs = (params_of(library, verbose=verbose) for library in (sn, keras_side.keras()))
    assert ours[0].pop("samples") == len(X)
    assert ours == theirs
    assert ours[0] == {"verbose": verbose, "epochs": 2, "steps": 3}


# Stopping -------------------------------------------------------------------------------------------------------------


def stop_in(library: Any, hook: str, number: int, calls: list[Any]) -> Any:
    callback = noted(library, ALL, calls)
    note = getattr(type(callback), hook)

    def stop(self: Any, count: int, logs: Any = None) -> None:
        note(self, count, logs)
        if count == number:
            self.model.stop_training = True

    setattr(type(callback), hook, stop)
    return callback


@keras_side.GROUP
@pytest.mark.parametrize(
    ("hook", "number"),
    [("on_train_batch_end", 0), ("on_train_batch_end", 1), ("on_train_batch_end", 2), ("on_train_batch_begin", 1),
     ("on_epoch_begin", 1), ("on_epoch_end", 0)],
)  # fmt: skip
def test_a_stop_ends_the_epoch_as_in_keras(hook, number):
    sides = []
    for library in (sn, keras_side.keras()):
        calls: list[Any] = []
        model = network(library)
        callback = stop_in(library, hook, number, calls)
        history = model.fit(
            X,
            Y,
            batch_size=16,
            epochs=3,
            validation_data=(X, Y),
            validation_batch_size=20,
            verbose=0,
            callbacks=[callback],
        )
        sides.append((calls, history.epoch, {name: len(values) for name, values in sorted(history.history.items())}))
    assert sides[0] == sides[1]
    assert sides[0][2]["val_loss"] >= 1


def test_a_stopped_epoch_has_the_means_of_its_steps_and_training_can_go_on():
    def stop(batch: int, logs: Any) -> None:
        seen.append(dict(logs))
        model.stop_training = batch == 1

    seen: list[Any] = []
    model = network()
    history = model.fit(
        X, Y, batch_size=16, epochs=3, verbose=0, callbacks=[sn.callbacks.LambdaCallback(on_batch_end=stop)]
    )
    assert history.history == {name: [value] for name, value in seen[-1].items()}
    assert (model.progress.epoch, model.progress.step) == (1, 0)
    assert len(model.fit(X, Y, epochs=2, verbose=0).epoch) == 2


def test_a_stop_before_the_first_step_of_an_epoch_lets_one_be_taken():
    def stop(epoch: int, logs: Any) -> None:
        model.stop_training = True

    model = network()
    model.fit(X, Y, batch_size=2, epochs=3, verbose=0, callbacks=[sn.callbacks.LambdaCallback(on_epoch_begin=stop)])
    assert model.optimizer.iterations == 1


def test_a_stop_beside_a_training_checkpoint_interrupts_and_is_gone_on_from(tmp_path):
    """No validation, no end of the epoch, no row in the history: resumed, it ends with the bits of the whole fit."""

    def stop(batch: int, logs: Any) -> None:
        model.stop_training = model.optimizer.iterations == 4

    settings: dict[str, Any] = {"batch_size": 16, "epochs": 3, "validation_data": (X, Y), "verbose": 0}
    whole = network()
    whole.fit(X, Y, **settings)
    calls: list[Any] = []
    keep = [sn.callbacks.TrainingCheckpoint(tmp_path)]
    watching = [sn.callbacks.LambdaCallback(on_batch_end=stop), noted(sn, ALL, calls)]
    model = network()
    model.fit(X, Y, **settings, callbacks=[*watching, *keep])
    assert [call[0] for call in calls[-2:]] == ["on_train_batch_end", "on_train_end"]
    assert model.history.epoch == [0]
    again = network()
    progress = sn.checkpoint.resume(tmp_path, again)
    assert (progress.epoch, progress.step) == (1, 1)
    again.fit(X, Y, **settings, callbacks=keep, progress=progress)
    assert again.history.history == whole.history.history
    assert all((a == b).all() for a, b in zip(again.get_weights(), whole.get_weights(), strict=True))


# Losses that are not finite -------------------------------------------------------------------------------------------


def exploding(*callbacks: Any, step: int, **arguments: Any) -> Any:
    """A fit whose step with this number sees weights that are too large; the weights before it."""

    class Spoil(sn.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if model.optimizer.iterations == step:
                model.layers[0].params["kernel"][0, 0] = np.nan
            weights[:] = model.get_weights()

    weights: list[Any] = []
    model = network()
    model.fit(X, Y, batch_size=16, epochs=3, verbose=0, callbacks=[Spoil(), *callbacks], **arguments)
    return model, weights


@pytest.mark.parametrize("step", [0, 1, 4, 5])
def test_terminate_on_nan_ends_the_training_in_order(step, capsys):
    calls: list[Any] = []
    terminate, watch = sn.callbacks.TerminateOnNaN(), noted(sn, ALL, calls)
    model, weights = exploding(terminate, watch, step=step, validation_data=(X, Y))
    assert capsys.readouterr().out == f"Batch {step % 3}: Invalid loss, terminating training\n"
    assert [call[0] for call in calls[-2:]] == ["on_epoch_end", "on_train_end"]
    assert model.optimizer.iterations == step
    assert model.history.epoch == list(range(step // 3 + 1))
    assert np.isnan(model.history.history["loss"][-1])
    assert np.isfinite(model.history.history["loss"][:-1]).all()
    for array, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(array, before)


def test_a_loss_that_is_not_finite_is_said_where_nobody_terminates():
    with pytest.raises(NumericsError, match="step 4"):
        exploding(step=4)
    with pytest.raises(NumericsError, match="step 4"):
        exploding(sn.callbacks.TerminateOnNaN(raise_error=True), step=4)


@pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")
def test_captured_steps_terminate_and_stop_alike(capsys):
    """On the emulated GPU, where many steps are in one graph."""
    weights = np.ones(40)
    weights[21] = np.inf
    sides = []
    for capture in (True, False):
        with device.backend():
            model = network()
            model.compile(sn.optimizers.Adam(0.1), model.loss, metrics=["accuracy"], capture=capture)
            arguments: dict[str, Any] = {"batch_size": 2, "shuffle": False, "verbose": 0, "epochs": 3}
            stop = sn.callbacks.LambdaCallback(
                on_epoch_begin=lambda *_, model=model: setattr(model, "stop_training", True)
            )
            stopped = model.fit(X, Y, callbacks=[stop], **arguments)
            assert model.optimizer.iterations == 1
            ended = model.fit(X, Y, sample_weight=weights, callbacks=[sn.callbacks.TerminateOnNaN()], **arguments)
            assert model.optimizer.iterations == 11
            assert not np.isfinite(ended.history["loss"]).any()
            # What the steps that were queued behind the one that failed have counted cannot be told apart.
            assert np.isnan(ended.history["accuracy"]).all() == capture
            sides.append((stopped.history, ended.history["loss"], [array.tolist() for array in model.get_weights()]))
    assert sides[0] == sides[1]
    assert capsys.readouterr().out == 2 * "Batch 10: Invalid loss, terminating training\n"


@keras_side.GROUP
@pytest.mark.filterwarnings("ignore:overflow")
def test_terminate_on_nan_says_and_records_what_keras_does(capsys):
    x = X.copy()
    x[20] = 1e30  # finite, and too much for float32 once it is squared
    sides = []
    for library in (sn, keras_side.keras()):
        layers = library.layers
        model = library.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        history = model.fit(
            x, Y, batch_size=16, epochs=3, shuffle=False, verbose=0, callbacks=[library.callbacks.TerminateOnNaN()]
        )
        finite = [bool(np.isfinite(value)) for value in history.history["loss"]]
        sides.append((history.epoch, finite, capsys.readouterr().out.strip()))
    assert sides[0] == sides[1]
    assert sides[0][1] == [False]


@pytest.mark.parametrize("single", ["train_on_batch", "test_on_batch", "loss_and_gradients"])
def test_single_steps_of_a_callback_are_not_in_the_means_of_the_epoch(single):
    def history(hook):
        model = network(rate=0.0)
        model.compile(model.optimizer, model.loss, metrics=["accuracy", lambda y, p: p.max(axis=-1)])
        look = sn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: hook(model))
        return model.fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=[look]).history

    seen = []
    assert history(lambda model: seen.append(getattr(model, single)(X[:3], Y[:3]))) == history(lambda model: None)
    assert len(seen) == 6
    assert seen[0] == seen[-1]

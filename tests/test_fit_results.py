"""What a fit hands out: logs that stay what they were, metrics by name and as objects, and Keras's rules for both."""

from __future__ import annotations

import contextlib
import json
import warnings
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import compiling, metrics, progress
from scratchnet import layers as L  # noqa: N812

RNG = np.random.default_rng(0)
X, LABELS = RNG.random((60, 4)).astype("f4"), np.arange(60) * 7 % 3
WEIGHTS = [RNG.standard_normal(shape).astype("f4") for shape in ((4, 5), (5,), (5, 3), (3,))]
LOSS = "sparse_categorical_crossentropy"


def network(last: Any = "softmax", loss: Any = LOSS, **settings: Any) -> sn.Sequential:
    model = sn.Sequential([L.Input((4,)), L.Dense(5, "relu"), L.Dense(3, last)])
    model.set_weights(WEIGHTS)
    model.compile(**{"optimizer": "sgd", "loss": loss, "metrics": ["accuracy"], **settings})
    return model


class Keeper(sn.callbacks.Callback):
    """Keeps the logs of every batch, as they are."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.train: list[Any] = []
        self.test: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.train.append(logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.test.append(logs)


def test_logs_that_are_kept_stay_what_they_were(backend: str) -> None:
    seen = Keeper()
    history = network().fit(
        X, LABELS, batch_size=20, epochs=2, verbose=0, callbacks=[seen], validation_data=(X, LABELS),
        validation_batch_size=30,
    ).history  # fmt: skip
    assert [one["loss"] for one in seen.train[2::3]] == history["loss"]
    assert [one["accuracy"] for one in seen.test[1::2]] == history["val_accuracy"]
    assert len({one["loss"] for one in seen.train}) == 6
    assert json.loads(json.dumps(seen.train[0])) == seen.train[0].copy() == dict(seen.train[0])


def test_logs_are_not_made_where_no_callback_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    from scratchnet.training import Trainer

    asked, results = [], Trainer.results
    monkeypatch.setattr(Trainer, "results", lambda self, n: (asked.append(n), results(self, n))[1])
    network().fit(X, LABELS, batch_size=20, verbose=0, callbacks=[sn.callbacks.TerminateOnNaN()])
    assert asked == [60]


def test_metrics_of_one_name_are_numbered(backend: str) -> None:
    top = metrics.SparseTopKCategoricalAccuracy
    model = network(metrics=[top(k=1), top(k=2), top(k=3)])
    name = "sparse_top_k_categorical_accuracy"
    assert model.metrics_names == ["loss", name, f"{name}_1", f"{name}_2"]
    found = model.evaluate(X, LABELS, verbose=0, return_dict=True)
    assert list(found) == model.metrics_names
    assert found[name] < found[f"{name}_1"] < found[f"{name}_2"] == 1
    stopping = sn.callbacks.EarlyStopping(f"val_{name}_1", restore_best_weights=True)
    history = model.fit(X, LABELS, verbose=0, validation_split=0.5, callbacks=[stopping]).history
    assert len(history) == 8


def test_a_metric_says_what_was_measured(backend: str) -> None:
    held, error = metrics.SparseCategoricalAccuracy(), metrics.ClassAccuracy(name="own")
    model = network(metrics=[held, error])
    result = model.evaluate(X, LABELS, verbose=0)
    assert result[1:] == [held.result(), error.result()]
    history = model.fit(X, LABELS, verbose=0, batch_size=7).history
    assert history["own"] == [error.result()]
    assert held.count == 60


def test_a_class_of_the_users_own_measures_itself(backend: str) -> None:
    class One(metrics.SparseCategoricalAccuracy):
        def values(self, y_true: Any, y_pred: Any) -> Any:
            return np.ones(len(y_true))

    class Percent(metrics.SparseCategoricalAccuracy):
        def result(self) -> float:
            return 100 * super().result()

    class Largest(metrics.Metric):
        """Written as for Keras."""

        def reset_state(self) -> None:
            self.largest = 0.0

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.largest = max(getattr(self, "largest", 0.0), float(y_pred.max()))

        def result(self) -> float:
            return self.largest

    model = network(metrics=["accuracy", One(name="one"), Percent(name="percent"), Largest(name="largest")])
    _, accuracy, one, percent, largest = model.evaluate(X, LABELS, verbose=0)
    assert (one, percent) == (1, pytest.approx(100 * accuracy))
    assert largest == model.predict(X).max()


def test_evaluate_in_a_callback_leaves_the_mean_of_the_epoch_alone(backend: str) -> None:
    def train(callbacks: list[Any]) -> Any:
        sn.utils.set_random_seed(1)
        top = metrics.SparseTopKCategoricalAccuracy(k=2)
        return network(metrics=["accuracy", top]).fit(
            X, LABELS, batch_size=10, epochs=2, verbose=0, callbacks=callbacks
        )

    looking = sn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: looking.model.evaluate(X, LABELS))
    assert train([looking]).history == train([]).history


def test_steps_without_a_batch_size_are_one_pass(backend: str) -> None:
    def train(**settings: Any) -> list[np.ndarray]:
        sn.utils.set_random_seed(2)
        model = network()
        model.fit(X, LABELS, verbose=0, epochs=2, **settings)
        return model.get_weights()

    for one, other in zip(train(steps_per_epoch=7), train(batch_size=9, steps_per_epoch=7), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("last", ["softmax", "sigmoid"])
def test_logits_that_are_no_logits(backend: str, last: str) -> None:
    """The beginner's error: the activation is there, and the loss is told that it is not."""
    losses = {"softmax": sn.losses.SparseCategoricalCrossentropy, "sigmoid": sn.losses.BinaryCrossentropy}
    y = LABELS if last == "softmax" else np.eye(3)[LABELS]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        right = network(last, losses[last]()).fit(X, y, shuffle=False, epochs=3, verbose=0).history["loss"]
        network(None, losses[last](from_logits=True)).fit(X, y, verbose=0)
    model = network(last, losses[last](from_logits=True))
    with pytest.warns(UserWarning, match=f"from_logits=True, but the model ends in {last}") as caught:
        found = model.fit(X, y, shuffle=False, epochs=3, verbose=0).history["loss"]
    assert caught[0].filename == __file__
    assert found == right
    assert model.predict(X).max() <= 1


@keras_side.GROUP
@pytest.mark.parametrize(
    ("last", "loss"),
    [
        ("sigmoid", "sparse_categorical_crossentropy"),
        ("sigmoid", "categorical_crossentropy"),
        ("softmax", "binary_crossentropy"),
    ],
)
def test_the_wrong_final_activation_is_left_out_too_as_in_keras(backend: str, last: str, loss: str) -> None:
    y = LABELS if loss.startswith("sparse") else np.eye(3)[LABELS]
    results = []
    weights = [RNG.standard_normal((4, 3)), RNG.standard_normal(3)]
    for library in (sn, keras_side.keras()):
        model = library.Sequential([library.Input((4,)), library.layers.Dense(3, activation=last)])
        model.set_weights(weights)
        model.compile(library.optimizers.SGD(0.5), loss, metrics=["accuracy"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = model.fit(X, y, shuffle=False, epochs=2, verbose=0).history
            tested = model.evaluate(X, y, verbose=0)
        results.append([history["loss"], history["accuracy"], tested[0], tested[1], *model.get_weights()])
        if library is sn:
            assert f"but the model ends in {last}: as in Keras" in str(caught[0].message)
            assert {one.filename for one in caught} == {__file__}
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_standalone_metrics_as_in_keras() -> None:
    metric = metrics.BinaryAccuracy()
    assert metric([0, 1], [[0.2], [0.1]]) == 0.5
    assert metric([1, 1], [[0.9], [0.9]], sample_weight=[3, 1]) == pytest.approx(5 / 6)
    metric.reset_state()
    assert metric.result() == 0
    metric.update_state([[0, 1]], [[0.2, 0.1]], sample_weight=[[2]])
    assert (metric.result(), metric.count) == (0.5, 2)
    again = type(metric).from_config(metrics.BinaryAccuracy(threshold=0.25).get_config())
    assert again.threshold == 0.25
    for wrong in ([1], [[1, 1]], np.ones((2, 2))):
        with pytest.raises(sn.errors.ShapeError, match="binary_accuracy: sample_weight: expected shape"):
            metric.update_state([0, 1], [[0.2], [0.1]], sample_weight=wrong)


@keras_side.GROUP
def test_against_keras(recwarn: Any) -> None:
    keras = keras_side.keras()

    def theirs(last: str, loss: Any) -> Any:
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(3, last)])
        model.set_weights(WEIGHTS)
        model.compile("sgd", loss, metrics=["accuracy"])
        return model

    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    our_loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    for model, expected in (
        (network(loss=our_loss), theirs("softmax", keras_loss)),
        (network(), theirs("softmax", LOSS)),
    ):
        arguments = {"steps_per_epoch": 7, "epochs": 3, "shuffle": False, "verbose": 0}
        ours, wanted = model.fit(X, LABELS, **arguments).history, expected.fit(X, LABELS, **arguments).history
        for key, values in wanted.items():
            np.testing.assert_allclose(ours[key], values, rtol=1e-5, err_msg=key)
    weighted, labels, p = keras.metrics.BinaryAccuracy(), [[1], [0], [1]], [[0.9], [0.8], [0.2]]
    mine = metrics.BinaryAccuracy()
    assert mine(labels, p, [1, 2, 5]) == pytest.approx(float(weighted(labels, p, sample_weight=[1, 2, 5])))


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 1), (2, 1)])
def test_a_fit_says_once_that_kernels_are_compiled(
    verbose: int, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done, reports = compiling.Compilation(), []

    @contextlib.contextmanager
    def watch(report: Any) -> Any:
        reports.append(report)
        yield done

    class Compiling(sn.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            done.kernels.append("dense: forward")
            for report in reports:
                report("dense: forward")

    monkeypatch.setattr(compiling, "watch", watch)
    network().fit(X, LABELS, verbose=verbose, callbacks=[Compiling()])
    assert capsys.readouterr().err.count("compiling kernels (first run only) ...\n") == lines


def test_the_time_left_does_not_count_steps_that_compile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, clock = network(), [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])

    class Slow(sn.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            clock[0] += 50 if batch == 0 else 2
            if batch == 0:
                self.model.callbacks.compiled.kernels.append("dense: forward")

    model.fit(X, LABELS, batch_size=10, verbose=1, callbacks=[Slow()])
    drawn = capsys.readouterr().out.split("\r")
    assert [part.split(" - ")[1] for part in drawn if "/6 - " in part][1:] == [f"{8 - 2 * k}s left" for k in range(5)]
    assert "left" not in drawn[1]


def test_a_narrow_terminal_gets_a_bar_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "REDRAW_SECONDS", 0.0)
    lengths = {}
    for columns in (40, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        network().fit(X, LABELS, batch_size=10, verbose=1)
        bars = [part for part in capsys.readouterr().out.split("\r\x1b[K") if part.startswith("Epoch 1/1 [")]
        lengths[columns] = max(map(len, bars))
    assert lengths[40] == 39 < lengths[200] < 199

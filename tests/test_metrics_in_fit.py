"""Metrics of counts in a fit: the logs, what reads them, resuming; those whose result is an array are lists there."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import metrics, replay
from scratchnet.errors import CheckpointError, ConfigError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 5)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
ROWS = np.eye(3, dtype=np.float32)[LABELS]


def network(chosen: Any, library: Any = sn, rate: float = 0.5) -> Any:
    if library is sn:
        sn.utils.set_random_seed(0)
    model = library.Sequential([library.Input((5,)), library.layers.Dense(3, activation="softmax")])
    model.compile(library.optimizers.SGD(rate), "categorical_crossentropy", metrics=chosen)
    return model


def several(library: Any = sn) -> list[Any]:
    m = library.metrics
    return [
        "precision", "Recall", "auc", m.F1Score(), m.F1Score(average="macro", name="macro"),
        m.Precision(class_id=1, name="of_1"), m.Recall(thresholds=[0.2, 0.4], name="at"),
        m.AUC(multi_label=True, name="each"), "categorical_crossentropy",
    ]  # fmt: skip


@keras_side.GROUP
def test_histories_are_those_of_keras(backend: str) -> None:
    keras = keras_side.keras()
    ours, theirs = network(several()), network(several(keras), keras)
    theirs.set_weights(ours.get_weights())
    settings: dict[str, Any] = {"batch_size": 24, "epochs": 3, "shuffle": False, "verbose": 0}
    settings["validation_data"] = (X[:20], ROWS[:20])
    history, expected = (model.fit(X, ROWS, **settings).history for model in (ours, theirs))
    assert set(history) == set(expected)
    for name, values in history.items():
        np.testing.assert_allclose(values, np.array(expected[name]), rtol=1e-4, atol=1e-5, err_msg=name)
    result, wanted = ours.evaluate(X, ROWS, verbose=0), theirs.evaluate(X, ROWS, verbose=0)
    for one, other in zip(result, wanted, strict=True):
        np.testing.assert_allclose(one, np.asarray(other), rtol=1e-4, atol=1e-5)


def test_an_array_is_a_list_in_the_logs_and_one_number_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    model = network([metrics.F1Score(), metrics.Recall([0.2, 0.4])])
    history = model.fit(X, ROWS, batch_size=20, epochs=2, verbose=2)
    f1 = history.history["f1_score"]
    assert [len(values) for values in f1] == [3, 3]
    assert json.loads(json.dumps(history.history)) == history.history
    assert f"f1_score: {np.mean(f1[-1]):.4f}" in capsys.readouterr().out  # the mean, as Keras prints it
    assert f"f1_score={np.mean(f1[-1]):.4g}" in repr(history)
    found = model.evaluate(X, ROWS, verbose=1, return_dict=True)
    assert f"recall: {np.mean(found['recall']):.4f}" in capsys.readouterr().out
    assert found["f1_score"] == model.metrics[0].result().tolist()
    for size in (1, 7, 64):
        other = model.evaluate(X, ROWS, batch_size=size, verbose=0, return_dict=True)
        np.testing.assert_allclose(other["f1_score"], found["f1_score"], rtol=1e-12)
    assert len(model.train_on_batch(X[:9], ROWS[:9])[1]) == 3
    single = sn.Sequential([sn.layers.Dense(1, activation="sigmoid", input_shape=(5,))])
    single.compile("sgd", "binary_crossentropy", metrics=[metrics.F1Score(threshold=0.5), metrics.Precision([0.5])])
    logs = single.fit(X, LABELS > 0, verbose=0).history
    assert all(isinstance(values[0], float) for values in logs.values())


def test_callbacks_that_read_lists(tmp_path: Path) -> None:
    model = network([metrics.F1Score(), metrics.F1Score("macro", name="macro")])
    logger = sn.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(X, ROWS, epochs=2, verbose=0, callbacks=[logger]).history
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(rows[1]["f1_score"].strip('"')) == history["f1_score"][1]
    said = r"^EarlyStopping: monitor: expected a single number, 'f1_score' is 3 numbers: choose an average, or one thr"
    with pytest.raises(ConfigError, match=said):
        model.fit(X, ROWS, verbose=0, callbacks=[sn.callbacks.EarlyStopping("f1_score")])
    stopping = sn.callbacks.EarlyStopping("macro", patience=1)
    model.fit(X, ROWS, epochs=2, verbose=0, callbacks=[stopping])
    assert stopping.rises()
    saving = sn.callbacks.ModelCheckpoint(tmp_path / "{f1_score:.2f}.safetensors")
    with pytest.raises(ConfigError, match="cannot be filled in: TypeError: "):
        model.fit(X, ROWS, verbose=0, callbacks=[saving])


def test_tensorboard_has_a_curve_for_each_number(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", exc_type=ImportError)
    model = network([metrics.F1Score()])
    history = model.fit(X, ROWS, epochs=2, verbose=0, callbacks=[sn.callbacks.TensorBoard(tmp_path, update_freq=1)])
    events = reader.EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    for place in range(3):
        curve = [event.value for event in events.Scalars(f"epoch_f1_score/{place}")]
        np.testing.assert_allclose(curve, [values[place] for values in history.history["f1_score"]], rtol=1e-6)
    assert len(events.Scalars("batch_f1_score/2")) == 4


def test_steps_with_them_are_not_replayed() -> None:
    for name in ("precision", "recall", "f1_score", "auc", "categorical_crossentropy"):
        assert not replay.possible(network([name]).trainer())
    assert replay.possible(network(["accuracy"]).trainer())


def test_a_fit_that_is_resumed_within_an_epoch_has_the_same_bits(tmp_path: Path, backend: str) -> None:
    def train(model: Any, stop: int | None, folder: Path) -> Any:
        def look(batch: int, logs: Any) -> None:
            model.stop_training = model.optimizer.iterations == stop

        watch = sn.callbacks.LambdaCallback(on_train_batch_end=look)
        progress = sn.checkpoint.resume(folder, model)
        saving = sn.callbacks.TrainingCheckpoint(folder)
        return model.fit(
            X, ROWS, batch_size=10, epochs=2, verbose=0, callbacks=[watch, saving], progress=progress,
            validation_data=(X, ROWS),
        ).history  # fmt: skip

    whole = train(network(several()), None, tmp_path / "whole")
    for stop in (4, 11, None):
        parts = train(network(several()), stop, tmp_path / "parts")
    assert parts == whole
    train(network(several()), 2, tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"^the fit was saved with another metric than 'mae': [^\n]*$"):
        train(network(["mae"]), None, tmp_path / "other")
    train(network(["mae"]), 2, tmp_path / "mean")
    with pytest.raises(CheckpointError, match=r"^the fit was saved with another metric than 'auc': [^\n]*$"):
        train(network(["auc"]), None, tmp_path / "mean")


def test_models_are_saved_with_them(tmp_path: Path) -> None:
    model = network(several())
    model.fit(X, ROWS, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = sn.load_model(tmp_path / "model.safetensors")
    assert [metric.config() for metric in again.metrics] == [metric.config() for metric in model.metrics]
    assert again.evaluate(X, ROWS, verbose=0) == model.evaluate(X, ROWS, verbose=0)


def test_class_numbers_are_refused_before_the_first_step() -> None:
    model = network(["precision"])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["precision"])
    before = model.get_weights()
    with pytest.raises(
        ShapeError, match=r"^precision: expected .*: class numbers become one-hot rows with utils.to_cat"
    ):
        model.fit(X, LABELS, verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

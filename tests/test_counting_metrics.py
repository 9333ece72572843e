"""Cells of a confusion matrix, RootMeanSquaredError, Mean and accuracies as functions: against Keras."""

from __future__ import annotations

import json
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import metrics
from scratchnet.errors import ConfigError, DataError, ShapeError

CELLS = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
RNG = np.random.default_rng(0)
Y = RNG.random((40, 4)).astype(np.float32)
T = (RNG.random((40, 4)) < 0.3).astype(np.float32)
LABELS = T.argmax(axis=1)
WEIGHTS = RNG.random(40)


def both(name: str, settings: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(metrics, name)(**settings), getattr(keras_side.keras().metrics, name)(**settings)


@keras_side.GROUP
@pytest.mark.parametrize("thresholds", [None, 0.3, [0.9], [0.7, 0.1], [0, 0.5, 1], [i / 10 for i in range(11)]])
@pytest.mark.parametrize("name", CELLS)
def test_cells_are_those_of_keras(name: str, thresholds: Any) -> None:
    ours, theirs = both(name, {"thresholds": thresholds})
    for rows, weights in ((slice(0, 17), None), (slice(17, 40), WEIGHTS[17:])):
        for metric in (ours, theirs):
            metric.update_state(T[rows], Y[rows], None if weights is None else weights[:, None])
    assert np.shape(ours.result()) == np.shape(theirs.result())
    np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-6, atol=1e-5)
    assert ours.name == snake(name)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


@pytest.mark.parametrize("name", [*CELLS, "RootMeanSquaredError"])
def test_states_and_configs(name: str) -> None:
    settings = {"thresholds": [0.25, 0.5]} if name in CELLS else {}
    metric = getattr(metrics, name)(**settings, name="own")
    metric.update_state(T[:9], Y[:9])
    again = metrics.get(json.loads(json.dumps(metrics.serialize(metric))))
    assert (type(again), again.config()) == (type(metric), metric.config())
    again.load_state(json.loads(json.dumps(metric.state())))
    for one in (metric, again):
        one.update_state(T[9:], Y[9:], WEIGHTS[9:])
    np.testing.assert_array_equal(metric.result(), again.result())
    metric.reset_state()
    assert np.all(np.asarray(metric.result()) == 0)
    assert metric.direction == ("up" if name.startswith("True") else "down")
    assert metrics.get(snake(name)).name == snake(name)


def test_cells_by_hand() -> None:
    t, y = [0, 1, 1, 0, 1], [0.9, 0.8, 0.5, 0.1, 0.2]
    assert [getattr(metrics, name)()(t, y) for name in CELLS] == [1, 1, 1, 2]
    np.testing.assert_array_equal(metrics.FalseNegatives([0.1, 0.85])(t, y), [0, 3])
    with pytest.raises(ConfigError, match=r"TruePositives: thresholds: expected numbers from 0 to 1, got \[2\]"):
        metrics.TruePositives(2)
    with pytest.raises(ShapeError, match="true_positives: expected targets of the shape of the outputs"):
        metrics.TruePositives()(LABELS, Y)


@keras_side.GROUP
def test_the_root_of_the_mean_squared_error() -> None:
    ours, theirs = both("RootMeanSquaredError", {})
    for metric in (ours, theirs):
        metric.update_state(T[:9], Y[:9])
        metric.update_state(T[9:], Y[9:], WEIGHTS[9:, None])
    assert ours.result() == pytest.approx(float(theirs.result()), rel=1e-6)
    model = sn.Sequential([sn.layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse", metrics=["RootMeanSquaredError", "mse"])
    history = model.fit(Y, T[:, :1], epochs=2, verbose=0).history
    np.testing.assert_allclose(np.square(history["RootMeanSquaredError"]), history["mse"], rtol=1e-12)


@keras_side.GROUP
def test_a_mean_of_ones_own_numbers() -> None:
    ours, theirs = both("Mean", {"name": "loss"})
    for given in ((1.0,), ([1, 3, 5, 7],), ([1.0, 2.0], [0.5, 0.25]), (3.0, 2.0), (Y, 0.5), (Y, WEIGHTS)):
        for metric in (ours, theirs):
            metric.update_state(*given)
        assert ours.result().numpy() == pytest.approx(float(theirs.result()), rel=1e-6)
    assert (ours.name, ours(0.0) < 3) == ("loss", True)
    ours.reset_state()
    assert (ours.result(), ours([2, 4])) == (0, 3)
    with pytest.raises(DataError, match="mean: expected numbers"):
        metrics.Mean()("much")
    with pytest.raises(ShapeError, match=r"mean: numbers of shape \(2,\) but weights of shape \(3,\)"):
        metrics.Mean()([1, 2], [1, 2, 3])
    with pytest.raises(ConfigError, match="metrics: Mean is for numbers of your own: expected metrics of targets and"):
        sn.Sequential([sn.layers.Dense(1)]).compile("sgd", "mse", metrics=[metrics.Mean()])


ONE_HOT = np.eye(4)[LABELS]
FUNCTIONS: list[tuple[str, Any, dict[str, Any]]] = [
    ("binary_accuracy", T, {}),
    ("binary_accuracy", T, {"threshold": 0.2}),
    ("categorical_accuracy", ONE_HOT, {}),
    ("sparse_categorical_accuracy", LABELS, {}),
    ("sparse_categorical_accuracy", LABELS[:, None], {}),
    ("top_k_categorical_accuracy", ONE_HOT, {"k": 2}),
    ("sparse_top_k_categorical_accuracy", LABELS, {"k": 3}),
    ("mean_squared_error", T, {}),
    ("mean_absolute_error", T, {}),
    ("sparse_categorical_crossentropy", LABELS, {}),
]


@keras_side.GROUP
@pytest.mark.parametrize(("name", "targets", "settings"), FUNCTIONS, ids=lambda given: given if given is str else "")
def test_functions_are_those_of_keras(name: str, targets: Any, settings: dict[str, Any]) -> None:
    y = Y / Y.sum(axis=1, keepdims=True)
    theirs = np.asarray(getattr(keras_side.keras().metrics, name)(targets, y, **settings))
    ours = getattr(metrics, name)(targets, y, **settings)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_compile_treats_functions_like_their_classes() -> None:
    model = sn.Sequential([sn.layers.Dense(4, "softmax", input_shape=(4,))])
    functions = [metrics.sparse_categorical_accuracy, metrics.sparse_top_k_categorical_accuracy]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=functions)
    assert [type(metric).__name__ for metric in model.metrics] == [
        "SparseCategoricalAccuracy",
        "SparseTopKCategoricalAccuracy",
    ]
    history = model.fit(Y, LABELS, verbose=0).history
    assert list(history) == ["loss", "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy"]
    with pytest.raises(ShapeError, match="binary_accuracy: 40 predictions but 39 targets"):
        metrics.binary_accuracy(T[1:], Y)

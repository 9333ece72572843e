"""Metrics: against definitions, Keras and scikit-learn, batch by batch."""

from __future__ import annotations

import json
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import metrics


def scores(n: int, c: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, c, n).astype(np.int32), rng.random((n, c)).astype(np.float32)


@pytest.mark.parametrize("name", ["accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy"])
def test_accuracy_of_class_numbers_and_one_hot_rows(name: str) -> None:
    labels, p = scores(23, 4)
    expected = sum(int(max(range(4), key=row.__getitem__) == y) for row, y in zip(p, labels, strict=True)) / 23
    for targets in (labels, labels[:, None], np.eye(4)[labels]):
        metric = metrics.get(name)
        for rows in (slice(0, 10), slice(10, 20), slice(20, 23)):  # a short last batch counts by its size
            metric.update_state(targets[rows], p[rows])
        assert metric.result() == pytest.approx(expected)
        assert metric.name == name
        assert metric.counts_correct


def test_accuracy_of_a_single_output_is_binary() -> None:
    p = np.array([[0.9], [0.2], [0.5], [0.7]])
    for targets in ([1, 0, 0, 0], [[1], [0], [0], [0]]):
        for name in ("accuracy", "binary_accuracy"):
            metric = metrics.get(name)
            metric.update_state(targets, p)
            assert metric.result() == 0.75


def test_the_first_of_equal_maxima_counts() -> None:
    metric = metrics.ClassAccuracy()
    metric.update_state([0, 1], [[0.5, 0.5], [0.5, 0.5]])
    assert metric.result() == 0.5


def test_top_k() -> None:
    p = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.3, 0.0], [0.25, 0.25, 0.25, 0.25]])
    for k, expected in ((1, [0, 0, 1]), (2, [0, 1, 1]), (3, [1, 1, 1])):
        for targets in ([1, 2, 3], np.eye(4)[[1, 2, 3]]):  # ties at the border are right
            metric = metrics.TopKCategoricalAccuracy(k)
            metric.update_state(targets, p)
            assert metric.result() == pytest.approx(np.mean(expected))
    assert metrics.get("top_k").k == 5  # type: ignore[attr-defined]
    for row in ([np.nan, 0.1, 0.2], [0.3, np.nan, 0.2], [0.3, 0.1, np.inf], [0.3, -np.inf, 0.1]):
        metric = metrics.SparseTopKCategoricalAccuracy(2)
        metric.update_state([0], [row])
        assert metric.result() == 0


def test_errors_of_regression() -> None:
    y, t = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[0.0, 2.0], [3.0, 2.0], [5.0, 9.0]])
    for name, expected in (("mse", 14 / 6), ("mean_squared_error", 14 / 6), ("mae", 1), ("mean_absolute_error", 1)):
        metric = metrics.get(name)
        metric.update_state(t[:2], y[:2])
        metric.update_state(t[2:], y[2:])
        assert metric.result() == pytest.approx(expected)
    metric = metrics.MeanAbsoluteError()
    metric.update_state([1.0, 2.0], [[1.5], [2.5]])
    assert metric.result() == 0.5


def test_functions_of_ones_own() -> None:
    def largest(y_true: Any, y_pred: Any) -> Any:
        return y_pred.max(axis=-1)

    metric = metrics.get(largest)
    assert metric.name == "largest"
    assert not metric.counts_correct
    metric.update_state([0, 1], [[0.2, 0.8], [0.6, 0.4]])
    metric.update_state([0], [[0.1, 0.9]])
    assert metric.result() == pytest.approx((0.8 + 0.6 + 0.9) / 3)
    mean = metrics.get(lambda t, p: float(p.mean()))  # a number counts as often as the batch has samples
    mean.update_state([0, 1], [[1.0], [1.0]])
    mean.update_state([0], [[4.0]])
    assert mean.result() == 2.0
    assert metrics.serialize(mean) is None
    nonsense: list[Any] = ["good", None, [], (1.0, 2.0), (np.ones(3), np.ones(2)), np.ones((3, 2))]
    for value in nonsense:
        with pytest.raises(sn.errors.ConfigError, match="expected a number per sample") as caught:
            metrics.get(lambda t, p, value=value: value).update_state([0], [[1.0]])
        assert "\n" not in str(caught.value)

    def broken(y_true: Any, y_pred: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):  # a user's own error stays the user's
        metrics.get(broken).update_state([0], [[1.0]])


def test_reset_state_and_empty() -> None:
    labels, p = scores(10, 3)
    metric, other = metrics.ClassAccuracy(), metrics.ClassAccuracy()
    assert metric.result() == 0.0
    metric.update_state(labels[:0], p[:0])
    metric.update_state(labels[:7], p[:7])
    other.load_state(json.loads(json.dumps(metric.state())))
    for one in (metric, other):
        one.update_state(labels[7:], p[7:])
    assert metric.result() == other.result() > 0
    metric.reset_state()
    assert metric.result() == 0.0
    assert "0 samples" in repr(metric)


def test_nan_stays_visible() -> None:
    metric = metrics.MeanSquaredError()
    metric.update_state([[1.0], [1.0]], [[1.0], [np.nan]])
    assert np.isnan(metric.result())


def test_get_serialize_and_refusals() -> None:
    names = ("ClassAccuracy", "SparseCategoricalAccuracy", "CategoricalAccuracy", "BinaryAccuracy", "MeanSquaredError",
             "MeanAbsoluteError", "TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy")  # fmt: skip
    for name in names:
        metric = metrics.get(name)
        assert type(metric).__name__ == name
        assert type(metrics.get(metric.name)) is type(metric)
        again = metrics.get(metrics.serialize(metric))
        assert type(again) is type(metric)
        assert again.config() == metric.config()
        assert metrics.get(metric) is metric
    for identifier in ("f1", 3, None, sn.losses.MeanSquaredError, {"class_name": "f", "config": {}}):
        with pytest.raises(sn.errors.ConfigError, match="metric: expected one of "):
            metrics.get(identifier)
    with pytest.raises(sn.errors.ConfigError, match=r"^Accuracy has no argument 'k': it has: name, dtype$"):
        metrics.get({"class_name": "Accuracy", "config": {"k": 1}})
    with pytest.raises(sn.errors.ConfigError, match=r"^Accuracy: expected its config as a dict"):
        metrics.get({"class_name": "Accuracy", "config": {1: 1}})
    assert type(metrics.get("Accuracy")) is metrics.ClassAccuracy
    assert type(metrics.get({"class_name": "Accuracy", "config": {}})) is metrics.Accuracy
    assert type(metrics.get(metrics.BinaryAccuracy)) is metrics.BinaryAccuracy
    for k in (0, 1.5, True):
        with pytest.raises(
            sn.errors.ConfigError, match=r"^TopKCategoricalAccuracy: k: expected an integer of at least 1"
        ):
            metrics.TopKCategoricalAccuracy(k)  # type: ignore[arg-type]
    with pytest.raises(sn.errors.ConfigError, match=r"^BinaryAccuracy: threshold: expected a number in .*, got 'a'$"):
        metrics.BinaryAccuracy(threshold="a")  # type: ignore[arg-type]
    with pytest.raises(
        sn.errors.ConfigError, match=r"^BinaryAccuracy has no argument 'treshold': did you mean 'thresh"
    ):
        metrics.BinaryAccuracy(treshold=0.4)  # type: ignore[call-arg]
    with pytest.raises(sn.errors.ConfigError, match=r"^MeanMetricWrapper: fn: expected a function"):
        metrics.MeanMetricWrapper(5)  # type: ignore[arg-type]
    assert metrics.get_all(None) == []
    assert [one.name for one in metrics.get_all("acc")] == ["acc"]
    assert [type(one).__name__ for one in metrics.get_all(["mse", lambda t, p: 0])] == [
        "MeanSquaredError", "MeanMetricWrapper",
    ]  # fmt: skip
    with pytest.raises(sn.errors.ConfigError, match=r"expected one of accuracy.*got 5"):
        metrics.get_all(5)
    for name in ("accuracy", "top_k", "mse"):
        with pytest.raises(sn.errors.ShapeError):
            metrics.get(name).update_state(np.zeros((2, 3)), np.zeros((2, 4)))
        with pytest.raises(sn.errors.ShapeError, match="2 predictions but 3 targets"):
            metrics.get(name).update_state([0, 1, 2], np.zeros((2, 4)))


def test_confusion_matrix_and_report_are_those_of_scikit_learn() -> None:
    from sklearn import metrics as sklearn_metrics

    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, (2, 60))
    expected = sklearn_metrics.confusion_matrix(true, predicted, labels=range(5))
    np.testing.assert_array_equal(metrics.confusion_matrix(true, predicted, 5), expected)
    names = ["shirt", "coat", "bag", "boot"]
    ours = metrics.classification_report(true, predicted, names, digits=3)
    theirs = sklearn_metrics.classification_report(true, predicted, target_names=names, digits=3)
    assert ours.split() == theirs.split()


@keras_side.GROUP
def test_what_is_special_about_a_row_is_what_it_is_to_keras() -> None:
    """A single output, numbers that are not finite, labels that are no class."""
    keras = keras_side.keras()
    rng = np.random.default_rng(2)
    for name in ("SparseCategoricalAccuracy", "CategoricalAccuracy"):
        for p in ([[0.2], [0.9], [0.7]], [[-1.0], [0.0], [5.0]]):
            for targets in ([[0.0], [1.0], [0.0]], [[0], [0], [0]], [[1], [1], [1]]):
                ours, theirs = metrics.get(name), getattr(keras.metrics, name)()
                ours.update_state(np.array(targets), np.array(p))
                theirs.update_state(np.array(targets), np.array(p))
                assert ours.result() == pytest.approx(float(theirs.result())), (name, targets, p)
    for labels in (np.array([0, 3, 2, 1]), np.array([0, -1, 2, 9])):
        for _ in range(20):
            p = rng.random((4, 4)).astype(np.float32)
            p[rng.integers(4), rng.integers(4)] = rng.choice([np.nan, np.inf, -np.inf, 0.5])
            ours, theirs = metrics.SparseTopKCategoricalAccuracy(2), keras.metrics.SparseTopKCategoricalAccuracy(2)
            ours.update_state(labels, p)
            theirs.update_state(labels, p)
            assert ours.result() == pytest.approx(float(theirs.result())), (labels, p)


@keras_side.GROUP
def test_against_keras() -> None:
    keras = keras_side.keras()
    labels, p = scores(40, 7, 3)
    onehot = np.eye(7, dtype=np.float32)[labels]
    pairs = [
        ("SparseCategoricalAccuracy", labels), ("CategoricalAccuracy", onehot), ("TopKCategoricalAccuracy", onehot),
        ("SparseTopKCategoricalAccuracy", labels), ("MeanSquaredError", onehot), ("MeanAbsoluteError", onehot),
    ]  # fmt: skip
    for name, targets in pairs:
        ours, theirs = metrics.get(name), getattr(keras.metrics, name)()
        for rows in (slice(0, 25), slice(25, 40)):
            ours.update_state(targets[rows], p[rows])
            theirs.update_state(targets[rows], p[rows])
        assert ours.result() == pytest.approx(float(theirs.result()), rel=1e-6)
        assert metrics.get(name).name == theirs.name


def test_a_function_of_a_whole_batch_sees_the_batches_that_keras_gives_it():
    seen = []

    def size(y_true, y_pred):
        seen.append(len(y_pred))
        return float(len(y_pred))

    model = sn.Sequential([sn.layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse", metrics=[size])
    x, y = np.ones((70, 2), np.float32), np.zeros((70, 1), np.float32)
    model.evaluate(x, y)
    assert seen == [32, 32, 6]
    seen.clear()
    model.fit(x[:20], y[:20], batch_size=20, validation_data=(x, y), verbose=0)
    assert seen == [20, 20, 20, 20, 10]


@keras_side.GROUP
def test_accuracy_as_a_class_is_kerass() -> None:
    """The name "accuracy" stands for the one that fits the shapes; the class counts equal numbers."""
    keras = keras_side.keras()
    for true, given in (
        ([[1], [2], [3], [4]], [[0], [2], [3], [4]]),
        ([1, 2, 3, 4], [0, 2, 3, 4]),
        ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.2, 0.8]]),
    ):
        ours, theirs = metrics.Accuracy(), keras.metrics.Accuracy()
        assert ours(np.array(true), np.array(given)) == pytest.approx(float(theirs(true, given)))


@keras_side.GROUP
def test_integers_are_subtracted_as_numbers_as_in_keras() -> None:
    """Bytes gave 65025 for the square of 0 - 1."""
    for name in ("MeanSquaredError", "MeanAbsoluteError"):
        for dtype in ("uint8", "int64"):
            true, given = np.array([[1], [0]], dtype), np.array([[0], [0]], dtype)
            ours, theirs = getattr(metrics, name)(dtype="float32"), getattr(keras_side.keras().metrics, name)()
            assert ours(true, given) == pytest.approx(float(theirs(true, given))) == 0.5


@keras_side.GROUP
def test_names_in_the_history_are_those_that_were_given() -> None:
    x, y = np.random.default_rng(0).random((12, 4)), np.arange(12) % 3
    names = ["Accuracy", "SparseCategoricalAccuracy", "sparse_categorical_crossentropy"]
    histories = []
    for library in (sn, keras_side.keras()):
        model = library.Sequential([library.Input((4,)), library.layers.Dense(3, "softmax", kernel_initializer="ones")])
        model.compile("sgd", library.losses.sparse_categorical_crossentropy, metrics=names)
        histories.append(model.fit(x, y, shuffle=False, epochs=2, verbose=0).history)
    ours, theirs = histories
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-5)


def test_what_is_no_number_is_refused() -> None:
    for true, given in ((None, None), (1, 2), (np.array([["x"]]), np.array([[0.5]])), ([[1.0]], [["a"]])):
        with pytest.raises((sn.errors.DataError, sn.errors.ShapeError), match="mean_squared_error: expected"):
            metrics.MeanSquaredError()(true, given)
    assert metrics.MeanSquaredError()([[1.0], [2.0]], [[0.0], [0.0]], sample_weight=2.0) == 2.5
    power = metrics.MeanMetricWrapper(lambda t, p, exponent: abs(p - t) ** exponent, "power", exponent=3)
    assert power(np.array([1.0]), np.array([3.0])) == 8

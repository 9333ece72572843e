"""Models against Keras's: what fit, evaluate and predict return, on real digits, from the same weights, in float64."""

from __future__ import annotations

import re
from typing import Any

import keras_side
import numpy as np
import pytest
from keras_side import GROUP, exact

import scratchnet as sn

pytestmark = GROUP

CONVOLUTIONAL: list[tuple[str, dict[str, Any]]] = [
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"}),
    ("BatchNormalization", {}),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("Flatten", {}),
    ("Dense", {"units": 6, "activation": "tanh"}),
]
LOGITS = [*CONVOLUTIONAL, ("Dense", {"units": 10})]
PROBABILITIES = [*CONVOLUTIONAL, ("Dense", {"units": 10, "activation": "softmax"})]
SOFTMAX_LAYER = [*LOGITS, ("Softmax", {})]
REGRESSION = [*CONVOLUTIONAL, ("Dense", {"units": 1})]
YES_OR_NO = [*CONVOLUTIONAL, ("Dense", {"units": 1, "activation": "sigmoid"})]


def digits(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first digits, pixels in [0, 1] in float64, and their labels."""
    (x, y), _ = sn.datasets.digits.load_data()
    return x[:n, ..., None] / 16.0, y[:n].astype(np.int64)


@pytest.fixture(autouse=True)
def _names_start_anew():
    """Keras numbers layers across models; 64 bits everywhere."""
    keras_side.keras().utils.clear_session()
    with keras_side.floatx("float64"):
        yield
    sn.config.set_floatx("float32")


def twins(layers: list[tuple[str, dict[str, Any]]], shape: tuple[int, ...] = (8, 8, 1)) -> tuple[Any, Any]:
    """One network in scratchnet and in Keras, of equal weights."""
    sn.config.set_floatx("float64")
    sn.utils.set_random_seed(1)
    made = [getattr(sn.layers, cls)(**arguments) for cls, arguments in layers]
    ours = sn.Sequential([sn.layers.Input(shape), *made])
    keras = keras_side.keras()
    theirs = keras.Sequential([keras.layers.Input(shape), *(keras_side.layer(cls, **a) for cls, a in layers)])
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def compiled(
    layers: list[tuple[str, dict[str, Any]]], loss: str, settings: dict[str, Any], metrics: list[str]
) -> tuple[Any, Any]:
    """Twins with Adam, a loss by its class name, and metrics."""
    ours, theirs = twins(layers)
    keras = keras_side.keras()
    arguments = {"learning_rate": exact(0.01), "beta_1": exact(0.9), "beta_2": exact(0.999), "epsilon": exact(1e-7)}
    ours.compile(sn.optimizers.Adam(0.01), getattr(sn.losses, loss)(**settings), metrics=metrics)
    optimizer = keras.optimizers.Adam(**arguments)
    theirs.compile(optimizer, getattr(keras.losses, loss)(**settings), metrics=metrics, run_eagerly=True)
    return ours, theirs


def same_logs(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Equal keys and equal numbers."""
    assert sorted(ours) == sorted(theirs)  # Keras sorts the keys
    for key, values in theirs.items():
        np.testing.assert_allclose(ours[key], values, rtol=1e-9, err_msg=key)


def same_weights(ours: Any, theirs: Any) -> None:
    for array, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-7, atol=1e-9)


SPARSE, ONE_HOT, SQUARES = "SparseCategoricalCrossentropy", "CategoricalCrossentropy", "MeanSquaredError"
# The network, its loss, and how the targets look.
TASKS: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "logits": (LOGITS, SPARSE, {"from_logits": True}, "labels"),
    "probabilities": (PROBABILITIES, SPARSE, {}, "labels"),
    "softmax-layer": (SOFTMAX_LAYER, SPARSE, {}, "column"),
    "one-hot": (LOGITS, ONE_HOT, {"from_logits": True}, "one-hot"),
    "smoothing": (PROBABILITIES, ONE_HOT, {"label_smoothing": exact(0.1)}, "one-hot"),
    "regression": (REGRESSION, SQUARES, {}, "numbers"),
    "yes-or-no": (YES_OR_NO, "BinaryCrossentropy", {}, "small"),
    "yes-or-no-smooth": (REGRESSION, "BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.25}, "small"),
}


def targets(kind: str, labels: np.ndarray) -> np.ndarray:
    return {
        "labels": labels,
        "column": labels[:, None],
        "one-hot": np.eye(10)[labels],
        "numbers": labels / 9.0,
        "small": labels < 5,
    }[kind]


@pytest.mark.parametrize("task", TASKS)
def test_fit_and_what_follows(task):
    """Batches of 16 from 57 samples: the last one, of 9, counts by its size; so does it in the validation."""
    layers, loss, settings, kind = TASKS[task]
    metrics = ["mae"] if task == "regression" else ["accuracy"]
    x, labels = digits(90)
    y = targets(kind, labels)
    _, theirs = compiled(layers, loss, settings, metrics)
    initial = theirs.get_weights()
    arguments = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0, "validation_data": (x[57:], y[57:])}
    wanted = theirs.fit(x[:57], y[:57], **arguments)
    # The moving statistics are in use from here on.
    evaluated = theirs.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    values, predicted = theirs.evaluate(x, y, verbose=0), theirs.predict(x, batch_size=16, verbose=0)
    for backend in ("numpy", "numba"):
        with sn.use_backend(backend):
            ours, _ = compiled(layers, loss, settings, metrics)
            ours.set_weights(initial)
            history = ours.fit(x[:57], y[:57], **arguments)
            assert history.epoch == wanted.epoch
            same_logs(history.history, wanted.history)
            same_weights(ours, theirs)
            assert ours.optimizer.iterations == int(theirs.optimizer.iterations)
            same_logs(ours.evaluate(x, y, batch_size=16, verbose=0, return_dict=True), evaluated)
            np.testing.assert_allclose(ours.evaluate(x, y, verbose=0), values, rtol=1e-9)
            got = ours.predict(x, batch_size=16, verbose=0)
            assert (got.shape, got.dtype) == (predicted.shape, predicted.dtype)
            np.testing.assert_allclose(got, predicted, rtol=1e-8, atol=1e-9)


def weights_of(n: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.0, 2.0, n)


@pytest.mark.parametrize(
    "arguments",
    [
        {"validation_split": 0.3},  # the last part, taken before anything is shuffled
        {"sample_weight": weights_of(50)},
        {"sample_weight": weights_of(50), "validation_split": 0.25},  # the validation is weighted, too
        {"class_weight": {0: 0.5, 3: 2.0, 9: 0.0}},
        {"class_weight": {0: 0.5, 3: 2.0}, "validation_split": 0.5},  # the validation is not weighted
        {"validation_data": (*digits(20), weights_of(20))},
        {"validation_data": digits(20), "validation_freq": 2},
        {"validation_data": digits(20), "validation_batch_size": 7},
        {"initial_epoch": 1},
        {"batch_size": None},
        {"batch_size": 1000},
    ],
    ids=lambda arguments: "-".join(arguments),
)
def test_arguments_of_fit(arguments):
    x, y = digits(50)
    ours, theirs = compiled(LOGITS, SPARSE, {"from_logits": True}, ["accuracy"])
    arguments = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0, **arguments}
    history, wanted = ours.fit(x, y, **arguments), theirs.fit(x, y, **arguments)
    assert history.epoch == wanted.epoch
    same_logs(history.history, wanted.history)
    same_weights(ours, theirs)


@pytest.mark.parametrize("y_kind", ["labels", "one-hot"])
def test_class_weights_follow_the_kind_of_labels(y_kind):
    x, labels = digits(40)
    loss = SPARSE if y_kind == "labels" else ONE_HOT
    ours, theirs = compiled(LOGITS, loss, {"from_logits": True}, [])
    arguments = {"class_weight": {1: 3.0, 2: 0.25}, "shuffle": False, "verbose": 0}
    y = targets(y_kind, labels)
    same_logs(ours.fit(x, y, **arguments).history, theirs.fit(x, y, **arguments).history)
    same_weights(ours, theirs)


def test_steps_per_epoch_go_on_through_the_data():
    """Three batches of the six an epoch: two epochs see every sample once."""
    x, y = digits(90)
    ours, theirs = compiled(LOGITS, SPARSE, {"from_logits": True}, ["accuracy"])
    arguments = {"batch_size": 15, "epochs": 2, "steps_per_epoch": 3, "shuffle": False, "verbose": 0}
    same_logs(ours.fit(x, y, **arguments).history, theirs.fit(x, y, **arguments).history)
    same_weights(ours, theirs)


def test_evaluate_with_sample_weights():
    """The loss is divided by the number of samples; accuracy is not weighted."""
    x, y = digits(50)
    ours, theirs = compiled(LOGITS, SPARSE, {"from_logits": True}, ["accuracy"])
    arguments = {"batch_size": 16, "sample_weight": weights_of(50), "verbose": 0, "return_dict": True}
    same_logs(ours.evaluate(x, y, **arguments), theirs.evaluate(x, y, **arguments))


def test_single_batches():
    """The loss and the metrics are of the weights before the step."""
    x, y = digits(30)
    weights = weights_of(30)
    ours, theirs = compiled(PROBABILITIES, SPARSE, {}, ["accuracy"])
    np.testing.assert_allclose(ours.test_on_batch(x, y), theirs.test_on_batch(x, y), rtol=1e-10)
    theirs.reset_metrics()  # Keras goes on with the mean of the batch before
    np.testing.assert_allclose(ours.train_on_batch(x, y, weights), theirs.train_on_batch(x, y, weights), rtol=1e-10)
    theirs.reset_metrics()
    same_logs(ours.train_on_batch(x, y, return_dict=True), theirs.train_on_batch(x, y, return_dict=True))
    same_weights(ours, theirs)
    ours, theirs = compiled(PROBABILITIES, SPARSE, {}, [])
    got, wanted = ours.train_on_batch(x, y), theirs.train_on_batch(x, y)
    assert np.ndim(got) == np.ndim(wanted) == 0
    assert got == pytest.approx(float(wanted), rel=1e-10)


@pytest.mark.parametrize(
    "metric",
    ["accuracy", "acc", "sparse_categorical_accuracy"],
)
def test_metrics_keep_the_names_by_which_they_were_asked_for(metric):
    x, y = digits(40)
    ours, theirs = compiled(LOGITS, SPARSE, {"from_logits": True}, [metric])
    arguments = {"validation_split": 0.5, "shuffle": False, "verbose": 0}
    same_logs(ours.fit(x, y, **arguments).history, theirs.fit(x, y, **arguments).history)


def test_weights_names_and_shapes_are_in_kerass_order():
    layers = [
        ("Conv2D", {"filters": 2, "kernel_size": (3, 2), "use_bias": False}),
        ("BatchNormalization", {"scale": False}),
        ("ReLU", {}),
        ("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 2}),
        ("AveragePooling2D", {"pool_size": 2}),
        ("BatchNormalization", {}),
        ("LayerNormalization", {}),
        ("Flatten", {}),
        ("Dense", {"units": 3}),
    ]
    ours, theirs = twins(layers)  # which sets Keras's weights from ours
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    for layer, other in zip(ours.layers, theirs.layers, strict=True):
        assert layer.output_shape == tuple(other.output.shape[1:])
        assert [*layer.params, *layer.state] == [weight.name for weight in other.weights]
    assert ours.count_params() == theirs.count_params()
    ours.set_weights([weight + 1.0 for weight in theirs.get_weights()])
    for array, weight in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(array, weight + 1.0)


def test_the_summary_says_what_kerass_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")  # Keras cuts lines off at the terminal's edge
    ours, theirs = twins(LOGITS)
    printed: dict[str, list[str]] = {"ours": [], "theirs": []}
    ours.summary(print_fn=printed["ours"].append)
    theirs.summary(print_fn=lambda line, **_: printed["theirs"].append(line), line_length=120)

    def content(lines: list[str]) -> list[str]:
        text = re.sub(r"\(\d[\d.]* [KM]?B\)", "", "\n".join(lines))  # Keras counts bytes, too
        return re.sub(r"[─-╿]|_{2,}|={2,}", " ", text).split()  # without the lines of the table

    assert content(printed["ours"]) == content(printed["theirs"])


def test_dropout_scales_what_it_keeps_and_is_silent_in_inference():
    x = np.ones((50, 400))
    ours, theirs = twins([("Dropout", {"rate": 0.2})], (400,))
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x, verbose=0))
    got, wanted = ours.forward(x, training=True), np.asarray(theirs(x, training=True))
    np.testing.assert_allclose(np.unique(got), np.unique(wanted), rtol=1e-7)
    assert (got == 0).mean() == pytest.approx(0.2, abs=0.01)

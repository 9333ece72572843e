"""SequentialClassifier as scikit-learn uses it: its own estimator checks, pipelines, searches, pickles."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import scratchnet as sn
from scratchnet.errors import ConfigError, DataError, ShapeError
from scratchnet.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Reshape

SequentialClassifier = sn.interop.sklearn.SequentialClassifier


@parametrize_with_checks([SequentialClassifier()])
def test_scikit_learns_own_checks(estimator, check):
    """All of them, none excused."""
    check(estimator)


@pytest.fixture(scope="module")
def digits() -> Any:
    """scikit-learn's handwritten digits, scaled: (X_train, X_test, y_train, y_test), rows of 64 pixels."""
    X, y = load_digits(return_X_y=True)
    return train_test_split((X / 16).astype(np.float32), y, random_state=0, stratify=y)


def network(filters: int = 8, dropout: float = 0.0) -> list[Any]:
    return [Reshape((8, 8, 1)), Conv2D(filters, 3, activation="relu"), MaxPooling2D(), Flatten(), Dropout(dropout)]


def test_a_convolutional_network_learns_the_digits(digits):
    X_train, X_test, y_train, y_test = digits
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    model = SequentialClassifier(network(16, 0.25), epochs=30, batch_size=64, learning_rate=3e-3, random_state=0)
    model.fit(X_train, names[y_train])
    assert model.score(X_test, names[y_test]) > 0.96
    assert sorted(model.classes_) == sorted(names)
    probabilities = model.predict_proba(X_test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X_test)), probabilities, rtol=1e-5)
    assert len(model.loss_curve_) == model.n_iter_ == 30
    assert model.best_loss_ == min(model.loss_curve_) < model.loss_curve_[0] / 5


def test_images_with_their_axes(digits):
    X_train, X_test, y_train, y_test = (part.reshape(-1, 8, 8, 1) if part.ndim == 2 else part for part in digits)
    model = SequentialClassifier(network()[1:], epochs=15, batch_size=32, learning_rate=3e-3, random_state=0)
    assert model.fit(X_train, y_train).score(X_test, y_test) > 0.93
    with pytest.raises(ShapeError, match="8, 8, 1"):
        model.predict(X_test.reshape(-1, 8, 2, 4))


def test_early_stopping_keeps_the_best_epoch_and_the_validation_curve(digits):
    X_train, _, y_train, _ = digits
    model = SequentialClassifier(
        hidden_layer_sizes=(64,), dropout=0.2, epochs=60, batch_size=32, learning_rate=5e-3,
        early_stopping=True, n_iter_no_change=3, random_state=1,
    ).fit(X_train, y_train)  # fmt: skip
    assert model.n_iter_ < 60
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert max(model.validation_scores_[-4:]) <= max(model.validation_scores_[:-4]) + model.tol
    twin = clone(model).set_params(epochs=int(np.argmax(model.validation_scores_)) + 1, n_iter_no_change=100)
    for ours, theirs in zip(model.model_.get_weights(), twin.fit(X_train, y_train).model_.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_pipeline_and_cross_validation(digits):
    X_train, _, y_train, _ = digits
    model = SequentialClassifier(hidden_layer_sizes=32, epochs=15, batch_size=32, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    scores = cross_val_score(pipeline, X_train, y_train, cv=3)
    assert scores.min() > 0.9


def test_grid_search_reaches_layers_optimizer_and_loss(digits):
    X_train, X_test, y_train, y_test = digits
    model = SequentialClassifier(
        [Dense(4, activation="relu", name="hidden"), Dropout(0.0)], optimizer="sgd", epochs=8, batch_size=32,
        random_state=0,
    )  # fmt: skip
    grid = {
        "layers__hidden__units": [2, 48],
        "layers__dropout__rate": [0.0, 0.1],
        "optimizer__momentum": [0.9],
        "optimizer__learning_rate": [0.05],
        "loss__label_smoothing": [0.0, 0.05],
    }
    search = GridSearchCV(model, grid, cv=2).fit(X_train, y_train)
    assert search.best_params_["layers__hidden__units"] == 48
    assert search.score(X_test, y_test) > 0.9
    best = search.best_estimator_.model_
    assert (best.layers[0].units, best.optimizer.momentum, best.optimizer.learning_rate) == (48, 0.9, 0.05)
    assert best.loss.label_smoothing == search.best_params_["loss__label_smoothing"]
    assert model.get_params()["layers__hidden__units"] == 4  # what the user gave is as it was


def test_grid_search_over_the_arguments_of_a_function(digits):
    X_train, _, y_train, _ = digits
    search = GridSearchCV(
        SequentialClassifier(network, epochs=3, random_state=0), {"layers__filters": [1, 16]}, cv=2, n_jobs=2
    )
    search.fit(X_train[:400], y_train[:400])
    assert search.best_params_ == {"layers__filters": 16}
    assert search.best_estimator_.model_.layers[1].filters == 16
    with pytest.raises(ConfigError, match="layers has no parameter 'filter'; there are: filters, dropout"):
        clone(search.best_estimator_).set_params(layers__filter=3)


def test_unknown_inner_parameters_are_named():
    with pytest.raises(ConfigError, match="optimizer has no parameter 'momentun'; there are: learning_rate, momentum"):
        SequentialClassifier(optimizer="sgd").set_params(optimizer__momentun=0.5)
    with pytest.raises(ConfigError, match="layers has no parameter 'dense_1__units'"):
        SequentialClassifier([Dense(3)]).set_params(layers__dense_1__units=5)


def test_clones_are_equal_and_their_own(digits):
    X_train, _, y_train, _ = digits
    optimizer = sn.optimizers.SGD(0.1, momentum=0.9)
    model = SequentialClassifier([Dense(5)], optimizer=optimizer, epochs=2, random_state=3)
    twin = clone(model)
    assert twin.get_params()["optimizer__momentum"] == 0.9
    assert twin.optimizer is not optimizer
    first = model.fit(X_train, y_train).predict_proba(X_train)
    np.testing.assert_array_equal(first, twin.fit(X_train, y_train).predict_proba(X_train))
    np.testing.assert_array_equal(first, model.fit(X_train, y_train).predict_proba(X_train))
    assert optimizer.iterations == 0
    assert not model.layers[0].built


def test_partial_fit_goes_on_and_needs_all_classes_once(digits):
    X_train, X_test, y_train, y_test = digits
    model = SequentialClassifier(hidden_layer_sizes=(64,), batch_size=32, learning_rate=3e-3, random_state=0)
    order = np.argsort(y_train == 9, kind="stable")  # no nine in the first chunks
    for epoch in range(6):
        for chunk in np.array_split(order, 4):
            model.partial_fit(X_train[chunk], y_train[chunk], classes=range(10) if epoch == 0 else None)
    assert model.n_iter_ == 24
    assert model.score(X_test, y_test) > 0.85
    with pytest.raises(DataError, match=r"y: expected classes out of \[0 1 2 .*\], got \[11\]"):
        model.partial_fit(X_train[:2], [1, 11])
    with pytest.raises(ConfigError, match="use fit"):
        SequentialClassifier(class_weight="balanced").partial_fit(X_train[:2], [0, 1])


def test_warm_start_goes_on_where_fit_ended(digits):
    X_train, _, y_train, _ = digits
    settings = {"hidden_layer_sizes": (16,), "shuffle": False, "random_state": 0}
    once = SequentialClassifier(epochs=4, **settings).fit(X_train, y_train)
    twice = SequentialClassifier(epochs=2, warm_start=True, **settings).fit(X_train, y_train).fit(X_train, y_train)
    assert twice.loss_curve_ == once.loss_curve_
    with pytest.raises(ConfigError, match="warm_start: expected the classes"):
        twice.fit(X_train, y_train % 3)


def test_class_and_sample_weights(digits):
    X_train, X_test, y_train, y_test = digits
    X, y, even = X_train, y_train % 2, y_test % 2 == 0
    settings = {"hidden_layer_sizes": (16,), "epochs": 10, "random_state": 0}
    plain = SequentialClassifier(**settings).fit(X, y)
    weighted = SequentialClassifier(class_weight={0: 20.0, 1: 1.0}, **settings).fit(X, y)
    by_sample = SequentialClassifier(**settings).fit(X, y, sample_weight=np.where(y == 0, 20.0, 1.0))
    assert (weighted.predict(X_test)[even] == 0).mean() > (plain.predict(X_test)[even] == 0).mean()
    np.testing.assert_array_equal(weighted.predict_proba(X_test), by_sample.predict_proba(X_test))
    with pytest.raises(DataError, match="sample_weight: expected weights with a positive sum"):
        SequentialClassifier(class_weight={0: 0.0, 1: 0.0}).fit(X, y)


@pytest.mark.parametrize(
    "loss",
    [
        sn.losses.SparseCategoricalCrossentropy(from_logits=True),
        sn.losses.CategoricalCrossentropy(label_smoothing=0.1),
        "mse",
    ],
)
def test_other_losses(digits, loss):
    X_train, X_test, y_train, y_test = digits
    model = SequentialClassifier(loss=loss, epochs=25, batch_size=32, learning_rate=3e-3, random_state=0)
    assert model.fit(X_train, y_train).score(X_test, y_test) > 0.92
    np.testing.assert_allclose(model.predict_proba(X_test).sum(axis=1), 1, rtol=1e-5)


def test_own_output_layer_is_kept_and_checked(digits):
    X_train, _, y_train, _ = digits
    model = SequentialClassifier([Dense(10, activation="softmax")], epochs=1).fit(X_train, y_train)
    assert len(model.model_.layers) == 1
    with pytest.raises(ConfigError, match=r"expected 10 outputs, one per class, got \(n, 7\)"):
        SequentialClassifier([Dense(7, activation="softmax")]).fit(X_train, y_train)
    with pytest.raises(ConfigError, match="from logits"):
        SequentialClassifier(
            [Dense(10, activation="softmax")], loss=sn.losses.SparseCategoricalCrossentropy(from_logits=True)
        ).fit(X_train, y_train)


@pytest.mark.parametrize(("given", "expected"), [("float32", "float32"), ("float64", "float64"), ("uint8", "float32")])
def test_the_dtype_is_that_of_the_data(digits, given, expected):
    X_train, _, y_train, _ = digits
    X = (X_train * 16).astype(given)
    assert SequentialClassifier(epochs=1).fit(X, y_train).predict_proba(X).dtype == expected
    assert SequentialClassifier(epochs=1, dtype="float64").fit(X, y_train).predict_proba(X).dtype == "float64"


def test_joblib_and_pickle_keep_predictions_and_training(digits, tmp_path):
    X_train, X_test, y_train, _ = digits
    model = SequentialClassifier(network(4, 0.3), batch_size=64, random_state=0)
    for _ in range(3):
        model.partial_fit(X_train, y_train)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded, pickled = joblib.load(tmp_path / "model.joblib"), pickle.loads(pickle.dumps(model))
    for copy in (loaded, pickled):
        np.testing.assert_array_equal(copy.predict_proba(X_test), model.predict_proba(X_test))
        assert copy.loss_curve_ == model.loss_curve_
    assert (tmp_path / "model.joblib").stat().st_size < 60_000  # weights and slots, no buffers
    model.partial_fit(X_train, y_train)
    loaded.partial_fit(X_train, y_train)  # goes on with Adam's memory and the dropout masks that come next
    np.testing.assert_array_equal(loaded.predict_proba(X_test), model.predict_proba(X_test))


def test_without_scikit_learn():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import scratchnet as sn\n"
        "try: sn.interop.sklearn\n"
        "except sn.errors.DependencyError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("interop.sklearn needs scikit-learn, which cannot be imported (")
    assert done.stdout.endswith("): pip install scikit-learn\n")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(({"layers": given}, "layers: expected a list of layers, or a function that returns one, got ") for given in
          (5, "x", [3], [Dense], Dense(3), Dense, {}, np.ones(2), lambda: 5)),
        ({"tol": "x"}, "tol: expected a number in (-inf, inf), got 'x'"),
        ({"early_stopping": "x"}, "early_stopping: expected True or False, got 'x'"),
        ({"early_stopping": np.ones(2)}, "early_stopping: expected True or False, got array([1., 1.])"),
        ({"validation_fraction": 2}, "validation_fraction: expected a number in (0, 1), got 2"),
        ({"n_iter_no_change": -1}, "n_iter_no_change: expected an integer of at least 1, got -1"),
        ({"shuffle": "x"}, "shuffle: expected True or False, got 'x'"),
        ({"warm_start": "x"}, "warm_start: expected True or False, got 'x'"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_get_one_line_from_fit(digits, settings, message):
    X_train, _, y_train, _ = digits
    classifier = SequentialClassifier(**{"epochs": 1, **settings})
    for fit in (classifier.fit, classifier.partial_fit):
        with pytest.raises(ConfigError) as caught:
            fit(X_train, y_train)
        assert str(caught.value).startswith(f"SequentialClassifier: {message}")
        assert "\n" not in str(caught.value)

"""Precision, Recall, F1Score, AUC and cross-entropies as metrics: against Keras, scikit-learn and the definitions."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import metrics
from scratchnet.errors import ShapeError

Batches = list[tuple[Any, Any, Any]]
METHODS = ("interpolation", "minoring", "majoring")


def batches(k: int, grid: bool = False, weighted: bool = False, onehot: bool = False, n: int = 40) -> Batches:
    """Three of unequal size: targets, outputs, weights. On the grid outputs are multiples of 0.1, some are equal."""
    rng = np.random.default_rng([k, grid, weighted, onehot])
    y = rng.random((n, k)).astype(np.float32)
    y = np.round(10 * y) / np.float32(10) if grid else y
    t = np.eye(k)[rng.integers(0, k, n)] if onehot else (rng.random((n, k)) < 0.3).astype(np.float32)
    weights = rng.random(n) if weighted else None
    parts = [slice(0, 17), slice(17, 33), slice(33, n)]
    return [(t[rows], y[rows], None if weights is None else weights[rows]) for rows in parts]


def measured(metric: Any, given: Batches) -> Any:
    for batch in given:
        metric.update_state(*batch)
    return np.asarray(metric.result())


def agree(name: str, settings: dict[str, Any], given: Batches) -> None:
    ours = measured(getattr(metrics, name)(**settings), given)
    theirs = measured(getattr(keras_side.keras().metrics, name)(**settings), given)
    assert ours.shape == theirs.shape, (name, settings)
    np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6, err_msg=f"{name} {settings}")


KINDS = list(itertools.product((1, 4), (False, True), (False, True)))  # outputs, on the grid, weighted


@keras_side.GROUP
@pytest.mark.parametrize(("k", "grid", "weighted"), KINDS)
@pytest.mark.parametrize("name", ["Precision", "Recall"])
def test_precision_and_recall_are_those_of_keras(name: str, k: int, grid: bool, weighted: bool) -> None:
    given = batches(k, grid, weighted)
    thresholds = (None, 0.3, [0.9], [0.7, 0.1], [0, 0.5, 1], [i / 10 for i in range(11)])
    chosen: list[dict[str, Any]] = [{}] + [{"class_id": 1}, {"top_k": 2}, {"top_k": 3, "class_id": 2}] * (k > 1)
    for one, more in itertools.product(thresholds, chosen):
        agree(name, {"thresholds": one, **more}, given)


@keras_side.GROUP
@pytest.mark.parametrize(("k", "grid", "weighted"), KINDS)
def test_f1_is_that_of_keras(k: int, grid: bool, weighted: bool) -> None:
    for average, threshold in itertools.product((None, "micro", "macro", "weighted"), (None, 0.4)):
        for onehot in (False, True):
            agree("F1Score", {"average": average, "threshold": threshold}, batches(k, grid, weighted, onehot))


@keras_side.GROUP
@pytest.mark.parametrize(("curve", "method"), [*itertools.product(("ROC", "PR"), METHODS)])
def test_auc_is_that_of_keras(curve: str, method: str) -> None:
    labels, how = [1, 2, 0.5, 3], {"curve": curve, "summation_method": method}
    for settings in ({}, {"num_thresholds": 5}, {"num_thresholds": 2}, {"thresholds": [0.1, 0.7, 0.3]},
                     {"thresholds": [0.25, 0.5, 0.75]}, {"label_weights": labels}):  # fmt: skip
        for grid, weighted in ((False, False), (True, True)):
            agree("AUC", {**how, **settings}, batches(4, grid, weighted))
    agree("AUC", how, batches(1, grid=True))
    logits = [(t, 20 * y - 10, w) for t, y, w in batches(4, weighted=True)]
    agree("AUC", {**how, "from_logits": True}, logits)
    agree("AUC", how, logits)  # outputs that are no probabilities
    agree("AUC", {**how, "thresholds": [0.4, 0.6]}, logits)
    for settings in ({"num_labels": 4, "num_thresholds": 9}, {"label_weights": labels}, {"thresholds": [0.4, 0.6]}):
        agree("AUC", {**how, **settings, "multi_label": True}, batches(4, weighted=True))
    for constant in (0, 1):
        agree("AUC", how, [(np.full_like(t, constant), y, w) for t, y, w in batches(1)])


@keras_side.GROUP
def test_what_is_special_is_what_it_is_to_keras() -> None:
    nan = [(np.array([[1.0], [0], [1], [0]]), np.array([[np.nan], [0.2], [0.7], [0.9]]), None)]
    for settings in ({}, {"thresholds": [0.3, 0.8]}):
        for name in ("Precision", "Recall", "AUC"):
            agree(name, settings, nan)
            agree(name, settings, [])
    agree("F1Score", {"threshold": 0.5}, nan)
    agree("F1Score", {}, [(np.eye(3), np.zeros((3, 3)), None)])  # zeros are not the largest
    for k in (2, 4):  # a row of outputs without a batch axis is one row
        agree("Precision", {"top_k": k}, [([0, 0, 1, 1], [1, 1, 1, 1], None)])
    for weights in (None, [1, 0, 0, 1]):
        for name in ("Precision", "Recall", "AUC"):
            agree(name, {}, [([0, 0, 1, 1], [0, 0.5, 0.3, 0.9], weights)])
    agree("Precision", {}, [([[0.3], [0], [2]], [[1.0], [1.0], [1.0]], None)])  # whatever is not 0 is positive


@keras_side.GROUP
@pytest.mark.parametrize("settings", [{}, {"from_logits": True}, {"label_smoothing": 0.1}])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropies_are_those_of_keras(settings: dict[str, Any], weighted: bool) -> None:
    agree("BinaryCrossentropy", settings, batches(1, weighted=weighted))
    agree("BinaryCrossentropy", settings, batches(4, weighted=weighted))
    agree("CategoricalCrossentropy", settings, batches(4, weighted=weighted, onehot=True))
    if "label_smoothing" not in settings:
        numbers = [(t.argmax(axis=1), y, w) for t, y, w in batches(4, weighted=weighted, onehot=True)]
        agree("SparseCategoricalCrossentropy", settings, numbers)


def test_against_scikit_learn() -> None:
    from sklearn import metrics as theirs

    rng = np.random.default_rng(0)
    t, chosen = rng.integers(0, 4, (2, 90))
    rows, y = np.eye(4)[t], np.eye(4)[chosen] * 0.8
    weights = rng.random(90)
    for name, function in (("Precision", theirs.precision_score), ("Recall", theirs.recall_score)):
        expected = function(t, chosen, average=None, sample_weight=weights)
        for c in range(4):
            assert getattr(metrics, name)(class_id=c)(rows, y, weights) == pytest.approx(expected[c], rel=1e-12)
        micro = function(t, chosen, average="micro", sample_weight=weights)
        assert getattr(metrics, name)()(rows, y, weights) == pytest.approx(micro, rel=1e-12)
    for average in (None, "micro", "macro", "weighted"):
        score = metrics.F1Score(average)(rows, y, weights)
        assert score == pytest.approx(theirs.f1_score(t, chosen, average=average, sample_weight=weights), abs=1e-6)


def test_the_area_is_exact_if_thresholds_part_all_outputs() -> None:
    from sklearn import metrics as theirs

    rng = np.random.default_rng(1)
    y = rng.choice([0.05, 0.21, 0.43, 0.77, 0.96], (60, 3))
    t = (rng.random((60, 3)) < y).astype(int)
    weights = rng.random(60)
    for given in ({"num_thresholds": 11}, {"thresholds": [0.1, 0.3, 0.5, 0.9]}):
        assert metrics.AUC(**given)(t[:, 0], y[:, 0]) == pytest.approx(theirs.roc_auc_score(t[:, 0], y[:, 0]))
        expected = theirs.roc_auc_score(t[:, 0], y[:, 0], sample_weight=weights)
        assert metrics.AUC(**given)(t[:, 0], y[:, 0], weights) == pytest.approx(expected)
        assert metrics.AUC(**given)(t, y) == pytest.approx(theirs.roc_auc_score(t.ravel(), y.ravel()))
        assert metrics.AUC(**given, multi_label=True)(t, y) == pytest.approx(theirs.roc_auc_score(t, y))
    low, middle, high = (metrics.AUC(11, summation_method=how)(t, y) for how in ("minoring", METHODS[0], "majoring"))
    assert low < middle < high
    assert middle == pytest.approx((low + high) / 2)


def test_between_thresholds_precision_is_a_ratio_of_lines() -> None:
    """The formula of Davis and Goadrich, against many small steps along the curve."""
    rng = np.random.default_rng(2)
    y = rng.random(200)
    t = (rng.random(200) < y).astype(int)
    thresholds = [-1.0, *np.arange(1, 6) / 6, 2.0]
    points = np.array([[(t[y > one] == 1).sum(), (t[y > one] == 0).sum()] for one in thresholds])[::-1]
    area = 0.0
    for a, b in itertools.pairwise(points):
        tp, fp = np.linspace(a, b, 20001)[1:].T if a.sum() == 0 else np.linspace(a, b, 20001).T
        area += np.trapezoid(tp / (tp + fp), tp / t.sum())
    assert metrics.AUC(7, curve="PR")(t, y) == pytest.approx(area, rel=2e-4)


def test_worked_examples() -> None:
    """The examples of Keras's documentation, and formulas with numbers put in."""
    assert metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]) == 0.75
    assert metrics.Precision()([0, 1, 1, 1], [1, 0, 1, 1]) == pytest.approx(2 / 3)
    assert metrics.Recall()([0, 1, 1, 1, 1], [1, 0, 1, 1, 1]) == 3 / 4
    t, y = [[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
    np.testing.assert_allclose(metrics.F1Score(threshold=0.5)(t, y), [0.5, 0.8, 2 / 3], rtol=1e-6)
    at = metrics.Precision([0.25, 0.5])
    np.testing.assert_array_equal(at([0, 1, 1], [0.5, 0.5, 0.75]), [2 / 3, 1])  # 0.5 is not above 0.5
    p, r, e = 2 / (3 + 1e-7), 2 / (4 + 1e-7), 1e-7
    score = metrics.F1Score("micro", 0.5)([[1], [1], [1], [1], [0]], [[0.9], [0.9], [0.1], [0.1], [0.9]])
    assert score == pytest.approx(2 * p * r / (p + r + e), rel=1e-12)
    loss = metrics.BinaryCrossentropy()
    assert loss([[1.0], [0.0]], [[0.5], [0.25]], [1, 3]) == pytest.approx(-(math.log(0.5) + 3 * math.log(0.75)) / 4)


def test_the_rules_by_hand() -> None:
    for target, expected in (([1, 0, 0], 1), ([0, 1, 0], 0)):  # of equal outputs the first is among the largest
        assert metrics.Precision(top_k=1)([target], [[0.2, 0.2, 0.1]]) == expected
    assert metrics.Recall(top_k=1)([[0, 0, 1]], [[0.1, 0.2, 0.3]]) == 1
    assert metrics.F1Score("micro")([[1, 0]], [[0.0, 0.0]]) == 0  # zeros are not the largest
    nan = [1, 1], [np.nan, 0.9]  # not above any threshold
    assert (metrics.Precision()(*nan), metrics.Recall()(*nan), metrics.AUC()([1, 0], [np.nan, 0.5])) == (1, 0.5, 0)
    scores = [0, 0, 1, 1], [0, 0.5, 0.3, 0.9]  # recall 1, 0.5, 0; precision 0.5, 1, 0
    assert metrics.AUC(3, "PR", "minoring")(*scores) == 0.25
    assert metrics.AUC(3, "PR", "majoring")(*scores) == 1
    assert metrics.AUC(summation_method="minoring", thresholds=[0.3])([0, 1], [0.3, 0.4]) == 1  # 0.3 is not above 0.3
    assert metrics.AUC(3, from_logits=True)([0, 0, 1, 1], [-9, 0, 0.5, 9]) == 1
    labels = np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.1], [0.4, 0.2]])  # of the positives 3 out of 4 are above 0.5
    assert metrics.AUC(3, label_weights=[3, 1])(*labels) == 0.875
    each = np.array([[1, 1], [0, 0]]), np.array([[0.9, 0.1], [0.1, 0.9]])  # areas 1 and 0
    assert metrics.AUC(3, multi_label=True, label_weights=[3, 1])(*each) == 0.75


EVERY = [
    (metrics.Precision, {"thresholds": [0.2, 0.5], "class_id": 1}), (metrics.Recall, {"top_k": 2, "thresholds": 0.1}),
    (metrics.F1Score, {"average": "macro", "threshold": 0.25}), (metrics.F1Score, {}),
    (metrics.AUC, {"curve": "PR", "summation_method": "minoring", "thresholds": [0.25, 0.75]}),
    (metrics.AUC, {"num_thresholds": 20, "multi_label": True, "num_labels": 4, "label_weights": [1, 2, 3, 0]}),
    (metrics.AUC, {"multi_label": True, "from_logits": True}), (metrics.BinaryCrossentropy, {"label_smoothing": 0.25}),
    (metrics.CategoricalCrossentropy, {"from_logits": True}),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "settings"), EVERY, ids=lambda given: getattr(given, "__name__", ""))
def test_states_go_on_with_the_same_bits_and_configs_make_the_same_metric(cls: Any, settings: dict[str, Any]) -> None:
    given = batches(4, weighted=True)
    metric = cls(**settings, name="own")
    expected = measured(metric, given)
    again = metrics.get(json.loads(json.dumps(metrics.serialize(metric))))
    assert (type(again), again.config(), again.name) == (cls, metric.config(), "own")
    again.update_state(*given[0])
    third = cls(**settings)
    third.load_state(json.loads(json.dumps(again.state())))
    np.testing.assert_array_equal(measured(third, given[1:]), expected)
    third.reset_state()
    assert np.all(np.asarray(third.result()) == 0)
    np.testing.assert_array_equal(measured(third, given), expected)
    assert repr(third).startswith(f"<{cls.__name__} '{third.name}': ")
    # One batch, or many, or the samples twice instead of a weight of 2: the same up to rounding.
    t, y, w = (np.concatenate(part) for part in zip(*given, strict=True))
    np.testing.assert_allclose(cls(**settings)(t, y, w), expected, rtol=1e-12)
    heavy = cls(**settings)(t, y, np.where(np.arange(40) < 9, 2, 1))
    np.testing.assert_allclose(cls(**settings)([*t, *t[:9]], [*y, *y[:9]]), heavy, rtol=1e-6)


def test_names_and_directions() -> None:
    for cls, name in (
        ("Precision", "precision"), ("Recall", "recall"), ("F1Score", "f1_score"), ("AUC", "auc"),
        ("BinaryCrossentropy", "binary_crossentropy"), ("CategoricalCrossentropy", "categorical_crossentropy"),
        ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"),
    ):  # fmt: skip
        for written in (cls, name):
            metric = metrics.get(written)
            assert (type(metric).__name__, metric.name) == (cls, name)
            assert metrics.get_all(written)[0].name == written
            assert metric.direction == ("down" if "entropy" in name else "up")
            assert not metric.counts_correct


def test_arguments_that_are_refused() -> None:
    at = "expected numbers from 0 to 1, got "
    for make, said in (
        (lambda: metrics.Precision(1.5), f"Precision: thresholds: {at}[1.5]"),
        (lambda: metrics.Recall([0.5, "a"]), f"Recall: thresholds: {at}[0.5, 'a']"),
        (lambda: metrics.Recall([]), f"Recall: thresholds: {at}[]"),
        (lambda: metrics.Precision("high"), f"Precision: thresholds: {at}'high'"),
        (lambda: metrics.Precision(top_k=0), "Precision: top_k: expected an integer of at least 1, got 0"),
        (lambda: metrics.Precision(class_id=-1), "Precision: class_id: expected an integer of at least 0, got -1"),
        (lambda: metrics.Precision(treshold=1), "Precision has no argument 'treshold': did you mean 'thresholds'?"),
        (lambda: metrics.F1Score("mean"), "F1Score: average: expected None, micro, macro or weighted, got 'mean'"),
        (lambda: metrics.F1Score(threshold=0), "F1Score: threshold: expected a number in (0, 1], got 0"),
        (lambda: metrics.AUC(1), "AUC: num_thresholds: expected an integer of at least 2, got 1"),
        (lambda: metrics.AUC(curve="PRGAIN"), "AUC: curve: expected one of ROC, PR, got 'PRGAIN'"),
        (
            lambda: metrics.AUC(summation_method="mid"),
            "AUC: summation_method: expected one of interpolation, minoring, majoring, got 'mid'",
        ),
        (lambda: metrics.AUC(thresholds=[2]), f"AUC: thresholds: {at}[2]"),
        (lambda: metrics.AUC(num_labels=3), "AUC: num_labels: expected None without multi_label, got 3"),
        (
            lambda: metrics.AUC(label_weights=[-1]),
            "AUC: label_weights: expected as many numbers from 0 up as there are labels, got [-1]",
        ),
        (
            lambda: metrics.AUC(multi_label=True, num_labels=3, label_weights=[1]),
            "AUC: label_weights: expected 3 numbers from 0 up, got [1]",
        ),
        (
            lambda: metrics.BinaryCrossentropy(from_logits=2),  # type: ignore[arg-type]
            "BinaryCrossentropy: from_logits: expected True or False, got 2",
        ),
    ):
        with pytest.raises(sn.errors.ConfigError, match=f"^{re.escape(said)}$"):
            make()
    assert metrics.AUC(curve="pr", summation_method="Majoring").config()["curve"] == "PR"


def test_shapes_that_are_refused() -> None:
    y = np.full((4, 3), 0.5)
    for name in ("precision", "recall", "f1_score", "auc"):
        for labels in ([0, 1, 2, 0], [[0], [1], [2], [0]]):
            with pytest.raises(
                sn.errors.ShapeError, match=rf"^{name}: expected .* \(4, 3\), got .*to_categorical\(y, 3"
            ):
                metrics.get(name)(labels, y)
        with pytest.raises(sn.errors.ShapeError, match=rf"^{name}: expected .* \(4, 3\), got \(4, 2\)$"):
            metrics.get(name)(y[:, :2], y)
    for metric, shape, said in (
        (metrics.Precision(class_id=3), (4, 3), "expected outputs of more than 3 classes for class_id=3, got (4, 3)"),
        (metrics.Precision(class_id=0), (4,), "expected outputs of more than 0 classes for class_id=0, got (4,)"),
        (metrics.Recall(top_k=4), (4, 3), "expected outputs of at least top_k=4 classes, got (4, 3)"),
        (metrics.F1Score(), (4,), "expected outputs of shape (n, classes), got (4,)"),
        (metrics.AUC(label_weights=[1, 2]), (4, 3), "expected outputs of 2 labels, got (4, 3)"),
        (metrics.AUC(multi_label=True, num_labels=1), (4, 3), "expected outputs of 1 labels, got (4, 3)"),
    ):
        with pytest.raises(sn.errors.ShapeError, match=re.escape(said)):
            metric(np.ones(shape), np.ones(shape))
    for growing in (metrics.F1Score(), metrics.AUC(multi_label=True)):
        growing(np.ones((4, 3)), np.ones((4, 3)))
        for width in (1, 4):
            with pytest.raises(sn.errors.ShapeError, match="expected 3 outputs to a sample, as before, got"):
                growing(np.ones((4, width)), np.ones((4, width)))


@keras_side.GROUP
@pytest.mark.parametrize("k", [1, 4])
def test_a_weight_for_each_output_is_taken_as_by_keras(k: int) -> None:
    rng = np.random.default_rng(k)
    given = [(t, y, rng.integers(0, 3, y.shape)) for t, y, _ in batches(k, grid=True)]
    top: list[dict[str, Any]] = [{"top_k": 2}] * (k > 1)
    for name, settings in itertools.product(("Precision", "Recall"), [{}, {"thresholds": [0.3, 0.7]}, *top]):
        agree(name, settings, given)
    for settings in ({}, {"curve": "PR"}, {"multi_label": True}):
        if k == 1 or "multi_label" not in settings:
            agree("AUC", settings, given)
    agree("BinaryAccuracy", {}, given)
    agree("Accuracy", {}, [(t, y.round(), weights) for t, y, weights in given])


def test_weights_of_outputs_are_like_weights_of_samples_that_are_split() -> None:
    metric = metrics.BinaryAccuracy()
    metric.update_state([[1, 0]], [[0.9, 0.9]], [[3.0, 1.0]])
    metric.update_state([[1, 0]], [[0.9, 0.9]], [2.0])
    assert metric.result() == (0.5 * 3 + 0.5 * 2) / 4
    column = metrics.Precision(class_id=1)
    column.update_state([[0, 1], [1, 0]], [[0.9, 0.9], [0.9, 0.9]], [[9.0, 1.0], [9.0, 3.0]])
    assert column.result() == 1 / 4
    for other, y in ((metrics.F1Score(), [[0.4, 0.6]]), (metrics.Accuracy(), [[0.4, 0.6]])):
        with pytest.raises(ShapeError, match=r"sample_weight: expected shape \(1,\), got \(1, 2\)"):
            other.update_state([[0, 1]] if isinstance(other, metrics.F1Score) else [1], y, [[1.0, 2.0]])

"""How well a classifier does, class by class, as text: the figures that scikit-learn's reports give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .checks import whole
from .datasets.labels import class_numbers
from .errors import DataError
from .host_arrays import numbers


def names_of(classes: int, class_names: Sequence[str] | None = None) -> list[str]:
    """``class_names``, or ``["0", "1", ...]``.

    Raises
    ------
    DataError
        If there are fewer names than classes.
    """
    if class_names is None:
        return [str(label) for label in range(classes)]
    if len(class_names) < classes:
        raise DataError(f"class_names: expected at least {classes} names, got {len(class_names)}")
    return [str(name) for name in class_names]


def confusion_matrix(y_true: Any, y_pred: Any, classes: int | None = None) -> np.ndarray:
    """How often class i was predicted as class j.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,), (n, 1) or one-hot (n, classes)
        Class numbers from 0 up.
    classes : int, optional
        Number of classes; the largest label plus one when not given.

    Returns
    -------
    ndarray of int64, shape (classes, classes)
        Rows are the true classes, columns the predicted ones.

    Raises
    ------
    DataError
        If the two differ in length, are empty, or hold anything but whole numbers within the range.
    ConfigError
        If ``classes`` is not a positive integer.
    """
    true, predicted = (_labels(y) for y in (y_true, y_pred))
    if len(true) != len(predicted) or not len(true):
        raise DataError(
            f"confusion matrix: expected as many predictions as labels, got {len(predicted)} and {len(true)}"
        )
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    classes = int(high) + 1 if classes is None else whole("classes", classes)
    if low < 0 or high >= classes:
        raise DataError(f"confusion matrix: expected labels from 0 to {classes - 1}, got {low if low < 0 else high}")
    pairs = true.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _labels(y: Any) -> np.ndarray:
    labels = class_numbers(numbers(y, "confusion matrix", "class numbers"))
    if labels.dtype.kind == "f" and not (np.isfinite(labels) & (labels == np.floor(labels))).all():
        raise DataError(f"confusion matrix: expected whole class numbers, got {labels.dtype} with other values")
    return labels


def class_figures(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall, F1 and support of every class, from a confusion matrix.

    ``precision = hits / predicted``, ``recall = hits / support``, ``f1 = 2 hits / (predicted + support)``; 0 where the
    divisor is 0, as in scikit-learn.

    Returns
    -------
    dict of str to ndarray, shape (classes,)
    """
    hits, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)

    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.zeros(len(matrix)), where=whole > 0)

    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, support),
        "f1": ratio(2 * hits, predicted + support),
        "support": support,
    }


def classification_report(y_true: Any, y_pred: Any, class_names: Sequence[str] | None = None, digits: int = 4) -> str:
    """Precision, recall and F1 of every class, accuracy, macro and weighted means, as a table.

    Parameters
    ----------
    y_true, y_pred : array-like of class numbers
    class_names : sequence of str, optional
    digits : int
        Decimals of the ratios.

    Raises
    ------
    DataError
        As for `confusion_matrix`.
    ConfigError
        If ``digits`` is not a number of decimals.
    """
    whole("digits", digits, 0)
    matrix = confusion_matrix(y_true, y_pred, len(class_names) if class_names is not None else None)
    return report_of_matrix(matrix, class_names, digits)


def report_of_matrix(matrix: np.ndarray, class_names: Sequence[str] | None = None, digits: int = 4) -> str:
    """The table of `classification_report`, from a confusion matrix."""
    names, figures = names_of(len(matrix), class_names), class_figures(matrix)
    support, total = figures["support"], int(matrix.sum())
    ratios = np.column_stack([figures["precision"], figures["recall"], figures["f1"]])
    present = (support > 0) | (matrix.sum(axis=0) > 0)  # a class that occurs nowhere does not count
    rows = [(names[i], list(ratios[i]), int(support[i])) for i in np.flatnonzero(present)]
    means = [
        ("macro avg", list(ratios[present].mean(axis=0)), total),
        ("weighted avg", list(np.average(ratios, axis=0, weights=support)), total),
    ]
    width = max(len("weighted avg"), *(len(name) for name in names))

    def line(name: str, values: list[float | None], count: int) -> str:
        cells = "".join("".rjust(10) if value is None else f"{value:10.{digits}f}" for value in values)
        return f"{name:>{width}} {cells}{count:10d}"

    accuracy = float(np.trace(matrix)) / total
    header = f"{'':>{width}} {'precision':>10}{'recall':>10}{'f1-score':>10}{'support':>10}"
    lines = [header, "", *(line(*row) for row in rows), "", line("accuracy", [None, None, accuracy], total)]
    return "\n".join(lines + [line(*row) for row in means]) + "\n"


def confusion_table(matrix: np.ndarray, class_names: Sequence[str] | None = None) -> str:
    """A confusion matrix as text: true classes down, predicted classes across."""
    names = names_of(len(matrix), class_names)[: len(matrix)]
    width = max(len(name) for name in names)
    cell = max(4, len(str(matrix.max())) + 2, *(len(str(i)) + 2 for i in range(len(names))))
    number = len(str(len(names) - 1))
    lines = [" " * (number + 2 + width) + "".join(f"{i:>{cell}}" for i in range(len(names))) + "   (predicted)"]
    for i, (name, row) in enumerate(zip(names, matrix, strict=True)):
        lines.append(f"{i:>{number}}  {name:<{width}}" + "".join(f"{count or '.':>{cell}}" for count in row))
    return "\n".join(lines) + "\n"


def most_confused(matrix: np.ndarray, count: int = 5) -> list[tuple[int, int, int]]:
    """The mistakes made most often: ``(true class, predicted class, how often)``."""
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, matrix.shape), strict=True)]
    return [(i, j, int(mistakes[i, j])) for i, j in pairs if mistakes[i, j]]

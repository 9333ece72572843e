"""Metrics: what fit and evaluate report besides the loss. Means over samples, and ratios of counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..checks import snake_case
from ..configured import resolve
from ..custom import known
from ..errors import ConfigError
from ..losses import (
    binary_crossentropy,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from ..report import classification_report, confusion_matrix
from .accuracies import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    ClassAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .auc import AUC
from .base import Mean, MeanMetricWrapper, Metric
from .confusion import FalseNegatives, FalsePositives, TrueNegatives, TruePositives
from .errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
)
from .functions import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .precision_recall import F1Score, Precision, Recall

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "ClassAccuracy",
    "F1Score",
    "FalseNegatives",
    "FalsePositives",
    "Mean",
    "MeanAbsoluteError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "categorical_accuracy",
    "classification_report",
    "confusion_matrix",
    "get",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]

_CLASSES: tuple[type[Metric], ...] = (
    ClassAccuracy, Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy,
    SparseCategoricalCrossentropy, Precision, Recall, F1Score, AUC, RootMeanSquaredError, TruePositives,
    FalsePositives, TrueNegatives, FalseNegatives,
)  # fmt: skip

_SHORT: dict[str, type[Metric]] = {
    "accuracy": ClassAccuracy, "acc": ClassAccuracy, "top_k": TopKCategoricalAccuracy, "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
}  # fmt: skip
_FUNCTIONS = (
    binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, top_k_categorical_accuracy,
    sparse_top_k_categorical_accuracy, mean_squared_error, mean_absolute_error, binary_crossentropy,
    categorical_crossentropy, sparse_categorical_crossentropy,
)  # fmt: skip
OTHERS = "a function f(y_true, y_pred), or "


def get(identifier: Any) -> Metric:
    """A metric from its name, a ``{"class_name", "config"}`` dict, a function ``f(y_true, y_pred)``, or itself.

    A metric requested by name has that name in the logs: ``"acc"`` stays ``"acc"``.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if any(identifier is function for function in _FUNCTIONS):
        identifier = identifier.__name__
    if callable(identifier) and not isinstance(identifier, type | Metric):
        return MeanMetricWrapper(identifier)
    by_class = {cls.__name__: cls for cls in _CLASSES} | known(Metric)
    if isinstance(identifier, dict):
        return resolve("metric", identifier, Metric, by_class, OTHERS)
    by_name = {snake_case(name): cls for name, cls in by_class.items() if cls is not Accuracy}
    metric = resolve("metric", identifier, Metric, _SHORT | by_name, OTHERS)
    if isinstance(identifier, str):
        metric.name = snake_case(identifier) if identifier in by_class else identifier
    return metric


def get_all(identifiers: Any) -> list[Metric]:
    """The metrics of ``compile(metrics=...)``: a list of what `get` takes, or a single one; None for none.

    As in Keras a metric requested by name has exactly this name in the logs: ``"Accuracy"`` stays ``"Accuracy"``.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifiers, str | dict | Metric) or not isinstance(identifiers, Iterable):
        identifiers = [] if identifiers is None else [identifiers]
    identifiers = list(identifiers)
    if any(isinstance(identifier, Mean) for identifier in identifiers):
        raise ConfigError("metrics: Mean is for numbers of your own: expected metrics of targets and outputs")
    metrics = [get(identifier) for identifier in identifiers]
    for metric, identifier in zip(metrics, identifiers, strict=True):
        if isinstance(identifier, str):
            metric.name = identifier
    return metrics


deserialize = get  # Keras's name for it, where it is given a dict


def serialize(metric: Metric) -> dict[str, Any] | None:
    """The dict that `get` turns back into the metric; None for a user's function, which cannot be serialized."""
    if isinstance(metric, MeanMetricWrapper):
        return None
    return {"class_name": type(metric).__name__, "config": metric.config()}

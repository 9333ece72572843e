"""Metrics: what fit and evaluate report beside the loss. Each is a mean over samples, summed in float64."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import losses
from ..checks import snake_case
from ..configured import resolve
from ..custom import known
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
from .base import MeanMetricWrapper, Metric
from .errors import MeanAbsoluteError, MeanSquaredError

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "ClassAccuracy",
    "MeanAbsoluteError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "classification_report",
    "confusion_matrix",
    "get",
    "serialize",
]

_CLASSES: tuple[type[Metric], ...] = (
    ClassAccuracy, Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, MeanSquaredError, MeanAbsoluteError,
)  # fmt: skip

_SHORT: dict[str, type[Metric]] = {
    "accuracy": ClassAccuracy, "acc": ClassAccuracy, "top_k": TopKCategoricalAccuracy, "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
}  # fmt: skip
OTHERS = "a function f(y_true, y_pred), or "
_LOSSES = (losses.binary_crossentropy, losses.categorical_crossentropy, losses.sparse_categorical_crossentropy)


def get(identifier: Any) -> Metric:
    """A metric from its name, a ``{"class_name", "config"}`` dict, a function ``f(y_true, y_pred)``, or itself.

    A metric that is asked for by name has that name in the logs: ``"acc"`` stays ``"acc"``.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if callable(identifier) and not isinstance(identifier, type | Metric):
        return MeanMetricWrapper(identifier)
    by_class = {cls.__name__: cls for cls in _CLASSES} | known(Metric)
    if isinstance(identifier, dict):
        return resolve("metric", identifier, Metric, by_class, OTHERS)
    for function in _LOSSES:
        if identifier == function.__name__:
            return MeanMetricWrapper(function)
    by_name = {snake_case(name): cls for name, cls in by_class.items() if cls is not Accuracy}
    metric = resolve("metric", identifier, Metric, _SHORT | by_name, OTHERS)
    if isinstance(identifier, str):
        metric.name = snake_case(identifier) if identifier in by_class else identifier
    return metric


def get_all(identifiers: Any) -> list[Metric]:
    """The metrics of ``compile(metrics=...)``: a list of what `get` takes, or one of these alone; None for none.

    As in Keras one that is asked for by name has exactly this name in the logs: ``"Accuracy"`` stays ``"Accuracy"``.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifiers, str | dict | Metric) or not isinstance(identifiers, Iterable):
        identifiers = [] if identifiers is None else [identifiers]
    identifiers = list(identifiers)
    metrics = [get(identifier) for identifier in identifiers]
    for metric, identifier in zip(metrics, identifiers, strict=True):
        if isinstance(identifier, str):
            metric.name = identifier
    return metrics


deserialize = get  # Keras's name for it, where it is given a dict


def serialize(metric: Metric) -> dict[str, Any] | None:
    """The dict that `get` turns back into the metric; None for a user's function, which cannot be written down."""
    if isinstance(metric, MeanMetricWrapper):
        return None
    return {"class_name": type(metric).__name__, "config": metric.config()}

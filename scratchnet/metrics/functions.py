"""Accuracies as functions, under Keras's names: 1 for what is right. `compile` treats them like their classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..losses.base import as_numbers
from .accuracies import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .base import Metric


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """`BinaryAccuracy` of each output, in their shape: 1 if it is right, else 0."""
    return _each(BinaryAccuracy(threshold=threshold), y_true, y_pred)


def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """`CategoricalAccuracy` of each row of the last axis: 1 if it is right, else 0."""
    return _each(CategoricalAccuracy(), y_true, y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """`SparseCategoricalAccuracy` of each row of the last axis: 1 if it is right, else 0."""
    return _each(SparseCategoricalAccuracy(), y_true, y_pred)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """`TopKCategoricalAccuracy` of each row of the last axis: 1 if it is right, else 0."""
    return _each(TopKCategoricalAccuracy(k), y_true, y_pred)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """`SparseTopKCategoricalAccuracy` of each row of the last axis: 1 if it is right, else 0."""
    return _each(SparseTopKCategoricalAccuracy(k), y_true, y_pred)


def _each(metric: Metric, y_true: Any, y_pred: Any) -> Any:
    targets, outputs = as_numbers(y_true, metric.name), as_numbers(y_pred, metric.name, "prediction")
    if len(targets) != len(outputs):
        raise ShapeError(f"{metric.name}: {len(outputs)} predictions but {len(targets)} targets")
    return np.asarray(metric.values(targets, outputs), np.float32)

"""Losses as functions, under Keras's names: the loss of each sample. `compile` treats them like their classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, ShapeError
from .base import Loss, as_numbers
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .elementwise import (
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    SquaredHinge,
)


def mean_squared_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """``mean_j (y_ij - t_ij)^2`` over the last axis."""
    return _each(MeanSquaredError(), y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """``mean_j |y_ij - t_ij|`` over the last axis."""
    return _each(MeanAbsoluteError(), y_true, y_pred)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """`BinaryCrossentropy` of each row of the last axis."""
    return _each(BinaryCrossentropy(from_logits, label_smoothing, axis), y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """`CategoricalCrossentropy` of each row of the last axis."""
    return _each(CategoricalCrossentropy(from_logits, label_smoothing, axis), y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> np.ndarray:
    """`SparseCategoricalCrossentropy` of each row of the last axis; targets are its class number."""
    return _each(SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis), y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> np.ndarray:
    """`Huber` of each row of the last axis."""
    return _each(Huber(delta), y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> np.ndarray:
    """`LogCosh` of each row of the last axis."""
    return _each(LogCosh(), y_true, y_pred)


def hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`Hinge` of each row of the last axis."""
    return _each(Hinge(), y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`SquaredHinge` of each row of the last axis."""
    return _each(SquaredHinge(), y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> np.ndarray:
    """`Poisson` of each row of the last axis."""
    return _each(Poisson(), y_true, y_pred)


def kl_divergence(y_true: Any, y_pred: Any) -> np.ndarray:
    """`KLDivergence` of each row of the last axis."""
    return _each(KLDivergence(), y_true, y_pred)


def _each(loss: Loss, y_true: Any, y_pred: Any) -> np.ndarray:
    outputs, targets = as_numbers(y_pred, loss.name, "prediction"), as_numbers(y_true, loss.name)
    if not outputs.size:
        raise DataError(f"{loss.name}: expected at least one sample, got y_pred of shape {outputs.shape}")
    shape = outputs.shape[:-1] if isinstance(loss, SparseCategoricalCrossentropy) else outputs.shape
    if _narrow(targets.shape) != _narrow(shape):
        raise ShapeError(f"{loss.name}: expected targets of shape {shape}, got {targets.shape}")
    rows = outputs.reshape(-1, outputs.shape[-1])
    targets = targets.reshape(rows.shape if shape == outputs.shape else len(rows))
    values = [loss(t[None], row[None]) for t, row in zip(targets, rows, strict=True)]
    return np.array(values, outputs.dtype if outputs.dtype.kind == "f" else np.float32).reshape(outputs.shape[:-1])


def _narrow(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without a last axis of 1, which targets may have or lack."""
    return shape[:-1] if shape[-1:] == (1,) else shape

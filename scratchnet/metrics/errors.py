"""Metrics of how far off outputs are: errors, and losses as metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import losses
from ..results import Number
from .base import Metric, alike


class MeanSquaredError(Metric):
    """Mean of ``(y_pred - y_true)^2`` over all outputs."""

    direction = "down"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return np.square(_difference(y_true, y_pred, self.name))


class RootMeanSquaredError(MeanSquaredError):
    """The root of `MeanSquaredError`: in the units of the targets."""

    def result(self) -> Any:
        """The root of the mean since `reset_state`; 0 before the first batch, as in Keras."""
        return Number(np.sqrt(super().result()))


class MeanAbsoluteError(Metric):
    """Mean of ``|y_pred - y_true|`` over all outputs."""

    direction = "down"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return np.abs(_difference(y_true, y_pred, self.name))


class _OfLoss(Metric):
    """The mean of a loss over the samples; with weights, ``sum_i w_i loss_i / sum_i w_i``."""

    direction = "down"
    loss: losses.Loss

    def add_batch(self, y_true: Any, y_pred: Any, weights: np.ndarray) -> None:
        self.total += self.loss(y_true, y_pred, weights) * len(weights)
        self.count += float(weights.sum())

    def config(self) -> dict[str, Any]:
        return {**self.loss.config(), **super().config()}


class BinaryCrossentropy(_OfLoss):
    """Mean of the loss `losses.BinaryCrossentropy`, which has the formula, the shapes and the errors."""

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0.0,
        **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype, **unknown)
        self.loss = losses.BinaryCrossentropy(from_logits, label_smoothing, name=self.name)


class CategoricalCrossentropy(_OfLoss):
    """Mean of the loss `losses.CategoricalCrossentropy`, which has the formula, the shapes and the errors."""

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0.0,
        axis: int = -1, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype, **unknown)
        self.loss = losses.CategoricalCrossentropy(from_logits, label_smoothing, axis, name=self.name)


class SparseCategoricalCrossentropy(_OfLoss):
    """Mean of the loss `losses.SparseCategoricalCrossentropy`, which has the formula, the shapes and the errors."""

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False, ignore_class: int | None = None,
        axis: int = -1, *, label_smoothing: float = 0.0, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype, **unknown)
        self.loss = losses.SparseCategoricalCrossentropy(
            from_logits, ignore_class, axis=axis, name=self.name, label_smoothing=label_smoothing
        )


def _difference(y_true: Any, y_pred: Any, name: str) -> Any:
    """In doubles: as bytes, 0 - 1 would be 255."""
    return y_pred.astype(np.float64) - alike(y_true, y_pred, name)

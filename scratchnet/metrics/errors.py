"""Metrics of how far off outputs are."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Metric, alike


class MeanSquaredError(Metric):
    """Mean of ``(y_pred - y_true)^2`` over all outputs."""

    direction = "down"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return np.square(_difference(y_true, y_pred, self.name))


class MeanAbsoluteError(Metric):
    """Mean of ``|y_pred - y_true|`` over all outputs."""

    direction = "down"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return np.abs(_difference(y_true, y_pred, self.name))


def _difference(y_true: Any, y_pred: Any, name: str) -> Any:
    """In doubles: of bytes the difference of 0 and 1 would be 255."""
    return y_pred.astype(np.float64) - alike(y_true, y_pred, name)

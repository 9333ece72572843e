"""Losses of each number by itself: a sample's is the mean over its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import ops
from ..errors import ShapeError
from ..kernels.elementwise_losses import ABSOLUTE, SQUARED
from ..layers.arguments import batch_shape
from .base import Loss, as_dtype, as_floats, as_numbers


class Elementwise(Loss):
    """``loss_i = mean_j f(y_ij, t_ij)``; targets have the shape of the output. A subclass says the kind of f."""

    rounds_targets = True
    label_smoothing = 0.0

    def kind(self, logits: bool) -> int:
        """The op's number for f."""
        raise TypeError(f"{type(self).__name__} does not define kind(logits)")

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        targets = as_numbers(y, self.name)
        # As in Keras, a last axis of one may be missing on either side: (n,) against (n, 1).
        if (*targets.shape[1:], 1) == output_shape or targets.shape[1:] == (*output_shape, 1):
            targets = targets.reshape(-1, *output_shape)
        if targets.shape[1:] != output_shape:
            raise ShapeError(f"{self.name}: expected targets of shape {batch_shape(output_shape)}, got {targets.shape}")
        self.check_targets(targets)
        return as_floats(targets, self.name)

    def check_targets(self, targets: np.ndarray) -> None:
        """Raise DataError for a target that makes no sense."""

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        rows = (len(y_pred), -1)
        y, t = y_pred.reshape(rows), as_dtype(targets, y_pred.dtype).reshape(rows)
        dy = dy.reshape(rows) if dy.size else dy
        ops.elementwise_loss(y, t, weights, self.kind(logits), self.label_smoothing, totals, dy)


class _Error(Elementwise):
    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str | None = None, dtype: Any = None, **unknown: Any
    ) -> None:
        super().__init__(name, reduction=reduction, dtype=dtype, **unknown)


class MeanSquaredError(_Error):
    """``loss_i = mean_j (y_ij - t_ij)^2`` over all numbers of a sample; targets have the shape of the output."""

    def kind(self, logits: bool) -> int:
        return SQUARED


class MeanAbsoluteError(_Error):
    """``loss_i = mean_j |y_ij - t_ij|`` over all numbers of a sample; targets have the shape of the output.

    Where ``y = t`` its derivative is 0.
    """

    def kind(self, logits: bool) -> int:
        return ABSOLUTE

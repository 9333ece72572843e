"""Elementwise losses: a sample's loss is the mean over its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import ops
from ..checks import number
from ..errors import ShapeError
from ..kernels.elementwise_losses import (
    ABSOLUTE,
    DIVERGENCE,
    HINGE,
    HUBER,
    LOG_COSH,
    POISSON,
    SQUARED,
    SQUARED_HINGE,
)
from ..layers.arguments import batch_shape
from .base import Loss, as_dtype, as_floats, as_numbers


class Elementwise(Loss):
    """``loss_i = mean_j f(y_ij, t_ij)``; targets have the shape of the output. A subclass defines the kind of f."""

    rounds_targets = True
    label_smoothing = 0.0
    delta = 1.0

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
        """Raise DataError for an invalid target."""

    def op_delta(self, shape: tuple[int, ...]) -> float:
        """The op's ``delta`` for outputs of this shape."""
        return self.delta

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        rows = (len(y_pred), -1)
        y, t = y_pred.reshape(rows), as_dtype(targets, y_pred.dtype).reshape(rows)
        dy = dy.reshape(rows) if dy.size else dy
        ops.elementwise_loss(
            y, t, weights, self.kind(logits), self.label_smoothing, self.op_delta(y_pred.shape), totals, dy
        )


class _WithoutSettings(Elementwise):
    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str | None = None, dtype: Any = None, **unknown: Any
    ) -> None:
        super().__init__(name, reduction=reduction, dtype=dtype, **unknown)


class MeanSquaredError(_WithoutSettings):
    """``loss_i = mean_j (y_ij - t_ij)^2`` over all numbers of a sample; targets have the shape of the output."""

    def kind(self, logits: bool) -> int:
        return SQUARED


class MeanAbsoluteError(_WithoutSettings):
    """``loss_i = mean_j |y_ij - t_ij|`` over all numbers of a sample; targets have the shape of the output.

    Where ``y = t`` the derivative is 0.
    """

    def kind(self, logits: bool) -> int:
        return ABSOLUTE


class Huber(Elementwise):
    """``loss_i = mean_j h(y_ij - t_ij)``, ``h(e) = e^2 / 2`` if ``|e| <= delta``, else ``delta (|e| - delta / 2)``.

    So outliers pull less than with the square. Targets have the shape of the output. Source: Huber, 1964.

    Parameters
    ----------
    delta : float
        Where the square turns into a line; positive.
    """

    def __init__(
        self, delta: float = 1.0, reduction: str = "sum_over_batch_size", name: str | None = "huber_loss",
        dtype: Any = None, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, reduction=reduction, dtype=dtype, **unknown)
        self.delta = float(number(self, "delta", delta, "(0, inf)"))

    def kind(self, logits: bool) -> int:
        return HUBER

    def config(self) -> dict[str, Any]:
        return {"delta": self.delta, **super().config()}


class LogCosh(_WithoutSettings):
    """``loss_i = mean_j log cosh(y_ij - t_ij)``; targets have the shape of the output.

    It is nearly ``e^2 / 2`` for a small error e, and ``|e| - log 2`` for a large one.
    """

    def kind(self, logits: bool) -> int:
        return LOG_COSH


class Hinge(_WithoutSettings):
    """``loss_i = mean_j max(1 - t_ij y_ij, 0)``; targets of -1 and 1 have the shape of the output.

    As in Keras, targets that are all 0 or 1 become -1 and 1.
    """

    def kind(self, logits: bool) -> int:
        return HINGE

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        targets = as_numbers(y, self.name)
        signs = 2.0 * targets - 1 if np.isin(targets, (0, 1)).all() else targets
        return super().prepare_targets(signs, output_shape)


class SquaredHinge(Hinge):
    """``loss_i = mean_j max(1 - t_ij y_ij, 0)^2``, with the targets of `Hinge`."""

    def kind(self, logits: bool) -> int:
        return SQUARED_HINGE


class Poisson(_WithoutSettings):
    """``loss_i = mean_j (y_ij - t_ij log(y_ij + 1e-7))``; outputs are positive, targets have their shape."""

    def kind(self, logits: bool) -> int:
        return POISSON


class KLDivergence(_WithoutSettings):
    """``loss_i = sum_j t_ij log(t_ij / y_ij)``, of distributions t and y, both clipped to [1e-7, 1] as in Keras.

    Distributions lie along the last axis; with more axes, the loss is the mean over a sample's distributions.

    Source: Kullback and Leibler, 1951.
    """

    def kind(self, logits: bool) -> int:
        return DIVERGENCE

    def op_delta(self, shape: tuple[int, ...]) -> float:
        return float(np.prod(shape[1:-1]))

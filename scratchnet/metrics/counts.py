"""The basis of metrics that are computed from counts: of outputs above thresholds, of right and wrong predictions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..checks import is_number
from ..errors import ConfigError, ShapeError
from ..results import Number, as_result
from .base import Metric


class Counts(Metric):
    """Base of metrics that are computed from weighted counts; a subclass defines `counted` and `result`.

    Attributes
    ----------
    shape : tuple of int
        Of the counts. A last axis of 1 is as long as the first batch wants it.
    counts : array, float64
        The sums over the batches since `reset_state`.
    """

    direction = "up"
    weighs_outputs = True
    shape: tuple[int, ...]

    def counted(self, y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The counts of a batch, in which each sample, or each output, counts as much as its weight."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Set all counts to 0."""
        self.counts = np.zeros(self.shape)

    def add_batch(self, y_true: Any, y_pred: Any, weights: np.ndarray) -> None:
        """Add the counts of a batch."""
        batch = self.counted(y_true, y_pred, weights)
        if batch.shape != self.counts.shape and (self.counts.any() or self.counts.shape[-1] != 1):
            expected = f"expected {self.counts.shape[-1]} outputs to a sample, as before"
            raise ShapeError(f"{self.name}: {expected}, got predictions of shape {y_pred.shape}")
        self.counts = self.counts + batch

    def state(self) -> list[Any]:
        """The counts as nested lists."""
        return list(self.counts.tolist())

    def load_state(self, state: list[Any]) -> None:
        """Continue from what `state` returned. Raises ValueError for the state of another metric."""
        counts = np.array(state, np.float64)
        if counts.shape[:-1] != self.shape[:-1]:
            raise ValueError(f"expected counts of shape {self.shape}, got {counts.shape}")
        self.counts = counts

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {np.round(self.result(), 4).tolist()}>"


class AtThresholds(Counts):
    """Base of counts of the outputs above each of some thresholds, compared as float32.

    Attributes
    ----------
    thresholds : list of float
    given : float, list of float or None
        They as the config has them.
    """

    def __init__(self, thresholds: Any, default: float, name: str | None, dtype: Any, **unknown: Any) -> None:
        super().__init__(name, dtype, **unknown)
        alone = is_number(thresholds)
        self.thresholds, self.given = [default], thresholds
        if thresholds is not None:
            self.thresholds = in_unit_interval(self, "thresholds", [thresholds] if alone else thresholds)
            self.given = self.thresholds[0] if alone else self.thresholds
        self.even = evenly_spaced(self.thresholds)

    def positives(self, y: np.ndarray) -> list[np.ndarray]:
        """For each threshold, which outputs are above it."""
        if self.even:
            number_below = exceeded(y, len(self.thresholds))
            return [number_below > index for index in range(len(self.thresholds))]
        return [y > np.float32(threshold) for threshold in self.thresholds]

    def per_threshold(self, values: np.ndarray) -> Any:
        """A result: a number, or an array for several thresholds."""
        return Number(values[0]) if len(values) == 1 else as_result(values)


def for_outputs(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of each output: its own, or that of its sample."""
    return np.broadcast_to(weights.reshape(*weights.shape, *[1] * (len(shape) - weights.ndim)), shape)


def fraction(part: Any, whole: Any) -> np.ndarray:
    """``part / whole``, and 0 where ``whole`` is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.not_equal(whole, 0))


def listed(values: Any) -> list[float]:
    """The numbers of a sequence; none if it is no sequence, or has anything else in it."""
    given: list[Any] = list(values) if isinstance(values, Iterable) and not isinstance(values, str | dict) else []
    return [float(value) for value in given] if all(map(is_number, given)) else []


def in_unit_interval(owner: Metric, name: str, values: Any) -> list[float]:
    """A sequence of numbers from 0 to 1 as a list; ConfigError for anything else."""
    numbers = listed(values)
    if not numbers or not all(0 <= number <= 1 for number in numbers):
        expected = "expected numbers from 0 to 1"
        raise ConfigError(f"{type(owner).__name__}: {name}: {expected}, got {values!r:.80}")
    return numbers


def evenly_spaced(thresholds: list[float]) -> bool:
    """Whether these are ``i / (n - 1)`` for i from 0 to n - 1, where n is at least 3."""
    n = len(thresholds)
    return n >= 3 and np.allclose(thresholds, np.arange(n) / (n - 1), atol=1e-7)


def exceeded(y: np.ndarray, n: int) -> np.ndarray:
    """How many of n evenly spaced thresholds each of the outputs, float32, is above: ``ceil(y (n - 1))``.

    As in Keras; an output that equals ``i / (n - 1)`` up to rounding may be counted on either side.
    """
    return np.ceil(np.clip(y, 0, 1) * np.float32(n - 1))

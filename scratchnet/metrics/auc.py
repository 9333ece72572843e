"""AUC: the area under a curve of two rates, over thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..checks import flag, whole
from ..errors import ConfigError, ShapeError
from ..kernels.loss_sums import EPSILON
from ..names import unknown
from ..results import Number
from .base import alike
from .counts import Counts, evenly_spaced, exceeded, for_outputs, fraction, in_unit_interval, listed

CURVES = ("ROC", "PR")
HEIGHTS: dict[str, Callable[[Any, Any], Any]] = {
    "interpolation": lambda a, b: (a + b) / 2, "minoring": np.minimum, "majoring": np.maximum,
}  # fmt: skip
"""The height of the curve between two thresholds, by summation method."""


class AUC(Counts):
    """The area under the ROC curve, or the precision-recall curve, as a sum over thresholds.

    At every threshold the outputs above it are positive, which gives tp, fp, tn and fn. ROC: the true positive rate
    ``tp / (tp + fn)`` over the false positive rate ``fp / (fp + tn)`` (Fawcett, "An introduction to ROC analysis",
    2006); PR: precision ``tp / (tp + fp)`` over recall ``tp / (tp + fn)``. A quotient with divisor 0 is 0. Between
    two thresholds the curve is interpolated: for ROC linearly,
    ``sum_i (x_i - x_i+1) (y_i + y_i+1) / 2``; for PR, tp and fp are, not their ratio, which is a hyperbola (Davis and
    Goadrich, "The relationship between precision-recall and ROC curves", 2006): with ``q = tp + fp``,
    ``s = dtp / dq`` and ``c = tp_i+1 - s q_i+1`` the part between two thresholds is
    ``s (dtp + c log(q_i / q_i+1)) / (tp + fn)``.

    The area is exact, up to rounding, if no two different outputs lie between the same two thresholds.

    Targets have the shape of the outputs, which are from 0 to 1, and every one that is not 0 is positive.

    Parameters
    ----------
    num_thresholds : int
        At least 2. Thresholds are ``i / (num_thresholds - 1)``, and instead of 0 and 1 ``-1e-7`` and ``1 + 1e-7``.
    curve : {"ROC", "PR"}
    summation_method : {"interpolation", "minoring", "majoring"}
        "minoring" and "majoring" take the lower and the higher end of each part of the curve: bounds of the area.
    thresholds : list of float in [0, 1], optional
        To be used instead, between ``-1e-7`` and ``1 + 1e-7``.
    multi_label : bool
        Whether every column of the outputs (n, labels) has a curve, and the result is the mean of the areas;
        otherwise all outputs are those of one curve.
    num_labels : int, optional
        How many columns; with ``multi_label`` only.
    label_weights : list of float, optional
        How much the area of each column counts; without ``multi_label``, its outputs.
    from_logits : bool
        Whether the model ends before sigmoid, which is then applied.

    Raises
    ------
    ConfigError
        For an invalid argument.
    ShapeError
        When a batch is added whose targets do not have the shape of the outputs, or outputs of another shape.
    """

    def __init__(
        self, num_thresholds: int = 200, curve: str = "ROC", summation_method: str = "interpolation",
        name: str | None = None, dtype: Any = None, thresholds: Any = None, multi_label: bool = False,
        num_labels: int | None = None, label_weights: Any = None, from_logits: bool = False, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype, **unknown)
        self.given = None if thresholds is None else sorted(in_unit_interval(self, "thresholds", thresholds))
        n = whole("AUC: num_thresholds", num_thresholds, 2) if self.given is None else len(self.given) + 2
        between = [i / (n - 1) for i in range(1, n - 1)] if self.given is None else self.given
        self.num_thresholds, self.thresholds = n, [-EPSILON, *between, 1 + EPSILON]
        self.even = self.given is None or evenly_spaced([0.0, *self.given, 1.0])
        self.curve = _choice("curve", curve, CURVES)
        self.summation_method = _choice("summation_method", summation_method, HEIGHTS)
        self.multi_label = flag(self, "multi_label", multi_label)
        self.from_logits = flag(self, "from_logits", from_logits)
        self.num_labels = None if num_labels is None else whole("AUC: num_labels", num_labels)
        if self.num_labels is not None and not self.multi_label:
            raise ConfigError(f"AUC: num_labels: expected None without multi_label, got {self.num_labels}")
        self.label_weights = None if label_weights is None else _weights(label_weights, self.num_labels)
        self.shape = (4, n, self.num_labels or 1)
        self.reset_state()

    def counted(self, y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray) -> np.ndarray:
        label, y = (each.reshape(len(each), -1) for each in (alike(y_true, y_pred, self.name).astype(bool), y_pred))
        labels = self.num_labels if self.label_weights is None else len(self.label_weights)
        if labels not in (None, y.shape[1]):
            raise ShapeError(f"{self.name}: expected outputs of {labels} labels, got {y_pred.shape}")
        weights = for_outputs(weights, y_pred.shape).reshape(y.shape)
        if self.label_weights is not None and not self.multi_label:
            weights = weights * self.label_weights
        below = self._number_below(y)
        if not self.multi_label:
            label, weights, below = label.reshape(-1, 1), weights.reshape(-1, 1), below.reshape(-1, 1)
        positive, negative = (self._histogram(below, weights * which) for which in (label, ~label))
        tp, fp = (np.cumsum(each[::-1], axis=0)[-2::-1] for each in (positive, negative))
        fn, tn = (np.cumsum(each, axis=0)[:-1] for each in (positive, negative))
        return np.stack([tp, fp, tn, fn])

    def _number_below(self, y: np.ndarray) -> np.ndarray:
        """How many thresholds each output is above; none if it is NaN."""
        if self.from_logits:
            y = np.exp(-np.logaddexp(0, -y.astype(np.float64)))
        y = y.astype(np.float32)
        if self.even:
            below = np.maximum(exceeded(y, self.num_thresholds), 1)  # all are above the first threshold
        else:
            below = np.searchsorted(np.array(self.thresholds, np.float32), y)
        return np.where(np.isnan(y), 0, below).astype(np.intp)

    def _histogram(self, below: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """For each label, the sum of the weights of the outputs above none of the thresholds, the first, two ..."""
        columns = zip(below.T, weights.T, strict=True)
        return np.stack([np.bincount(*column, minlength=self.num_thresholds + 1) for column in columns], axis=1)

    def result(self) -> Any:
        """The area since `reset_state`; 0 before the first batch."""
        areas = self._pr_areas() if self.curve == "PR" and self.summation_method == "interpolation" else self._areas()
        weights = self.label_weights if self.multi_label and self.label_weights is not None else np.ones(len(areas))
        return Number(fraction((areas * weights).sum(), weights.sum()))

    def _areas(self) -> np.ndarray:
        tp, fp, tn, fn = self.counts
        rates = fraction(fp, fp + tn), fraction(tp, tp + fn), fraction(tp, tp + fp)
        x, y = rates[:2] if self.curve == "ROC" else rates[1:]
        return ((x[:-1] - x[1:]) * HEIGHTS[self.summation_method](y[:-1], y[1:])).sum(axis=0)

    def _pr_areas(self) -> np.ndarray:
        tp, fp, _, fn = self.counts
        q = tp + fp
        dtp = tp[:-1] - tp[1:]
        slope = fraction(dtp, np.maximum(q[:-1] - q[1:], 0))
        ratio = np.where(q[1:] > 0, fraction(q[:-1], q[1:]), 1)  # up to the first positive, precision is constant
        parts = slope * (dtp + (tp[1:] - slope * q[1:]) * np.log(ratio))
        return fraction(parts, tp[1:] + fn[1:]).sum(axis=0)

    def config(self) -> dict[str, Any]:
        weights = None if self.label_weights is None else self.label_weights.tolist()
        return {
            "num_thresholds": self.num_thresholds, "curve": self.curve, "summation_method": self.summation_method,
            "thresholds": self.given, "multi_label": self.multi_label, "num_labels": self.num_labels,
            "label_weights": weights, "from_logits": self.from_logits, **super().config(),
        }  # fmt: skip


def _choice(name: str, given: Any, choices: Iterable[str]) -> str:
    """One of several words, in capitals or not."""
    for choice in choices:
        if isinstance(given, str) and given.lower() == choice.lower():
            return choice
    raise unknown(f"AUC: {name}", given, choices)


def _weights(given: Any, labels: int | None) -> np.ndarray:
    values = listed(given)
    if not values or not all(value >= 0 for value in values) or labels not in (None, len(values)):
        expected = f"expected {labels or 'as many'} numbers from 0 up{'' if labels else ' as there are labels'}"
        raise ConfigError(f"AUC: label_weights: {expected}, got {given!r:.80}")
    return np.array(values, np.float64)

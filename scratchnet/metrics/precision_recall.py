"""Precision, recall and F1: ratios of the counts of right and wrong positives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import number, whole
from ..errors import ConfigError, ShapeError
from ..kernels.loss_sums import EPSILON
from ..results import Number, as_result
from .base import alike
from .counts import AtThresholds, Counts, for_outputs, fraction


class _Ratio(AtThresholds):
    """What `Precision` and `Recall` share: the counts are, for each threshold, the true positives and the others."""

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None,
        dtype: Any = None, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(thresholds, 0.5 if top_k is None else -np.inf, name, dtype, **unknown)
        label = type(self).__name__
        self.top_k = None if top_k is None else whole(f"{label}: top_k", top_k)
        self.class_id = None if class_id is None else whole(f"{label}: class_id", class_id, 0)
        self.shape = (len(self.thresholds), 2)
        self.reset_state()

    def others(self, label: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """Which outputs the metric compares the true positives with."""
        raise NotImplementedError

    def counted(self, y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray) -> np.ndarray:
        label, y = alike(y_true, y_pred, self.name).astype(bool), y_pred.astype(np.float32)
        if self.top_k is not None:
            y = np.where(_among_the_largest(y, self.top_k, self.name), y, -np.inf)
        weights = for_outputs(weights, y.shape)
        if self.class_id is not None:
            if y.ndim < 2 or self.class_id >= y.shape[-1]:
                expected = f"expected outputs of more than {self.class_id} classes for class_id={self.class_id}"
                raise ShapeError(f"{self.name}: {expected}, got {y.shape}")
            label, y, weights = (each[..., self.class_id] for each in (label, y, weights))
        label, weights, positives = label.ravel(), weights.ravel(), self.positives(y.ravel())
        pairs = [(label & positive, self.others(label, positive)) for positive in positives]
        return np.array([[weights[right].sum(), weights[other].sum()] for right, other in pairs])

    def result(self) -> Any:
        """The ratio since `reset_state`, 0 where nothing was counted: a number, or an array for several thresholds."""
        return self.per_threshold(fraction(self.counts[:, 0], self.counts.sum(axis=1)))

    def config(self) -> dict[str, Any]:
        return {"thresholds": self.given, "top_k": self.top_k, "class_id": self.class_id, **super().config()}


class Precision(_Ratio):
    """``tp / (tp + fp)``: the share of the positive predictions that are right; 0 if there are none.

    An output is predicted positive if it is above the threshold: not if it is equal. Targets have the shape of the
    outputs, and every one that is not 0 is positive. Rows of several classes are counted output by output; ``top_k``
    and ``class_id`` make them one decision a row. Outputs and thresholds are compared as float32. The formulas are
    those of van Rijsbergen, "Information Retrieval" (1979), chapter 7; the rules Keras's.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], optional
        Default 0.5, or none with ``top_k``. For several the result is an array, a value for each. For a model that
        ends before sigmoid: 0.
    top_k : int, optional
        Only the ``top_k`` largest outputs of a row can be positive; of equal ones the first.
    class_id : int, optional
        Count only this class, a column of the outputs.

    Raises
    ------
    ConfigError
        For an invalid argument.
    ShapeError
        When a batch is added whose targets do not have the shape of the outputs, or which has too few classes.
    """

    def others(self, label: np.ndarray, positive: np.ndarray) -> np.ndarray:
        return positive & ~label


class Recall(_Ratio):
    """``tp / (tp + fn)``: the share of the positive targets that are predicted; 0 if there are none.

    Targets, outputs, parameters, errors and source are those of `Precision`.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], optional
    top_k : int, optional
    class_id : int, optional
    """

    def others(self, label: np.ndarray, positive: np.ndarray) -> np.ndarray:
        return label & ~positive


class F1Score(Counts):
    """``2 p r / (p + r)``, the harmonic mean of precision and recall, for each class.

    ``p = tp / (tp + fp)`` and ``r = tp / (tp + fn)`` of a column of the outputs; as in Keras, 1e-7 is added to each of
    the three divisors. Outputs and targets are (n, classes): one-hot rows, or any number of classes to a row. The
    source is that of `Precision`; there ``1 - F1`` is called E.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None: an array with the value of each class. "micro": the value of the sums of the counts; "macro": the mean
        of the classes; "weighted": the mean with the weights ``tp + fn``, the number of samples of each class.
    threshold : float in (0, 1], optional
        Outputs above it are positive. Without it, the largest of a row is (all of them if several are equal, none if
        they are 0).

    Raises
    ------
    ConfigError
        For an invalid argument.
    ShapeError
        When a batch is added that is not of this shape.
    """

    shape = (3, 1)
    weighs_outputs = False

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = None, dtype: Any = None,
        **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype, **unknown)
        if average is not None and (not isinstance(average, str) or average not in ("micro", "macro", "weighted")):
            raise ConfigError(f"F1Score: average: expected None, micro, macro or weighted, got {average!r:.80}")
        self.average = average
        self.threshold = None if threshold is None else float(number(self, "threshold", threshold, "(0, 1]"))
        self.reset_state()

    def counted(self, y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray) -> np.ndarray:
        t, y = alike(y_true, y_pred, self.name).astype(np.float64), y_pred.astype(np.float32)
        if y.ndim != 2:
            raise ShapeError(f"{self.name}: expected outputs of shape (n, classes), got {y.shape}")
        if self.threshold is None:
            positive = (y >= y.max(axis=1, keepdims=True)) & (abs(y) > 1e-9)
        else:
            positive = y > np.float32(self.threshold)
        return np.stack([weights @ (positive * t), weights @ (positive * (1 - t)), weights @ (~positive * t)])

    def result(self) -> Any:
        """The score since `reset_state`: a number, or without ``average`` an array; 0 before the first batch."""
        tp, fp, fn = self.counts.sum(axis=1, keepdims=True) if self.average == "micro" else self.counts
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        scores = 2 * precision * recall / (precision + recall + EPSILON)
        if self.average is None:
            return as_result(scores)
        if self.average == "weighted":
            return Number((scores * (tp + fn)).sum() / ((tp + fn).sum() + EPSILON))
        return Number(scores.mean())

    def config(self) -> dict[str, Any]:
        return {"average": self.average, "threshold": self.threshold, **super().config()}


def _among_the_largest(y: np.ndarray, k: int, name: str) -> np.ndarray:
    """Which outputs are among the k largest of their row; of equal ones the first."""
    if k > y.shape[-1]:
        raise ShapeError(f"{name}: expected outputs of at least top_k={k} classes, got {y.shape}")
    largest = np.argsort(-y, axis=-1, kind="stable")[..., :k]
    chosen = np.zeros(y.shape, bool)
    np.put_along_axis(chosen, largest, True, axis=-1)
    return chosen

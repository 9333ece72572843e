"""Metrics of how many predictions are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import number, whole
from ..errors import ShapeError
from .base import Metric, alike


class Accuracy(Metric):
    """Share of outputs that equal their targets, which have the same shape.

    For outputs of several classes, class numbers are compared with the first largest output.
    """

    direction = "up"
    weighs_outputs = True

    def values(self, y_true: Any, y_pred: Any) -> Any:
        if (
            y_true.shape in ((*y_pred.shape[:-1], 1), y_pred.shape[:-1])
            and y_pred.shape[-1:] != (1,)
            and y_pred.ndim > 1
        ):
            return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name)
        return y_pred == alike(y_true, y_pred, self.name)


class ClassAccuracy(Metric):
    """Share of samples whose first largest output is that of the right class.

    The name ``"accuracy"`` means this class; as in Keras, the shapes determine the kind. Targets are class numbers (n,)
    or (n, 1), or one-hot rows like the outputs; with a single output it is `BinaryAccuracy`.
    """

    counts_correct = True
    direction = "up"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        if y_pred.shape[-1] == 1:
            return (y_pred > 0.5).reshape(len(y_pred), -1) == y_true.reshape(len(y_pred), -1)
        return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name)


class SparseCategoricalAccuracy(ClassAccuracy):
    """`ClassAccuracy` under Keras's name for targets that are class numbers; a single output is class 0."""

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name, sparse=True)


class CategoricalAccuracy(ClassAccuracy):
    """`ClassAccuracy` under Keras's name for targets that are one-hot rows; a single output is class 0."""

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name)


class BinaryAccuracy(Metric):
    """Share of outputs on the right side of ``threshold``; targets are 0 and 1, in the shape of the outputs."""

    direction = "up"
    weighs_outputs = True

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5, **unknown: Any) -> None:
        super().__init__(name, dtype, **unknown)
        self.threshold = float(number(self, "threshold", threshold))

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return (y_pred > self.threshold) == alike(y_true, y_pred, self.name)

    def config(self) -> dict[str, Any]:
        return {"threshold": self.threshold, **super().config()}


class TopKCategoricalAccuracy(Metric):
    """Share of samples with fewer than ``k`` outputs above that of the right class; class numbers or one-hot rows.

    As in TensorFlow, a tie at the border counts as right, and a sample with a NaN or infinite output as wrong; so does
    one whose label is not a class.
    """

    direction = "up"
    sparse = False

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None, **unknown: Any) -> None:
        super().__init__(name, dtype, **unknown)
        self.k = whole(f"{type(self).__name__}: k", k)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        labels, classes = _labels(y_true, y_pred, self.name, self.sparse), y_pred.shape[-1]
        inside = np.clip(labels, 0, classes - 1).astype(np.int64)
        own = np.take_along_axis(y_pred, inside[..., None], axis=-1)
        return ((y_pred > own).sum(axis=-1) < self.k) & np.isfinite(y_pred).all(axis=-1) & (inside == labels)

    def config(self) -> dict[str, Any]:
        return {"k": self.k, **super().config()}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """`TopKCategoricalAccuracy` under Keras's name for targets that are class numbers."""

    sparse = True


def _labels(y_true: Any, y_pred: Any, name: str, sparse: bool = False) -> Any:
    """Class numbers of targets that are class numbers or one-hot rows, in the shape of the outputs without classes.

    With a single class the shape does not tell which they are: with ``sparse`` they are class numbers.
    """
    if y_true.shape == y_pred.shape and not (sparse and y_true.shape[-1:] == (1,)):
        return y_true.argmax(axis=-1)
    if y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        return y_true.reshape(y_pred.shape[:-1])
    raise ShapeError(f"{name}: expected class numbers or one-hot rows for outputs {y_pred.shape}, got {y_true.shape}")

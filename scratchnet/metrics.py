"""Metrics: what fit and evaluate report beside the loss. Each is a mean over samples, summed in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .backend import to_numpy
from .checks import arguments_of, number, refuse_unknown, snake_case, whole
from .configured import Configured
from .errors import ConfigError, ShapeError
from .report import classification_report, confusion_matrix
from .sample_weights import sample_weights

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "classification_report",
    "confusion_matrix",
    "get",
    "serialize",
]


class Metric(Configured):
    """Base class of all metrics; a subclass defines `values`.

    Attributes
    ----------
    name : str
        The key in the logs.
    counts_correct : bool
        Whether the metric is the share of samples whose largest output is at the right class. Losses that count those
        themselves spare it the work (unless it is of a class of a user's own, which may do anything).
    direction : {"up", "down"} or None
        What is better, for callbacks that watch the metric; None: they have to be told.

    Raises
    ------
    ConfigError
        For an argument that the class does not have.
    """

    counts_correct = False
    direction: str | None = None

    def __init__(self, name: str | None = None, **unknown: Any) -> None:
        refuse_unknown(self, unknown, arguments_of(type(self)))
        self.name = name or snake_case(type(self).__name__)
        self.total, self.count = 0.0, 0.0  # of a subclass `reset_state` may need what it has not made yet

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """The metric of every sample of a batch, an array with a batch axis; or its mean over the batch, a number."""
        raise TypeError(f"{type(self).__name__} does not define values(y_true, y_pred)")

    def reset_state(self) -> None:
        """Begin a new mean."""
        self.total, self.count = 0.0, 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into the mean; a number counts as often as the batch has samples.

        Raises
        ------
        ShapeError
            If the targets or the weights do not fit the predictions.
        ConfigError
            If a user's function returns something that is not numbers.
        """
        y_true, y_pred = to_numpy(y_true), to_numpy(y_pred)
        if len(y_true) != len(y_pred):
            raise ShapeError(f"{self.name}: {len(y_pred)} predictions but {len(y_true)} targets")
        if not len(y_pred):
            return
        given = self.values(y_true, y_pred)
        try:
            values = np.asarray(given)
            fits = values.dtype.kind in "biuf" and values.size > 0 and values.shape[:1] in ((), (len(y_pred),))
        except ValueError:  # arrays of different shapes
            fits = False
        if not fits:
            text = f"{given!r:.80}".replace("\n", " ")
            raise ConfigError(f"metric {self.name!r}: expected a number per sample or their mean, got {text}")
        weights = np.ones(len(y_pred))
        if sample_weight is not None:
            weights = sample_weights(sample_weight, len(y_pred), np.float64, f"{self.name}: sample_weight", ShapeError)
        each = values.reshape(len(y_pred), -1).mean(axis=1, dtype=np.float64) if values.ndim else values
        self.total += float((each * weights).sum())
        self.count += float(weights.sum())

    def result(self) -> float:
        """The mean since `reset_state`; 0 before the first batch, as in Keras."""
        return self.total / self.count if self.count else 0.0

    def state(self) -> list[float]:
        """What a checkpoint keeps, so that `load_state` can go on within an epoch."""
        return [self.total, self.count]

    def load_state(self, state: list[float]) -> None:
        """Go on from what `state` gave."""
        self.total, self.count = float(state[0]), float(state[1])

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Take a batch into the mean, and say what it is then."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        return {"name": self.name}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.result():.4f} over {self.count:g} samples>"


class Accuracy(Metric):
    """Share of samples whose first largest output is at the right class.

    Which accuracy is meant follows from the shapes, as in Keras: targets are class numbers (n,) or (n, 1), or one-hot
    rows like the outputs; with a single output it is `BinaryAccuracy`.
    """

    counts_correct = True
    direction = "up"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        if y_pred.shape[-1] == 1:
            return (y_pred > 0.5).reshape(len(y_pred), -1) == y_true.reshape(len(y_pred), -1)
        return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name)


class SparseCategoricalAccuracy(Accuracy):
    """`Accuracy` under Keras's name for targets that are class numbers; with a single output that is class 0."""

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name, sparse=True)


class CategoricalAccuracy(Accuracy):
    """`Accuracy` under Keras's name for targets that are one-hot rows; with a single output that is class 0."""

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name)


class BinaryAccuracy(Metric):
    """Share of outputs on the right side of ``threshold``; targets are 0 and 1, in the shape of the outputs."""

    direction = "up"

    def __init__(self, name: str | None = None, threshold: float = 0.5, **unknown: Any) -> None:
        super().__init__(name, **unknown)
        self.threshold = float(number(self, "threshold", threshold))

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return (y_pred > self.threshold) == _alike(y_true, y_pred, self.name)

    def config(self) -> dict[str, Any]:
        return {"threshold": self.threshold, **super().config()}


class TopKCategoricalAccuracy(Metric):
    """Share of samples with fewer than ``k`` outputs above that of the right class; class numbers or one-hot rows.

    A tie at the border counts as right, and a sample with an output that is NaN or infinite as wrong, as TensorFlow has
    it; so does one whose label is no class.
    """

    direction = "up"
    sparse = False

    def __init__(self, k: int = 5, name: str | None = None, **unknown: Any) -> None:
        super().__init__(name, **unknown)
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


class MeanSquaredError(Metric):
    """Mean of ``(y_pred - y_true)^2`` over all outputs."""

    direction = "down"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return np.square(y_pred - _alike(y_true, y_pred, self.name), dtype=np.float64)


class MeanAbsoluteError(Metric):
    """Mean of ``|y_pred - y_true|`` over all outputs."""

    direction = "down"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return np.abs(y_pred - _alike(y_true, y_pred, self.name))


class MeanMetricWrapper(Metric):
    """The mean of a function ``f(y_true, y_pred)`` of NumPy arrays: one number per sample, or the batch's mean."""

    def __init__(self, fn: Callable[[Any, Any], Any], name: str | None = None, **unknown: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", type(fn).__name__).strip("<>"), **unknown)
        if not callable(fn):
            raise ConfigError(f"MeanMetricWrapper: fn: expected a function f(y_true, y_pred), got {fn!r:.80}")
        self.fn = fn

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred)


def _labels(y_true: Any, y_pred: Any, name: str, sparse: bool = False) -> Any:
    """Class numbers of targets that are class numbers or one-hot rows, in the shape of the outputs without classes.

    Where there is a single class the shape does not tell which they are: with ``sparse`` they are class numbers.
    """
    if y_true.shape == y_pred.shape and not (sparse and y_true.shape[-1:] == (1,)):
        return y_true.argmax(axis=-1)
    if y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        return y_true.reshape(y_pred.shape[:-1])
    raise ShapeError(f"{name}: expected class numbers or one-hot rows for outputs {y_pred.shape}, got {y_true.shape}")


def _alike(y_true: Any, y_pred: Any, name: str) -> Any:
    """Targets in the shape of the outputs; a last axis of one may be missing on either side."""
    if y_true.shape == y_pred.shape or (*y_true.shape, 1) == y_pred.shape or y_true.shape == (*y_pred.shape, 1):
        return y_true.reshape(y_pred.shape)
    raise ShapeError(f"{name}: expected targets of the shape of the outputs, {y_pred.shape}, got {y_true.shape}")


_CLASSES: tuple[type[Metric], ...] = (
    Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, MeanSquaredError, MeanAbsoluteError,
)  # fmt: skip

_SHORT = {"acc": Accuracy, "top_k": TopKCategoricalAccuracy, "mse": MeanSquaredError, "mae": MeanAbsoluteError}


def get(identifier: Any) -> Metric:
    """A metric from its name, a ``{"class_name", "config"}`` dict, a function ``f(y_true, y_pred)``, or itself.

    A metric that is asked for by name has that name in the logs: ``"acc"`` stays ``"acc"``.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifier, Metric):
        return identifier
    by_name = {snake_case(cls.__name__): cls for cls in _CLASSES} | _SHORT | {cls.__name__: cls for cls in _CLASSES}
    if isinstance(identifier, str):
        cls = by_name.get(identifier) or by_name.get(identifier.lower())
        if cls is not None:
            return cls(name=snake_case(identifier) if identifier == cls.__name__ else identifier)
    elif isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        cls = by_name.get(identifier["class_name"]) if isinstance(identifier["class_name"], str) else None
        config = identifier["config"]
        if cls is not None and isinstance(config, dict) and all(isinstance(key, str) for key in config):
            return cls(**config)
    elif callable(identifier) and not isinstance(identifier, type):
        return MeanMetricWrapper(identifier)
    names = ", ".join(name for name in by_name if name.islower())
    raise ConfigError(f"metric: expected one of {names}, or a function f(y_true, y_pred), got {str(identifier)[:80]!r}")


def get_all(identifiers: Any) -> list[Metric]:
    """The metrics of ``compile(metrics=...)``: a list of what `get` takes, or one of these alone; None for none.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifiers, str | dict | Metric) or not isinstance(identifiers, Iterable):
        identifiers = [] if identifiers is None else [identifiers]
    return [get(identifier) for identifier in identifiers]


def serialize(metric: Metric) -> dict[str, Any] | None:
    """The dict that `get` turns back into the metric; None for a user's function, which cannot be written down."""
    if isinstance(metric, MeanMetricWrapper):
        return None
    return {"class_name": type(metric).__name__, "config": metric.config()}

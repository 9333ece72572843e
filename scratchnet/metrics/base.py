"""What every metric is: a name, and a state in float64 that batches add to, here that of a mean over samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import arguments_of, part_name, refuse_unknown, snake_case
from ..configured import Configured
from ..errors import ConfigError, ShapeError
from ..host_arrays import numbers
from ..keras_defaults import METRIC, take
from ..losses.base import as_numbers
from ..names import INSTEAD, no_attribute
from ..results import Number
from ..sample_weights import for_each, sample_weights

INSTEAD_OF_WEIGHTS = dict.fromkeys(
    ("addweight", "addvariable", "variables"), "its state is its attributes: self.total = 0.0, again in reset_state()"
)


class Metric(Configured):
    """Base class of all metrics: the mean of `values`, which a subclass defines.

    One that is no mean has a state of its own: it defines `add_batch`, `result`, `reset_state`, `state`, `load_state`.

    Attributes
    ----------
    name : str
        The key in the logs.
    counts_correct : bool
        Whether the metric is the share of samples whose largest output is that of the right class. Losses that count
        those themselves save it the work (unless its class is user-defined, which may do anything).
    direction : {"up", "down"} or None
        Which direction is better, for callbacks that watch the metric; None if they must be told.

    Raises
    ------
    ConfigError
        For an argument that the class does not have.
    """

    counts_correct = False
    weighs_outputs = False  # whether `update_state` also takes a weight for each output, in the shape of the outputs
    direction: str | None = None

    def __init__(self, name: str | None = None, dtype: Any = None, **unknown: Any) -> None:
        take(self, {"dtype": dtype}, METRIC)
        refuse_unknown(self, unknown, arguments_of(type(self)))
        self.name = part_name(self, name) or snake_case(type(self).__name__)
        self.total, self.count = 0.0, 0.0  # a subclass's `reset_state` may need attributes not set yet

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """The metric of every sample of a batch, an array with a batch axis; or its mean over the batch, a number."""
        raise TypeError(f"{type(self).__name__} does not define values(y_true, y_pred)")

    def reset_state(self) -> None:
        """Start a new mean."""
        self.total, self.count = 0.0, 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the mean; a number is weighted by the number of samples.

        ``sample_weight`` has a number for each sample. `Accuracy`, `BinaryAccuracy`, `Precision`, `Recall` and `AUC`
        also take one for each output, in the shape of the outputs.

        Raises
        ------
        ShapeError
            If the targets or the weights do not fit the predictions.
        DataError
            If one of them does not hold numbers.
        ConfigError
            If a user's function returns something that is not numbers.
        """
        y_true, y_pred = as_numbers(y_true, self.name), as_numbers(y_pred, self.name, "prediction")
        if len(y_true) != len(y_pred):
            raise ShapeError(f"{self.name}: {len(y_pred)} predictions but {len(y_true)} targets")
        if not len(y_pred):
            return
        weights = np.ones(len(y_pred))
        if sample_weight is not None:
            weights = self._weights(sample_weight, y_pred)
        self.add_batch(y_true, y_pred, weights)

    def _weights(self, given: Any, y_pred: np.ndarray) -> np.ndarray:
        n, name = len(y_pred), f"{self.name}: sample_weight"
        weights = numbers(for_each(given, n), name, "one number per sample")
        if self.weighs_outputs and weights.shape == y_pred.shape:
            return weights.astype(np.float64)
        return sample_weights(weights, n, np.float64, name, ShapeError)

    def add_batch(self, y_true: Any, y_pred: Any, weights: np.ndarray) -> None:
        """Add a batch that `update_state` has checked, here to the mean; ``weights`` has a float64 for each sample, or
        for each output if the class says that it ``weighs_outputs``.
        """
        given = self.values(y_true, y_pred)
        try:
            values = np.asarray(given)
            fits = values.dtype.kind in "biuf" and values.size > 0 and values.shape[:1] in ((), (len(y_pred),))
        except ValueError:  # arrays of different shapes
            fits = False
        if not fits:
            text = f"{given!r:.80}".replace("\n", " ")
            raise ConfigError(f"metric {self.name!r}: expected a number per sample or their mean, got {text}")
        each = _by_sample(values) if values.ndim else values
        if weights.ndim > 1:
            if values.shape != weights.shape:
                raise ShapeError(f"{self.name}: sample_weight: expected shape ({len(y_pred)},), got {weights.shape}")
            each, weights = values.ravel(), weights.ravel() * (len(values) / values.size)
        self.total += float((each * weights).sum())
        self.count += float(weights.sum())

    def result(self) -> Any:
        """The mean since `reset_state`; 0 before the first batch, as in Keras."""
        return Number(self.total / self.count if self.count else 0.0)

    def state(self) -> list[Any]:
        """What a checkpoint keeps, as JSON has it, so that `load_state` can continue within an epoch."""
        return [self.total, self.count]

    def load_state(self, state: list[Any]) -> None:
        """Continue from what `state` returned."""
        self.total, self.count = float(state[0]), float(state[1])

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add a batch, and return the result."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        return {"name": self.name}

    if not TYPE_CHECKING:  # else mypy would take every misspelled attribute for one of these

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name, INSTEAD | INSTEAD_OF_WEIGHTS)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.result():.4f} over {self.count:g} samples>"


class MeanMetricWrapper(Metric):
    """The mean of a function ``f(y_true, y_pred)`` of NumPy arrays: one number per sample, or the batch's mean.

    Further arguments are the function's.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **arguments: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", type(fn).__name__).strip("<>"), dtype)
        if not callable(fn):
            raise ConfigError(f"MeanMetricWrapper: fn: expected a function f(y_true, y_pred), got {fn!r:.80}")
        self.fn, self.arguments = fn, arguments

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self.arguments)


class Mean(Metric):
    """The mean of numbers that one gives it, such as losses in a loop of one's own: ``mean.update_state(loss)``.

    With weights ``sum_i w_i v_i / sum_i w_i``. It is not for ``compile(metrics=...)``, where a metric gets targets and
    outputs.
    """

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a number, or an array of them. With weights it has one for each of these, or for each sample: of its
        numbers the mean counts, as in Keras; a single weight is one of the mean of all.

        Raises
        ------
        DataError
            If these are not numbers.
        ShapeError
            If the weights do not fit.
        """
        given = numbers(values, self.name, "numbers")
        weights = np.ones(given.shape)
        if sample_weight is not None:
            weights = numbers(sample_weight, f"{self.name}: sample_weight", "numbers")
            if weights.shape != given.shape[: weights.ndim]:
                raise ShapeError(f"{self.name}: numbers of shape {given.shape} but weights of shape {weights.shape}")
            given = given.mean(axis=tuple(range(weights.ndim, given.ndim)))
        self.total += float((given * weights).sum(dtype=np.float64))
        self.count += float(weights.sum(dtype=np.float64))

    def __call__(self, values: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        """Add numbers, and return the mean."""
        self.update_state(values, sample_weight)
        return self.result()


def _by_sample(values: np.ndarray) -> np.ndarray:
    """The mean over the outputs of each sample."""
    return values.reshape(len(values), -1).mean(axis=1, dtype=np.float64)


def alike(y_true: Any, y_pred: Any, name: str) -> Any:
    """Targets in the shape of the outputs; a last axis of one may be missing on either side."""
    if y_true.shape == y_pred.shape or (*y_true.shape, 1) == y_pred.shape or y_true.shape == (*y_pred.shape, 1):
        return y_true.reshape(y_pred.shape)
    hint = ""
    if y_pred.ndim > 1 and y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        hint = (
            f": class numbers become one-hot rows with utils.to_categorical(y, {y_pred.shape[-1]}) and the loss "
            "categorical_crossentropy; metrics.classification_report takes them as they are"
        )
    raise ShapeError(f"{name}: expected targets of the shape of the outputs, {y_pred.shape}, got {y_true.shape}{hint}")

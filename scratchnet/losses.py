"""Losses: what training makes small. ``loss(y_true, y_pred)`` is the mean over the batch, as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import config as settings
from .backend import array_module, ops, to_numpy
from .checks import arguments_of, refuse_unknown, snake_case
from .custom import Part, known
from .custom import register as register
from .errors import ConfigError, DataError, ShapeError
from .host_arrays import numbers
from .sample_weights import sample_weights
from .workspace import nothing

__all__ = [
    "CategoricalCrossentropy",
    "Loss",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "get",
    "register",
    "serialize",
]


class Loss(Part):
    """Base class of all losses.

    ``loss(y_true, y_pred, sample_weight=None)`` is ``sum_i w_i loss_i / n`` over the n samples of a batch, a float; n,
    not the sum of the weights, is the divisor, as in Keras 3; a single number weighs all samples. A subclass says which
    targets it takes in `prepare_targets`, and computes a whole batch with one op in `evaluate`.

    Attributes
    ----------
    counts_correct : bool
        Whether `evaluate` counts the samples whose largest output is at the right class.
    rounds_targets : bool
        Whether `evaluate` begins by turning targets into the dtype of the outputs: then this is done once for all.

    Raises
    ------
    ConfigError
        For an argument that the class does not have.
    """

    counts_correct = False
    rounds_targets = False

    def __init__(self, name: str | None = None, **unknown: Any) -> None:
        refuse_unknown(self, unknown, arguments_of(type(self)))
        self.name = name or snake_case(type(self).__name__)

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        """Targets as `evaluate` wants them, for outputs of this shape (without the batch axis), checked once.

        Raises
        ------
        ShapeError
            If their shape does not fit the output's.
        DataError
            If a value makes no sense; it names the value, where it is, and what was expected.
        """
        raise TypeError(f"{type(self).__name__} does not define prepare_targets(y, output_shape)")

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        """Add (sum of weighted losses, number correct) to ``totals``, and fill ``dy`` with the mean's derivative.

        ``logits`` says that ``y_pred`` stands before softmax; a ``dy`` of size 0 is not wanted.
        """
        raise TypeError(f"{type(self).__name__} does not define evaluate(...)")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        return {"name": self.name}

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        self.require_backend()
        xp = array_module()
        if xp is np or not isinstance(y_pred, xp.ndarray):
            y_pred = xp.asarray(_numbers(y_pred, self.name, "prediction"))
        dtype = y_pred.dtype if y_pred.dtype in (np.float32, np.float64) else settings.floatx()
        y_pred = xp.ascontiguousarray(y_pred, dtype=dtype)
        if len(y_pred) == 0:
            raise DataError(f"{self.name}: expected at least one sample, got y_pred of shape {y_pred.shape}")
        n = len(y_pred)
        targets = self.prepare_targets(y_true, tuple(y_pred.shape[1:]))
        if len(targets) != n:
            raise ShapeError(f"{self.name}: {n} predictions but {len(targets)} targets")
        weights = np.ones(n, dtype)
        if sample_weight is not None:
            alone = isinstance(sample_weight, int | float) or getattr(sample_weight, "ndim", 1) == 0
            each = np.repeat(to_numpy(sample_weight), n) if alone else sample_weight
            weights = sample_weights(each, n, dtype, f"{self.name}: sample_weight", ShapeError)
        totals = xp.zeros(2, np.float64)
        logits = getattr(self, "from_logits", False)
        self.evaluate(y_pred, targets, xp.asarray(weights), logits, totals, nothing(y_pred.dtype))
        return float(totals[0]) / n

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.config().items())})"


class _Crossentropy(Loss):
    counts_correct = True

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, name: str | None = None, **unknown: Any
    ) -> None:
        super().__init__(name, **unknown)
        if not isinstance(from_logits, bool | np.bool_):
            raise ConfigError(f"{type(self).__name__}: from_logits: expected True or False, got {from_logits!r}")
        if not isinstance(label_smoothing, int | float | np.number) or not 0 <= label_smoothing <= 1:
            raise ConfigError(f"{type(self).__name__}: label_smoothing: expected 0 to 1, got {label_smoothing!r}")
        self.from_logits, self.label_smoothing = bool(from_logits), float(label_smoothing)

    def config(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, **super().config()}

    def classes(self, output_shape: tuple[int, ...]) -> int:
        """Number of classes of a model with this output."""
        if len(output_shape) != 1 or output_shape[0] < 1:
            expected = "one number per class, shape (n, classes)"
            raise ShapeError(f"{self.name}: expected {expected}, got an output of shape {('n', *output_shape)}")
        return int(output_shape[0])


class SparseCategoricalCrossentropy(_Crossentropy):
    """``loss_i = -log p_i[label_i]``, p = softmax(logits) or the model's probabilities.

    Targets are class numbers (n,) or (n, 1): integers of any dtype, or floats with integer values. Outputs are
    (n, classes). From logits, softmax and logarithm are one stable step. Probabilities are clipped to [1e-7, 1 - 1e-7]
    and taken as logits ``log p``, so that they are normalized, as Keras does it on TensorFlow.

    Parameters
    ----------
    from_logits : bool
        Whether the model ends before softmax.
    label_smoothing : float in [0, 1]
        Targets become ``(1 - s) onehot + s / classes``.
    """

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        classes, labels = self.classes(output_shape), _numbers(y, self.name)
        if labels.ndim != 1 and not (labels.ndim == 2 and labels.shape[1] == 1):
            hint = "; one-hot rows go with CategoricalCrossentropy" if labels.shape[1:] == (classes,) else ""
            raise ShapeError(f"{self.name}: expected labels of shape (n,) or (n, 1), got {labels.shape}{hint}")
        labels = labels.reshape(-1)
        wrong = ~((labels >= 0) & (labels < classes))
        if labels.dtype.kind == "f":
            wrong |= labels != np.floor(labels)
        if wrong.any():
            index = int(wrong.argmax())
            raise DataError(
                f"{self.name}: expected labels from 0 to {classes - 1}, got {labels[index].item()!r} at index {index}"
            )
        return array_module().asarray(labels.astype(np.int32))

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        op = ops.sparse_softmax_cross_entropy if logits else ops.sparse_cross_entropy
        op(y_pred, targets, weights, self.label_smoothing, totals, dy)


class CategoricalCrossentropy(_Crossentropy):
    """``loss_i = -sum_j t_ij log p_ij``, p = softmax(logits) or the model's probabilities.

    Targets t are (n, classes): one-hot rows or any distribution. From logits, softmax and logarithm are one stable
    step. Probabilities are divided by their sum and clipped to [1e-7, 1 - 1e-7], as in Keras.

    Parameters
    ----------
    from_logits : bool
        Whether the model ends before softmax.
    label_smoothing : float in [0, 1]
        Targets become ``(1 - s) t + s / classes``.
    """

    rounds_targets = True

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        classes, targets = self.classes(output_shape), _numbers(y, self.name)
        if targets.shape[1:] != (classes,):
            hint = "; class numbers go with SparseCategoricalCrossentropy" if targets[:1].size == 1 != classes else ""
            raise ShapeError(f"{self.name}: expected targets of shape (n, {classes}), got {targets.shape}{hint}")
        return _floats(targets, self.name)

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        op = ops.softmax_cross_entropy if logits else ops.cross_entropy
        op(y_pred, _as(targets, y_pred.dtype), weights, self.label_smoothing, totals, dy)


class MeanSquaredError(Loss):
    """``loss_i = mean_j (y_ij - t_ij)^2`` over all numbers of a sample; targets have the shape of the output."""

    rounds_targets = True

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        targets = _numbers(y, self.name)
        # As in Keras, a last axis of one may be missing on either side: (n,) against (n, 1).
        if (*targets.shape[1:], 1) == output_shape or targets.shape[1:] == (*output_shape, 1):
            targets = targets.reshape(-1, *output_shape)
        if targets.shape[1:] != output_shape:
            raise ShapeError(f"{self.name}: expected targets of shape {('n', *output_shape)}, got {targets.shape}")
        return _floats(targets, self.name)

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        n = len(y_pred)
        targets = _as(targets, y_pred.dtype).reshape(n, -1)
        ops.mean_squared_error(y_pred.reshape(n, -1), targets, weights, totals, dy.reshape(n, -1) if dy.size else dy)


def _as(targets: Any, dtype: Any) -> Any:
    return targets if targets.dtype == dtype else array_module().asarray(targets, dtype=dtype)


def _numbers(y: Any, name: str, what: str = "target") -> np.ndarray:
    """Targets or predictions as a NumPy array of numbers with a batch axis."""
    array = numbers(y, name, f"numbers for {what}s", ragged=ShapeError)
    if array.ndim == 0:
        raise ShapeError(f"{name}: expected one {what} per sample, got a single number")
    return array


def _floats(targets: np.ndarray, name: str) -> Any:
    """Targets as contiguous floats, all of them finite."""
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        index = int((~np.isfinite(targets.reshape(len(targets), -1))).any(axis=1).argmax())
        raise DataError(f"{name}: NaN or Inf in the targets, first at index {index}")
    dtype = targets.dtype if targets.dtype in (np.float32, np.float64) else settings.floatx()
    return array_module().ascontiguousarray(targets, dtype=dtype)


_CLASSES: dict[str, type[Loss]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
}


def get(identifier: Any) -> Loss:
    """A loss from its name (``"mse"``), a ``{"class_name", "config"}`` dict, or itself.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifier, Loss):
        return identifier
    name, arguments = identifier, {}
    if isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        name, arguments = identifier["class_name"], identifier["config"]
    for short, cls in {**known(Loss), **_CLASSES}.items():
        if isinstance(name, str) and (name.lower() == short or name == cls.__name__):
            try:
                return cls(**arguments)
            except TypeError as error:
                raise ConfigError(f"loss {name}: {error}") from None
    hint = "" if identifier is name else "; a class of your own: @sn.losses.register, or custom_objects={name: class}"
    raise ConfigError(f"loss: expected one of {', '.join(_CLASSES)}, or a Loss, got {str(name)[:80]!r}{hint}")


def serialize(loss: Loss) -> dict[str, Any]:
    """The dict that `get` turns back into the loss."""
    return {"class_name": type(loss).__name__, "config": loss.config()}

"""The base of every loss: targets are checked once, and one op computes a whole batch."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import config as settings
from ..backend import array_module, contiguous
from ..checks import arguments_of, part_name, refuse_unknown, snake_case
from ..configured import Configured
from ..custom import Hooks, Part
from ..errors import DataError, ShapeError
from ..host_arrays import numbers
from ..keras_defaults import LOSS, Rules, take
from ..results import Number
from ..sample_weights import for_each, sample_weights
from ..workspace import nothing


class Loss(Configured, Part):
    """Base class of all losses.

    ``loss(y_true, y_pred, sample_weight=None)`` is ``sum_i w_i loss_i / n`` over the n samples of a batch, a float; n,
    not the sum of the weights, is the divisor, as in Keras 3; a single number weights all samples. A subclass defines
    which targets it takes in `prepare_targets`, and computes a whole batch with one op in `evaluate`.

    Attributes
    ----------
    counts_correct : bool
        Whether `evaluate` counts the samples whose largest output is that of the right class.
    rounds_targets : bool
        Whether `evaluate` first converts targets to the dtype of the outputs; this is then done once and for all.
    fused_activation : str
        The activation that a loss with ``from_logits=False`` skips if a model ends in it: training computes the loss
        from the activation's input.

    Raises
    ------
    ConfigError
        For an argument that the class does not have, or one of Keras's for what it does not do.
    """

    keras_hooks: ClassVar[Hooks] = {
        "call": (
            "define prepare_targets(y, output_shape) and evaluate(y_pred, targets, weights, logits, totals, dy)",
            ("prepare_targets", "evaluate"),
        ),
        "get_config": ("define config(), which it says too", ("config",)),
    }
    keras_arguments: ClassVar[Rules] = LOSS  # Keras's for what it does not do, and the accepted values
    counts_correct = False
    rounds_targets = False
    fused_activation = "softmax"

    def __init__(self, name: str | None = None, **unknown: Any) -> None:
        take(self, unknown, self.keras_arguments)
        refuse_unknown(self, unknown, arguments_of(type(self)))
        self.name = part_name(self, name) or snake_case(type(self).__name__)

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        """Targets as `evaluate` wants them, for outputs of this shape (without the batch axis), checked once.

        Raises
        ------
        ShapeError
            If their shape does not fit the output's.
        DataError
            If a value is invalid; the message names the value, its place, and what was expected.
        """
        raise TypeError(f"{type(self).__name__} does not define prepare_targets(y, output_shape)")

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        """Add (sum of weighted losses, number correct) to ``totals``, and fill ``dy`` with the mean's derivative.

        ``logits`` says that ``y_pred`` is the input of softmax (or of the loss's ``fused_activation``); a ``dy`` of
        size 0 is not wanted.
        """
        raise TypeError(f"{type(self).__name__} does not define evaluate(...)")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        return {"name": self.name}

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        return Number(self._mean(y_true, y_pred, sample_weight, False)[0])

    def gradient(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """``dL/dy_pred`` of ``L = loss(y_true, y_pred, sample_weight)``: the starting point of `backward`.

        Raises
        ------
        ShapeError, DataError
            As when calling the loss.
        """
        return self._mean(y_true, y_pred, sample_weight, True)[1]

    def _mean(self, y_true: Any, y_pred: Any, sample_weight: Any, wanted: bool) -> tuple[float, Any]:
        self.require_backend()
        xp = array_module()
        if xp is np or not isinstance(y_pred, xp.ndarray):
            y_pred = as_numbers(y_pred, self.name, "prediction")
        dtype = y_pred.dtype if y_pred.dtype in (np.float32, np.float64) else settings.floatx()
        y_pred = contiguous(y_pred, dtype)
        if len(y_pred) == 0:
            raise DataError(f"{self.name}: expected at least one sample, got y_pred of shape {y_pred.shape}")
        n = len(y_pred)
        targets = self.prepare_targets(y_true, tuple(y_pred.shape[1:]))
        if len(targets) != n:
            raise ShapeError(f"{self.name}: {n} predictions but {len(targets)} targets")
        weights = np.ones(n, dtype)
        if sample_weight is not None:
            weights = sample_weights(for_each(sample_weight, n), n, dtype, f"{self.name}: sample_weight", ShapeError)
        totals = xp.zeros(2, np.float64)
        logits, dy = getattr(self, "from_logits", False), xp.empty_like(y_pred) if wanted else nothing(y_pred.dtype)
        self.evaluate(y_pred, targets, xp.asarray(weights), logits, totals, dy)
        return float(totals[0]) / n, dy

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.config().items())})"


def as_dtype(targets: Any, dtype: Any) -> Any:
    return targets if targets.dtype == dtype else array_module().asarray(targets, dtype=dtype)


def as_numbers(y: Any, name: str, what: str = "target") -> np.ndarray:
    """Targets or predictions as a NumPy array of numbers with a batch axis."""
    array = numbers(y, name, f"numbers for {what}s", ragged=ShapeError)
    if array.ndim == 0:
        raise ShapeError(f"{name}: expected one {what} per sample, got a single number")
    return array


def as_floats(targets: np.ndarray, name: str) -> Any:
    """Targets as contiguous floats, all of them finite."""
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        index = int((~np.isfinite(targets.reshape(len(targets), -1))).any(axis=1).argmax())
        raise DataError(f"{name}: NaN or Inf in the targets, first at index {index}")
    dtype = targets.dtype if targets.dtype in (np.float32, np.float64) else settings.floatx()
    return contiguous(targets, dtype)

"""Cross-entropies: of one class among many, or of many numbers that are each 0 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import array_module, ops
from ..checks import number
from ..errors import ConfigError, DataError, ShapeError
from ..keras_defaults import CROSSENTROPY, SPARSE_CROSSENTROPY
from ..kernels.elementwise_losses import BINARY, BINARY_LOGITS
from ..layers.arguments import batch_shape
from .base import Loss, as_dtype, as_floats, as_numbers
from .elementwise import Elementwise


class _Crossentropy(Loss):
    keras_arguments = CROSSENTROPY

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
        reduction: str = "sum_over_batch_size", name: str | None = None, dtype: Any = None, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, axis=axis, reduction=reduction, dtype=dtype, **unknown)
        if not isinstance(from_logits, bool | np.bool_):
            raise ConfigError(f"{type(self).__name__}: from_logits: expected True or False, got {from_logits!r}")
        self.from_logits = bool(from_logits)
        self.label_smoothing = float(number(self, "label_smoothing", label_smoothing, "[0, 1]"))

    def config(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, **super().config()}


class _Categorical(_Crossentropy):
    counts_correct = True

    def classes(self, output_shape: tuple[int, ...]) -> int:
        """Number of classes of a model with this output."""
        if len(output_shape) != 1 or output_shape[0] < 1:
            expected = "one number per class, shape (n, classes)"
            raise ShapeError(f"{self.name}: expected {expected}, got an output of shape {batch_shape(output_shape)}")
        return int(output_shape[0])


class SparseCategoricalCrossentropy(_Categorical):
    """``loss_i = -log p_i[label_i]``, p = softmax(logits) or the model's probabilities.

    Targets are class numbers (n,) or (n, 1): integers of any dtype, or floats with integer values. Outputs are
    (n, classes). From logits, softmax and logarithm are one stable step. Probabilities are clipped to [1e-7, 1 - 1e-7]
    and taken as logits ``log p``, which normalizes them, as in Keras on TensorFlow.

    Parameters
    ----------
    from_logits : bool
        Whether the model ends before softmax.
    label_smoothing : float in [0, 1]
        Targets become ``(1 - s) onehot + s / classes``.
    """

    keras_arguments = SPARSE_CROSSENTROPY

    def __init__(
        self, from_logits: bool = False, ignore_class: int | None = None, reduction: str = "sum_over_batch_size",
        axis: int = -1, name: str | None = None, dtype: Any = None, *, label_smoothing: float = 0.0, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            from_logits, label_smoothing, axis, reduction, name, dtype, ignore_class=ignore_class, **unknown
        )

    def prepare_targets(self, y: Any, output_shape: tuple[int, ...]) -> Any:
        classes, labels = self.classes(output_shape), as_numbers(y, self.name)
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


class CategoricalCrossentropy(_Categorical):
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
        classes, targets = self.classes(output_shape), as_numbers(y, self.name)
        if targets.shape[1:] != (classes,):
            hint = "; class numbers go with SparseCategoricalCrossentropy" if targets[:1].size == 1 != classes else ""
            raise ShapeError(f"{self.name}: expected targets of shape (n, {classes}), got {targets.shape}{hint}")
        return as_floats(targets, self.name)

    def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
        op = ops.softmax_cross_entropy if logits else ops.cross_entropy
        op(y_pred, as_dtype(targets, y_pred.dtype), weights, self.label_smoothing, totals, dy)


class BinaryCrossentropy(Elementwise, _Crossentropy):
    """``loss_i = mean_j (-t_ij log p_ij - (1 - t_ij) log (1 - p_ij))``, p = sigmoid(logits) or the model's outputs.

    Targets, from 0 to 1, have the shape of the output. From logits, sigmoid and logarithm are one stable step, also in
    training if a model ends in sigmoid. Probabilities are clipped to [1e-7, 1 - 1e-7], as in Keras.

    Parameters
    ----------
    from_logits : bool
        Whether the model ends before sigmoid.
    label_smoothing : float in [0, 1]
        Targets become ``(1 - s) t + s / 2``.
    """

    fused_activation = "sigmoid"

    def check_targets(self, targets: np.ndarray) -> None:
        outside = np.argwhere((targets < 0) | (targets > 1))
        if len(outside):
            first = tuple(outside[0])
            raise DataError(f"{self.name}: expected targets from 0 to 1, got {targets[first]:g} at index {first[0]}")

    def kind(self, logits: bool) -> int:
        return BINARY_LOGITS if logits else BINARY

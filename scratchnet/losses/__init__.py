"""Losses: what training minimizes. ``loss(y_true, y_pred)`` is the mean over the batch, as in Keras."""

from __future__ import annotations

from typing import Any

from ..configured import resolve
from ..custom import known
from ..custom import register as register
from .base import Loss
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .elementwise import (
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    SquaredHinge,
)
from .functions import (
    binary_crossentropy,
    categorical_crossentropy,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_squared_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "categorical_crossentropy",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "poisson",
    "register",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

_CLASSES: dict[str, type[Loss]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "bce": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "log_cosh": LogCosh,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "poisson": Poisson,
    "kl_divergence": KLDivergence,
    "kld": KLDivergence,
}
_FUNCTIONS = (
    binary_crossentropy, categorical_crossentropy, mean_absolute_error, mean_squared_error,
    sparse_categorical_crossentropy, huber, log_cosh, hinge, squared_hinge, poisson, kl_divergence,
)  # fmt: skip


def get(identifier: Any) -> Loss:
    """A loss from its name (``"mse"``), a ``{"class_name", "config"}`` dict, its function, or itself.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if any(identifier is function for function in _FUNCTIONS):
        identifier = identifier.__name__
    own = "a class of your own (@sn.losses.register, or custom_objects={name: class}), or "
    return resolve("loss", identifier, Loss, _CLASSES | known(Loss), own if isinstance(identifier, dict) else "")


deserialize = get  # Keras's name for it when given a dict


def serialize(loss: Loss) -> dict[str, Any]:
    """The dict that `get` turns back into the loss."""
    return {"class_name": type(loss).__name__, "config": loss.config()}

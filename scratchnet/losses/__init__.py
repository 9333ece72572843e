"""Losses: what training makes small. ``loss(y_true, y_pred)`` is the mean over the batch, as in Keras."""

from __future__ import annotations

from typing import Any

from ..configured import by_name, named
from ..custom import known
from ..custom import register as register
from ..errors import ConfigError
from .base import Loss
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .elementwise import MeanAbsoluteError, MeanSquaredError

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "get",
    "register",
    "serialize",
]

_CLASSES: dict[str, type[Loss]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
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
    name, arguments = named(identifier)
    cls = by_name(name, {**known(Loss), **_CLASSES})
    if cls is not None:
        try:
            return cls(**arguments)
        except TypeError as error:
            raise ConfigError(f"loss {name}: {error}") from None
    hint = "" if identifier is name else "; a class of your own: @sn.losses.register, or custom_objects={name: class}"
    raise ConfigError(f"loss: expected one of {', '.join(_CLASSES)}, or a Loss, got {str(name)[:80]!r}{hint}")


def serialize(loss: Loss) -> dict[str, Any]:
    """The dict that `get` turns back into the loss."""
    return {"class_name": type(loss).__name__, "config": loss.config()}

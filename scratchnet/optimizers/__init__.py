"""Optimizers with Keras 3's formulas, defaults and epsilons: one op call per step, over one flat vector."""

from __future__ import annotations

from typing import Any

from ..configured import resolve
from ..custom import known
from . import schedules
from .adam import Adam, AdamW, Nadam
from .adaptive import Adadelta, Adagrad, RMSprop
from .base import Optimizer
from .sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "get",
    "schedules",
    "serialize",
]

_CLASSES: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls for cls in (SGD, Adam, AdamW, Nadam, RMSprop, Adagrad, Adadelta)
}


def get(identifier: Any) -> Optimizer:
    """An optimizer from its name (``"adam"``), a ``{"class_name", "config"}`` dict, or itself.

    Raises
    ------
    ConfigError
        For anything else.
    """
    return resolve("optimizer", identifier, Optimizer, _CLASSES | known(Optimizer))


deserialize = get  # Keras's name for it when given a dict


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The dict that `get` turns back into the optimizer, without its slots."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.config()}

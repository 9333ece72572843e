"""Regularizers: what large weights add to the loss, ``l1 sum |w| + l2 sum w^2``, with Keras's names and defaults.

Other than an optimizer's ``weight_decay`` this goes through the gradient: Adam divides it by its size like the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import to_numpy
from .checks import arguments_of, number, refuse_unknown
from .configured import Configured, resolve

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "serialize"]


class Regularizer(Configured):
    """Base class; called with weights it says their penalty, a float.

    Attributes
    ----------
    l1, l2 : float
        Weights of the sum of magnitudes and of the sum of squares.

    Raises
    ------
    ConfigError
        For a negative weight, or an unknown argument.
    """

    def __init__(self, l1: float, l2: float, unknown: dict[str, Any]) -> None:
        refuse_unknown(self, unknown, arguments_of(type(self)))
        self.l1, self.l2 = float(number(self, "l1", l1, "[0, inf)")), float(number(self, "l2", l2, "[0, inf)"))

    def __call__(self, weights: Any) -> float:
        w = np.asarray(to_numpy(weights), np.float64)
        return float(self.l1 * np.abs(w).sum() + self.l2 * np.square(w).sum())

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        return {name: getattr(self, name) for name in arguments_of(type(self))}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.config().items())})"


class L1(Regularizer):
    """``l1 sum |w|``: drives weights to exactly 0 (the lasso; Tibshirani, 1996)."""

    def __init__(self, l1: float = 0.01, **unknown: Any) -> None:
        super().__init__(l1, 0.0, unknown)


class L2(Regularizer):
    """``l2 sum w^2``: keeps weights small (ridge regression; Hoerl and Kennard, 1970)."""

    def __init__(self, l2: float = 0.01, **unknown: Any) -> None:
        super().__init__(0.0, l2, unknown)


class L1L2(Regularizer):
    """``l1 sum |w| + l2 sum w^2`` (the elastic net; Zou and Hastie, 2005)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **unknown: Any) -> None:
        super().__init__(l1, l2, unknown)


_BY_NAME: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}


def get(identifier: Any) -> Regularizer | None:
    """A regularizer from its name (``"l2"``), a ``{"class_name", "config"}`` dict, or itself; None for None.

    Raises
    ------
    ConfigError
        For anything else.
    """
    return None if identifier is None else resolve("regularizer", identifier, Regularizer, _BY_NAME)


deserialize = get  # Keras's name for it, where it is given a dict


def serialize(regularizer: Regularizer) -> dict[str, Any]:
    """The dict that `get` turns back into the regularizer."""
    return {"class_name": type(regularizer).__name__, "config": regularizer.config()}


l1, l2, l1_l2 = L1, L2, L1L2  # Keras's short names

"""What calls return: NumPy arrays and Python numbers that have the ``numpy()`` of Keras's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class Result(np.ndarray):
    """An array that a layer, a model or an activation returned when called. What is computed from it is a plain one."""

    def numpy(self) -> np.ndarray:
        """The same numbers as a plain array."""
        return self.view(np.ndarray)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array)[()]  # what NumPy computes from it is NumPy's: arrays, and numbers instead of shape ()


class Number(float):
    """A number that a loss or a metric returned."""

    def numpy(self) -> np.float64:
        """The same number as NumPy's."""
        return np.float64(self)


class Rate(Number):
    """The learning rate of an optimizer: a number, and Keras's ways of changing the optimizer's."""

    _optimizer: Any

    def __new__(cls, value: float, optimizer: Any) -> Rate:
        rate = super().__new__(cls, value)
        rate._optimizer = optimizer
        return rate

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)  # a copy is a number, and not tied to an optimizer

    def assign(self, value: Any) -> None:
        """Set the optimizer's ``learning_rate``."""
        self._optimizer.learning_rate = value


def logged(result: Any) -> Any:
    """A metric's result as logs have it: a float, or a list of floats if it is several, which JSON can hold."""
    values = [float(value) for value in np.ravel(result).tolist()]
    return values[0] if len(values) == 1 else values


def single(value: Any) -> float:
    """What logs have under a name, as one number to print: of several the mean, as in Keras."""
    return float(np.mean(value))


def in_words(logs: Mapping[str, Any]) -> str:
    """Logs on one line: ``loss: 0.1234 - accuracy: 0.9876``."""
    return " - ".join(f"{name}: {single(value):.4f}" for name, value in logs.items())


def as_result(array: Any) -> Any:
    """A NumPy array as a `Result`, without a copy; an array on a GPU as it is."""
    return array.view(Result) if type(array) is np.ndarray else array

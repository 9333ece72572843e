"""What a worker requires of a framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import perf_counter
from typing import Any

import numpy as np

from .. import data
from ..networks import Network

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


class Adapter(ABC):
    """One network in one framework: float32, Adam 1e-3 with Keras's constants, mean softmax cross-entropy.

    ``batches`` is what :meth:`load` made of the epoch, ready for :meth:`step`: nothing is converted on the clock.
    """

    batches: list[Any]

    @abstractmethod
    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        """Make the network with these weights (Keras's order and layout) and a fresh optimizer."""

    @abstractmethod
    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        """Slice an epoch of float32 rows and int64 labels into batches in the framework's own memory."""

    @abstractmethod
    def step(self, index: int) -> Any:
        """One training step on batch ``index``; the loss before the update, not necessarily finished."""

    def value(self, loss: Any) -> float:
        """Wait for a loss and return it."""
        return float(loss)

    def losses(self, steps: int) -> list[float]:
        """The first ``steps`` losses from the network's current state."""
        return [self.value(self.step(index)) for index in range(steps)]

    def run(self, start: int, steps: int) -> tuple[float, float]:
        """Seconds for ``steps`` training steps from batch ``start`` on, and the last loss."""
        began = perf_counter()
        for index in range(start, start + steps):
            loss = self.step(index)
        last = self.value(loss)
        return perf_counter() - began, last

    def images(self, pixels: np.ndarray, shape: tuple[int, ...]) -> Any:
        """A whole split as a tutorial's script keeps it: scaled to float32 in one go."""
        return data.pixels(pixels, shape)

    @abstractmethod
    def fit(self, x: np.ndarray, y: np.ndarray, batch: int) -> tuple[float, float]:
        """One shuffled epoch with loss and accuracy, as a user of the framework runs it; returns both."""

    @abstractmethod
    def predict(self, x: np.ndarray, batch: int) -> np.ndarray:
        """The network's outputs for all rows (probabilities where the tutorial's model ends in a softmax)."""

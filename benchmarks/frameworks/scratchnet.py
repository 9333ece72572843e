"""scratchnet, through its public names."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

import scratchnet as sn

from ..networks import Network
from .base import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Adapter


def make(variant: str, threads: int) -> Adapter:
    return ScratchnetStep()  # the threads are those of NUMBA_NUM_THREADS, which the worker's environment sets


def sequential(network: Network, weights: list[np.ndarray]) -> sn.Sequential:
    """The network as a scratchnet model."""
    layers: list[Any] = []
    for layer in network.layers:
        activation = "relu" if layer.get("relu") else None
        match layer["kind"]:
            case "dense":
                layers.append(sn.layers.Dense(layer["units"], activation=activation))
            case "conv":
                layers.append(
                    sn.layers.Conv2D(layer["filters"], layer["kernel"], padding="same", activation=activation)
                )
            case "pool":
                layers.append(sn.layers.MaxPooling2D(2, padding=layer["padding"]))
            case "dropout":
                layers.append(sn.layers.Dropout(layer["rate"]))
            case "flatten":
                layers.append(sn.layers.Flatten())
    if network.softmax:
        layers.append(sn.layers.Softmax())
    model = sn.Sequential(layers)
    model.build(network.shape)
    model.set_weights(weights)
    return model


class ScratchnetStep(Adapter):
    """The model's own trainer for the bare step; ``fit`` and ``predict`` for the rest."""

    settings: dict[str, Any] = {}  # noqa: RUF012 (further arguments of `compile`)

    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        self.network = network
        self.model = sequential(network, weights)
        optimizer = sn.optimizers.Adam(LEARNING_RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
        loss = sn.losses.SparseCategoricalCrossentropy(from_logits=not network.softmax)
        self.model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], **self.settings)
        self.trainer = self.model.trainer()

    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        n = self.network.batch
        targets = self.model.loss.prepare_targets(y, self.model.output_shape)
        self.batches = [(x[i : i + n], targets[i : i + n]) for i in range(0, len(x), n)]
        self.ones = self.trainer.weights(n)

    def step(self, index: int) -> Any:
        with self.trainer.running():
            self.trainer.reset()
            self._step(index)
        return self.trainer.totals[0] / self.network.batch

    def eager_step(self, index: int) -> Any:
        """`step`, from the second on with every op called from Python: a recorded one shows none of them."""
        if self.model.capture:
            self.model.capture = False
            self.trainer.stepper.recordings.clear()
        return self.step(index)

    def _step(self, index: int) -> None:
        x, targets = self.batches[index]
        self.trainer.stepper.step(x, targets, self.ones)

    def run(self, start: int, steps: int) -> tuple[float, float]:
        with self.trainer.running():
            self.trainer.reset()
            began = perf_counter()
            for index in range(start, start + steps - 1):
                self._step(index)
            self.trainer.reset()  # the others also report the loss of the last step
            self._step(start + steps - 1)
            seconds = perf_counter() - began
        return seconds, float(self.trainer.totals[0] / self.network.batch)

    def images(self, pixels: np.ndarray, shape: tuple[int, ...]) -> Any:
        """Bytes stay bytes: the recipes' way, and what ``fit`` and ``predict`` take."""
        return sn.datasets.Pixels(pixels).reshape(shape)

    def fit(self, x: Any, y: np.ndarray, batch: int) -> tuple[float, float]:
        history = self.model.fit(x, y, batch_size=batch, epochs=1, verbose=0).history
        return history["loss"][-1], history["accuracy"][-1]

    def predict(self, x: Any, batch: int) -> np.ndarray:
        return self.model.predict(x, batch_size=batch, verbose=0)

"""scratchnet on a GPU: the captured steps that ``fit`` replays."""

from __future__ import annotations

from typing import Any

import numpy as np

import scratchnet as sn
from scratchnet.backend import to_numpy
from scratchnet.batches import Shuffle, Source
from scratchnet.capture import CapturedSteps
from scratchnet.training import Progress

from ...frameworks.scratchnet import ScratchnetStep
from ...networks import Network
from ..stopwatch import Stopwatch


def make(variant: str, threads: int, device: str, precision: str) -> CapturedStep:
    if device == "cuda":
        sn.set_backend("cupy")
    return CapturedStep(precision)


class Quiet:
    """No callbacks."""

    watches_batches = False

    def on_train_batch_begin(self, step: int) -> None:
        pass

    def on_train_batch_end(self, step: int, trainer: Any, progress: Progress) -> None:
        pass


class CapturedStep(ScratchnetStep):
    """The step as ``fit`` runs it on a GPU: batches from the device's memory, graphs of many steps, one read-back."""

    def __init__(self, precision: str) -> None:
        self.settings = {"precision": precision}
        self.loaded: tuple[np.ndarray, np.ndarray] | None = None

    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        super().build(network, weights)
        self.model.stop_training = False
        if self.loaded is not None:  # the same rows continue with the new network
            self.load(*self.loaded)

    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        n, self.loaded = self.network.batch, (x, y)
        source = Source(x, self.model.input_shape, self.model.dtype)
        targets = self.model.loss.prepare_targets(y, self.model.output_shape)
        self.batches = [slice(i, i + n) for i in range(0, len(x), n)]
        order = Shuffle(len(x), n, shuffle=False, drop_last=False, seed=0)
        self.captured = CapturedSteps(self.trainer, source, targets, None, order, len(self.batches))
        self.source, self.targets = source, targets

    def step(self, index: int) -> float:
        return self.run(index, 1)[1]

    def eager_step(self, index: int) -> None:
        """One step without capture, its batch gathered as `fit` does."""
        rows = self.batches[index]
        with self.trainer.running():
            x = self.source.take(np.arange(rows.start, rows.stop))
            self.trainer.step(x, self.targets[rows], self.trainer.weights(self.network.batch))

    def run(self, start: int, steps: int) -> tuple[float, float]:
        """Seconds by the device's events, and the mean loss of these steps."""
        self.trainer.reset()
        self.captured.steps = start + steps
        progress, stopwatch = Progress(seed=0, step=start), Stopwatch()
        with self.trainer.running():
            stopwatch.start()
            self.captured.run_epoch(progress, Quiet())
            seconds = stopwatch.seconds()
        return seconds, float(to_numpy(self.trainer.totals)[0]) / progress.samples

"""Taking the steps of a trainer: from Python at first, then as recordings, on as many threads as pay off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import numerics, recording
from .batches import Feed
from .pace import Pace

if TYPE_CHECKING:
    from .recording import Recording
    from .training import Trainer

TOGETHER_SECONDS = 0.1
"""The longest time that steps run without Python in between: signals and progress bars wait for them."""

RECORDED = 4
"""Batch sizes whose recorded steps are kept at a time: each keeps its buffers."""


class Stepper:
    """Takes the steps of a trainer, in the fastest way that gives the same bits."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.pace = Pace()
        self.seconds = math.inf  # of the last step
        self.recordings: dict[int, Recording | None] = {}  # by batch size; None: cannot be recorded
        self.met: set[int] = set()  # batch sizes seen before: a step is recorded the second time

    @contextmanager
    def recording_anew(self) -> Iterator[None]:
        """Steps are recorded only within the block: layers may have been set differently before, and a recording keeps
        the data set alive.
        """
        self._forget()
        try:
            yield
        finally:
            self._forget()

    def _forget(self) -> None:
        self.recordings.clear()
        self.met.clear()

    def step(self, x: Any, targets: Any, weights: Any) -> None:
        """One step with a batch."""
        batch = (x, targets, weights)
        self._step(batch, lambda: batch, None, len(x))

    def steps(self, feed: Feed, indices: np.ndarray) -> int:
        """Steps with batches of a feed's rows, (batches, samples); returns how many were taken: at least one."""
        n = indices.shape[1]
        recorded = self.recordings.get(n)
        few = indices[: max(1, int(TOGETHER_SECONDS / self.seconds))]
        if len(few) > 1 and recorded is not None:
            began = perf_counter()
            if taken := recorded.replay_steps(feed, few, self.pace.threads):
                self._timed((perf_counter() - began) / taken, taken)
                return taken
        rows = indices[0]

        def make() -> Any:
            x, targets, weights = feed.batch(rows)
            return x, targets, self.trainer.weights(n, weights)

        self._step((rows,), make, feed, n)
        return 1

    def _step(self, inputs: Any, make: Callable[[], Any], feed: Feed | None, n: int) -> None:
        began = perf_counter()
        if not self._replay(inputs, make, feed, n):
            if n in self.met and n not in self.recordings:
                self.recordings[n] = recording.record(self.trainer, inputs, make, feed)
                if len(self.recordings) > RECORDED:
                    del self.recordings[next(iter(self.recordings))]
            else:
                self.met.add(n)
                self.trainer.step(*make())
        self._timed(perf_counter() - began)

    def _timed(self, seconds: float, steps: int = 1) -> None:
        """Record how long each step took."""
        self.seconds = seconds
        for _ in range(steps):
            self.pace.note(seconds)

    def _replay(self, inputs: Any, make: Callable[[], Any], feed: Feed | None, n: int) -> bool:
        """Whether the step could be taken by replay."""
        recorded = self.recordings.get(n)
        if recorded is None:
            return False
        optimizer = self.trainer.model.optimizer
        before = optimizer.iterations
        finite = recorded.replay(inputs, feed, self.pace.threads)
        if finite is None:
            del self.recordings[n]  # it will be recorded again
            return False
        if not finite:
            optimizer.iterations = before
            raise numerics.explain(self.trainer.model, make()[0], int(before))
        return True

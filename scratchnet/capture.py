"""An epoch on the GPU as the replay of captured steps.

For the reason that kernels/program.py gives, Python takes no part in the steps: one step is run for each batch size
while the GPU records instead of computing, and an epoch is the replay of that recording (a CUDA graph of up to
`UNROLLED` steps). What differs from step to step is kept in GPU memory: the order of the samples, the batch and step
counters, the numbers that the optimizer recomputes (learning rate, bias corrections), the running totals. Nothing is
read back before the epoch's end.

The kernels are those of the eager step, so both give the same bits. If a setting changes along the way, the step is
recorded again, because the kernels were launched with the old value; a user-defined part may do anything between the
kernels, so with one every step runs from Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from . import numerics, replay
from .backend import get_backend
from .batches import Feed
from .kernels import batching_cuda, cuda
from .kernels.clock import PER_STEP, Clock, using

if TYPE_CHECKING:
    from .batches import Shuffle, Source
    from .training import Progress, Trainer

UNROLLED = 32  # steps in one graph: launching it then costs a step about a tenth of a microsecond


def possible(trainer: Trainer) -> bool:
    """Whether a model's step can be captured."""
    return get_backend() == "cupy" and replay.possible(trainer)


class CapturedSteps:
    """The captured steps of one fit.

    Parameters
    ----------
    trainer : Trainer
    source, targets, weights
        The data set, on the GPU; ``weights`` may be None.
    order : Shuffle
        The samples of every step.
    steps : int
        Per epoch.
    """

    def __init__(
        self, trainer: Trainer, source: Source, targets: Any, weights: Any, order: Shuffle, steps: int
    ) -> None:
        self.trainer, self.source, self.order, self.steps = trainer, source, order, steps
        self.model = trainer.model
        self.device = device = cuda.driver()
        dtype = self.model.dtype
        self.targets = device.xp.asarray(targets, dtype=dtype) if targets.dtype.kind == "f" else targets
        self.weights = None if weights is None else device.xp.asarray(weights, dtype=dtype)
        self.host_order = device.pinned((steps, order.batch_size), np.int32)
        self.host_table = device.pinned((steps, PER_STEP), np.float64)
        self.host_clock = device.pinned(3, np.int64)
        self.device_order = device.xp.empty((steps, order.batch_size), np.int32)
        table, counters = device.xp.empty((steps, PER_STEP), np.float64), device.xp.empty(3, np.int64)
        self.clock = Clock(counters, table, order.batch_size)
        self.sizes = np.zeros(steps, np.int64)
        self.graphs: dict[tuple[int, int], Any] = {}
        self.settings = replay.Settings(self.model)  # with which the graphs were recorded
        # The steps that the table has numbers for (first, stop), and the learning rate used for them.
        self.noted: tuple[int, int, Any] = (0, 0, None)
        self.counting = [layer for layer in self.model.walk() if hasattr(layer, "step")]
        self.counters: tuple[int, list[int]] = (0, [])  # as the clock and the graphs know them
        self.ahead = 0  # how far the epoch's steps are ahead of the optimizer's

    def run_epoch(self, progress: Progress, run: Any) -> None:
        """Run the remaining steps of an epoch, or until a callback stops the fit.

        Raises
        ------
        NumericsError
            If a loss was not finite. The weights are those before that step.
        """
        self._begin(progress)
        try:
            self._run(progress, run)
        except Exception:  # of a callback or a schedule: from Python, a non-finite loss would have come first
            self._require_finite(progress)
            raise
        except BaseException:  # Ctrl-C: queued launches still read memory that is freed with this object
            self.device.wait()
            raise
        self._require_finite(progress)

    def _run(self, progress: Progress, run: Any) -> None:
        while progress.step < self.steps:
            run.on_train_batch_begin(progress.step)
            self.model.reclaim()
            if not self.settings.hold():
                self._forget()
            if self._counters() != self.counters:
                self._require_finite(progress)
                self._follow(progress)
            n = int(self.sizes[progress.step])
            count = self._together(progress.step, 1 if run.watches_batches else UNROLLED)
            if not self._note(progress, count):
                count = 1
            self._graph(n, count).launch()
            self._advance(count)
            progress.step += count
            progress.samples += count * n
            run.on_train_batch_end(progress.step - 1, self.trainer, progress)
            if self.model.stop_training:
                break

    def _begin(self, progress: Progress) -> None:
        """Upload the order of the epoch's samples and the counters to the GPU."""
        step = progress.step
        while step < self.steps:  # a turn for each batch size of each pass over the data
            rows = self.order.together(progress.epoch * self.steps + step, self.steps - step)
            stop, n = step + len(rows), rows.shape[1]
            self.host_order[step:stop, :n], self.sizes[step:stop] = rows, n
            step = stop
        self.device.upload(self.device_order, self.host_order)
        self.host_clock[2] = 0
        self.device.upload(self.clock.array[2:], self.host_clock[2:])
        self._follow(progress)

    def _counters(self) -> tuple[int, list[int]]:
        """The optimizer's steps, and by how many each layer is ahead of them, which graphs have built in."""
        steps = int(self.model.optimizer.iterations)
        return steps, [layer.step - steps for layer in self.counting]

    def _follow(self, progress: Progress) -> None:
        """Set the clock to the host's counters: a callback may have trained between two steps, or set them."""
        known, self.counters = self.counters[1], self._counters()
        if self.counters[1] != known:
            self.graphs.clear()
        self.ahead = progress.step - self.counters[0]
        self.host_clock[:2] = progress.step, self.counters[0]
        self.device.upload(self.clock.array[:2], self.host_clock[:2])
        self.noted = (0, 0, None)

    def _forget(self) -> None:
        """Discard what was recorded and noted with other settings."""
        self.settings = replay.Settings(self.model)
        self.graphs.clear()
        self.noted = (0, 0, None)

    def _together(self, step: int, most: int) -> int:
        """How many steps of one batch size the next launch runs: as many as a graph has, or one."""
        alike = self.sizes[step : step + most] == self.sizes[step]
        return most if len(alike) == most and alike.all() else 1

    def _note(self, progress: Progress, count: int) -> bool:
        """Upload what the optimizer needs for the next ``count`` steps, computed by its own code, to the GPU.

        False if it is for fewer steps.
        """
        step = progress.step
        first, stop, rate = self.noted
        now = self.model.optimizer.rate_or_schedule
        if first <= step and step + count <= stop and rate is now:
            return True
        first, stop = step, min(step + (UNROLLED if replay.foreseeable(now) else 1), self.steps)
        rows: list[tuple[float, ...]] = []

        def note() -> bool:
            rows.append(self.clock.noted)
            return True

        try:
            with using(self.clock), cuda.silent():
                replay.ask_ahead(self.model, stop - first, note)
        except Exception:  # there is no rate: the step will fail where it asks for one
            if not self._failed():
                x, targets, weights = Feed(self.source, self.targets, self.weights).batch(self._rows(progress, step))
                self.trainer.gradients(x, targets, self.trainer.weights(len(x), weights))
            raise
        stop = first + len(rows)
        self.host_table[first:stop, : len(rows[0])] = rows
        self.device.upload(self.clock.table[first:stop], self.host_table[first:stop])
        self.noted = (first, stop, now)
        return step + count <= stop

    def _advance(self, count: int) -> None:
        """Advance the host's counters with the GPU's."""
        self.model.optimizer.iterations += count
        for layer in self.counting:
            layer.step += count
        self.counters = self._counters()

    def _graph(self, n: int, count: int) -> Any:
        """``count`` steps with batches of n samples."""
        if (n, count) not in self.graphs:
            with self.trainer.tracing(), using(self.clock), self._any_rate():
                with cuda.silent():  # allocates all memory and compiles all kernels, which a capture must not do
                    self._step(n)
                self.graphs[n, count] = self.device.capture(lambda: self._steps(n, count))
            # The launches hold addresses: this memory must stay where it is, even when larger buffers replace it.
            kept = cuda.scratch_arrays(), self.model.buffers.arrays, self.source.workspace.arrays
            self.graphs[n, count].memory = [self.trainer.weights(n), *(array for arrays in kept for array in arrays)]
        return self.graphs[n, count]

    @contextmanager
    def _any_rate(self) -> Iterator[None]:
        """Within the block no schedule is called: the graphs read the resulting learning rates from the table."""
        optimizer = self.model.optimizer
        rate, optimizer.learning_rate = optimizer.rate_or_schedule, 0.0
        try:
            yield
        finally:
            optimizer.learning_rate = rate

    def _steps(self, n: int, count: int) -> None:
        for _ in range(count):
            self._step(n)

    def _step(self, n: int) -> None:
        """One step, with the batch that the clock points to."""
        self.clock.step = int(self.model.optimizer.iterations)
        source, take = self.source, self.source.workspace.take
        x = take(source, "x", (n, *source.input_shape), source.dtype)
        targets = take(self, "targets", (n, *self.targets.shape[1:]), self.targets.dtype)
        weights = self.trainer.weights(n) if self.weights is None else take(self, "weights", (n,), self.model.dtype)
        batching_cuda.begin_step(
            source.rows, self.targets, self.weights, self.device_order, source.scale, self.clock, x, targets, weights
        )
        self.trainer.step(x, targets, weights)

    def _rows(self, progress: Progress, step: int) -> np.ndarray:
        """The samples of a step of this epoch."""
        return self.order.indices(progress.epoch * self.steps + step)

    def _failed(self) -> int:
        """The first step whose loss was not finite, counted from 1; 0 if there is none."""
        return int(self.clock.array.get()[2])

    def _require_finite(self, progress: Progress) -> None:
        """If a loss was not finite, go back to before that step and report where numbers went wrong."""
        if not (failed := self._failed()):
            return
        iterations = failed - 1
        step = self.ahead + iterations
        later = int(self.model.optimizer.iterations) - iterations
        self.model.optimizer.iterations = iterations
        for layer in self.counting:
            layer.step -= later - 1  # the forward pass of the failed step counts
        progress.samples -= int(self.sizes[step : progress.step].sum())
        progress.step = step
        self.trainer.totals[1:] = np.nan  # the correct samples of the steps queued after it are counted as well
        x = self.source.take(self._rows(progress, step))
        raise numerics.explain(self.model, x, iterations)

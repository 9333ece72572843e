"""A training step on the CPU as one program.

The reason is given in kernels/program.py. From Python a step of 784-128-128-10 at 64 images takes 0.14 ms, of which the
arithmetic is 0.10. So it is recorded once for each batch size, and from then on replayed, as on a GPU (capture.py).
What differs from step to step is computed by the code that always does it: the optimizer and the layers that count
steps run again; their launches are compared with the recorded ones instead of executed, and new numbers are copied.

Both kinds of step give the same bits. Their kernels may differ in one thing: whether products with zeros are skipped
(kernels/zero_terms.py). A step from Python decides that by looking at its batch; a recording keeps the decision made
for its own batch. Since skipping zeros changes no bit, a batch with more or fewer of them costs only time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import replay
from .backend import get_backend, usable
from .batches import Feed
from .kernels import program
from .kernels.frames import address
from .kernels.launching import Launch, noting
from .kernels.program import Program

if TYPE_CHECKING:
    from .training import Trainer


# Steps whose numbers the optimizer computes in one go, while the learning rate stays: between two steps that takes 13
# us, since the data of the step have evicted Python's from the processor's caches; in one go it takes 4 us a step.
AHEAD = 128


Inputs = tuple[Any, ...]
Batch = tuple[Any, Any, Any]  # samples, targets, weights
Moving = tuple[Callable[..., Any], Any, int]  # a layer's forward, its input and its first launch


def possible(trainer: Trainer) -> bool:
    """Whether a model's step can be recorded."""
    return get_backend() == "numba" and replay.possible(trainer)


def record(trainer: Trainer, inputs: Inputs, make: Callable[[], Batch], feed: Feed | None) -> Recording | None:
    """Take a step from Python and record its launches. None if it does anything besides launching."""
    moving: list[Moving] = []
    forwards = trainer.forwards
    with noting() as launches:
        trainer.forwards = [
            _watched(layer, forward, launches, moving)
            for layer, forward in zip(trainer.model.layers, forwards, strict=True)
        ]
        try:
            trainer.gradients(*make())
        finally:
            trainer.forwards = forwards
        update = len(launches)
        trainer.model.optimizer.apply(trainer.model.flat_params, trainer.model.flat_grads)
    if not possible(trainer) or (feed is not None and not feed.gathered):
        return None
    recording = Recording(trainer, inputs, feed, launches, update, moving)
    # Neither works: an input that was converted first, since the launches do not refer to the next array; and one array
    # that is two inputs, say samples and targets, since it is unclear which launches take which.
    every = [slot for slots in recording.input_slots for slot in slots]
    return recording if all(len(slots) for slots in recording.input_slots) and len(every) == len(set(every)) else None


def _watched(layer: Any, forward: Callable[..., Any], launches: list[Launch], moving: list[Moving]) -> Any:
    """``forward``, which adds itself to ``moving`` if something in the layer counts steps."""
    if not any(hasattr(inner, "step") for inner in layer.walk()):
        return forward

    def watched(x: Any, training: bool) -> Any:
        moving.append((forward, x, len(launches)))
        return forward(x, training)

    return watched


class Recording:
    """A step of a trainer as a program, for batches of one size.

    Parameters
    ----------
    trainer : Trainer
    inputs : tuple of arrays
        What differs in every step: samples, targets and weights, or their indices in a feed.
    feed : Feed or None
    launches : list of Launch
    update : int
        The number of the optimizer's first launch.
    moving : list
        The layers whose launches differ from step to step.
    """

    def __init__(
        self, trainer: Trainer, inputs: Inputs, feed: Feed | None, launches: list[Launch], update: int,
        moving: list[Moving],
    ) -> None:  # fmt: skip
        self.model, self.inputs, self.feed, self.update, self.moving = trainer.model, inputs, feed, update, moving
        self.thread = threading.get_ident()  # whose scratch memory the launches use
        self.counting = [layer for layer in self.model.walk() if hasattr(layer, "step")]
        self.kinds = [_kind(array) for array in inputs]
        self.program = Program(launches, self.update, trainer.totals)
        self.input_slots = [self.program.slots_of_array(array) for array in inputs]
        # The optimizer's numbers: tuples of floats, each located by its launch and its number among the arguments.
        self.tuples = [
            (k, which)
            for k, one in enumerate(launches[self.update :])
            for which, value in enumerate(one.arguments)
            if isinstance(value, tuple)
        ]
        self.numbers = self.program.slots_of_arguments([(self.update + k, which) for k, which in self.tuples])
        self.table = np.zeros((AHEAD, len(self.numbers)), np.int64)
        self.noted, self.rate = range(0), None  # the steps and the learning rate that the table is for
        self.settings = replay.Settings(self.model)
        # Zero steps, so that the code that runs a program is compiled with the rest of the step, not during training.
        self.program.run_steps(0, 1, self.numbers, self.table, 0, self.input_slots[0], 0, 0)

    def replay(self, inputs: Inputs, feed: Feed | None, threads: int) -> bool | None:
        """Take a step with another batch, with as many threads as Numba uses.

        False if its loss was not finite, which leaves the weights unchanged; None if something has changed since the
        step was recorded: then nothing was done.
        """
        if not self._fits(feed):
            return None
        for old, new, kind, slots in zip(self.inputs, inputs, self.kinds, self.input_slots, strict=True):
            if new is not old:
                if _kind(new) != kind or not new.flags.aligned:
                    return None
                program.move(self.program.slots, slots, new)
        self.inputs = inputs
        steps = [layer.step for layer in self.counting]
        if not self._renew():
            for layer, step in zip(self.counting, steps, strict=True):
                layer.step = step
            return None
        optimizer = self.model.optimizer
        row = optimizer.iterations - self.noted.start
        optimizer.count_step()
        return self.program.run(threads, self.numbers, self.table, row)

    def replay_steps(self, feed: Feed, indices: np.ndarray, threads: int) -> int:
        """Take steps without Python in between, at most one for each row of indices.

        Returns how many were taken: up to one whose loss was not finite, or as far as the optimizer's numbers reach;
        0 if something has changed since the recording, or if more than those numbers differs from step to step.
        """
        fits = not self.moving and _kind(indices[0]) == self.kinds[0] and self._fits(feed)
        if not fits or not self._renew():
            return 0
        optimizer = self.model.optimizer
        row, ahead = optimizer.iterations - self.noted.start, self.noted.stop - optimizer.iterations
        self.inputs = (None,)
        taken = self.program.run_steps(
            min(len(indices), ahead), threads, self.numbers, self.table, row, self.input_slots[0],
            address(indices), indices.strides[0],
        )  # fmt: skip
        for _ in range(taken):
            optimizer.count_step()
        return taken

    def _fits(self, feed: Feed | None) -> bool:
        """Whether a step is still what was recorded, apart from its inputs."""
        here = usable() == "numba" and self.thread == threading.get_ident()
        return here and feed is self.feed and self.settings.hold()

    def _renew(self) -> bool:
        """Make sure that the program has the numbers of this step. False if more than these has changed."""
        for forward, seen, first in self.moving:
            with noting(silent=True) as launches:
                forward(seen, True)
            if not self.program.renew(first, launches):
                return False
        optimizer = self.model.optimizer
        rate = optimizer.rate_or_schedule
        if rate is not self.rate:
            return self._look_ahead(1)
        if optimizer.iterations in self.noted:
            return True
        return self._look_ahead(min(2 * len(self.noted), AHEAD) if replay.foreseeable(rate) else 1)

    def _look_ahead(self, steps: int) -> bool:
        """Ask the optimizer for the numbers of the next steps. False if more than these has changed."""
        rows: list[Any] = []
        with noting(silent=True) as launches:

            def note() -> bool:
                if not rows and not self.program.renew(self.update, launches):
                    return False
                rows.append([launches[k].arguments[which] for k, which in self.tuples])
                launches.clear()
                return True

            replay.ask_ahead(self.model, steps, note)
        if not rows:
            return False
        optimizer = self.model.optimizer
        self.table[: len(rows)] = np.array(rows, np.float64).reshape(len(rows), -1).view(np.int64)
        start = int(optimizer.iterations)
        self.noted, self.rate = range(start, start + len(rows)), optimizer.rate_or_schedule
        return True


def _kind(array: Any) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.strides

"""What a captured graph must not bake in: counters and numbers that kernels read from the GPU's memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PER_STEP = 4  # numbers that an optimizer may need anew for every step


class Clock:
    """The training loop's counters in the GPU's memory, ``struct Clock`` in common.cuh, and what goes with them.

    While a clock is in use, kernels read the step, the batch and what the optimizer needs for it from there instead of
    from their arguments, so that the launches of one step are those of every step.

    Parameters
    ----------
    array : array of int64, shape (3,)
        ``batch, step, failed``.
    table : array of float64, shape (steps, PER_STEP)
        What the optimizer's kernel reads for every step of an epoch.
    batch_size : int
        Rows of the data set to a step.
    """

    def __init__(self, array: Any, table: Any, batch_size: int) -> None:
        self.array, self.table, self.batch_size = array, table, batch_size
        self.step = 0  # that the clock shows, on the host's side
        self.noted: tuple[float, ...] = ()

    def note(self, numbers: tuple[float, ...]) -> None:
        """What the optimizer needs for the step that it is asked for now."""
        self.noted = numbers


class _Own(threading.local):
    clock: Clock | None = None


_own = _Own()


def current() -> Clock | None:
    """The clock in use by this thread, if any."""
    return _own.clock


@contextmanager
def using(new: Clock) -> Iterator[None]:
    """Inside the block kernels read ``new``."""
    previous, _own.clock = _own.clock, new
    try:
        yield
    finally:
        _own.clock = previous

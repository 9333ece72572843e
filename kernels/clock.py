"""What a captured graph must not bake in: counters and numbers that kernels read from GPU memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PER_STEP = 4  # numbers that an optimizer may need afresh for every step


class Clock:
    """The training loop's counters in GPU memory, ``struct Clock`` in common.cuh, and what goes with them.

    While a clock is in use, kernels read the step, the batch and the optimizer's numbers from GPU memory instead of
    from their arguments, so the launches of one step serve for every step.

    Parameters
    ----------
    array : array of int64, shape (3,)
        ``batch, step, failed``.
    table : array of float64, shape (steps, PER_STEP)
        What the optimizer's kernel reads at each step of an epoch.
    batch_size : int
        Rows of the data set per step.
    """

    def __init__(self, array: Any, table: Any, batch_size: int) -> None:
        self.array, self.table, self.batch_size = array, table, batch_size
        self.step = 0  # the clock's step, as the host knows it
        self.noted: tuple[float, ...] = ()

    def note(self, numbers: tuple[float, ...]) -> None:
        """What the optimizer needs for the current step."""
        self.noted = numbers


class _Own(threading.local):
    clock: Clock | None = None


_own = _Own()


def current() -> Clock | None:
    """The clock that this thread is using, if any."""
    return _own.clock


def counted(step: int) -> tuple[int, Any]:
    """A layer's step, as a kernel takes it: the step and None or, where there is a clock, by how much the layer is
    ahead of the clock (which a graph may bake in), and the clock's array.
    """
    clock = current()
    return (step, None) if clock is None else (step - clock.step, clock.array)


@contextmanager
def using(new: Clock) -> Iterator[None]:
    """Within the block, kernels read the clock ``new``."""
    previous, _own.clock = _own.clock, new
    try:
        yield
    finally:
        _own.clock = previous

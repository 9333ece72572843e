"""Threads take turns at a model: its buffers, and what its layers keep for backward, are those of one computation."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Turns:
    """A lock of one model, which its thread may take again: a callback evaluates in the middle of fit."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._waiting = 0

    def __enter__(self) -> Self:
        if not self._changed.acquire(blocking=False):
            self._waiting += 1
            self._changed.acquire()
            self._waiting -= 1
        return self

    def __exit__(self, *_: object) -> None:
        self._changed.notify()
        self._changed.release()

    def offer(self) -> None:
        """Between two steps: let a thread that waits, to predict while the model is trained, have its turn."""
        if self._waiting:
            # Gives the lock up altogether, however often this thread has taken it; without an end to the wait a
            # thread that came and went before it began would leave this one waiting for a third.
            self._changed.wait(0.001)


def in_turn(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """A model's method, run in the turn of the thread that calls it."""

    @functools.wraps(method)
    def alone(self: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.turns:
            return method(self, *args, **kwargs)

    return alone

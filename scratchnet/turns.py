"""Threads take turns at a model: its buffers, and what its layers keep for backward, are for one computation."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Turns:
    """A reentrant lock of one model: a callback may evaluate in the middle of fit."""

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
        """Between two steps: give a waiting thread, which predicts while the model is trained, its turn."""
        if self._waiting:
            # Releases the lock completely, however often this thread has acquired it. The timeout matters: if the other
            # thread had come and gone before this wait began, this one would wait for a third.
            self._changed.wait(0.001)


def in_turn(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """A model's method, run when it is the calling thread's turn."""

    @functools.wraps(method)
    def alone(self: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.turns:
            return method(self, *args, **kwargs)

    return alone

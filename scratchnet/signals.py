"""Ctrl-C and SIGTERM: the first requests an orderly stop, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any


class Interrupted(BaseException):
    """A signal came while there was nothing to finish first.

    Not an ``Exception``, so no error handler catches it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """What the signals requested: ``with Stop() as stop: ...``.

    While ``stop.patient`` is True, the first SIGINT or SIGTERM only sets ``stop.number``, which the training loop
    checks after every step. Otherwise `Interrupted` is raised at once. A second signal ends the process immediately:
    every file is written under another name and renamed, so whatever was saved is whole.

    Python drops an exception raised during garbage collection (in a weak reference's callback, say) and prints a
    traceback; 2 of 100 signals came at such a moment. Then the signal is sent again a moment later.

    Attributes
    ----------
    number : int
        The signal that came; 0 before.
    """

    def __init__(self) -> None:
        self.number = 0
        self.patient = False
        self._dropped = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._receive)
        self._previous_hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        return self

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._previous_hook
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _unraisable(self, what: Any) -> None:
        if not isinstance(what.exc_value, Interrupted):
            self._previous_hook(what)
            return
        self._dropped = True
        threading.Timer(0.01, os.kill, (os.getpid(), what.exc_value.number)).start()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number and not self._dropped:
            os._exit(exit_code(number))
        self.number, self._dropped = number, False
        if not self.patient:
            raise Interrupted(number)
        # os.write: printing from a handler that interrupted a print is an error.
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nfinishing the step, then saving ...\n")


def exit_code(number: int) -> int:
    """What a shell reports for a process ended by this signal: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + number

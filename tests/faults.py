"""Faults on purpose: the N-th write, fsync or rename of a file fails, or the process is killed there."""

from __future__ import annotations

import builtins
import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from scratchnet.datasets import files

KINDS = ("write", "fsync", "rename")
HOWS = ("once", "forever", "kill-before", "kill-after")


class Fault:
    """``Fault("fsync:3:once")``: counts what `files.write_atomically` does, and strikes.

    The text is ``KIND:N:HOW``; the kind ``any`` counts writes, fsyncs and renames together. ``once`` fails the N-th,
    ``forever`` that and all later ones, ``kill-before`` and ``kill-after`` end the process there with SIGKILL.
    """

    def __init__(self, text: str) -> None:
        kind, number, self.how = text.split(":")
        self.kinds, self.number, self.count = KINDS if kind == "any" else (kind,), int(number), 0
        assert self.how in HOWS
        assert set(self.kinds) <= set(KINDS)

    @property
    def struck(self) -> bool:
        """Whether it came to that."""
        return self.count >= self.number

    def meet(self, kind: str, action: Callable[[], Any]) -> Any:
        """Do it, or not."""
        if kind not in self.kinds:
            return action()
        self.count += 1
        if self.count != self.number and not (self.how == "forever" and self.struck):
            return action()
        if self.how == "kill-after":
            action()
        if self.how.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        code = errno.ENOSPC if kind == "write" else errno.EIO
        raise OSError(code, os.strerror(code))


class _Calls:
    """The module ``os`` as files.py sees it, with a fault in it."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fsync(self, descriptor: int) -> None:
        self.fault.meet("fsync", lambda: os.fsync(descriptor))

    def replace(self, source: Any, target: Any) -> None:
        self.fault.meet("rename", lambda: os.replace(source, target))


class _File:
    """A file in whose writing there is a fault: half of the piece is written then."""

    def __init__(self, file: Any, fault: Fault) -> None:
        self.file, self.fault = file, fault

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, piece: Any) -> Any:
        piece = memoryview(piece)
        self.file.write(piece[: len(piece) // 2])
        self.file.flush()
        return self.fault.meet("write", lambda: self.file.write(piece[len(piece) // 2 :]))


@contextmanager
def injected(text: str) -> Iterator[Fault]:
    """Inside the block, files are written with this fault."""
    fault = Fault(text)

    def opened(path: Any, mode: str = "r", **kwargs: Any) -> Any:
        file = builtins.open(path, mode, **kwargs)  # noqa: SIM115 - the caller closes it
        return _File(file, fault) if "x" in mode else file

    vars(files).update(open=opened, os=_Calls(fault))
    try:
        yield fault
    finally:
        vars(files).update(os=os)
        del files.open

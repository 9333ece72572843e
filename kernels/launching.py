"""Launching: a kernel on the CPU is a function of a task's number, and a launch runs all its tasks on the threads::

    @kernel
    def _double(task, x, y):
        for k in range(task * CHUNK, min((task + 1) * CHUNK, x.size)):
            y[k] = 2 * x[k]

    launch(_double, -(-x.size // CHUNK), x, y)

as ``kernel<<<blocks, threads>>>(x, y)`` does on a GPU. Tasks of one launch do not depend on each other; a launch begins
when the one before it has ended. While a training step is recorded, each launch is also put on a list, which program.py
later runs from end to end without Python.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from .frames import frame_of, framed, run_tasks
from .jit import compile_function, written_for

FEW = 32_768  # numbers that are added, copied or compared sooner by one thread than shared out


class Launch(NamedTuple):
    """A kernel, how many tasks it has, and its arguments behind the task."""

    kernel: Any
    tasks: int
    arguments: tuple[Any, ...]


class _Notes(threading.local):
    launches: list[Launch] | None = None
    silent = False


_notes = _Notes()

_PACKED = """
def NAME(entry, how_many, by_one, ARGUMENTS):
    run_tasks(entry, frame_of((ARGUMENTS,)), how_many, by_one)
"""


def launch(kernel: Any, tasks: int, *arguments: Any, serial: bool = False) -> None:
    """Run ``kernel(task, *arguments)`` for every task.

    ``serial`` says that there is less work than handing over to a second thread costs, about 3 us. It counts only here,
    where Python launches: in a program (program.py), whose threads are there already, the tasks of every launch are
    shared out, among as many threads as scratchnet/pace.py finds best for the whole step.
    """
    if _notes.launches is not None:
        _notes.launches.append(Launch(kernel, tasks, arguments))
        if _notes.silent:
            return
    kinds = _fingerprint()(arguments)
    if kinds not in kernel.addresses:
        kernel.addresses[kinds] = framed(kernel, arguments)
    if kernel.packed is None:
        function = written_for(kernel, "packed", _PACKED, run_tasks=run_tasks, frame_of=frame_of)
        kernel.packed = compile_function(function, kernel.cache_folder, parallel=False)
    kernel.packed(kernel.addresses[kinds], tasks, serial, *arguments)


@functools.cache
def _fingerprint() -> Callable[[tuple[Any, ...]], Any]:
    """What tells arguments of different types apart. Numba's own function, which it does not promise to keep, takes 0.2
    us for ten of them; asking for their types takes 10.
    """
    from numba import _dispatcher, typeof

    return getattr(_dispatcher, "compute_fingerprint", lambda arguments: tuple(map(typeof, arguments)))


class noting:  # noqa: N801 (a context manager written as a class: half a microsecond instead of two)
    """``with noting() as launches: ...``: note all launches of this thread; ``silent``: and do not run them."""

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent

    def __enter__(self) -> list[Launch]:
        self.before = _notes.launches, _notes.silent
        _notes.launches, _notes.silent = [], self.silent
        return _notes.launches

    def __exit__(self, *_: object) -> None:
        _notes.launches, _notes.silent = self.before

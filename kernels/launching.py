"""Launching: a kernel on the CPU is a function of a task number, and a launch runs all its tasks on the threads::

    @kernel
    def _double(task, x, y):
        for k in range(task * CHUNK, min((task + 1) * CHUNK, x.size)):
            y[k] = 2 * x[k]

    launch(_double, -(-x.size // CHUNK), x, y)

as ``kernel<<<blocks, threads>>>(x, y)`` does on a GPU. The tasks of a launch are independent; a launch begins when the
one before it has ended. While a training step is recorded, each launch is also put on a list, which program.py later
runs from start to finish without Python.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from .exported import ctrl_c_waits, late, raise_late
from .frames import frame_of, framed, run_tasks
from .jit import compile_function, written_for

FEW = 32_768  # up to this many numbers, one thread adds, copies or compares faster than several


class Launch(NamedTuple):
    """A kernel, its number of tasks, and its arguments after the task."""

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

    ``serial`` says that the work takes less than the 3 us or so that handing over to a second thread costs. It matters
    only here, where Python launches: a program (program.py) already has its threads, and shares the tasks of every
    launch among as many of them as scratchnet/pace.py finds best for the whole step.
    """
    if _notes.launches is not None:
        _notes.launches.append(Launch(kernel, tasks, arguments))
        if _notes.silent:
            return
    kinds = _fingerprint()(arguments)
    if kinds not in kernel.addresses:
        with ctrl_c_waits():
            _compile(kernel, kinds, arguments)
    kernel.packed(kernel.addresses[kinds], tasks, serial, *arguments)
    if late:
        raise_late()


def _compile(kernel: Any, kinds: Any, arguments: tuple[Any, ...]) -> None:
    """Compile a kernel, and what calls it, for arguments of these types."""
    entry = framed(kernel, arguments)
    if kernel.packed is None:
        function = written_for(kernel, "packed", _PACKED, run_tasks=run_tasks, frame_of=frame_of)
        kernel.packed = compile_function(function, kernel.cache_folder, parallel=False)
    kernel.packed(entry, 0, True, *arguments)
    kernel.addresses[kinds] = entry


@functools.cache
def _fingerprint() -> Callable[[tuple[Any, ...]], Any]:
    """A key that tells arguments of different types apart. Numba's own function, which is not public API, takes 0.2 us
    for ten arguments; determining their types takes 10.
    """
    from numba import _dispatcher, typeof

    return getattr(_dispatcher, "compute_fingerprint", lambda arguments: tuple(map(typeof, arguments)))


class noting:  # noqa: N801 (a context manager written as a class: half a microsecond instead of two)
    """``with noting() as launches: ...``: record all launches of this thread; if ``silent``, do not run them."""

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent

    def __enter__(self) -> list[Launch]:
        self.before = _notes.launches, _notes.silent
        _notes.launches, _notes.silent = [], self.silent
        return _notes.launches

    def __exit__(self, *_: object) -> None:
        _notes.launches, _notes.silent = self.before

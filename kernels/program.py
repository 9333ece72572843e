"""A program: launches that run one after the other in a single parallel region, any number of times.

A training step of a small network is ten launches of 1 to 40 us. Python and Numba need 2 us to start each, and handing
over to a second thread takes 3 us more. A program pays that once: all threads go through the list of launches together;
each takes tasks until none is left, then waits until the others have finished theirs (0.2 us).

No thread waits for another to arrive: tasks are taken, not assigned, so whichever threads are there do the work, and a
program finishes with any number of them. Each always begins with the same share of the tasks: their data are in its
cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .addresses import address_of, at
from .exported import late, raise_late
from .frames import address, call, framed, slots_of
from .jit import YIELD, host_is_x86, intrinsic, jit, max_threads, prange
from .launching import Launch

FUNCTION, FRAME, TASKS, GUARDED = range(4)  # the columns of a program's rows
# Counters lie this many numbers apart, two cache lines, so that a thread that counts does not evict another's counter.
APART = 16
PATIENCE = 2_000  # looks at a counter, about 50 us, before the processor is offered to another process
NOWHERE, NOTHING = np.empty(0, np.int64), np.empty((0, 0), np.int64)


@intrinsic
def _fetch_and_add(typingctx: Any, counter: Any, number: Any) -> Any:
    """Add atomically to a number in memory that other threads also add to; returns the previous value."""
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", args[0], args[1], "acq_rel")

    return types.intp(counter, types.intp), codegen


@intrinsic
def _now(typingctx: Any, counter: Any) -> Any:
    """A number that other threads change, loaded atomically: what they wrote before the change is then visible."""
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(args[0], "acquire", 8)

    return types.intp(counter), codegen


def _call_without_arguments(context: Any, builder: Any, name: str) -> Any:
    from llvmlite import ir
    from numba.core import cgutils

    builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), []), name), [])
    return context.get_dummy_value()


@intrinsic
def _pause(typingctx: Any) -> Any:
    """Pause briefly, in favor of the core's other hardware thread, if it has one."""
    from numba import types

    name = "llvm.x86.sse2.pause" if host_is_x86() else "llvm.donothing"
    return types.void(), lambda context, builder, signature, args: _call_without_arguments(context, builder, name)


@intrinsic
def _yield(typingctx: Any) -> Any:
    """Yield the processor to another thread, if one is waiting."""
    from numba import types

    return types.void(), lambda context, builder, signature, args: _call_without_arguments(context, builder, YIELD)


@jit
def _wait(done, tasks):
    looks = 0
    while _now(done) < tasks:
        looks += 1
        if looks < PATIENCE:
            _pause()
        else:
            _yield()


@jit
def _take_part(me, threads, rows, counters, watched):
    """One thread's part: for every launch first the tasks of its own share, then those that others have not begun."""
    for k in range(rows.shape[0]):
        if rows[k, GUARDED] and not math.isfinite(watched[0]):
            return
        tasks, finished = rows[k, TASKS], 0
        done = at(counters, k * (threads + 1) * APART)
        for turn in range(threads):
            owner = (me + turn) % threads
            first, end = tasks * owner // threads, tasks * (owner + 1) // threads
            taken = at(counters, (k * (threads + 1) + owner + 1) * APART)
            task = first
            while task < end:
                task = first + _fetch_and_add(taken, 1)
                if task < end:
                    call(rows[k, FUNCTION], task, rows[k, FRAME])
                    finished += 1
        if finished:
            _fetch_and_add(done, finished)
        _wait(done, tasks)


@jit(parallel=True)
def _run(threads, rows, counters, watched, slots, filled, table, row):
    """Run all launches. Returns whether ``watched[0]`` was finite at the first guarded one."""
    for k in range(filled.size):
        slots[filled[k]] = table[row, k]
    if threads == 1:
        for k in range(rows.shape[0]):
            if rows[k, GUARDED] and not math.isfinite(watched[0]):
                return False
            for task in range(rows[k, TASKS]):
                call(rows[k, FUNCTION], task, rows[k, FRAME])
    else:
        for k in range(rows.shape[0] * (threads + 1)):
            counters[k * APART] = 0
        for me in prange(threads):
            _take_part(me, threads, rows, counters, watched)
    return math.isfinite(watched[0])


@jit
def _run_steps(count, threads, rows, counters, watched, slots, filled, table, row, moving, start, stride):
    """Run up to ``count`` times, each with the next row of the table and the next address in the slots ``moving``;
    returns the number of complete runs.
    """
    for step in range(count):
        for slot in moving:
            slots[slot] = start + step * stride
        if not _run(threads, rows, counters, watched, slots, filled, table, row + step):
            return step
    return count


@jit
def move(slots, moved, array):
    """Make the launches read another array of the same shape and dtype: put its address into the slots ``moved``."""
    for slot in moved:
        slots[slot] = address_of(array)


class Program:
    """Launches, to be run repeatedly on the same arrays.

    Parameters
    ----------
    launches : list of Launch
        Of compiled kernels.
    guarded : int
        Launches from this one on run only if ``watched[0]`` is finite by then.
    watched : array of float64
    """

    def __init__(self, launches: list[Launch], guarded: int, watched: np.ndarray) -> None:
        self.launches, self.watched = list(launches), watched
        slots: list[int] = []
        self.positions: list[list[int]] = []  # for each launch, the first slot of each argument
        self.rows = np.zeros((len(launches), 4), np.int64)
        for row, launch in zip(self.rows, launches, strict=True):
            row[[FUNCTION, TASKS]] = framed(launch.kernel, launch.arguments), launch.tasks
            row[FRAME] = 8 * len(slots)
            self.positions.append([])
            for value in launch.arguments:
                self.positions[-1].append(len(slots))
                slots.extend(slots_of(value))
        self.slots = np.array(slots, np.int64)
        self.rows[:, FRAME] += address(self.slots)
        self.rows[guarded:, GUARDED] = 1
        self.counters = np.zeros(len(launches) * (max_threads() + 1) * APART, np.int64)
        self.slot = memoryview(self.slots)  # for single numbers, which take NumPy three times as long to change

    def run(self, threads: int, filled: np.ndarray = NOWHERE, table: np.ndarray = NOTHING, row: int = 0) -> bool:
        """Fill the slots ``filled`` from a row of a table and run all launches, each shared among ``threads`` threads.

        False if ``watched`` was not finite: the guarded launches were skipped.
        """
        finite = _run(threads, self.rows, self.counters, self.watched, self.slots, filled, table, row)
        if late:
            raise_late()
        return bool(finite)

    def run_steps(
        self, count: int, threads: int, filled: np.ndarray, table: np.ndarray, row: int, moving: np.ndarray,
        start: int, stride: int,
    ) -> int:  # fmt: skip
        """Run all launches ``count`` times, each time with the next row of the table and the next address in the slots
        ``moving``: from ``start`` on, ``stride`` bytes apart. Returns how often `run` would return True.
        """
        common = threads, self.rows, self.counters, self.watched, self.slots
        taken = _run_steps(count, *common, filled, table, row, moving, start, stride)
        if late:
            raise_late()
        return int(taken)

    def slots_of_array(self, array: np.ndarray) -> np.ndarray:
        """The slots that hold the address of an array, or of a view of all of it; `move` redirects them."""
        found = [
            slot
            for slots, launch in zip(self.positions, self.launches, strict=True)
            for slot, value in zip(slots, launch.arguments, strict=True)
            if isinstance(value, np.ndarray) and value.size == array.size and address(value) == address(array)
        ]
        return np.array(found, np.int64)

    def slots_of_arguments(self, arguments: list[tuple[int, int]]) -> np.ndarray:
        """The slots of arguments, each given by its launch's number and its own number within the launch."""
        found = [
            self.positions[k][which] + number
            for k, which in arguments
            for number in range(len(slots_of(self.launches[k].arguments[which])))
        ]
        return np.array(found, np.int64)

    def renew(self, first: int, launches: list[Launch]) -> bool:
        """Compare ``launches`` with the program's own from ``first`` on, and adopt numbers that have changed.

        False if anything but numbers differs: the program is then no longer usable.
        """
        for k, new in enumerate(launches, first):
            old = self.launches[k]
            if old.kernel is not new.kernel or old.tasks != new.tasks:
                return False
            for slot, before, now in zip(self.positions[k], old.arguments, new.arguments, strict=True):
                if before is now:
                    continue
                if isinstance(now, np.ndarray):
                    if not _same(before, now):
                        return False
                elif (renewed := slots_of(now)) != slots_of(before):
                    for place, number in enumerate(renewed, slot):
                        self.slot[place] = number
            self.launches[k] = new
        return True


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    alike = one.shape == other.shape and one.strides == other.strides and one.dtype == other.dtype
    return alike and address(one) == address(other)

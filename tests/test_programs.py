"""Launches noted and run again as a program: the same bits as one by one, by any number of threads."""

from __future__ import annotations

import inspect
import zlib
from typing import Any

import numpy as np
import pytest
from cases import OPS
from op_arguments import OpCase
from scratchnet.kernels import jit, registry, softmax_cross_entropy
from scratchnet.kernels import program as programs
from scratchnet.kernels.jit import max_threads
from scratchnet.kernels.launching import Launch, noting
from scratchnet.kernels.program import Program

import scratchnet as sn

WATCHED = np.zeros(1)


@pytest.fixture(autouse=True)
def numba_backend() -> Any:
    with sn.use_backend("numba"):
        yield


def poison(array: np.ndarray) -> None:
    array[...] = 113 if array.dtype.kind in "iub" else np.nan


class Noted:
    """An op's launches with all its arrays: ``run`` runs something on them as they were at first."""

    def __init__(self, case: OpCase, dtype: str) -> None:
        self.op = registry.get(case.op)
        self.make = lambda: case.make(np.random.default_rng(zlib.crc32(case.id.encode())), np.dtype(dtype))
        self.inputs = self.make()
        results = self.op.reference(*self.make())
        results = list(results) if isinstance(results, tuple) else [results]
        self.outputs = [np.empty_like(result) for result in results[len(self.op.updates) :]]
        self.reset()
        for array in self.inputs:  # so that nothing computed from them meanwhile, outside launches, is of any use
            if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.flags.writeable:
                poison(array)
        untouched = self.results()
        with noting(silent=True) as self.launches:
            self.op.implementation("numba")(*self.inputs, *self.outputs)
        assert_same_bits(self.results(), untouched)  # noting silently has done nothing

    def reset(self) -> None:
        for array, fresh in zip(self.inputs, self.make(), strict=True):
            if isinstance(array, np.ndarray) and array.size and array.flags.writeable:
                array[...] = fresh
        for array in self.outputs:
            poison(array)

    def results(self) -> list[np.ndarray]:
        return [array.copy() for array in (*(self.inputs[i] for i in self.op.updates), *self.outputs)]

    def run(self, work: Any) -> list[np.ndarray]:
        self.reset()
        work()
        return self.results()


def assert_same_bits(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", OPS, ids=lambda case: f"{case.op}-{case.id}")
def test_a_program_gives_the_bits_of_single_launches(case: OpCase, dtype: str) -> None:
    noted = Noted(case, dtype)
    assert noted.launches
    program = Program(noted.launches, len(noted.launches), WATCHED)
    counts = [threads for threads in (1, max_threads()) for _ in range(3)]
    # Before the single launches, which would leave in the scratch memory what the program might lack.
    by_programs = [noted.run(lambda count=threads: program.run(count)) for threads in counts]
    one_by_one = noted.run(lambda: noted.op.implementation("numba")(*noted.inputs, *noted.outputs))
    for results in by_programs:
        assert_same_bits(results, one_by_one)


def test_a_program_needs_no_thread_to_come() -> None:
    x, y = np.arange(100_000, dtype="float32"), np.zeros(100_000, "float32")
    program = Program(add_launches(x, y), 2, WATCHED)
    sn.backend.set_threads(1)
    try:
        assert program.run(max_threads())  # one thread takes all parts, one after the other
    finally:
        sn.backend.set_threads(max_threads())
    np.testing.assert_array_equal(y, 6 * x + 1)


def add_launches(x: np.ndarray, y: np.ndarray) -> list[Launch]:
    with noting(silent=True) as launches:
        sn.backend.ops.add(x, x, y)
        sn.backend.ops.rescale(y, 3.0, 1.0, y)
    return launches


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("threads", [1, 2])
def test_guarded_launches_wait_for_a_finite_number(value: float, threads: int) -> None:
    x, y = np.arange(50_000, dtype="float32"), np.zeros(50_000, "float32")
    program = Program(add_launches(x, y), 1, np.array([value]))
    assert program.run(threads) is bool(np.isfinite(value))
    np.testing.assert_array_equal(y, 2 * x if value else 6 * x + 1)


def test_arrays_can_be_exchanged() -> None:
    x, y, other = (np.full(40_000, value, "float32") for value in (1, 0, 5))
    program = Program(add_launches(x, y), 2, WATCHED)
    slots = program.slots_of_array(x)
    assert len(slots) == 2  # x + x
    programs.move(program.slots, slots, other)
    program.run(2)
    assert (y == 31).all()
    programs.move(program.slots, slots, x)
    program.run(1)
    assert (y == 7).all()


def test_numbers_can_be_renewed_and_nothing_else() -> None:
    x, y = np.ones(20, "float32"), np.zeros(20, "float32")
    program = Program(add_launches(x, y), 2, WATCHED)
    with noting(silent=True) as launches:
        sn.backend.ops.rescale(y, -2.0, 0.5, y)
    assert program.renew(1, launches)
    program.run(1)
    assert (y == -3.5).all()
    with noting(silent=True) as launches:
        sn.backend.ops.rescale(x, -2.0, 0.5, y)
    assert not program.renew(1, launches)  # another array
    with noting(silent=True) as launches:
        sn.backend.ops.add(x, x, y)
    assert not program.renew(1, launches)  # another kernel


def test_what_is_written_for_a_kernel_stands_where_it_does() -> None:
    """From Python 3.13 on `inspect` reads a function's source from its very line, and Numba's cache asks for it."""
    with sn.use_backend("numba"):
        marked = softmax_cross_entropy._sparse
        written = jit.written_for(marked, "again", "\ndef NAME(ARGUMENTS):\n    KERNEL(0, ARGUMENTS)\n")
    lines, first = inspect.getsourcelines(written)
    assert first == marked.py_func.__code__.co_firstlineno
    assert lines == inspect.getsourcelines(marked.py_func)[0]

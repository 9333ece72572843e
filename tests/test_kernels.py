"""Every op's Numba twin against its textbook reference."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from cases import OPS
from op_arguments import NORMALIZING, OpCase, assert_close
from scratchnet.kernels import registry

import scratchnet as sn

TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
POISON = 113  # of integers, which have no NaN

pytestmark = pytest.mark.parametrize("case", OPS, ids=lambda case: f"{case.op}-{case.id}")


def arguments(case: OpCase, dtype: str) -> tuple[Any, ...]:
    return case.make(np.random.default_rng(zlib.crc32(case.id.encode())), np.dtype(dtype))


def expected(case: OpCase, dtype: str) -> tuple[tuple[Any, ...], list[Any]]:
    """The arguments, and what the reference makes of them: new values of updated arguments, then outputs."""
    args = arguments(case, dtype)
    results = registry.get(case.op).reference(*args)
    return args, list(results) if isinstance(results, tuple) else [results]


def poisoned(result: Any) -> np.ndarray:
    return np.full(result.shape, POISON if result.dtype.kind in "iu" else np.nan, result.dtype)


def run_twin(case: OpCase, outputs: list[Any], dtype: str) -> tuple[tuple[Any, ...], list[Any]]:
    """The arguments after the twin ran, and its results in the order of the reference's."""
    op, args = registry.get(case.op), arguments(case, dtype)
    with sn.use_backend("numba"):
        op.implementation("numba")(*args, *outputs)
    return args, [args[i] for i in op.updates] + outputs


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_twin_equals_reference(case: OpCase, dtype: str) -> None:
    op = registry.get(case.op)
    before, wanted = expected(case, dtype)
    outputs = [poisoned(result) for result in wanted[len(op.updates) :]]
    args, got = run_twin(case, outputs, dtype)
    for one, other in zip(got, wanted, strict=True):
        assert_close(one, other, case.cancels * TOLERANCE[dtype])
    for i, (old, new) in enumerate(zip(arguments(case, dtype), args, strict=True)):
        if i not in op.updates:
            np.testing.assert_array_equal(old, new)  # the twin leaves its inputs alone
            np.testing.assert_array_equal(old, before[i])  # and so does the reference


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference_keeps_the_dtype_and_returns_fresh_arrays(case: OpCase, dtype: str) -> None:
    args, results = expected(case, dtype)
    for number, result in enumerate(results):
        if result.dtype.kind == "f" and case.op != "gather":
            double = result.shape == (2,) and number == 0 and registry.get(case.op).updates  # totals
            statistics = case.op in NORMALIZING and number >= len(results) - 2
            assert result.dtype == (np.float64 if double or statistics else dtype)
        assert not any(isinstance(a, np.ndarray) and a.size and result is a for a in args)


def test_outputs_that_nobody_wants(case: OpCase) -> None:
    op = registry.get(case.op)
    _, wanted = expected(case, "float32")
    for absent in case.unwanted:
        outputs = [poisoned(result) for result in wanted[len(op.updates) :]]
        outputs[absent] = np.empty(0, outputs[absent].dtype)
        _, got = run_twin(case, outputs, "float32")
        for i, (one, other) in enumerate(zip(got, wanted, strict=True)):
            if i != absent + len(op.updates):
                assert_close(one, other, case.cancels * TOLERANCE["float32"])


def test_any_number_of_threads_gives_the_same_bits(case: OpCase) -> None:
    import numba

    op = registry.get(case.op)
    _, wanted = expected(case, "float32")
    results = []
    with sn.use_backend("numba"):
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            sn.backend.set_threads(threads)
            outputs = [poisoned(result) for result in wanted[len(op.updates) :]]
            results.append(run_twin(case, outputs, "float32")[1])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)

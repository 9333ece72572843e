"""Property tests of ops: hypothesis draws shapes and settings, and the twin must compute what the reference computes.

A few cases per op run by default, always the same; ``SCRATCHNET_CASES=2000`` runs 2,000, drawn anew each time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from op_arguments import OpCase, run
from scratchnet.kernels import registry
from test_kernels import POISON, TOLERANCE, expected, poisoned, run_twin

CASES = int(os.environ.get("SCRATCHNET_CASES", "10"))
FEW = CASES <= 10

PROFILE = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=FEW,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Draw = Callable[[Any], Any]
SEEDS = st.integers(0, 2**32 - 1).map(str)  # the id of a case is what its random numbers come from
DTYPES = st.sampled_from(["float32", "float64"])
LINEAR = (
    "dense", "conv2d", "average_pool", "zero_pad", "upsample", "add", "rescale", "max_pool_backward", "flip_shift",
)  # fmt: skip


def extents(least: int, most: int, *large: int) -> st.SearchStrategy[int]:
    """A size, now and then a large one that is split among threads."""
    if not large:
        return st.integers(least, most)
    return st.one_of(*[st.integers(least, most)] * 5, st.sampled_from(large))


def scale(case: OpCase, args: tuple[Any, ...]) -> float:
    """What rounding errors are measured by: large where an output is small because its terms cancel each other."""
    arrays = [
        np.where(np.isfinite(a), np.abs(a), 0) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in args
    ]
    if case.op.startswith(LINEAR):
        results = run(case.op, *arrays)
        return max(float(np.max(r, initial=0)) for r in (results if isinstance(results, tuple) else (results,)))
    if case.op in ("batch_norm_backward", "layer_norm_backward"):
        _, dy, gamma, _, inverse = arrays[:5]
        return float(dy.max() * max(1.0, gamma.max(initial=0)) * max(1.0, inverse.max()) * len(dy) ** 0.5)
    if case.op.endswith("cross_entropy") and "softmax" not in case.op:
        p, _, weights, *_ = arrays
        return float(weights.max() / len(p) / p.min())
    return max(
        (float(a.max(initial=0)) for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"), default=0
    )


def check(case: OpCase, dtype: str, absent: int | None = None) -> None:
    """Compare the twin with the reference; ``absent`` is the place of an unwanted output."""
    updates = len(registry.get(case.op).updates)
    args, wanted = expected(case, dtype)
    outputs = [poisoned(result) for result in wanted[updates:]]
    if absent is not None:
        outputs[absent] = np.empty(0, outputs[absent].dtype)
    _, got = run_twin(case, outputs, dtype)
    error = case.cancels * TOLERANCE[dtype] * scale(case, args)
    for i, (one, other) in enumerate(zip(got, wanted, strict=True)):
        if absent is not None and i == updates + absent:
            continue
        if other.dtype.kind in "iu":
            assert POISON not in other
            np.testing.assert_array_equal(one, other)
        elif other.size:
            limit = max(
                error,
                case.cancels * TOLERANCE[dtype] * float(np.abs(other[np.isfinite(other)]).max(initial=0)),
                math.ulp(0.0),
            )
            np.testing.assert_allclose(one, other, rtol=0, atol=limit)

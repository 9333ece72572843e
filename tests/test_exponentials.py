"""Functions of float32 that are polynomials: against NumPy in double precision, in all of their range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scratchnet.kernels import exponentials

import scratchnet as sn

RNG = np.random.default_rng(0)


def cdf(x: np.ndarray) -> np.ndarray:
    return np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x.tolist()])


def near(low: float, high: float) -> np.ndarray:
    """Numbers evenly spread between two, and numbers of every size on either side of 0."""
    ends = [end for end in (low, high) if end]
    sizes = [np.sign(end) * np.exp(RNG.uniform(np.log(1e-30), np.log(abs(end)), 20_000)) for end in ends]
    return np.concatenate([RNG.uniform(low, high, 50_000), *sizes])


CASES: dict[str, tuple[Any, np.ndarray, float]] = {
    "exp": (np.exp, near(-85, 88.72), 2e-7),
    "expm1": (np.expm1, near(-80, 0), 2.5e-7),
    "log1p": (np.log1p, near(0, 1), 3e-7),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), near(-80, 80), 3e-7),
    "tanh": (np.tanh, near(-20, 20), 2e-7),
    "normal_cdf": (cdf, near(-4, 4), 2e-6),
}


def mapped(name: str, x: np.ndarray) -> np.ndarray:
    """A function over an array."""
    import numba

    with sn.use_backend("numba"):
        function = getattr(exponentials, name)

        @numba.njit(fastmath={"nsz", "arcp", "contract", "reassoc"}, error_model="numpy")
        def run(x: Any, y: Any) -> None:
            for k in range(x.size):
                y[k] = function(x[k])

        y = np.empty_like(x)
        run(x, y)
    return y


@pytest.mark.parametrize("name", CASES)
def test_as_good_as_float32_is(name: str) -> None:
    right, x, limit = CASES[name]
    x = x.astype(np.float32)
    np.testing.assert_allclose(mapped(name, x), right(x.astype(np.float64)), rtol=limit, atol=0)


def test_the_ends() -> None:
    x = np.array([-np.inf, -1e30, -104, -0.0, 0, 88.73, 1e30, np.inf, np.nan], np.float32)
    nan, inf = np.nan, np.inf
    np.testing.assert_array_equal(mapped("exp", x), [0, 0, 0, 1, 1, inf, inf, inf, nan])
    np.testing.assert_array_equal(mapped("sigmoid", x), [0, 0, 0, 0.5, 0.5, 1, 1, 1, nan])
    np.testing.assert_array_equal(mapped("tanh", x), [-1, -1, -1, 0, 0, 1, 1, 1, nan])
    np.testing.assert_array_equal(mapped("normal_cdf", x)[[0, 1, 2, 5, 6, 7, 8]], [0, 0, 0, 1, 1, 1, nan])
    np.testing.assert_array_equal(mapped("expm1", x)[[0, 1, 2, 3, 4, 8]], [-1, -1, -1, 0, 0, nan])

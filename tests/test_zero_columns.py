"""Columns of zeros take no part in a product: this changes no bit, and hides no NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scratchnet.kernels import dense, zero_columns
from scratchnet.kernels.launching import noting

import scratchnet as sn

RNG = np.random.default_rng(9)


@pytest.fixture(autouse=True)
def numba_backend() -> Any:
    with sn.use_backend("numba"):
        yield


def products(x: np.ndarray, w: np.ndarray, dy: np.ndarray, bias: bool = True) -> tuple[list[np.ndarray], list[str]]:
    """Of forward and backward, and the names of the kernels."""
    n, outputs = len(x), w.shape[1]
    b = np.linspace(-1, 1, outputs if bias else 0).astype(x.dtype)
    y, dw, db, dx = (np.full(shape, np.nan, x.dtype) for shape in ((n, outputs), w.shape, b.shape, x.shape))
    with noting() as launches:
        sn.backend.ops.dense_forward(x, w, b, True, y)
        sn.backend.ops.dense_backward(x, w, y, dy, True, dw, db, dx)
    return [y, dw, db, dx], [launch.kernel.py_func.__name__ for launch in launches]


def batch(n: int, inputs: int, outputs: int, used: float, dtype: str = "float32") -> tuple[np.ndarray, ...]:
    x = RNG.standard_normal((n, inputs)) * (RNG.random(inputs) < used)
    return tuple(array.astype(dtype) for array in (x, RNG.standard_normal((inputs, outputs)), RNG.random((n, outputs))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(64, 784, 128), (100, 784, 200), (1, 1024, 512), (7, 300, 333), (256, 257, 40), (15, 2048, 30)]
)
@pytest.mark.parametrize("used", [0.6, 0.25, 0.0])
def test_the_same_bits(shape: tuple[int, int, int], used: float, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = batch(*shape, used, dtype)
    left_out, names = products(*given, bias=used != 0.25)
    assert names.count("_list") == 2
    monkeypatch.setattr(dense, "pays", lambda x: False)
    all_columns, names = products(*given, bias=used != 0.25)
    assert "_list" not in names
    for one, other in zip(left_out, all_columns, strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_most_columns_are_used_nothing_is_looked_for() -> None:
    for used, inputs in ((0.95, 784), (0.2, zero_columns.WIDE - 1)):
        assert "_list" not in products(*batch(32, inputs, 100, used))[1]


def test_columns_that_only_the_sample_does_not_use() -> None:
    """The first rows look empty, the others are not: then all columns are multiplied after all."""
    x, w, dy = batch(50, 400, 64, 1.0)
    x[: zero_columns.SAMPLE] = 0
    (y, dw, _, _), names = products(x, w, dy)
    assert names.count("_list") == 2
    z = x.astype("float64") @ w + np.linspace(-1, 1, 64)
    np.testing.assert_allclose(y, np.maximum(z, 0), atol=1e-4)
    np.testing.assert_allclose(dw, x.T.astype("float64") @ np.where(z > 0, dy, 0), atol=1e-4)


@pytest.mark.parametrize("row", [*range(8, 61, 4), 60])
def test_a_column_that_a_single_row_uses(row: int) -> None:
    x, w, dy = batch(61, 400, 64, 0.4)
    alone = int(np.flatnonzero(~x.any(axis=0))[1])
    x[row, alone] = 1e4
    (y, dw, _, _), names = products(x, w, dy)
    assert names.count("_list") == 2
    z = x.astype("float64") @ w + np.linspace(-1, 1, 64)
    np.testing.assert_allclose(y, np.maximum(z, 0), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(dw[alone], 1e4 * np.where(z[row] > 0, dy[row], 0), rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_stay_visible(value: float) -> None:
    x, w, dy = batch(40, 400, 64, 0.4)
    unused = int(np.flatnonzero(~x.any(axis=0))[0])
    w[unused, 3] = value
    (y, *_), names = products(x, w, dy)
    assert "_list" in names
    assert np.isnan(y[:, 3]).all()  # 0 times that
    assert np.isfinite(np.delete(y, 3, axis=1)).all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gradients_that_are_not_finite_stay_visible(value: float, bias: bool) -> None:
    x, w, dy = batch(40, 400, 64, 0.4)
    w[:, 5] = np.abs(w[:, 5])
    x = np.abs(x)  # so that ReLU lets column 5 pass
    dy[2, 5] = value
    (_, dw, *_), names = products(x, w, dy, bias)
    assert "_list" in names
    assert not np.isfinite(dw[:, 5]).any()
    assert np.isnan(dw[~x.any(axis=0), 5]).all()


def test_a_column_with_nan_is_used() -> None:
    x, w, dy = batch(40, 400, 64, 0.4)
    unused = int(np.flatnonzero(~x.any(axis=0))[0])
    x[7, unused] = np.nan
    (y, *_), _ = products(x, w, dy)
    assert np.isnan(y[7]).all()
    assert np.isfinite(np.delete(y, 7, axis=0)).all()

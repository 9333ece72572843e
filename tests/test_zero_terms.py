"""Terms that are 0 take no part in a product: this changes no bit, and hides no NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scratchnet.kernels import dense, zero_terms
from scratchnet.kernels.jit import max_threads
from scratchnet.kernels.launching import noting

import scratchnet as sn

RNG = np.random.default_rng(9)
BOTH = {"_multiply", "_gradient"}


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


def batch(n: int, inputs: int, outputs: int, zeros: Any, dtype: str = "float32") -> tuple[np.ndarray, ...]:
    """x, w and dy; ``zeros`` is an array, of a shape that fits x's, of what is 0 in x."""
    x = np.where(zeros, 0, RNG.standard_normal((n, inputs)))
    return tuple(array.astype(dtype) for array in (x, RNG.standard_normal((inputs, outputs)), RNG.random((n, outputs))))


def patches(n: int, inputs: int, used: float) -> np.ndarray:
    """Zeros that keep together, as the border of a picture does."""
    return np.repeat(RNG.random((n, inputs // 20 + 1)) >= used, 20, axis=1)[:, :inputs]


def columns(inputs: int, used: float) -> np.ndarray:
    """The same zeros in all rows."""
    return patches(1, inputs, used)


def assert_right(found: list[np.ndarray], x: np.ndarray, w: np.ndarray, dy: np.ndarray, bias: bool = True) -> None:
    x, w, dy = (array.astype("float64") for array in (x, w, dy))
    z = x @ w + (np.linspace(-1, 1, w.shape[1]) if bias else 0)
    dz = np.where(found[0] > 0, dy, 0)
    for one, right in zip((found[0], found[1], found[3]), (np.maximum(z, 0), x.T @ dz, dz @ w.T), strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-5, atol=1e-5 * max(1, np.abs(right).max()))


def both_ways(given: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch, bias: bool = True) -> None:
    left_out, names = products(*given, bias=bias)
    assert set(names) >= BOTH
    for name in ("multiply_pays", "gradient_pays"):
        monkeypatch.setattr(dense, name, lambda x, outputs: False)
    all_terms, names = products(*given, bias=bias)
    assert not BOTH & set(names)
    for one, other in zip(left_out, all_terms, strict=True):
        np.testing.assert_array_equal(one, other)
    assert_right(left_out, *given, bias=bias)


SHAPES = [
    (64, 784, 128),
    (100, 784, 200),
    (5, 1024, 512),
    (7, 300, 333),
    (256, 257, 90),
    (129, 2048, 41),
    (65, 500, 700),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("used", [0.6, 0.25, 0.0])
def test_the_same_bits(shape: tuple[int, int, int], used: float, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    both_ways(batch(*shape, columns(shape[1], used), dtype), monkeypatch, bias=used != 0.25)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_zeros_that_differ_from_row_to_row(
    shape: tuple[int, int, int], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_ways(batch(*shape, patches(shape[0], shape[1], 0.2), dtype), monkeypatch)


def test_negative_zero_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, dy = batch(64, 784, 128, columns(784, 0.5))
    x[x == 0] *= np.where(RNG.random((x == 0).sum()) < 0.05, -1, 1)
    assert (np.signbit(x) & (x == 0)).any()
    both_ways((x, w, dy), monkeypatch)


def test_any_number_of_threads() -> None:
    given = batch(64, 784, 200, patches(64, 784, 0.2))
    sn.backend.set_threads(1)
    found, _ = products(*given)
    sn.backend.set_threads(max_threads())
    for one, other in zip(found, products(*given)[0], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("n", "inputs", "outputs", "used"),
    [
        (32, 784, 100, 0.95),
        (32, zero_terms.WIDE - 1, 100, 0.2),
        (zero_terms.ROWS - 1, 784, 400, 0.2),
        (99, 784, 4, 0.2),
    ],
)
def test_where_it_does_not_pay_nothing_is_looked_for(n: int, inputs: int, outputs: int, used: float) -> None:
    assert not BOTH & set(products(*batch(n, inputs, outputs, np.arange(inputs) >= used * inputs))[1])


def test_rows_after_a_sample_of_zeros() -> None:
    x, w, dy = batch(50, 400, 64, columns(400, 1.0))
    x[: zero_terms.SAMPLE] = 0
    found, names = products(x, w, dy)
    assert set(names) >= BOTH
    assert_right(found, x, w, dy)


@pytest.mark.parametrize("place", [0, 4, 5, 63, 64, 199, 200, 399])
@pytest.mark.parametrize("row", [0, 4, 5, 59, 60])
def test_a_single_number_that_is_not_zero(row: int, place: int) -> None:
    x, w, dy = batch(61, 400, 64, columns(400, 0.0))
    x[row, place] = 3
    found, names = products(x, w, dy)
    assert set(names) >= BOTH
    assert_right(found, x, w, dy)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_that_are_not_finite_stay_visible(value: float, bias: bool) -> None:
    x, w, dy = batch(40, 400, 64, columns(400, 0.4))
    unused = int(np.flatnonzero(~x.any(axis=0))[-1])
    w[unused, 3] = value
    (y, *_), names = products(x, w, dy, bias)
    assert "_multiply" in names
    assert np.isnan(y[:, 3]).all()  # 0 times that
    assert np.isfinite(np.delete(y, 3, axis=1)).all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gradients_that_are_not_finite_stay_visible(value: float, bias: bool) -> None:
    x, w, dy = batch(40, 400, 64, columns(400, 0.4))
    w[:, 5] = np.abs(w[:, 5])
    x = np.abs(x)  # so that ReLU lets column 5 pass
    dy[2, 5] = value
    (_, dw, *_), names = products(x, w, dy, bias)
    assert "_gradient" in names
    assert not np.isfinite(dw[:, 5]).any()
    assert np.isnan(dw[~x.any(axis=0), 5]).all()


def test_a_column_with_nan_is_used() -> None:
    x, w, dy = batch(40, 400, 64, columns(400, 0.4))
    unused = int(np.flatnonzero(~x.any(axis=0))[0])
    x[7, unused] = np.nan
    (y, *_), _ = products(x, w, dy)
    assert np.isnan(y[7]).all()
    assert np.isfinite(np.delete(y, 7, axis=0)).all()

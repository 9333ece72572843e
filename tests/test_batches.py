"""What is fed to a model: samples are looked at once, before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest

import scratchnet as sn
from scratchnet.batches import Source
from scratchnet.errors import DataError

FLOATS = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])


@FLOATS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_named(bad: float, dtype: str) -> None:
    x = np.ones((9, 4), dtype)
    x[3, 1] = x[7, 0] = bad
    with pytest.raises(DataError, match=r"^x: NaN or Inf in 2 of 9 samples, first in row 3$"):
        Source(x, (4,), "float32")
    with pytest.raises(DataError, match=r"in 1 of 2 samples, first in row 1$"):
        Source(x[1:4:2, ::-1], (4,), "float32")  # a view that is not contiguous


@FLOATS
def test_the_largest_numbers_are_finite(dtype: str) -> None:
    x = np.full((5, 4), np.finfo(dtype).max, dtype)
    source = Source(x, (4,), "float64")
    np.testing.assert_array_equal(source.slice(1, 3), x[1:3].astype("float64"))


def test_tables_of_pandas_are_taken(backend: str) -> None:
    """They have a ``get`` as CuPy's arrays have, which means something else."""
    pandas = pytest.importorskip("pandas", reason="needs pandas: pip install -e '.[test]'")
    x, y, weights = np.random.default_rng(0).random((20, 4)), np.arange(20) % 3, np.linspace(0, 1, 20)
    losses = []
    for arrays in ((x, y, weights), (pandas.DataFrame(x), pandas.Series(y), pandas.Series(weights))):
        sn.utils.set_random_seed(0)
        model = sn.Sequential([sn.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        losses += model.fit(*arrays[:2], sample_weight=arrays[2], class_weight={1: 2.0}, verbose=0).history["loss"]
    assert losses[0] == losses[1]

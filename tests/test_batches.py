"""What is fed to a model: samples are looked at once, before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest

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

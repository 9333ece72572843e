"""Dividing samples into parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, ShapeError


def train_validation_split(x: Any, y: Any, first: int = 5000) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Set the first rows aside for validation, as the tutorials do.

    Parameters
    ----------
    x, y : arrays or Pixels of equal length
    first : int
        The number of rows, from the start, for validation.

    Returns
    -------
    (x_train, y_train), (x_validation, y_validation)
        Views of the given arrays.

    Raises
    ------
    ShapeError
        If ``x`` and ``y`` differ in length.
    ConfigError
        If ``first`` would leave one of the parts empty.
    """
    if len(x) != len(y):
        raise ShapeError(f"train_validation_split: expected one label per sample, got {len(y)} for {len(x)}")
    if not isinstance(first, int | np.integer) or not 0 < first < len(x):
        raise ConfigError(f"train_validation_split: expected first from 1 to {len(x) - 1}, got {first!r}")
    return (x[first:], y[first:]), (x[:first], y[:first])


def stratified_rows(y: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Mark ``fraction`` of each class's rows, chosen at random: bool, shape (n,), the same on every NumPy."""
    # RandomState's numbers are frozen for all time by NumPy's policy (NEP 19), those of Generator are not.
    random = np.random.RandomState(seed)
    marked = np.zeros(len(y), bool)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        marked[random.permutation(rows)[: round(fraction * len(rows))]] = True
    return marked


def split_rows(y: np.ndarray, fraction: float, seed: int, name: str) -> np.ndarray:
    """`stratified_rows` for a user's own data: bool, shape (n,), True for testing.

    Raises
    ------
    ConfigError
        If the fraction is not between 0 and 1, or the seed not from 0 to 2^32 - 1.
    DataError
        If a class would have no sample for training, or there were no samples at all for testing.
    """
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise ConfigError(f"test_split: expected a share between 0 and 1, got {fraction!r:.80}")
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed: expected a whole number from 0 to {2**32 - 1}, got {seed!r:.80}")
    testing = stratified_rows(y, fraction, int(seed))
    if not testing.any() or set(y[testing].tolist()) - set(y[~testing].tolist()):
        what = "no sample for testing" if not testing.any() else "a class without a sample for training"
        raise DataError(f"{name}: a test_split of {fraction:g} leaves {what}: there are too few of a class")
    return testing

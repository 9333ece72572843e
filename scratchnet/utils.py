"""Small helpers with Keras's names."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from . import initializers
from .datasets.labels import to_categorical
from .errors import ConfigError
from .host_arrays import numbers

__all__ = ["normalize", "set_random_seed", "to_categorical"]


def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """``x`` over its norms along an axis; a vector of norm 0 stays 0. As in Keras, ``order`` is that of the norm.

    Raises
    ------
    ConfigError
        If the array does not have that axis, or there is no such norm.
    DataError
        If it does not hold numbers.
    """
    array = np.atleast_1d(numbers(x, "normalize", "an array of numbers"))
    try:
        norms = np.atleast_1d(np.linalg.norm(array, order, axis, keepdims=True))
    except (ValueError, TypeError, IndexError) as error:
        raise ConfigError(f"normalize: axis={axis!r:.40}, order={order!r:.40}: {error}") from None
    return np.asarray(array / np.where(norms == 0, 1, norms))


def set_random_seed(seed: int) -> None:
    """Seed everything: Python's and NumPy's generators, and the one that draws initial weights, batches and dropout
    masks.

    Raises
    ------
    ConfigError
        If the seed is not an integer from 0 to 2**32 - 1.
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed: expected an integer from 0 to 4294967295, got {seed!r}")
    random.seed(int(seed))
    np.random.seed(int(seed))
    initializers.seed_default_rng(int(seed))

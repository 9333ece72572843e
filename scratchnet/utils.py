"""Small helpers with Keras's names."""

from __future__ import annotations

import random

import numpy as np

from . import initializers
from .datasets.labels import to_categorical

__all__ = ["set_random_seed", "to_categorical"]


def set_random_seed(seed: int) -> None:
    """Seed everything: Python's and NumPy's generators, and the one that draws initial weights, batches and dropout
    masks.

    Raises
    ------
    ConfigError
        If the seed is not an integer from 0 to 2**32 - 1.
    """
    from .errors import ConfigError

    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed: expected an integer from 0 to 4294967295, got {seed!r}")
    random.seed(int(seed))
    np.random.seed(int(seed))
    initializers.seed_default_rng(int(seed))

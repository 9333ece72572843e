"""How much each sample counts: a user's ``sample_weight`` and ``class_weight`` as one array of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .backend import to_numpy
from .checks import is_number
from .errors import ConfigError, DataError, ScratchnetError
from .host_arrays import numbers


def sample_weights(
    weights: Any, n: int, dtype: Any, name: str = "sample_weight", wrong_shape: type[ScratchnetError] = DataError
) -> np.ndarray:
    """One number for each of n samples, from an array of shape (n,) or (n, 1) as Keras takes it.

    Raises
    ------
    DataError
        If they are not numbers.
    ScratchnetError
        Of the class ``wrong_shape``, if there are not n of them.
    """
    array = numbers(weights, name, "one number per sample")
    if array.shape not in ((n,), (n, 1)):
        raise wrong_shape(f"{name}: expected shape ({n},), got {array.shape}")
    return array.reshape(n).astype(dtype)


def for_each(weights: Any, n: int) -> Any:
    """Weights of n samples; a single number weights all of them alike."""
    alone = isinstance(weights, int | float) or getattr(weights, "ndim", 1) == 0
    return np.repeat(to_numpy(weights), n) if alone else weights


def class_weights(y: Any, weights: Any) -> np.ndarray:
    """The weight of each sample's class; 1 for a class without one. Targets are class numbers or one-hot rows.

    Raises
    ------
    ConfigError
        If ``weights`` is not a dict of class number to number, or there is more than one class to a sample.
    """
    if not isinstance(weights, Mapping) or not all(is_number(k) and is_number(v) for k, v in weights.items()):
        raise ConfigError(f"class_weight: expected a dict of class number to weight, got {weights!r:.80}")
    labels = to_numpy(y)
    labels = labels.argmax(axis=-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels.reshape(len(labels), -1)
    if labels.size != len(labels):
        raise ConfigError(f"class_weight: expected targets of one class per sample, got shape {np.shape(y)}")
    return np.array([weights.get(int(label), 1.0) for label in np.rint(labels.reshape(-1))])

"""A user's arrays as NumPy arrays of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import to_numpy
from .errors import DataError, ScratchnetError


def numbers(value: Any, label: str, expected: str, ragged: type[ScratchnetError] = DataError) -> np.ndarray:
    """A NumPy array of booleans, integers or floats.

    Raises
    ------
    ScratchnetError
        Of the class ``ragged``, for a list of lists of unequal length: "{label}: expected {expected}, got ...".
    DataError
        For anything but numbers.
    """
    try:
        array = to_numpy(value)
    except ValueError:
        raise ragged(f"{label}: expected {expected}, got a ragged list") from None
    except RuntimeError as error:  # a tensor of PyTorch that is part of a graph
        raise DataError(f"{label}: expected {expected}: {error!s:.200}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{label}: expected {expected}, got dtype {array.dtype}")
    return array


NO_BATCH_AXIS = "; the shape given to build has no batch axis, or None for it"  # the end of a message


def batch_expected(shape: tuple[int, ...], given: tuple[int, ...], name: str = "x") -> str:
    """For a message: a batch of samples of this shape, what was given instead, and what to do with a single sample."""
    expected = ", ".join(["n", *map(str, shape)]) + ("" if shape else ",")
    help = ""
    if given != () and (given == shape or (*given, 1) == shape):
        help = f"; one sample is {name}[None]"
    elif len(given) == len(shape) > 1 and given[1:] == shape[1:]:
        help = NO_BATCH_AXIS
    return f"input of shape ({expected}), got {given}{help}"

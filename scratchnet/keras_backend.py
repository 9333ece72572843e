"""The functions of ``keras.backend`` that programs use: `scratchnet.backend`, otherwise the switch, has them too."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import array_module, to_numpy
from .config import epsilon, floatx, image_data_format, set_floatx, set_image_data_format
from .errors import ConfigError, ShapeError
from .results import Rate

__all__ = [
    "clear_session",
    "epsilon",
    "floatx",
    "get_value",
    "image_data_format",
    "set_floatx",
    "set_image_data_format",
    "set_value",
]


def clear_session() -> None:
    """Nothing: no state is kept between models, and their names are numbered in a model."""


def get_value(x: Any) -> Any:
    """A number as it is, and an array as NumPy's."""
    return float(x) if isinstance(x, float) else to_numpy(x)


def set_value(x: Any, value: Any) -> None:
    """Set ``optimizer.learning_rate``, or the numbers of an array of weights.

    Raises
    ------
    ConfigError
        If ``x`` is neither.
    ShapeError
        If the values do not have the array's shape.
    """
    if isinstance(x, Rate):
        x.assign(value)
    elif hasattr(x, "shape") and hasattr(x, "__setitem__"):
        if np.shape(value) != x.shape:
            raise ShapeError(f"set_value: expected values of shape {x.shape}, got {np.shape(value)}")
        x[...] = value if isinstance(x, np.ndarray) else array_module().asarray(value)
    else:
        raise ConfigError(f"set_value: expected optimizer.learning_rate or an array of weights, got {x!r:.80}")

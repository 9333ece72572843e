"""Settings for the whole process."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ConfigError
from .kernels.loss_sums import EPSILON

_floatx = "float32"
DATA_FORMAT = "channels_last"


def as_float_dtype(dtype: Any) -> np.dtype[Any]:
    """``float32`` or ``float64`` as a NumPy dtype.

    Raises
    ------
    ConfigError
        For any other dtype.
    """
    try:
        result = np.dtype(object if dtype is None else dtype)  # NumPy would take None for float64
    except Exception:  # for anything but a dtype it may raise any error
        result = np.dtype(object)
    if result not in (np.float32, np.float64):
        raise ConfigError(f"dtype: expected 'float32' or 'float64', got {dtype!r:.80}")
    return result


def floatx() -> str:
    """The default dtype of layers: ``"float32"`` unless `set_floatx` was called."""
    return _floatx


def set_floatx(value: str) -> None:
    """Set the dtype of layers made from now on: ``"float32"`` or ``"float64"``."""
    global _floatx
    _floatx = as_float_dtype(value).name


def epsilon() -> float:
    """Keras's small number, 1e-7: what its losses clip probabilities with, and these, too."""
    return EPSILON


def image_data_format() -> str:
    """``"channels_last"``: images are (n, height, width, channels)."""
    return DATA_FORMAT


def set_image_data_format(data_format: str) -> None:
    """Accept ``"channels_last"``, which images always are.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if not isinstance(data_format, str) or data_format != DATA_FORMAT:
        raise ConfigError(f"image_data_format: expected {DATA_FORMAT!r}, got {data_format!r:.80}: channels are last")

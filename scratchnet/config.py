"""Settings for the whole process."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ConfigError

_floatx = "float32"


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

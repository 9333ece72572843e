"""Class labels: numbers to one-hot rows and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import is_whole
from ..errors import ConfigError, DataError


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows of class numbers, as ``keras.utils.to_categorical``.

    Parameters
    ----------
    x : array-like of integers, shape (...) or (..., 1)
        Class numbers from 0 to ``num_classes - 1``.
    num_classes : int, optional
        Number of classes; ``max(x) + 1`` when not given.

    Returns
    -------
    ndarray of float64, shape (..., num_classes)
        1 at the class, 0 elsewhere.

    Raises
    ------
    DataError
        If ``x`` does not consist of integers, or has one outside the range.
    """
    try:
        given = np.asarray(x)
        with np.errstate(invalid="ignore"):  # NaN is refused below
            labels = given.astype(np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"to_categorical: expected class numbers, got {type(x).__name__}") from error
    if given.dtype.kind not in "biuf" or not np.array_equal(given, labels):
        raise DataError(f"to_categorical: expected whole class numbers, got {given.dtype} with other values")
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    if num_classes is None:
        if not labels.size:
            raise DataError("to_categorical: expected labels, or num_classes where there are none")
        num_classes = int(labels.max()) + 1
    if not is_whole(num_classes):
        if labels.size and labels.min() < 0:
            raise DataError(f"to_categorical: expected labels from 0, got {labels.min()}")
        raise ConfigError(f"to_categorical: expected num_classes of at least 1, got {num_classes!r}")
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"to_categorical: expected labels from 0 to {num_classes - 1}, got {wrong}")
    try:
        rows = np.zeros((labels.size, num_classes))
    except (MemoryError, ValueError) as error:
        raise DataError(f"to_categorical: no memory for {labels.size} x {num_classes} numbers") from error
    rows[np.arange(labels.size), labels.ravel()] = 1
    return rows.reshape(*shape, num_classes)


def check_labels(y: np.ndarray, name: str) -> None:
    """Refuse anything but class numbers (n,) or (n, 1) from 0 up, or one-hot rows (n, classes).

    Raises
    ------
    DataError
        Naming the first row that is wrong.
    """
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        if y.dtype.kind not in "iu":
            raise DataError(f"{name}: expected integers or one-hot rows, got {y.dtype} {y.shape}")
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= 2**31:
            row, value = (int(y.argmin()), low) if low < 0 else (int(y.argmax()), high)
            raise DataError(f"{name}: expected class numbers from 0 to 2^31 - 1, got {value} in row {row}")
    elif y.ndim == 2:
        wrong = ((y != 0) & (y != 1)).any(axis=1) | ((y != 0).sum(axis=1) != 1)
        if wrong.any():
            raise DataError(f"{name}: expected one-hot rows (a single 1), row {int(wrong.argmax())} is not")
    else:
        raise DataError(f"{name}: expected class numbers (n,) or one-hot rows (n, classes), got {y.shape}")


def class_numbers(y: np.ndarray) -> np.ndarray:
    """Class numbers (n,) of labels that are class numbers (n,) or (n, 1), or one-hot rows (n, classes)."""
    y = np.asarray(y)
    return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)

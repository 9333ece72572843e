"""Pixels that stay uint8 in memory and become scaled floats batch by batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, ShapeError


class Pixels:
    """A view of uint8 samples that stands for ``array * scale`` in float32, without holding that array.

    Fashion-MNIST's training images take 47 MB as bytes and 188 MB as float32: the model gathers and scales
    one batch at a time.

    Parameters
    ----------
    array : ndarray of uint8, shape (n, ...)
        Kept as it is, not copied.
    scale : float
        What one gray level is worth: 1/255 for bytes, 1/16 for the bundled digits.

    Raises
    ------
    DataError
        If ``array`` is not a uint8 array with at least one axis.
    ConfigError
        If ``scale`` is not a finite positive number.

    Examples
    --------
    >>> x = Pixels(np.zeros((60, 28, 28), np.uint8)).reshape(28, 28, 1)
    >>> x.shape, x[:5].shape, np.asarray(x[:5]).dtype
    ((60, 28, 28, 1), (5, 28, 28, 1), dtype('float32'))
    """

    __slots__ = ("array", "scale")

    def __init__(self, array: np.ndarray, scale: float = 1 / 255) -> None:
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim == 0:
            got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise DataError(f"Pixels: expected a uint8 array with a batch axis, got {got}")
        if not (isinstance(scale, int | float | np.number) and math.isfinite(scale) and scale > 0):
            raise ConfigError(f"Pixels: expected a finite positive scale, got {scale!r}")
        self.array = array
        self.scale = float(scale)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stored array, batch axis first."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """Number of axes, the batch axis included."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type in which the pixels are stored: uint8. (``np.asarray`` of a Pixels is float32.)"""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, key: Any) -> Any:
        """As NumPy indexes, giving Pixels again; a single pixel comes as a float32 number."""
        part = self.array[key]
        if isinstance(part, np.ndarray) and part.ndim:
            return Pixels(part, self.scale)
        return np.float32(part) * np.float32(self.scale)

    def reshape(self, *shape: Any) -> Pixels:
        """Give every sample another shape, without the batch axis: ``reshape(28, 28, 1)``, ``reshape(784)``.

        Raises
        ------
        ShapeError
            If ``shape`` does not have as many elements as a sample.
        """
        new = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        if math.prod(new) != math.prod(self.shape[1:]) or any(size < 0 for size in new):
            hint = f"one sample's shape ({math.prod(self.shape[1:])} elements, no batch axis)"
            raise ShapeError(f"Pixels.reshape: expected {hint}, got {new}")
        return Pixels(self.array.reshape(len(self), *new), self.scale)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Pixels are scaled when read: an array of them is always a new one")
        scaled = np.multiply(self.array, np.float32(self.scale), dtype=np.float32)
        return scaled if dtype is None else scaled.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"Pixels(uint8 {self.shape}, scale={self.scale:.6g})"

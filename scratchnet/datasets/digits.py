"""Digits: the 1,797 handwritten digits of 8x8 that come with scikit-learn; no network needed.

They are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak; UCI; CC BY 4.0).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from ..errors import DataError, DependencyError
from .sources import Split
from .split import stratified_rows

CLASS_NAMES = tuple("0123456789")
scale = 1 / 16
"""What one gray level is worth: the pixels go from 0 to 16, ``x * scale`` lies in [0, 1]."""
_SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"
_SEED = 0
_TEST_FRACTION = 0.2


def load_data(data_dir: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """The bundled digits, with a fixed split: of each class 20%, drawn with seed 0, are for testing.

    Parameters
    ----------
    data_dir : ignored
        There so that all data sets are loaded alike.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8 arrays: images (1438, 8, 8) with labels (1438,), and (359, 8, 8) with (359,). Pixels go from 0
        to 16; the rows keep scikit-learn's order.

    Raises
    ------
    DependencyError
        If scikit-learn is not installed.
    DataError
        If its copy of the digits is not the one known here.
    """
    rows = _rows()
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    if rows.shape != (1797, 65) or digest != _SHA256:
        what = f"digits: not the table known here: {rows.shape}"
        raise DataError(f"{what}; expected SHA-256 {_SHA256}, got {digest}")
    x, y = rows[:, :64].reshape(-1, 8, 8), rows[:, 64]
    test = stratified_rows(y, _TEST_FRACTION, _SEED)
    return (x[~test], y[~test]), (x[test], y[test])


def _rows() -> np.ndarray:
    """64 pixels and the label per row, uint8."""
    from importlib.util import find_spec

    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise DependencyError("digits: come with scikit-learn, which is missing: pip install scikit-learn")
    table = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if table.is_file():  # load_digits reads this very file, after a second of importing
        return np.loadtxt(table, delimiter=",", dtype=np.uint8)
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.column_stack([digits.data, digits.target]).astype(np.uint8)

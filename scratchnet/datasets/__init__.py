"""Data sets: MNIST, Fashion-MNIST, scikit-learn's digits, and your own files; no file is trusted.

``load_data()`` of each returns ``(x_train, y_train), (x_test, y_test)`` in Keras's shapes and types. Files come
from ``data_dir``, from the folder ``SCRATCHNET_DATA``, from the user's cache, or over HTTPS; in all cases
their content is checked against a SHA-256.

To read the code: ``catalog`` (what is known), ``idx`` (the format), ``sources`` (where files come from),
``download``, ``npz``, ``folder`` and ``csv_pixels`` (your own data), ``pictures``, ``pixels``, ``labels``, ``split``.
"""

from __future__ import annotations

from . import digits, fashion_mnist, mnist
from .csv_pixels import load_csv
from .folder import load_image_folder
from .idx import read_idx
from .labels import to_categorical
from .npz import load_npz
from .pixels import Pixels
from .split import train_validation_split

__all__ = [
    "Pixels",
    "digits",
    "fashion_mnist",
    "load_csv",
    "load_image_folder",
    "load_npz",
    "mnist",
    "read_idx",
    "to_categorical",
    "train_validation_split",
]

"""MNIST: 70,000 handwritten digits of 28x28 (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0)."""

from __future__ import annotations

import os

from .catalog import MNIST
from .sources import Split, load

CLASS_NAMES = MNIST.class_names
"""``"0"`` to ``"9"``."""
scale = 1 / 255
"""What one gray level is worth: ``x * scale`` lies in [0, 1]."""


def load_data(data_dir: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """MNIST as ``keras.datasets.mnist.load_data`` gives it.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder that has the four IDX files below ``mnist/``, gzip-compressed or plain. Where it lacks
        one, ``SCRATCHNET_DATA`` is looked into, then the user's cache, then it is downloaded.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8 arrays: images (60000, 28, 28) with labels (60000,), and (10000, 28, 28) with (10000,).

    Raises
    ------
    DataError
        If a file cannot be had (listing every place tried, and the steps by hand), or has the wrong SHA-256.
    """
    return load(MNIST, data_dir)

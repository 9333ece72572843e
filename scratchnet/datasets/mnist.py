"""MNIST: 70,000 handwritten digits of 28x28 (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0)."""

from __future__ import annotations

import os

from .catalog import MNIST
from .sources import Split, load

CLASS_NAMES = MNIST.class_names
"""``"0"`` to ``"9"``."""
scale = 1 / 255
"""The value of one gray level: ``x * scale`` is in [0, 1]."""


def load_data(data_dir: str | os.PathLike[str] | None = None, *, path: str = "mnist.npz") -> tuple[Split, Split]:
    """MNIST as ``keras.datasets.mnist.load_data`` returns it.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder that has the four IDX files below ``mnist/``, gzip-compressed or plain. A missing file is
        sought in ``SCRATCHNET_DATA``, then in the user's cache, then downloaded.
    path : str
        Keras's name for the file in its own cache: not used.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8 arrays: images (60000, 28, 28) with labels (60000,), and (10000, 28, 28) with (10000,).

    Raises
    ------
    DataError
        If a file cannot be obtained (listing every place tried, and the manual steps), or has the wrong SHA-256.
    """
    return load(MNIST, data_dir)

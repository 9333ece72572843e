"""Fashion-MNIST: 70,000 pictures of clothes, 28x28 (Xiao, Rasul, Vollgraf, arXiv:1708.07747; MIT)."""

from __future__ import annotations

import os

from .catalog import FASHION_MNIST
from .sources import Split, load

CLASS_NAMES = FASHION_MNIST.class_names
"""``"T-shirt/top"`` (0) to ``"Ankle boot"`` (9)."""
scale = 1 / 255
"""What one gray level is worth: ``x * scale`` lies in [0, 1]."""


def load_data(data_dir: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """Fashion-MNIST as ``keras.datasets.fashion_mnist.load_data`` gives it.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder that has the four IDX files below ``fashion-mnist/``, gzip-compressed or plain. Where it
        lacks one, ``SCRATCHNET_DATA`` is looked into, then the user's cache, then it is downloaded.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8 arrays: images (60000, 28, 28) with labels (60000,), and (10000, 28, 28) with (10000,).

    Raises
    ------
    DataError
        If a file cannot be had (listing every place tried, and the steps by hand), or has the wrong SHA-256.
    """
    return load(FASHION_MNIST, data_dir)

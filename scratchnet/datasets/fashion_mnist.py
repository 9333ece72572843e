"""Fashion-MNIST: 70,000 pictures of clothes, 28x28 (Xiao, Rasul, Vollgraf, arXiv:1708.07747; MIT)."""

from __future__ import annotations

import os

from .catalog import FASHION_MNIST
from .sources import Split, load

CLASS_NAMES = FASHION_MNIST.class_names
"""``"T-shirt/top"`` (0) to ``"Ankle boot"`` (9)."""
scale = 1 / 255
"""The value of one gray level: ``x * scale`` is in [0, 1]."""


def load_data(data_dir: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """Fashion-MNIST as ``keras.datasets.fashion_mnist.load_data`` returns it.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder that has the four IDX files below ``fashion-mnist/``, gzip-compressed or plain. A missing
        file is sought in ``SCRATCHNET_DATA``, then in the user's cache, then downloaded.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8 arrays: images (60000, 28, 28) with labels (60000,), and (10000, 28, 28) with (10000,).

    Raises
    ------
    DataError
        If a file cannot be obtained (listing every place tried, and the manual steps), or has the wrong SHA-256.
    """
    return load(FASHION_MNIST, data_dir)

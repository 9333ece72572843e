"""The real images: laid down once by the parent as ``.npy`` files, read by every worker in the same order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .networks import Network

SPLITS = ("x_train", "y_train", "x_test", "y_test")


def lay_down(folder: Path, names: Iterable[str]) -> None:
    """Load each data set with scratchnet (``SCRATCHNET_DATA``, its cache or a download, checked) and save it."""
    from scratchnet import datasets

    for name in sorted(set(names)):
        (x_train, y_train), (x_test, y_test) = getattr(datasets, name.replace("-", "_")).load_data()
        for split, array in zip(SPLITS, (x_train, y_train, x_test, y_test), strict=True):
            np.save(folder / f"{name}-{split}.npy", np.asarray(array, dtype=np.uint8))


def read(folder: Path, name: str, split: str, mapped: bool = True) -> np.ndarray:
    """One array as uint8; ``mapped`` leaves it on disk until rows are taken."""
    return np.load(folder / f"{name}-{split}.npy", mmap_mode="r" if mapped else None)


def pixels(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 images (n, 28, 28) as float32 in [0, 1], shape (n, *shape), resampled where that is another size."""
    size = round(shape[0] ** 0.5) if len(shape) == 1 else shape[0]
    if size != images.shape[1]:
        nearest = np.arange(size) * images.shape[1] // size
        images = images[:, nearest][:, :, nearest]
    scaled = images.astype(np.float32)
    scaled /= np.float32(255)
    return scaled.reshape(len(images), *shape)


def epoch(folder: Path, network: Network, steps: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Whole batches of one shuffled epoch, at most ``steps`` of them: float32 rows and int64 labels.

    Benchmarks cycle over this and not over a few batches: a handful is learned by heart, the gradients become denormal,
    and the times lie.
    """
    count = network.rows // network.batch
    count = count if steps is None else min(count, steps)
    order = np.random.default_rng(1).permutation(network.rows)[: count * network.batch]
    images = read(folder, network.data, "x_train")[order]
    labels = read(folder, network.data, "y_train")[order]
    return pixels(images, network.shape), labels.astype(np.int64)

"""Where a recipe's samples come from: a data set by its name, or the user's files, distinguished by their kind."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import datasets
from ..datasets.catalog import BUILT_IN, DATASETS, Dataset
from ..datasets.files import shown
from ..datasets.labels import class_numbers
from ..datasets.sources import users_folders
from ..errors import DataError
from ..paths import cache_dir
from .schema import Data

KEYS = {
    "folder": ("image_size", "color_mode", "test_split", "split_seed"),
    "csv": ("image_size", "label_column", "test_split", "split_seed", "test_dataset"),
}
"""The keys of ``[data]`` that belong to one kind of files only."""
MOST_CLASSES = 100_000
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Loaded:
    """Training and test samples as stored, the value of one gray level, and the names of the classes."""

    train: Arrays
    test: Arrays
    scale: float
    class_names: tuple[str, ...]


def kind_of(section: Data, folder: Path) -> str | None:
    """``"name"`` of a data set, ``"npz"``, ``"csv"``, ``"folder"``; None if it is none of them."""
    given = section.dataset
    if given in BUILT_IN:
        return "name"
    for ending in ("npz", "csv"):
        if given.lower().endswith(f".{ending}"):
            return ending
    is_path = "/" in given or os.sep in given
    try:
        return "folder" if is_path or (folder / given).is_dir() else None
    except ValueError:  # a NUL in it
        return None


def load(section: Data, folder: Path, data_dir: str | os.PathLike[str] | None) -> Loaded:
    """The samples of ``[data]``; relative paths start at ``folder``.

    Raises
    ------
    DataError
        If they cannot be obtained or used.
    """
    kind, path = kind_of(section, folder), folder / section.dataset
    if kind == "name":
        module = getattr(datasets, section.dataset)
        train, test = module.load_data(data_dir)
        return Loaded(train, test, module.scale, tuple(module.CLASS_NAMES))
    given = {key: getattr(section, key) for key in KEYS.get(kind or "", ()) if getattr(section, key) is not None}
    if "split_seed" in given:
        given["seed"] = given.pop("split_seed")
    if kind == "folder":
        train, test, names = datasets.load_image_folder(path, **given)
        return Loaded(train, test, 1 / 255, names)
    if kind == "csv":
        if "test_dataset" in given:
            given["test_path"] = folder / given.pop("test_dataset")
        train, test = datasets.load_csv(path, **given)
    else:
        train, test = datasets.load_npz(path)
    most = int(max(class_numbers(y).max() for _, y in (train, test)))
    if most >= MOST_CLASSES:
        raise DataError(f"{shown(path)}: expected class numbers from 0 to {MOST_CLASSES - 1:,}, got {most}")
    return Loaded(train, test, 1 / 255, tuple(str(label) for label in range(most + 1)))


def absent(section: Data, data_dir: str | os.PathLike[str] | None) -> Dataset | None:
    """The data set that `load` would have to download; None if its files are present, or none are needed."""
    dataset = next((one for one in DATASETS if one.name == section.dataset.replace("_", "-")), None)
    if dataset is None:
        return None
    folders = [*users_folders(dataset, data_dir), cache_dir() / "data" / dataset.name]
    for file in dataset.files:
        if not any(os.path.lexists(folder / spelling) for folder in folders for spelling in file.spellings):
            return dataset
    return None


def stand_in(dataset: Dataset) -> Loaded:
    """Samples of the size and shape of a missing data set: noise, half of it black as in pictures."""
    noise = np.random.default_rng(0).integers(-255, 256, (1000, *dataset.files[0].shape[1:]))
    pixels = np.maximum(noise, 0).astype(np.uint8)
    x_train, y_train, x_test, y_test = (
        np.resize(pixels if len(file.shape) > 1 else np.arange(10, dtype=np.uint8), file.shape)
        for file in dataset.files
    )
    return Loaded((x_train, y_train), (x_test, y_test), 1 / 255, dataset.class_names)

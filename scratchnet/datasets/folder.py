"""Your own pictures: a folder with a subfolder for each class; its content is not trusted.

``FOLDER/cats/1.png ...`` and ``FOLDER/dogs/1.png ...``, or the same below ``FOLDER/train`` and ``FOLDER/test``.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import refuse_beyond_memory
from ..errors import DataError
from .files import shown
from .pictures import SUFFIXES, check_color_mode, check_image_size, read_picture, require_pillow
from .sources import Split
from .split import split_rows

_LITTER = {"Thumbs.db", "desktop.ini"}
Files = list[tuple[Path, int]]


def load_image_folder(
    path: str | os.PathLike[str],
    image_size: Any = None,
    color_mode: str = "grayscale",
    test_split: float = 0.2,
    seed: int = 0,
) -> tuple[Split, Split, tuple[str, ...]]:
    """Pictures in subfolders that are named after their classes.

    Parameters
    ----------
    path : path-like
        Has a subfolder per class; or ``train`` and ``test`` with the same classes each.
    image_size : int or (height, width), optional
        Every picture is stretched to this size (bilinear, as in Keras). By default all must have the same size.
    color_mode : {"grayscale", "rgb"}
    test_split : float
        Share of each class to use for testing, if there is no ``test``.
    seed : int
        Of the choice of test samples.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8: pictures (n, height, width), with a last axis of 3 for ``"rgb"``; int64 class numbers (n,).
    class_names : tuple of str
        In alphabetical order: the name of class 0, 1, ...

    Raises
    ------
    DataError
        One line that names the file or folder: a damaged picture, one of another size, something other than a picture,
        an empty class, a link that leads out of the folder, more than fits into memory.
    ConfigError
        If an argument is invalid.
    DependencyError
        If Pillow is not installed.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test), names = sn.datasets.load_image_folder("pets", image_size=64)
    """
    check_color_mode(color_mode)
    size = check_image_size(image_size)
    if not isinstance(path, str | os.PathLike):
        raise DataError(f"expected the path of a folder, got {path!r:.80}")
    root = Path(path)
    require_pillow()
    if not root.is_dir():
        raise DataError(f"{shown(path)}: expected a folder with a subfolder of pictures for each class")
    try:
        train, test, names = _find(root)
        x, y = _read([*train, *test], size, color_mode, shown(path))
    except OSError as error:
        raise DataError(f"{shown(error.filename or path)}: cannot be read: {error.strerror or shown(error)}") from error
    if test:
        n = len(train)
        return (x[:n], y[:n]), (x[n:], y[n:]), names
    testing = split_rows(y, test_split, seed, shown(path))
    return (x[~testing], y[~testing]), (x[testing], y[testing]), names


def _find(root: Path) -> tuple[Files, Files, tuple[str, ...]]:
    """The pictures for training and for testing (none if not separate), and the names of the classes."""
    inside, folders = root.resolve(), _subfolders(root, root.resolve())
    if {"train", "test"} <= {folder.name for folder in folders}:
        if len(folders) > 2:
            other = next(folder for folder in folders if folder.name not in ("train", "test"))
            raise DataError(f"{shown(other)}: expected nothing beside train and test")
        train, test = (
            {one.name: one for one in _subfolders(root / part, inside)} for part in ("train", "test")
        )  # fmt: skip
        if odd := sorted(train.keys() ^ test.keys()):
            where, lacks = ("train", "test") if odd[0] in train else ("test", "train")
            folder = root / where / odd[0]
            raise DataError(f"{shown(folder)}: expected the same classes in train and test, {lacks} lacks it")
    else:
        train, test = {one.name: one for one in folders}, {}
    names = sorted(train)
    if len(names) < 2:
        raise DataError(f"{shown(root)}: expected a subfolder for each of two classes or more, got {len(names)}")
    files = [[(file, number) for number, name in enumerate(names) for file in _pictures(part[name], inside)]
             for part in (train, test) if part]  # fmt: skip
    return files[0], files[1] if test else [], tuple(shown(name) for name in names)


def _entries(folder: Path, inside: Path) -> list[os.DirEntry[str]]:
    """The content of a folder, by name, without hidden files."""
    with os.scandir(folder) as found:
        entries = [one for one in found if not one.name.startswith(".") and one.name not in _LITTER]
    for one in entries:
        if one.is_symlink() and not Path(os.path.realpath(one.path)).is_relative_to(inside):
            raise DataError(f"{shown(one.path)}: a link that leads out of the folder")
    return sorted(entries, key=lambda one: one.name)


def _subfolders(folder: Path, inside: Path) -> list[Path]:
    return [Path(one.path) for one in _entries(folder, inside) if one.is_dir()]


def _pictures(folder: Path, inside: Path) -> list[Path]:
    files = []
    for one in _entries(folder, inside):
        if one.is_dir() or not one.name.lower().endswith(SUFFIXES):
            what = "a folder" if one.is_dir() else "this file"
            raise DataError(f"{shown(one.path)}: expected pictures alone ({', '.join(SUFFIXES)}), got {what}")
        files.append(Path(one.path))
    if not files:
        raise DataError(f"{shown(folder)}: a class without pictures")
    return files


def _read(files: Files, size: tuple[int, int] | None, color_mode: str, name: str) -> Split:
    x: Any = None
    for row, (file, _) in enumerate(files):
        picture, _ = read_picture(file, color_mode)
        if size is not None:
            picture = picture.resize(size[::-1], 2)  # Image.BILINEAR
        pixels = np.asarray(picture)
        if x is None:
            refuse_beyond_memory(len(files) * math.prod(pixels.shape), f"{name}: {len(files):,} pictures")
            x = np.empty((len(files), *pixels.shape), np.uint8)
        if pixels.shape != x.shape[1:]:
            sizes = [f"{width} x {height}" for height, width in (pixels.shape[:2], x.shape[1:3])]
            first = shown(files[0][0].name)
            raise DataError(f"{shown(file)}: is {sizes[0]} pixels, {first} is {sizes[1]}: image_size makes them alike")
        x[row] = pixels
    return x, np.array([number for _, number in files], np.int64)

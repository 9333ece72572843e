"""Where a data set's files come from: the user's folder, the cache, a mirror; all are verified.

The order is ``data_dir``, ``SCRATCHNET_DATA``, the cache (``cache_dir()/data``), then the mirrors in turn.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import ConfigError, DataError
from ..paths import cache_dir
from .catalog import Dataset, IdxFile, whose
from .download import download, mirrors_of
from .files import locked, open_regular, shown, write_atomically
from .idx import decode

Split = tuple[np.ndarray, np.ndarray]


def load(dataset: Dataset, data_dir: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """All four files of ``dataset`` as ``(x_train, y_train), (x_test, y_test)``."""
    mirrors = mirrors_of(dataset)
    x_train, y_train, x_test, y_test = (_obtain(dataset, file, data_dir, mirrors) for file in dataset.files)
    return (x_train, y_train), (x_test, y_test)


def verified(file: BinaryIO, size: int, name: str, dataset: Dataset, wanted: IdxFile) -> np.ndarray:
    """The array in an open file, once its decompressed bytes have the right SHA-256."""
    digest = hashlib.sha256()
    array = decode(file, size, name, shape=wanted.shape, digest=digest)
    came = digest.hexdigest()
    if came != wanted.sha256:
        known = whose(came)
        hint = f": it is {known}" if known else ""
        what = f"{dataset.name}'s {wanted.name}"
        raise DataError(f"{name}: not {what}{hint}; expected SHA-256 {wanted.sha256}, got {came}")
    return array


def _from_folder(folder: Path, dataset: Dataset, wanted: IdxFile) -> np.ndarray | None:
    """The verified array from the first spelling of the file that ``folder`` holds; None if it holds none."""
    for spelling in wanted.spellings:
        path = folder / spelling
        if os.path.lexists(path):
            file, size = open_regular(path)
            with file:
                return verified(file, size, shown(path), dataset, wanted)
    return None


def users_folders(dataset: Dataset, data_dir: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Folders that the user named: ``PLACE/fashion-mnist``, and ``PLACE`` itself if it has that name."""
    for place in (data_dir, os.environ.get("SCRATCHNET_DATA")):
        if place:
            try:
                root = Path(place).expanduser().absolute()
            except (TypeError, RuntimeError) as error:
                raise ConfigError(f"data_dir: expected a folder's path, got {shown(repr(place))}") from error
            yield root / dataset.name
            if root.name == dataset.name:
                yield root


def _obtain(
    dataset: Dataset, wanted: IdxFile, data_dir: str | os.PathLike[str] | None, mirrors: list[str]
) -> np.ndarray:
    """One file's array, from the first place that has it.

    A damaged file in the user's folder is an error; a damaged one in the cache is fetched again.
    """
    tried = []
    for folder in users_folders(dataset, data_dir):
        array = _from_folder(folder, dataset, wanted)
        if array is not None:
            return array
        tried.append(f"{shown(folder)} (no such file)")
    cache = cache_dir() / "data" / dataset.name
    try:
        array = _from_folder(cache, dataset, wanted)
    except DataError:
        array = None
    if array is not None:
        return array
    with locked(cache, dataset.name) as alone:
        try:
            array = _from_folder(cache, dataset, wanted)  # another process may just have fetched it
            tried.append(f"{shown(cache)} (no such file)")
        except DataError as error:
            array = None
            tried.append(str(error))
            message = f"fetching a damaged file of the cache again: {error}"
            warnings.warn(message, RuntimeWarning, stacklevel=4)
        if array is not None:
            return array
        if alone:
            for left in cache.glob("*.part"):  # of a process that was killed while writing
                left.unlink(missing_ok=True)
        return _fetch(dataset, wanted, mirrors, cache, tried)


def _fetch(dataset: Dataset, wanted: IdxFile, mirrors: list[str], cache: Path, tried: list[str]) -> np.ndarray:
    """Download one file from the first mirror that has the right content, and keep it in the cache.

    Nothing is written before it has been verified, so an interrupted download leaves nothing behind.
    """
    most = wanted.size + wanted.size // 64 + 4096  # gzip adds a little to what it cannot compress
    for base in list(mirrors):
        url = f"{base}{wanted.name}.gz"
        try:
            content = download(url, most)
            array = verified(io.BytesIO(content), len(content), "what came", dataset, wanted)
        except DataError as error:
            tried.append(f"{url} ({error})")
            continue
        mirrors.remove(base)
        mirrors.insert(0, base)  # the next file is requested where this one was found
        try:
            write_atomically(cache / f"{wanted.name}.gz", content)
        except OSError as error:
            reason = error.strerror or shown(error)
            message = f"{shown(cache)}: the download cannot be kept for the next time: {reason}"
            warnings.warn(message, RuntimeWarning, stacklevel=5)
        return array
    names = ", ".join(f"{file.name}.gz" for file in dataset.files)
    raise DataError(
        f"{dataset.name}: cannot get {wanted.name}; tried {'; '.join(tried)}. By hand: download {names} into "
        f"DIR/{dataset.name}, then give data_dir=DIR (--data-dir DIR) or set SCRATCHNET_DATA=DIR"
    )

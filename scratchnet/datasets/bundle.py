"""A bundle of data sets for a class without internet: the official files with their SHA-256, made and checked.

``DIR/mnist/train-images-idx3-ubyte.gz ...`` and ``DIR/SHA256SUMS``, which ``sha256sum -c`` reads too; or the same in a
ZIP file. ``--data-dir DIR`` and ``SCRATCHNET_DATA`` read it as it is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import ConfigError, DataError
from ..paths import cache_dir
from .catalog import DATASETS, Dataset, IdxFile, module_name
from .files import open_regular, shown, write_atomically
from .sources import load, users_folders, verified

SUMS = "SHA256SUMS"
MOST_FILE = 64 << 20
"""Bytes; the largest official file has 26 million."""
MOST_ENTRIES = 10_000


def named(name: str) -> Dataset:
    """The data set of this name.

    Raises
    ------
    ConfigError
        If it needs no bundle, or there is none of that name.
    """
    for dataset in DATASETS:
        if module_name(name) == module_name(dataset.name):
            return dataset
    hint = "the digits come with scikit-learn" if name == "digits" else f"got {shown(repr(name))}"
    raise ConfigError(f"--dataset: expected {' or '.join(module_name(one.name) for one in DATASETS)}; {hint}")


def export(target: Path, datasets: list[Dataset], data_dir: str | os.PathLike[str] | None = None) -> list[str]:
    """Write a bundle, whole or not at all.

    Parameters
    ----------
    target : Path
        A folder that is not there yet or is empty, or a new ``.zip``.
    datasets : list of Dataset
    data_dir : path-like, optional
        Where to look for the files first; then as for training.

    Returns
    -------
    list of str
        The files in it.

    Raises
    ------
    DataError
        If ``target`` is there already, or a file cannot be had.
    ConfigError
        If it cannot be written.
    """
    as_zip = target.suffix.lower() == ".zip"
    if os.path.lexists(target) and (as_zip or not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{shown(target)}: is there already: expected a new folder or a new .zip")
    files: dict[str, bytes] = {}
    for dataset in datasets:
        load(dataset, data_dir)  # fetches what is missing, and checks everything
        for wanted in dataset.files:
            files[f"{dataset.name}/{wanted.name}.gz"] = _compressed(dataset, wanted, data_dir)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    files[SUMS] = sums.encode()
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        if as_zip:
            write_atomically(target, _zipped(files))
        else:
            _write_folder(target, files)
    except OSError as error:
        raise ConfigError(f"{shown(target)}: cannot be written: {error.strerror or shown(error)}") from None
    return sorted(files)


def _compressed(dataset: Dataset, wanted: IdxFile, data_dir: Any) -> bytes:
    """A file as it was found, gzip-compressed if it was not."""
    for folder in [*users_folders(dataset, data_dir), cache_dir() / "data" / dataset.name]:
        for spelling in wanted.spellings:
            if os.path.lexists(folder / spelling):
                file, size = open_regular(folder / spelling)
                with file:
                    content = file.read(MOST_FILE)
                verified(io.BytesIO(content), size, shown(folder / spelling), dataset, wanted)
                return content if content[:2] == b"\x1f\x8b" else gzip.compress(content, mtime=0)
    raise DataError(f"{dataset.name}: {wanted.name} could be downloaded but not kept in {shown(cache_dir())}")


def _zipped(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:  # they are compressed already
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return memory.getvalue()


def _write_folder(target: Path, files: dict[str, bytes]) -> None:
    part = target.absolute().with_name(f"{target.absolute().name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        for name, content in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(part / name, content)
        if target.is_dir():
            target.rmdir()  # it is empty
        os.replace(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


# Checking -------------------------------------------------------------------------------------------------------------


class _Place(Protocol):
    """Where a bundle's files are."""

    def names(self) -> Iterator[str]: ...

    def read(self, name: str) -> bytes: ...

    def close(self) -> None: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.path):
            folders.sort()
            for name in files:
                yield (Path(folder) / name).relative_to(self.path).as_posix()

    def read(self, name: str) -> bytes:
        file, _ = open_regular(self.path / name)
        with file:
            return file.read(MOST_FILE + 1)

    def close(self) -> None: ...


class _Zip:
    def __init__(self, file: BinaryIO) -> None:
        self.archive = zipfile.ZipFile(file)

    def names(self) -> Iterator[str]:
        return (info.filename for info in self.archive.infolist() if not info.is_dir())

    def read(self, name: str) -> bytes:
        with self.archive.open(name) as file:
            return file.read(MOST_FILE + 1)

    def close(self) -> None:
        self.archive.close()


def verify(path: Path) -> tuple[list[str], list[str]]:
    """Check a bundle.

    Parameters
    ----------
    path : Path
        Its folder, or ZIP file.

    Returns
    -------
    good : list of str
        The files that are right: listed with their SHA-256, and with the content that is known of that data set.
    problems : list of str
        A line for every file that is wrong, missing or too many.

    Raises
    ------
    DataError
        If there is no bundle.
    """
    if not path.is_dir():
        file, _ = open_regular(path)
        try:
            place: _Place = _Zip(file)
        except Exception as error:  # zipfile lets a dozen types escape
            file.close()
            raise DataError(f"{shown(path)}: expected a bundle, a folder or a .zip: {shown(error)}") from None
    else:
        place = _Folder(path)
    with closing(place):
        return _check(place, shown(path))


def _check(place: _Place, name: str) -> tuple[list[str], list[str]]:
    there = []
    for one in place.names():
        there.append(one)
        if len(there) > MOST_ENTRIES:
            raise DataError(f"{name}: expected a bundle, it has more than {MOST_ENTRIES:,} files")
    if SUMS not in there:
        raise DataError(f"{name}: expected a bundle made by scratchnet-train data export, there is no {SUMS} in it")
    listed: dict[str, str] = {}
    good, problems = [], []
    for number, line in enumerate(place.read(SUMS).decode(errors="replace").splitlines(), 1):
        digest, _, file = line.partition("  ")
        if len(digest) != 64 or not file:
            problems.append(f"{SUMS}, line {number}: expected a SHA-256 and a file, got {shown(line)[:80]}")
        listed[file] = digest
    known = {f"{dataset.name}/{file.name}.gz": (dataset, file) for dataset in DATASETS for file in dataset.files}
    begun = {file.partition("/")[0] for file in [*listed, *there]}
    wanted = {file for file, (dataset, _) in known.items() if dataset.name in begun}
    if not wanted:
        problems.append(f"holds none of {', '.join(dataset.name for dataset in DATASETS)}")
    for file in sorted({*listed, *wanted, *there} - {SUMS, ""}):
        problem = _problem(place, file, listed.get(file), known.get(file), file in there)
        if problem:
            problems.append(f"{shown(file)}: {problem}")
        else:
            good.append(file)
    return good, problems


def _problem(place: _Place, file: str, digest: str | None, known: Any, there: bool) -> str | None:
    """What is wrong with one file."""
    if not there:
        return "missing"
    if digest is None and known is None:
        return f"extra: it is not in {SUMS}"
    try:
        content = place.read(file)
        if len(content) > MOST_FILE:
            return f"wrong: expected at most {MOST_FILE:,} bytes"
        came = hashlib.sha256(content).hexdigest()
        if digest is None:
            return f"extra: it is not in {SUMS}"
        if came != digest:
            return f"wrong: expected SHA-256 {digest}, got {came}"
        if known is None:
            return "extra: no file of a known data set"
        with suppress(ValueError):
            verified(io.BytesIO(content), len(content), "its content", *known)
            return None
        return "wrong: its content is not that of the data set"
    except Exception as error:  # a damaged ZIP: zipfile lets a dozen types escape
        return f"wrong: cannot be read: {shown(error)}"

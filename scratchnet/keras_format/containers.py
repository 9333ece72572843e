"""The containers of Keras's files: HDF5 by itself, or in the zip archive of a ``.keras`` file."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import refuse_beyond_memory
from ..datasets.files import CHUNK, open_regular, shown
from ..errors import CheckpointError, DataError, ScratchnetError
from ..require import require
from ..safetensors_io import MOST_HEADER, is_safetensors

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_SEAL = b"\nscratchnet sha256 "
_DATE = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes


@dataclass
class Opened:
    """A file of Keras's: its HDF5 tree, the text of config.json if it is an archive, and bytes of HDF5."""

    h5py: Any
    tree: Any
    config: bytes | None
    size: int

    def item(self, path: str, start: Any = None) -> Any:
        """The object at a path, followed link by link; None if there is nothing."""
        found = self.tree if start is None else start
        for name in path.split("/"):
            if not isinstance(found, self.h5py.Group) or name not in found:
                return None
            if not isinstance(found.get(name, getlink=True), self.h5py.HardLink):
                raise CheckpointError(f"{path}: a link out of the tree, which is not followed")
            found = found[name]
        return found

    def content(self, dataset: Any, path: str) -> np.ndarray:
        """The numbers of a dataset; CheckpointError if they lie in another file."""
        if dataset.external or dataset.is_virtual:
            raise CheckpointError(f"{path[:120]}: lies outside of the file, which is not read")
        return np.asarray(dataset[()])


@contextmanager
def opened(path: Any, needed_by: str) -> Iterator[Opened]:
    """Open a file of Keras's for the block, whose errors become one line that names the file.

    Damage to an archive, or to HDF5 of ours, is noticed before HDF5 reads it: zip keeps a CRC-32 of each member,
    and `sealed` adds a SHA-256. HDF5 files of Keras's have no checksum.

    Raises
    ------
    DependencyError
        If h5py is not installed.
    CheckpointError
        If the file cannot be read, is damaged or is not one of Keras's.
    """
    h5py, name = require("h5py", needed_by), shown(path)
    try:
        file, size = open_regular(path)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    with file:
        if is_safetensors(file.read(10)):
            raise CheckpointError(f"{name}: a .safetensors file, not one of Keras's: model.load_weights(path) reads it")
        try:
            content, config = file, None
            if zipfile.is_zipfile(file):
                content, config = _unpacked(file, name)
                size = len(content.getbuffer())
            else:
                _check_seal(file, size)
            content.seek(0)
            with h5py.File(content, "r") as tree:
                yield Opened(h5py, tree, config, size)
        except ScratchnetError as error:
            raise type(error)(f"{name}: {error}") from error
        except Exception as error:  # what HDF5 and a malformed description may lead to
            reason = shown(str(error).partition("\n")[0])[:200]
            raise CheckpointError(f"{name}: damaged, or no file of Keras: {reason}") from error


def _unpacked(file: Any, name: str) -> tuple[Any, bytes | None]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
            if WEIGHTS not in members:
                raise CheckpointError(f"expected {WEIGHTS} in the archive, as Keras 3 writes it")
            if members.count(WEIGHTS) > 1 or members.count(CONFIG) > 1:
                raise CheckpointError("damaged: a member is in the archive twice")
            refuse_beyond_memory(2 * archive.getinfo(WEIGHTS).file_size, name)
            config = _member(archive, CONFIG, MOST_HEADER) if CONFIG in members else None
            return io.BytesIO(_member(archive, WEIGHTS)), config
    except ScratchnetError:
        raise
    except Exception as error:  # zipfile lets a dozen types escape: BadZipFile, zlib.error, LZMAError ...
        raise CheckpointError(f"damaged: the archive cannot be read: {shown(error)[:200]}") from error


def _member(archive: zipfile.ZipFile, name: str, most: int | None = None) -> bytes:
    size = archive.getinfo(name).file_size
    if most is not None and size > most:
        raise CheckpointError(f"{name} has {size:,} bytes, at most {most:,} are read")
    try:
        with archive.open(name) as member:
            content = member.read(size)
            if len(content) != size or member.read(1):
                raise CheckpointError(f"damaged: {name} in the archive is cut short")
            return content
    except ScratchnetError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {shown(error)[:200]}"
        raise CheckpointError(f"damaged: {name} in the archive cannot be read: {what}") from error


def sealed(content: bytes) -> bytes:
    """An HDF5 file with its SHA-256 behind it: HDF5 has no checksum, and ignores what follows its own last byte."""
    return content + _SEAL + hashlib.sha256(content).hexdigest().encode()


def _check_seal(file: Any, size: int) -> None:
    length = len(_SEAL) + 64
    file.seek(max(0, size - length))
    end = file.read(length)
    if not end.startswith(_SEAL):
        return
    file.seek(0)
    found, left = hashlib.sha256(), size - length
    while left and (piece := file.read(min(left, CHUNK))):
        found.update(piece)
        left -= len(piece)
    if found.hexdigest().encode() != end[len(_SEAL) :]:
        raise CheckpointError("damaged: its content does not have the SHA-256 that it was saved with")


def packed(members: Mapping[str, bytes]) -> bytes:
    """A zip archive of these members, stored as they are, as Keras does it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
    return buffer.getvalue()

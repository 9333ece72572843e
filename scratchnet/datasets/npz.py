"""Your own data: a ``.npz`` file with ``x_train``, ``y_train``, ``x_test``, ``y_test``; nothing is trusted.

``np.load(allow_pickle=False)`` evaluates the header as Python, lets ``tokenize.TokenError`` and others
escape, and allocates the memory that a header claims. Here a header is matched against the one form that
NumPy writes, and every size is compared with the file's length before memory is allocated. Nothing is unpickled.
"""

from __future__ import annotations

import io
import math
import os
import re
import zipfile
from typing import Any

import numpy as np

from ..checks import refuse_beyond_memory
from ..errors import DataError
from .files import CHUNK, MOST_DEFLATE, open_regular, shown
from .labels import check_labels
from .sources import Split

KEYS = ("x_train", "y_train", "x_test", "y_test")
_MOST_HEADER = 10_000  # bytes, as NumPy's own limit
_SIZE = r"(?:0|[1-9][0-9]{0,17}+)L?+ *+"
_ITEM = (
    r"(?:'descr' *+: *+'(?P<descr>[<>|=](?:b1|[iu][1248]|f[248]))'"
    r"|'fortran_order' *+: *+(?P<fortran>True|False)"
    rf"|'shape' *+: *+\( *+(?P<shape>|{_SIZE}, *+(?:{_SIZE}, *+)*+(?:{_SIZE})?+)\)) *+"
)
# Possessive quantifiers: whatever the header, matching takes time proportional to its length. A group's
# name may occur in the pattern only once, so the three keys are an alternative that is repeated three times.
_HEADER = re.compile(rf" *+\{{ *+(?:{_ITEM}(?:, *+|(?=\}}))){{3}}+\}}\s*+")


class _Careful(io.BufferedReader):
    """A file of which ``zipfile`` can read at most ``CHUNK`` bytes at once.

    It reads the table of contents in one go and makes an object for each entry: a file that is all table would
    take ten times its size.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            here = self.tell()
            size = self.seek(0, os.SEEK_END) - here
            self.seek(here)
        if size > CHUNK:
            raise DataError(f"its table of contents takes {size:,} bytes, expected {CHUNK:,} at most")
        return super().read(size)


def load_npz(path: str | bytes | os.PathLike[Any]) -> tuple[Split, Split]:
    """Read and check a data set from a file made with ``np.savez`` or ``np.savez_compressed``.

    Parameters
    ----------
    path : path-like
        The file must hold ``x_train`` and ``x_test``, numbers of shape (n, ...) that agree in all but n, and
        ``y_train`` and ``y_test``, class numbers (n,) or (n, 1) from 0 up, or one-hot rows (n, classes).

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        In the types of the file (bool becomes uint8) and the machine's byte order; (n, 1) labels become (n,).

    Raises
    ------
    DataError
        One line: the file, what was expected, what was found. No other exception escapes, whatever the content.
    """
    name = shown(path)
    file, size = open_regular(path)
    try:
        with _Careful(file.detach()) as careful:
            arrays = _read(careful, size, name)
    except DataError as error:
        text = str(error)
        raise DataError(text if text.startswith(name) else f"{name}: {text}") from None
    except MemoryError:
        raise DataError(f"{name}: not enough memory for its content") from None
    except Exception as error:  # zipfile lets a dozen types escape: BadZipFile, RuntimeError, zlib.error ...
        what = f"{type(error).__name__}: {shown(error)}"
        raise DataError(f"{name}: not a .npz file that can be read: {what}") from error
    _check(arrays, name)
    x_train, y_train, x_test, y_test = (arrays[key] for key in KEYS)
    return (x_train, y_train), (x_test, y_test)


def _read(file: io.BufferedReader, size: int, name: str) -> dict[str, np.ndarray]:
    """The four arrays, their sizes checked against the file's before any is read."""
    if size == 0:
        raise DataError("expected a .npz file, this file is empty")
    with zipfile.ZipFile(file) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        missing = [key for key in KEYS if key not in members]
        if missing:
            has = ", ".join(shown(member) for member in list(members)[:10]) or "nothing"
            raise DataError(f"expected {', '.join(KEYS)}; {', '.join(missing)} missing, it has {has}")
        chosen = [members[key] for key in KEYS]
        for key, member in zip(KEYS, chosen, strict=True):
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
                raise DataError(f"{key}: expected an array stored or deflated as NumPy does, not encrypted")
            growth = MOST_DEFLATE if member.compress_type == zipfile.ZIP_DEFLATED else 1
            if member.file_size > member.compress_size * growth:
                held = f"{member.compress_size:,} bytes"
                raise DataError(f"{key}: announces {member.file_size:,} bytes, {held} cannot hold them")
        stored = sum(member.compress_size for member in chosen)
        if stored > size:
            raise DataError(f"its arrays claim {stored:,} bytes, the file has {size:,}")
        refuse_beyond_memory(sum(member.file_size for member in chosen), name)
        return {key: _read_array(archive, member, key) for key, member in zip(KEYS, chosen, strict=True)}


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, key: str) -> np.ndarray:
    with archive.open(member) as stream:
        magic = stream.read(8)
        width = {1: 2, 2: 4, 3: 4}.get(magic[6]) if len(magic) == 8 and magic[:6] == b"\x93NUMPY" else None
        if width is None:
            raise DataError(f"{key}: expected a .npy array, format 1 to 3, it starts with {magic.hex(' ')}")
        length = int.from_bytes(stream.read(width), "little")
        if length > _MOST_HEADER:
            raise DataError(f"{key}: expected a header of at most {_MOST_HEADER:,} bytes, got {length:,}")
        text = stream.read(length).decode("latin-1")
        match = _HEADER.fullmatch(text)
        if match is None or None in match.groups():
            raise DataError(f"{key}: expected an array of numbers, its header says {shown(text[:200])}")
        shape = tuple(int(size.strip(" L")) for size in match["shape"].split(",") if size.strip())
        if len(shape) > 32:
            raise DataError(f"{key}: expected at most 32 axes, its header says {len(shape)}")
        dtype = np.dtype(match["descr"])
        need, held = math.prod(shape) * dtype.itemsize, member.file_size - 8 - width - length
        if need != held:
            raise DataError(f"{key}: {dtype.name} {shape} takes {need:,} bytes, {max(held, 0):,} are there")
        body = bytearray()
        while len(body) < need:
            piece = stream.read(min(CHUNK, need - len(body)))
            if not piece:
                raise DataError(f"{key}: truncated: expected {need:,} bytes, got {len(body):,}")
            body += piece
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if match["fortran"] == "True" else "C")
    if not dtype.isnative:
        array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return np.ascontiguousarray(array.view(np.uint8) if dtype.kind == "b" else array)


def _check(arrays: dict[str, np.ndarray], name: str) -> None:
    """Refuse arrays that no network could be trained on; (n, 1) labels become (n,)."""
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim < 2 or x.size == 0:
            raise DataError(f"{name}: x_{part}: expected samples of shape (n, ...), n > 0, got {x.shape}")
        if y.ndim == 0 or len(y) != len(x):
            got = f"y_{part} {y.shape}, x_{part} {x.shape}"
            raise DataError(f"{name}: expected as many labels as samples, got {got}")
        if x.dtype.kind == "f":
            for start in range(0, len(x), 1024):  # in blocks: the mask of the whole would take more memory
                bad = ~np.isfinite(x[start : start + 1024]).all(axis=tuple(range(1, x.ndim)))
                if bad.any():
                    row = start + int(bad.argmax())
                    raise DataError(f"{name}: x_{part}: expected finite numbers, row {row} has NaN or Inf")
        check_labels(y, f"{name}: y_{part}")
        if y.ndim == 2 and y.shape[1] == 1:
            arrays[f"y_{part}"] = y[:, 0]
    for kind in "xy":
        train, test = arrays[f"{kind}_train"].shape[1:], arrays[f"{kind}_test"].shape[1:]
        if train != test:
            raise DataError(f"{name}: {kind}_train has rows of shape {train}, {kind}_test of shape {test}")

"""The file format of models and checkpoints: safetensors, with a SHA-256 over every byte.

A safetensors file is 8 bytes (the length n of the header, little-endian), n bytes of JSON with the name, dtype, shape
and place of every array, and then the arrays, one after the other. Any safetensors library can read our files. `read`
accepts only files that begin as `write` begins them: then there is a checksum, and a single changed bit is detected.
Files are read here, without the library, because they are hostile until shown otherwise, and because NumPy must do.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .checks import refuse_beyond_memory
from .datasets.files import open_regular, shown, write_atomically
from .errors import CheckpointError, DataError

VERSION = 1
MOST_HEADER = 8 << 20  # bytes; the header of a network of a thousand layers takes one
REFERENCE = "__array__"
"""In the content, ``{"__array__": key}`` stands for the array ``key``; `read` puts the array in its place."""
_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U64": "<u8", "U32": "<u4", "U8": "|u1"}
_BLANK = "0" * 64  # stands in for the checksum while it is computed
_BEGIN = re.compile(rb'\{"__metadata__":\{"format":"scratchnet","version":"([0-9]{1,9})","sha256":"([0-9a-f]{64})",')
_FOREIGN = {
    b"PK\x03\x04": "a zip file; load_model and load_weights read Keras's, by the suffix .keras",
    b"\x89HDF": "an HDF5 file; load_model and load_weights read Keras's, by the suffix .h5",
    b"\x80": "a pickle, which could run anything: it is never opened",
}


class SaveError(CheckpointError):
    """A model or checkpoint cannot be written; the file's previous content is kept."""


class NewerFormatError(CheckpointError):
    """The file was written by a newer version of scratchnet than this one."""


def require_path(path: Any) -> None:
    """Raise SaveError unless this is the path of a file."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise SaveError(f"expected the path of a file to write, got {shown(repr(path))[:80]}")


def is_safetensors(start: bytes) -> bool:
    """Whether a file that begins with these ten bytes is of this format, whichever library wrote it."""
    return start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < 1 << 32


def write(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], content: Any) -> None:
    """Write arrays and a JSON-able ``content``, all or nothing.

    Raises
    ------
    SaveError
        If the file cannot be written.
    CheckpointError
        If an array has a dtype that the format lacks, or the content is not JSON-able or larger than `read` accepts.
    """
    require_path(path)
    name = shown(path)
    codes = {np.dtype(code): key for key, code in _DTYPES.items()}
    entries, pieces, end = {}, [], 0
    # The widest first, so that every array begins at a multiple of its item size.
    for key, array in sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize):
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        if little.dtype not in codes:
            raise CheckpointError(f"{name}: {shown(key)}: arrays of {array.dtype} cannot be saved")
        begin, end = end, end + little.nbytes
        entries[key] = {"dtype": codes[little.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
        pieces.append(little.reshape(-1).view(np.uint8).data)
    try:
        text = json.dumps(content, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{name}: cannot be saved as JSON: {shown(error)}") from error
    metadata = {"format": "scratchnet", "version": str(VERSION), "sha256": _BLANK, "content": text}
    header = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > MOST_HEADER or _swells(text.encode()) or _swells(header):
        raise CheckpointError(
            f"{name}: cannot be saved: description and states take {len(header):,} bytes of JSON, "
            f"at most {MOST_HEADER:,} in not too small pieces: keep long lists as arrays"
        )
    digest = hashlib.sha256(len(header).to_bytes(8, "little") + header)
    for piece in pieces:
        digest.update(piece)
    header = header.replace(_BLANK.encode(), digest.hexdigest().encode(), 1)
    try:
        write_atomically(Path(path), [len(header).to_bytes(8, "little"), header, *pieces])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or shown(error)
        raise SaveError(f"{name}: cannot be written: {reason}") from error


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], Any]:
    """Read a file that `write` wrote: arrays by name, and the content.

    Memory: that of the file, and at most eight times its header.

    Raises
    ------
    CheckpointError
        One line: the file, what was expected, what was found. No other exception escapes, whatever the file holds.
    """
    name = shown(path)
    try:
        return _read(path, name)
    except (CheckpointError, DataError) as error:
        text = str(error)
        kind = NewerFormatError if isinstance(error, NewerFormatError) else CheckpointError
        raise kind(text if text.startswith(name) else f"{name}: {text}") from None
    except MemoryError:
        raise CheckpointError(f"{name}: not enough memory for its content") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"{name}: damaged: {type(error).__name__}: {shown(error)[:200]}") from error


def _read(path: str | os.PathLike[str], name: str) -> tuple[dict[str, np.ndarray], Any]:
    file, size = open_regular(path)
    with file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        for magic, what in _FOREIGN.items():
            if start.startswith(magic) and length > MOST_HEADER:
                raise CheckpointError(f"expected a .safetensors file written by scratchnet, this is {what}")
        if len(start) < 8 or not 2 <= length <= min(MOST_HEADER, size - 8):
            expected = "expected a .safetensors file written by scratchnet"
            raise CheckpointError(f"{expected}, its {size:,} bytes cannot be one or are cut short")
        header = file.read(length)
        found = _BEGIN.match(header)
        if found is None:
            raise CheckpointError("expected a .safetensors file written by scratchnet, this one is not")
        _check_version(int(found[1]))
        entries = parse(header)
        metadata = entries.pop("__metadata__")
        _check_places(entries, size - 8 - length)
        refuse_beyond_memory(size, name)
        data = memoryview(bytearray(size - 8 - length))
        if file.readinto(data) != len(data) or file.read(1):
            raise CheckpointError("changed while it was read")
    at = found.start(2)
    digest = hashlib.sha256(start + header[:at] + _BLANK.encode() + header[at + 64 :])
    digest.update(data)
    if digest.hexdigest().encode() != found[2]:
        raise CheckpointError("damaged: its content does not have the SHA-256 that it was saved with")
    arrays = {}
    for key, entry in entries.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
        arrays[key] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return arrays, parse(metadata["content"].encode(), _resolver(arrays))


def _check_version(version: int) -> None:
    if version > VERSION:
        raise NewerFormatError(
            f"written by a newer scratchnet (file format {version}, this one reads up to {VERSION}): "
            "upgrade with pip install --upgrade scratchnet"
        )
    if version < 1:
        raise CheckpointError(f"unknown file format {version}, expected 1 to {VERSION}")


def _check_places(entries: dict[str, Any], size: int) -> None:
    """The arrays must lie one after the other and fill the file: no overlap, no gap, nothing beyond the end."""
    end = 0
    for key, entry in entries.items():
        if set(entry) != {"dtype", "shape", "data_offsets"} or entry["dtype"] not in _DTYPES:
            raise CheckpointError(f"array {shown(key)[:80]}: its description is not one of an array of numbers")
        shape, places = entry["shape"], entry["data_offsets"]
        if not all(isinstance(given, list) for given in (shape, places)) or len(shape) > 32 or len(places) != 2:
            raise CheckpointError(f"array {shown(key)[:80]}: expected a shape and two offsets")
        if any(type(number) is not int or number < 0 for number in (*shape, *places)):
            raise CheckpointError(f"array {shown(key)[:80]}: expected whole numbers for its shape and place")
        begin, stop = places
        if begin != end or stop - begin != math.prod(shape) * np.dtype(_DTYPES[entry["dtype"]]).itemsize:
            raise CheckpointError(f"array {shown(key)[:80]}: its place in the file does not fit its shape")
        end = stop
    if end != size:
        raise CheckpointError(f"its arrays take {end:,} bytes, the file has {size:,} for them")


def _swells(text: bytes) -> bool:
    """Whether JSON would take more than about eight times its length as objects (``[[],[],[], ...``)."""
    need = 250 * (text.count(b"{") + text.count(b"[")) + 40 * text.count(b",")
    return need > 8 * len(text) + (1 << 20)


def parse(text: bytes, make: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Parse JSON in which no name occurs twice; ``make`` may turn a dict into something else."""
    if _swells(text):
        raise CheckpointError(f"its description of {len(text):,} bytes would take many times that as objects")

    def pairs(items: list[tuple[str, Any]]) -> Any:
        made = dict(items)
        if len(made) != len(items):
            raise CheckpointError("damaged: a name is there twice")
        return make(made) if make else made

    return json.loads(text.decode("utf-8"), object_pairs_hook=pairs)


def _resolver(arrays: dict[str, np.ndarray]) -> Callable[[dict[str, Any]], Any]:
    def make(made: dict[str, Any]) -> Any:
        return arrays[made[REFERENCE]] if set(made) == {REFERENCE} else made

    return make

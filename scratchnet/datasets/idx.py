"""The IDX format of MNIST and its successors, plain or gzip-compressed; nothing in the file is trusted.

Layout (big-endian throughout; Y. LeCun's description): two zero bytes, a type code, the number of dimensions,
one uint32 per dimension, then the elements, last axis fastest.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from typing import Any, BinaryIO, Protocol

import numpy as np

from ..checks import refuse_beyond_memory
from ..errors import DataError
from .files import CHUNK, MOST_DEFLATE, open_regular, shown

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 64  # NumPy's limit


class _Source(Protocol):
    most: int  # upper bound on the number of bytes

    def read(self, count: int) -> bytes: ...

    def check_end(self) -> None: ...


class _Plain:
    """The bytes of a plain file."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file, self._name, self.most = file, name, size

    def read(self, count: int) -> bytes:
        return self._file.read(count)

    def check_end(self) -> None:
        if self._file.read(1):
            raise DataError(f"{self._name}: expected its end after the last element, more bytes follow")


class _Gunzip:
    """The decompressed bytes of one gzip stream, never more at a time than asked for.

    ``gzip.GzipFile`` reads a header's file name byte by byte, and any number of empty streams: a crafted file
    keeps it busy for minutes.
    """

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file, self._name, self.most = file, name, size * MOST_DEFLATE
        self._inflate = zlib.decompressobj(wbits=31)  # gzip, with its CRC and length checked

    def read(self, count: int) -> bytes:
        out = b""
        while len(out) < count and not self._inflate.eof:
            data = self._inflate.unconsumed_tail or self._file.read(CHUNK)
            try:
                piece = self._inflate.decompress(data, count - len(out))
            except zlib.error as error:
                raise DataError(f"{self._name}: damaged gzip data: {shown(error)}") from error
            if not data and not piece:
                raise DataError(f"{self._name}: truncated: the gzip data stop before their end")
            out += piece
        return out

    def check_end(self) -> None:
        if self.read(1):
            raise DataError(f"{self._name}: expected its end after the last element, more bytes follow")
        if self._inflate.unused_data or self._file.read(1):
            raise DataError(f"{self._name}: expected its end after the gzip data, more bytes follow")


def _read_header(source: _Source, name: str) -> tuple[bytes, np.dtype[Any], tuple[int, ...]]:
    """The header's bytes, and the type and shape that they promise."""
    magic = source.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        expected = "expected 00 00, a type code (08 09 0b 0c 0d 0e) and the number of dimensions"
        raise DataError(f"{name}: not an IDX file: {expected}, got {magic.hex(' ') or 'nothing'}")
    count = magic[3]
    if not 1 <= count <= MOST_DIMENSIONS:
        raise DataError(f"{name}: expected 1 to {MOST_DIMENSIONS} dimensions in the IDX header, got {count}")
    sizes = source.read(4 * count)
    if len(sizes) < 4 * count:
        raise DataError(f"{name}: truncated: expected {4 + 4 * count} bytes of header, got {4 + len(sizes)}")
    return magic + sizes, np.dtype(TYPES[magic[2]]), struct.unpack(f">{count}I", sizes)


def decode(
    file: BinaryIO, size: int, name: str, *, shape: tuple[int, ...] | None = None, digest: Any = None
) -> np.ndarray:
    """Read an open IDX file of ``size`` bytes, plain or gzip-compressed.

    Parameters
    ----------
    file : binary file
        Positioned at its start; seekable.
    size : int
        Its length in bytes, against which the header is checked before any memory is allocated.
    name : str
        Its name in error messages.
    shape : tuple of int, optional
        The only shape to accept (uint8); any other is refused before its elements are read.
    digest : hashlib object, optional
        Fed with the decompressed bytes.

    Returns
    -------
    ndarray
        Writable, C-contiguous, in the machine's byte order.

    Raises
    ------
    DataError
        Whatever is wrong with the content, in one line. No other exception escapes.
    """
    try:
        if size == 0:
            raise DataError(f"{name}: expected an IDX file, this file is empty")
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        source: _Source = (_Gunzip if compressed else _Plain)(file, size, name)
        header, dtype, promised = _read_header(source, name)
        what = f"{dtype.newbyteorder('=').name} {promised}"
        if shape is not None and (dtype.itemsize != 1 or dtype.kind != "u" or promised != shape):
            raise DataError(f"{name}: expected uint8 {shape}, the IDX header says {what}")
        need = math.prod(promised) * dtype.itemsize
        most = source.most - len(header)
        if need > most or (not compressed and need != most):
            held = f"at most {most:,}" if compressed else f"{most:,}"
            raise DataError(f"{name}: the IDX header promises {need:,} bytes ({what}), the file holds {held}")
        refuse_beyond_memory(need, name)
        body = bytearray()  # grows with the data that actually arrive, not with the header's claim
        while len(body) < need:
            piece = source.read(min(CHUNK, need - len(body)))
            if not piece:
                raise DataError(f"{name}: truncated: expected {need:,} bytes ({what}), got {len(body):,}")
            body += piece
        source.check_end()
        if digest is not None:
            digest.update(header)
            digest.update(body)
        array = np.frombuffer(body, dtype).reshape(promised)
        if not array.dtype.isnative:
            array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
        return array
    except MemoryError:
        raise DataError(f"{name}: not enough memory for its content") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or shown(error)}") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: a shape that NumPy cannot hold: {shown(error)}") from error


def read_idx(path: str | bytes | os.PathLike[Any]) -> np.ndarray:
    """Read an IDX file, plain or gzip-compressed, of any of the format's types.

    Magic number, number of dimensions and sizes are checked against the file's length before memory is allocated:
    a header that claims 2^40 elements, a gzip bomb, a truncated file or one with extra bytes costs nothing.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ndarray
        uint8, int8, int16, int32, float32 or float64, in the machine's byte order; at most 64 dimensions.

    Raises
    ------
    DataError
        One line: the file, what was expected, what was found. No other exception escapes, whatever the content.
    """
    file, size = open_regular(path)
    with file:
        return decode(file, size, shown(path))

"""Careful handling of files: opening, naming, locking, and writing without ever leaving half a file."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from ..errors import DataError

CHUNK = 1 << 20
MOST_DEFLATE = 1032
"""No deflate stream grows by more than this factor (zlib's technical notes: 1032 to 1)."""


def shown(thing: Any) -> str:
    """``thing`` as text that fits on one line: control characters and undecodable bytes are escaped."""
    text = os.fsdecode(thing) if isinstance(thing, bytes | os.PathLike) else str(thing)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def open_regular(path: str | bytes | os.PathLike[Any]) -> tuple[BufferedReader, int]:
    """Open a regular file for reading; returns it with its size in bytes.

    Raises
    ------
    DataError
        If it is missing, a folder, a pipe or device (which could block forever), or not readable.
    """
    try:
        kind = os.stat(os.fspath(path)).st_mode
        if stat.S_ISDIR(kind):
            raise DataError(f"{shown(path)}: expected a file, this is a folder")
        if not stat.S_ISREG(kind):
            raise DataError(f"{shown(path)}: expected a regular file, this is a pipe, socket or device")
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
        return file, os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise DataError(f"{shown(path)}: no such file") from None
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {error.strerror or shown(error)}") from error
    except (TypeError, ValueError) as error:  # not a path at all, or one with a NUL in it
        if isinstance(error, DataError):
            raise
        raise DataError(f"expected the path of a file, got {shown(repr(path))}") from error


def write_atomically(path: Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write ``data``, or its pieces, so that ``path`` holds either all of it or its previous content, whatever happens.

    A temporary name in the same folder, flush and fsync, rename, fsync of the folder. Raises ``OSError``.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            for piece in [data] if isinstance(data, bytes) else data:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove leftovers of processes that were killed while writing files of this name. Raises ``OSError``."""
    for part in folder.glob(f"{name}.*-*.part"):
        process = re.fullmatch(r".*\.([0-9]{1,9})-[0-9a-f]{8}\.part", part.name, re.DOTALL)
        if process and not _runs(int(process[1])):
            part.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether another process with this number is running; this one is not writing now."""
    if process == os.getpid():
        return False
    if os.name != "posix":  # elsewhere signal 0 does not ask but kills
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _try_lock(descriptor: int) -> bool:
    """Take the lock at once or return False; other ``OSError``s mean that this disk has no locks."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def locked(folder: Path, what: str) -> Iterator[bool]:
    """Hold ``folder``'s lock: one process (or thread) at a time; the system frees it when its holder dies.

    Yields True while the lock is held, False if locking is unavailable (a read-only or exotic disk): the work is
    still right then, since every write is atomic, and at worst done twice.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield False
        return
    try:
        held, waiting = True, False
        try:
            while not _try_lock(descriptor):
                if not waiting:
                    print(f"Waiting for another process that fetches {what}", file=sys.stderr, flush=True)
                    waiting = True
                time.sleep(0.05)
        except (OSError, ImportError):
            held = False
        yield held
    finally:
        os.close(descriptor)  # frees the lock

"""Where Numba keeps compiled code: a folder for these sources and this Numba, shared by any number of processes."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MONTH = 30 * 86_400  # in seconds
ROOM = 2**24  # bytes: enough for the kernels of one dtype and then some
_caching = threading.RLock()
_MARK = uuid.uuid4().hex[:8]
_kept_in: Path | None = None


def kernel_folder(cache_folder: Path) -> Path | None:
    """The folder for the kernels; None if it cannot be written or its disk is full: they are then compiled but not
    kept.
    """
    import numba

    global _kept_in
    folder = cache_folder / f"numba-{numba.__version__}-{_sources_digest()}"
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _clear_away(cache_folder)
        _kept_in = folder if _has_room(folder) else None
    except OSError:
        _kept_in = None
    return _kept_in


def _clear_away(cache_folder: Path) -> None:
    """Delete folders of other versions of the kernels (about 12 MB each) that have not been used for a month."""
    with suppress(OSError):
        for old in cache_folder.glob("numba-*"):
            times = [file.stat() for file in old.rglob("*") if file.is_file()]
            if times and max(max(one.st_atime, one.st_mtime) for one in times) < time.time() - MONTH:
                shutil.rmtree(old, ignore_errors=True)


def kept() -> bool:
    """Whether what one process compiles is kept for the next."""
    return _kept_in is not None


def _sources_digest() -> str:
    """A digest of all kernel sources: Numba's own cache does not notice a change in a helper of another file."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _has_room(folder: Path) -> bool:
    """Whether kernels can be kept here: Numba would end the program at the first one that it fails to write."""
    if not os.access(folder, os.W_OK):
        return False
    if hasattr(os, "posix_fallocate"):  # writes nothing, and respects quotas
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)
    return True


@contextmanager
def caching_in(folder: Path | None) -> Iterator[None]:
    """Within the block Numba keeps compiled code in this folder. Threads take turns: Numba's folder is one setting for
    the whole process, and when one thread restored it, another's kernels were cached in the working directory.
    """
    from numba import config
    from numba.core import caching

    with _caching:
        previous, config.CACHE_DIR = config.CACHE_DIR, str(folder or "")
        files, caching.IndexDataCacheFile = caching.IndexDataCacheFile, _own_files()
        try:
            yield
        finally:
            config.CACHE_DIR, caching.IndexDataCacheFile = previous, files


@functools.cache
def _own_files() -> Any:
    """Numba's cache of one function, in files that no other process writes.

    Numba numbers its files. Two processes that compile a function at the same time, for float32 and for float64, both
    take the next number, and one type later reads the other's code.
    """
    from numba.core.caching import IndexDataCacheFile

    class OwnFiles(IndexDataCacheFile):
        def _data_name(self, number: int) -> str:
            return f"{_MARK}.{os.getpid()}.{super()._data_name(number)}"

    return OwnFiles

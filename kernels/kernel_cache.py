"""Where Numba keeps compiled code: a folder for these sources and this Numba, shared by any number of processes."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
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
    """Numba's cache of one function, in files that no other process writes, and that are read only if they are whole.

    Numba numbers its files. Two processes that compile a function at the same time, for float32 and for float64, both
    take the next number, and one type later reads the other's code. And it trusts them: a bit that has changed in a
    file of machine code ends the program, if nothing worse. So each file begins with the digest of the rest.
    """
    from numba.core.caching import IndexDataCacheFile

    class OwnFiles(IndexDataCacheFile):
        def _data_name(self, number: int) -> str:
            return f"{_MARK}.{os.getpid()}.{super()._data_name(number)}"

        def save(self, key: Any, data: Any) -> None:
            with suppress(OSError):  # a disk that is full by now: the kernel is compiled, and not kept
                super().save(key, data)

        def _load_index(self) -> dict[Any, str]:
            kept = self._read(self._index_path)
            return dict(kept[1]) if kept is not None and kept[0] == self._source_stamp else {}

        def _save_index(self, overloads: dict[Any, str]) -> None:
            self._write(self._index_path, (self._source_stamp, overloads))

        def _load_data(self, name: str) -> Any:
            return self._read(self._data_path(name))

        def _save_data(self, name: str, data: Any) -> None:
            self._write(self._data_path(name), data)

        def _write(self, path: str, what: Any) -> None:
            content = self._dump(what)
            with self._open_for_write(path) as file:
                file.write(hashlib.sha256(content).digest() + content)

        def _read(self, path: str) -> Any:
            """What `_write` has written; None if there is no such file, or if it is damaged."""
            try:
                content = Path(path).read_bytes()
            except OSError:
                return None
            whole = hashlib.sha256(content[32:]).digest() == content[:32]
            return pickle.loads(content[32:]) if whole else None

    return OwnFiles

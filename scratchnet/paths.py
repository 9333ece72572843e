"""Where scratchnet keeps things between runs."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder for scratchnet: compiled kernels and downloaded data.

    ``SCRATCHNET_CACHE`` names it; otherwise it is ``scratchnet`` below ``XDG_CACHE_HOME`` or ``~/.cache``.
    """
    chosen = os.environ.get("SCRATCHNET_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "scratchnet"
    except RuntimeError:  # no home folder is known
        return _private_folder()


@functools.cache
def _private_folder() -> Path:
    # A guessable name would let others plant compiled kernels there.
    return Path(tempfile.mkdtemp(prefix="scratchnet-"))

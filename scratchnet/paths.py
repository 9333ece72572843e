"""Where scratchnet keeps things between runs."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from .errors import ConfigError


def cache_dir() -> Path:
    """The user's cache folder for scratchnet: compiled kernels and downloaded data.

    ``SCRATCHNET_CACHE`` names it; otherwise it is ``scratchnet`` below ``XDG_CACHE_HOME`` or ``~/.cache``.

    Raises
    ------
    ConfigError
        If ``SCRATCHNET_CACHE`` begins with the home folder of a user who has none.
    """
    chosen = os.environ.get("SCRATCHNET_CACHE")
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError:
            home = Path(chosen).parts[0]
            raise ConfigError(f"SCRATCHNET_CACHE: expected a folder, got {chosen!r}: there is no {home}") from None
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "scratchnet"
    except RuntimeError:  # no home folder is known
        return _private_folder()


@functools.cache
def _private_folder() -> Path:
    # A guessable name would let others plant compiled kernels there.
    return Path(tempfile.mkdtemp(prefix="scratchnet-"))

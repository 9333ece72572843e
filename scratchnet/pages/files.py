"""Writing a page: all of it or nothing, and never over a file that is not one of our pages."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..datasets.files import shown, write_atomically
from ..errors import ConfigError
from ..run_folder import FolderError
from .rendering import GENERATOR

MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()
HEAD = 1000  # bytes within which our pages have MARK
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)  # errors that are not about the place


def check_place(path: Path) -> None:
    """Refuse a place where a page cannot be written, before there is anything to lose.

    Raises
    ------
    ConfigError
        If it is a folder, or a file that is not a page of scratchnet, or in a folder that cannot be written.
    """
    if path.is_dir():
        raise ConfigError(f"--out {shown(path)}: expected the name of a file, this is a folder")
    try:
        if path.exists():
            with open(path, "rb") as file:
                if MARK not in file.read(HEAD):
                    raise ConfigError(f"--out {shown(path)}: holds something else: choose another name")
    except OSError as error:
        raise ConfigError(f"--out {shown(path)}: cannot be written: {error.strerror}") from None
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"--out {shown(path)}: cannot be written: no permission to write into {shown(parent)}")


def write(path: Path, page: str) -> None:
    """Write a page, with the folders that it needs.

    Raises
    ------
    ConfigError
        If it cannot be written there.
    FolderError
        If the disk is full or fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page.encode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or shown(error)
        kind = FolderError if getattr(error, "errno", None) in FULL else ConfigError
        raise kind(f"{shown(path)}: cannot be written: {reason}") from None

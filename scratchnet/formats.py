"""Which format a model's file has: its suffix says so. Without one of Keras's, it is ours, safetensors."""

from __future__ import annotations

import os
from typing import Any

from .datasets.files import open_regular, shown
from .errors import DataError
from .require import require
from .safetensors_io import SaveError, is_safetensors, require_path

MODEL, WEIGHTS = ".keras", ".weights.h5"
"""What Keras 3 saves a model, and weights, as."""
_KERAS = (MODEL, ".h5", ".hdf5")


def writes_keras(path: Any, weights: bool) -> bool:
    """Whether a file of this name is to be one of Keras's.

    Raises
    ------
    SaveError
        If this is no path, or one with a suffix under which Keras 3 saves something else, or nothing.
    DependencyError
        If it is to be one, and h5py is not installed.
    """
    require_path(path)
    name = str(os.fspath(path)).lower()
    if not name.endswith(_KERAS):
        return False
    if not name.endswith(WEIGHTS if weights else MODEL):
        what, suffix = ("weights", WEIGHTS) if weights else ("a model", MODEL)
        raise SaveError(f"{shown(path)}: {what} can be saved as {suffix}, for Keras, or as .safetensors")
    require("h5py", f"to save as {WEIGHTS if weights else MODEL}, scratchnet")
    return True


def reads_keras(path: Any) -> bool:
    """Whether a file is one of Keras's: it has a suffix of theirs, and does not begin as safetensors does."""
    if not isinstance(path, str | os.PathLike) or not str(os.fspath(path)).lower().endswith(_KERAS):
        return False
    try:
        file, _ = open_regular(path)
    except DataError:
        return True  # the reader says what is wrong
    with file:
        return not is_safetensors(file.read(10))

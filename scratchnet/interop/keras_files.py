"""Keras 3's weight files: HDF5, by itself or inside the zip archive of a ``.keras`` file."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..datasets.files import open_regular, refuse_beyond_memory, shown
from ..errors import CheckpointError, DataError, ScratchnetError, ShapeError
from ..layers.base import Layer
from ..layers.stack import Stack
from .require import require

MEMBER = "model.weights.h5"


def read_weights(path: str | os.PathLike[str], model: Stack) -> list[np.ndarray]:
    """The weights in a file in the order of ``model.get_weights()``, each of the shape that the model has.

    Groups are found by Keras's rule: the class's name in snake case, numbered in the order of the layers. Links out of
    the file, and arrays that lie elsewhere, are refused; an array's shape is compared before memory is taken for it.
    """
    h5py, name = require("h5py", "interop.keras.load_weights"), shown(path)
    try:
        file, _ = open_regular(path)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    with file:
        try:
            content = _unpacked(file, name) if zipfile.is_zipfile(file) else file
            content.seek(0)
            with h5py.File(content, "r") as tree:
                used: set[str] = set()
                arrays = list(_stack(h5py, tree, "", model, used))
                _nothing_left(h5py, tree, "", used)
                return arrays
        except ScratchnetError as error:
            raise type(error)(f"{name}: {error}") from error
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, zipfile.BadZipFile, EOFError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise CheckpointError(f"{name}: damaged, or no weight file of Keras 3: {reason}") from error


def _unpacked(file: Any, name: str) -> Any:
    with zipfile.ZipFile(file) as archive:
        if MEMBER not in archive.namelist():
            raise CheckpointError(f"expected {MEMBER} in the archive, as Keras 3 writes it")
        size = archive.getinfo(MEMBER).file_size
        refuse_beyond_memory(2 * size, name)
        with archive.open(MEMBER) as member:
            return io.BytesIO(member.read(size))


def _stack(h5py: Any, tree: Any, path: str, stack: Stack, used: set[str]) -> Iterator[np.ndarray]:
    counts: Counter[str] = Counter()
    for layer in stack.layers:
        words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", type(layer).__name__))
        snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
        group = f"{path}layers/{snake}" + (f"_{counts[snake]}" if counts[snake] else "")
        counts[snake] += 1
        if isinstance(layer, Stack):
            yield from _stack(h5py, tree, f"{group}/", layer, used)
        elif any(inner.params or inner.state for inner in layer.sublayers()):
            raise CheckpointError(f"layer {layer.name!r}: Keras has no {type(layer).__name__}")
        else:
            yield from _layer(h5py, tree, f"{group}/vars", layer, used)


def _layer(h5py: Any, tree: Any, path: str, layer: Layer, used: set[str]) -> Iterator[np.ndarray]:
    arrays = {**layer.params, **layer.state}
    for index, (key, array) in enumerate(arrays.items()):
        found = _item(h5py, tree, f"{path}/{index}")
        if not isinstance(found, h5py.Dataset):
            raise ShapeError(f"layer {layer.name!r}: expected its {key} at {path}/{index}, which is not there")
        if found.external or found.is_virtual:
            raise CheckpointError(f"{path}/{index}: lies outside of the file, which is not read")
        if found.shape != array.shape or found.dtype.kind != "f":
            got = f"{found.shape} {found.dtype}"
            raise ShapeError(f"layer {layer.name!r}: {key}: expected shape {array.shape}, got {got}")
        used.add(f"{path}/{index}")
        yield np.asarray(found[()])


def _item(h5py: Any, tree: Any, path: str) -> Any:
    """What lies at a path, followed link by link; None where there is nothing."""
    for part in path.split("/"):
        if not isinstance(tree, h5py.Group) or part not in tree:
            return None
        if not isinstance(tree.get(part, getlink=True), h5py.HardLink):
            raise CheckpointError(f"{path}: a link out of the tree, which is not followed")
        tree = tree[part]
    return tree


def _nothing_left(h5py: Any, tree: Any, path: str, used: set[str], depth: int = 0) -> None:
    """Refuse a file that holds weights of layers that the model does not have."""
    for part in tree:
        place = f"{path}{part}"
        if place in ("optimizer", "_layer_checkpoint_dependencies") or part == "seed_generator" or depth > 64:
            continue
        found = _item(h5py, tree, part)
        if isinstance(found, h5py.Group):
            _nothing_left(h5py, found, f"{place}/", used, depth + 1)
        elif place not in used:
            raise ShapeError(f"the model has no layer for the file's {place[:120]}")

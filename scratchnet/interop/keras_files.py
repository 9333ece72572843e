"""Keras's weight files: HDF5, by itself or inside the zip archive of a ``.keras`` file; and those of Keras 2."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..checks import refuse_beyond_memory
from ..datasets.files import open_regular, shown
from ..errors import CheckpointError, DataError, ScratchnetError, ShapeError
from ..layers.base import Layer
from ..layers.stack import Stack
from ..safetensors_io import is_safetensors
from .require import require

MEMBER = "model.weights.h5"


def read_weights(path: str | os.PathLike[str], model: Stack) -> list[np.ndarray]:
    """The weights in a file in the order of ``model.get_weights()``, each of the shape that the model has.

    Groups are found by Keras 3's rule: the class's name in snake case, numbered in the order of the layers; or as Keras
    2 lists them. Links out of the file, and arrays stored elsewhere, are refused; an array's shape is compared before
    memory is allocated for it.
    """
    h5py, name = require("h5py", "interop.keras.load_weights"), shown(path)
    try:
        file, _ = open_regular(path)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    with file:
        if is_safetensors(file.read(10)):
            raise CheckpointError(f"{name}: a .safetensors file, not one of Keras's: model.load_weights(path) reads it")
        try:
            content = _unpacked(file, name) if zipfile.is_zipfile(file) else file
            content.seek(0)
            with h5py.File(content, "r") as tree:
                old = _item(h5py, tree, "model_weights") or tree
                if "layer_names" in old.attrs:
                    return list(_legacy(h5py, old, model))
                used: set[str] = set()
                arrays = list(_stack(h5py, tree, "", model, used))
                _nothing_left(h5py, tree, "", used)
                return arrays
        except ScratchnetError as error:
            raise type(error)(f"{name}: {error}") from error
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise CheckpointError(f"{name}: damaged, or no weight file of Keras: {reason}") from error


def _unpacked(file: Any, name: str) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            if MEMBER not in archive.namelist():
                raise CheckpointError(f"expected {MEMBER} in the archive, as Keras 3 writes it")
            size = archive.getinfo(MEMBER).file_size
            refuse_beyond_memory(2 * size, name)
            with archive.open(MEMBER) as member:
                return io.BytesIO(member.read(size))
    except ScratchnetError:
        raise
    except Exception as error:  # zipfile lets a dozen types escape: BadZipFile, zlib.error, LZMAError ...
        what = f"{type(error).__name__}: {shown(error)[:200]}"
        raise CheckpointError(f"damaged: {MEMBER} in the archive cannot be read: {what}") from error


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
        used.add(f"{path}/{index}")
        yield _array(h5py, tree, f"{path}/{index}", layer, key, array.shape)


def _array(h5py: Any, tree: Any, path: str, layer: Layer, key: str, shape: tuple[int, ...]) -> np.ndarray:
    found = _item(h5py, tree, path)
    if not isinstance(found, h5py.Dataset):
        raise ShapeError(f"layer {layer.name!r}: expected its {key} at {path[:120]}, which is not there")
    if found.external or found.is_virtual:
        raise CheckpointError(f"{path[:120]}: lies outside of the file, which is not read")
    if found.shape != shape or found.dtype.kind != "f":
        raise ShapeError(f"layer {layer.name!r}: {key}: expected shape {shape}, got {found.shape} {found.dtype}")
    return np.asarray(found[()])


def _legacy(h5py: Any, tree: Any, model: Stack) -> Iterator[np.ndarray]:
    """The weights in a file of Keras 2: a group for each layer, and in it what its attribute ``weight_names`` lists."""
    groups = [(name, _item(h5py, tree, name)) for name in _names(tree, "layer_names")]
    saved = [(name, group, _names(group, "weight_names")) for name, group in groups if group is not None]
    saved = [(name, group, names) for name, group, names in saved if names]
    layers = [layer for layer in model.layers if layer.weights]
    if len(saved) != len(layers):
        raise ShapeError(f"expected {len(layers)} layers with weights, the file, one of Keras 2, has {len(saved)}")
    for layer, (name, group, paths) in zip(layers, saved, strict=True):
        if not isinstance(layer, Stack) and any(inner.weights for inner in layer.sublayers()):
            raise CheckpointError(f"layer {layer.name!r}: Keras has no {type(layer).__name__}")
        # All trained weights come before all others, in a nested model, too.
        inside = layer.walk()
        targets = [(inner, key, a) for inner in inside for key, a in inner.params.items()]
        targets += [(inner, key, a) for inner in inside for key, a in inner.state.items()]
        if len(paths) != len(targets):
            got = f"the file's {name[:80]} has {len(paths)}"
            raise ShapeError(f"layer {layer.name!r}: expected {len(targets)} weights, {got}")
        found = {
            (inner, key): _array(h5py, group, path, inner, key, array.shape)
            for (inner, key, array), path in zip(targets, paths, strict=True)
        }
        yield from (found[inner, key] for inner in inside for key in (*inner.params, *inner.state))


def _names(group: Any, attribute: str) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def _item(h5py: Any, tree: Any, path: str) -> Any:
    """The object at a path, followed link by link; None if there is nothing."""
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

"""The weights of a model in Keras's files: where each array lies, in those of Keras 3 and of Keras 2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backend import to_numpy
from ..checks import snake_case
from ..errors import CheckpointError, ShapeError
from ..layers.base import Layer
from ..layers.stack import Stack
from .containers import Opened, opened
from .parts import FUNCTIONS, keras_class


def read_weights(path: Any, model: Stack, needed_by: str) -> list[np.ndarray]:
    """The weights in a file in the order of ``model.get_weights()``, each of the shape that the model has.

    Raises
    ------
    DependencyError
        If h5py is not installed.
    ShapeError
        If they do not fit, naming the first that does not.
    CheckpointError
        If the file is damaged or not one of Keras's.
    """
    with opened(path, needed_by) as file:
        return weights_in(file, model)


def weights_in(file: Opened, model: Stack) -> list[np.ndarray]:
    """`read_weights` of an open file.

    Groups are found by Keras 3's rule: the class's name in snake case, numbered in the order of the layers; or as Keras
    2 lists them. Links out of the file, and arrays stored elsewhere, are refused; an array's shape is compared before
    memory is allocated for it.
    """
    old = file.item("model_weights") or file.tree
    if "layer_names" in old.attrs:
        return list(_legacy(file, old, model))
    used: set[str] = set()
    arrays = []
    for group, layer in groups(model):
        for index, (key, array) in enumerate({**layer.params, **layer.state}.items()):
            place = f"{group}/{index}"
            used.add(place)
            arrays.append(_array(file, file.tree, place, layer, key, array.shape))
    _nothing_left(file, file.tree, "", used)
    return arrays


def write_weights(tree: Any, model: Stack) -> None:
    """Put the weights of a model into an HDF5 tree as Keras 3 does; ConfigError for a layer that Keras lacks."""
    tree.create_group("vars").attrs["name"] = model.name
    for group, layer in groups(model):
        keras_class(layer)
        place = tree.create_group(group)
        place.attrs["name"] = layer.name
        for index, array in enumerate([*layer.params.values(), *layer.state.values()]):
            place[str(index)] = to_numpy(array)


def groups(stack: Stack, path: str = "") -> Iterator[tuple[str, Layer]]:
    """The group of each layer's arrays in a file of Keras 3, with the layer; a model's, before those inside it.

    A layer of a class that Keras does not have has the group that a class of this name would have there.

    Raises
    ------
    CheckpointError
        For a layer whose weights are in layers inside it, such as a `Residual`: Keras has none.
    """
    counts: Counter[str] = Counter()
    for layer in stack.layers:
        snake = snake_case("Activation" if type(layer).__name__ in FUNCTIONS else type(layer).__name__)
        group = f"{path}layers/{snake}" + (f"_{counts[snake]}" if counts[snake] else "")
        counts[snake] += 1
        yield f"{group}/vars", layer
        if isinstance(layer, Stack):
            yield from groups(layer, f"{group}/")
        elif any(inner.params or inner.state for inner in layer.sublayers()):
            raise CheckpointError(f"layer {layer.name!r}: Keras has no {type(layer).__name__} with weights inside")


def _array(file: Opened, tree: Any, path: str, layer: Layer, key: str, shape: tuple[int, ...]) -> np.ndarray:
    found = file.item(path, tree)
    if not isinstance(found, file.h5py.Dataset):
        raise ShapeError(f"layer {layer.name!r}: expected its {key} at {path[:120]}, which is not there")
    kinds = "fi" if key == "count" else "f"  # a Normalization's number of batches, which Keras does not use any more
    if found.shape != shape or found.dtype.kind not in kinds:
        raise ShapeError(f"layer {layer.name!r}: {key}: expected shape {shape}, got {found.shape} {found.dtype}")
    return file.content(found, path)


def _legacy(file: Opened, tree: Any, model: Stack) -> Iterator[np.ndarray]:
    """The weights in a file of Keras 2: a group for each layer, and in it what its attribute ``weight_names`` lists."""
    groups = [(name, file.item(name, tree)) for name in _names(tree, "layer_names")]
    saved = [(name, group, _names(group, "weight_names")) for name, group in groups if group is not None]
    saved = [(name, group, names) for name, group, names in saved if names]
    layers = [layer for layer in model.layers if layer.weights]
    if len(saved) != len(layers):
        raise ShapeError(f"expected {len(layers)} layers with weights, the file, one of Keras 2, has {len(saved)}")
    for layer, (name, group, paths) in zip(layers, saved, strict=True):
        if not isinstance(layer, Stack) and any(inner.weights for inner in layer.sublayers()):
            raise CheckpointError(f"layer {layer.name!r}: Keras has no {type(layer).__name__}")
        # All trained weights come before all others, in a nested model, too.
        inside, trained = layer.walk(), {id(one) for one in layer.trained()}
        targets = [(inner, key, a) for inner in inside if id(inner) in trained for key, a in inner.params.items()]
        for inner in inside:
            others = inner.state if id(inner) in trained else {**inner.params, **inner.state}
            targets += [(inner, key, a) for key, a in others.items()]
        if len(paths) != len(targets):
            got = f"the file's {name[:80]} has {len(paths)}"
            raise ShapeError(f"layer {layer.name!r}: expected {len(targets)} weights, {got}")
        found = {
            (inner, key): _array(file, group, path, inner, key, array.shape)
            for (inner, key, array), path in zip(targets, paths, strict=True)
        }
        yield from (found[inner, key] for inner in inside for key in (*inner.params, *inner.state))


def _names(group: Any, attribute: str) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def _nothing_left(file: Opened, tree: Any, path: str, used: set[str], depth: int = 0) -> None:
    """Refuse a file that holds weights of layers that the model does not have."""
    for part in tree:
        place = f"{path}{part}"
        if place in ("optimizer", "_layer_checkpoint_dependencies") or part == "seed_generator" or depth > 64:
            continue
        found = file.item(part, tree)
        if isinstance(found, file.h5py.Group):
            _nothing_left(file, found, f"{place}/", used, depth + 1)
        elif place not in used:
            raise ShapeError(f"the model has no layer for the file's {place[:120]}")

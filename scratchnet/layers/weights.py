"""Getting and setting the weights of a layer, in Keras's order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..backend import array_module, to_numpy
from ..errors import ShapeError
from ..host_arrays import numbers


def require_built(layer: Any) -> None:
    """Raise ShapeError unless the layer is built."""
    if not layer.built:
        label = layer.name or type(layer).__name__
        raise ShapeError(f"layer {label!r} is not built: call build(input_shape, rng) first")


def places(layer: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """``(label, dict, key)`` of each weight: layer by layer, parameters, then state."""
    for inner in layer.walk():
        for where in (inner.params, inner.state):
            for key in where:
                yield f"{inner.name or type(inner).__name__}/{key}", where, key


def copies(layer: Any) -> list[np.ndarray]:
    """The weights as new NumPy arrays."""
    return [np.array(to_numpy(where[key])) for _, where, key in places(layer)]


def put(layer: Any, arrays: Any) -> None:
    """Copy arrays into the weights: all of them or, with a ShapeError or DataError, none."""
    require_built(layer)
    targets = list(places(layer))
    several = isinstance(arrays, Iterable) and not isinstance(arrays, str | bytes) and getattr(arrays, "ndim", 1) != 0
    given = list(arrays) if several else None
    if given is None or len(given) != len(targets):
        got = f"{arrays!r:.80}" if given is None else len(given)
        raise ShapeError(f"set_weights: expected {len(targets)} arrays, got {got}")
    fitting = [
        _fitting(f"set_weights: {label}", where[key], a) for (label, where, key), a in zip(targets, given, strict=True)
    ]
    for (_, where, key), array in zip(targets, fitting, strict=True):
        _assign(where[key], array)


def put_one(layer: Any, where: dict[str, Any], name: str, value: Any) -> None:
    """Copy numbers into one weight, in ``params`` or ``state``; a ShapeError or DataError if they do not fit."""
    _assign(where[name], _fitting(f"{layer.name or type(layer).__name__}/{name}", where[name], value))


def _assign(weight: Any, array: np.ndarray) -> None:
    weight[...] = array if isinstance(weight, np.ndarray) else array_module().asarray(array)


def settle_weights(layer: Any) -> None:
    """Turn what a user has put in place of a weight into what kernels take: they know only the address, and would read
    a transposed view as if it were not one.

    Raises
    ------
    ShapeError
        If it has another shape.
    """
    for name, shape in layer.shapes.items():
        where = layer.params if name in layer.params else layer.state
        array = where[name]
        if np.shape(array) != shape:
            label = f"{layer.name or type(layer).__name__}/{name}"
            raise ShapeError(f"{label}: expected an array of shape {shape}, got one of {np.shape(array)}")
        if not _plain(array, layer.dtype):
            xp = array_module()
            where[name] = xp.ascontiguousarray(xp.asarray(array), dtype=layer.dtype)


def settle_grads(layer: Any) -> None:
    """The same for gradients, which are about to be written: one that does not fit is replaced by one that does."""
    for name, shape in layer.shapes.items():
        array = layer.grads.get(name)
        if array is not None and (np.shape(array) != shape or not _plain(array, layer.dtype)):
            layer.grads[name] = array_module().zeros(shape, layer.dtype)


def _plain(array: Any, dtype: Any) -> bool:
    return isinstance(array, array_module().ndarray) and array.dtype == dtype and array.flags.c_contiguous


def _fitting(label: str, own: Any, value: Any) -> np.ndarray:
    array = numbers(value, label, f"an array of shape {own.shape}")
    if array.shape != own.shape:
        raise ShapeError(f"{label}: expected shape {own.shape}, got {array.shape}")
    return array.astype(own.dtype)

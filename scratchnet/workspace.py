"""Memory that is taken once: reused buffers for a training loop, and flat vectors with the arrays of a model as
views.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

import numpy as np

from .backend import array_module
from .kernels.scratch import aligned

VIEWS = 4096  # kept at most: each batch size has its own of every buffer


class Workspace:
    """Named, reused buffers.

    A buffer grows to the largest size asked for; a smaller request (the last short batch) is a view of its beginning,
    so after the first step nothing is allocated.
    """

    def __init__(self) -> None:
        self._memory: dict[tuple[Any, ...], Any] = {}
        self._views: dict[tuple[Any, ...], Any] = {}

    def take(self, owner: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        """The buffer ``name`` of ``owner``: an array of this shape whose content is undefined."""
        view = self._views.get((owner, name, shape))
        if view is not None and view.dtype == dtype:
            return view
        size = 1
        for extent in shape:
            size *= extent
        memory = self._memory.get((owner, name))
        if memory is None or memory.size < size or memory.dtype != dtype:
            memory = self._memory[(owner, name)] = empty(size, dtype)
            for key in [key for key in self._views if key[:2] == (owner, name)]:
                del self._views[key]
        if len(self._views) >= VIEWS:
            self._views.clear()
        view = self._views[(owner, name, shape)] = memory[:size].reshape(shape)
        return view

    def __getstate__(self) -> dict[str, Any]:
        """A copy of a model, made in the middle of fit, has buffers of its own."""
        return {"_memory": {}, "_views": {}}

    def clear(self) -> None:
        """Let go of all buffers."""
        self._memory.clear()
        self._views.clear()

    @property
    def arrays(self) -> list[Any]:
        """The memory of all buffers."""
        return list(self._memory.values())

    @property
    def nbytes(self) -> int:
        """Bytes held by all buffers."""
        return sum(memory.nbytes for memory in self.arrays)


def flatten_into_views(
    owners: Iterable[tuple[MutableMapping[str, Any], str]], dtype: Any
) -> tuple[Any, list[tuple[int, int]]]:
    """Move arrays into one flat vector and replace each by a view of it.

    Parameters
    ----------
    owners : iterable of (mapping, key)
        Where each array is now, in the order in which they are laid out.
    dtype : dtype
        Of the vector.

    Returns
    -------
    vector : array, shape (total size,)
    spans : list of (start, stop)
        The slice of the vector that each array became.
    """
    owners = list(owners)
    total = sum(int(mapping[key].size) for mapping, key in owners)
    vector = empty(total, dtype)
    spans, start = [], 0
    for mapping, key in owners:
        array = mapping[key]
        stop = start + int(array.size)
        view = vector[start:stop].reshape(array.shape)
        view[...] = array
        mapping[key] = view
        spans.append((start, stop))
        start = stop
    return vector, spans


def empty(shape: int | tuple[int, ...], dtype: Any) -> Any:
    """A fresh array of the current backend."""
    module = array_module()
    return aligned(shape, dtype) if module is np else module.empty(shape, dtype)


_nothing: dict[tuple[Any, ...], Any] = {}


def nothing(dtype: Any) -> Any:
    """The array of size 0 that stands for an input that is not there or an output that nobody asked for."""
    key = (array_module(), dtype)
    if key not in _nothing:
        _nothing[key] = array_module().empty(0, dtype)
    return _nothing[key]

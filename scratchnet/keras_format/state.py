"""The optimizer's state in Keras's files: the variables of Keras's optimizer, in the order in which it makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import array_module, to_numpy
from ..errors import CheckpointError
from ..optimizers import Nadam
from ..saved_model import has_begun
from ..training import set_steps
from .containers import Opened

if TYPE_CHECKING:
    from ..model import Sequential

GROUP = "optimizer/vars"
_ADAM = (("momentum", "velocity"), ("velocity_hat",))
_ORDER: dict[str, tuple[tuple[str, ...], ...]] = {
    "SGD": (("momentum",),),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "Nadam": _ADAM,
    "RMSprop": (("velocity",), ("momentum",), ("average_gradient",)),
    "Adagrad": (("accumulator",),),
    "Adadelta": (("accumulated_grad", "accumulated_delta_var"),),
}
"""Each tuple is one pass over the model's weights, with these slots for every weight."""


def _slots(model: Sequential) -> Iterator[tuple[str, float, int, tuple[int, ...]]]:
    """Name and initial value of each slot of each trained weight, and the weight's place in the flat vector."""
    values = model.optimizer.slot_values()
    shapes = [layer.params[name].shape for layer in model.trained_layers() for name in layer.params]
    for together in _ORDER[type(model.optimizer).__name__]:
        start = 0
        for shape in shapes:
            for name in together:
                if (value := values.get(name)) is not None:
                    yield name, value, start, shape
            start += int(np.prod(shape))


def _has_rate(model: Sequential) -> bool:
    return isinstance(model.optimizer.rate_or_schedule, float)


def write_state(tree: Any, model: Sequential) -> None:
    """Put the optimizer's state into an HDF5 tree as Keras 3 does; before the first step, as Keras would begin."""
    optimizer, begun = model.optimizer, has_begun(model)
    steps = int(optimizer.iterations) if begun else 0
    arrays: list[Any] = [np.int64(steps), *([np.float32(optimizer.rate_or_schedule)] if _has_rate(model) else [])]
    vectors = {name: to_numpy(vector) for name, vector in optimizer.slots.items()} if begun else {}
    for name, value, start, shape in _slots(model):
        if begun:
            arrays.append(vectors[name][start : start + int(np.prod(shape))].reshape(shape))
        else:
            arrays.append(np.full(shape, value, model.dtype))
    if isinstance(optimizer, Nadam):
        arrays.append(model.dtype.type(optimizer.momentum_product(steps)))
    group = tree.create_group(GROUP)
    group.attrs["name"] = optimizer.name
    for index, array in enumerate(arrays):
        group[str(index)] = array


def read_state(file: Opened, model: Sequential) -> None:
    """Restore the optimizer's state in a newly compiled model, as far as Keras has saved it.

    Raises
    ------
    CheckpointError
        If it is the state of another optimizer, or of one for other weights.
    """
    group = file.item(GROUP)
    if group is None or len(group) == 0:
        return
    optimizer, first = model.optimizer, 1 + _has_rate(model)
    slots = list(_slots(model))
    expected = first + len(slots) + isinstance(optimizer, Nadam)
    if len(group) not in (first, expected):  # Keras makes the others with the first step
        raise CheckpointError(f"{GROUP}: expected {expected} arrays for {type(optimizer).__name__}, got {len(group)}")
    steps = int(_array(file, group, 0, (), "iu"))
    if not 0 <= steps < 2**63:
        raise CheckpointError(f"{GROUP}: expected a count of steps, got {steps}")
    if _has_rate(model) and (rate := float(_array(file, group, 1, (), "f"))) != np.float32(optimizer.learning_rate):
        optimizer.learning_rate = rate
    if len(group) == expected:
        model.flatten()
        for index, (name, _, start, shape) in enumerate(slots, first):
            values = _array(file, group, index, shape, "f").reshape(-1)
            optimizer.slots[name][start : start + values.size] = array_module().asarray(values)
        set_steps(model, steps)


def _array(file: Opened, group: Any, index: int, shape: tuple[int, ...], kinds: str) -> np.ndarray:
    found = file.item(str(index), group)
    if not isinstance(found, file.h5py.Dataset) or found.shape != shape or found.dtype.kind not in kinds:
        raise CheckpointError(f"{GROUP}/{index}: expected an array of shape {shape}, got {str(found)[:80]}")
    return file.content(found, f"{GROUP}/{index}")

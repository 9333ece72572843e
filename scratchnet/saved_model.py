"""The content of a model file, and the way there and back: a `Sequential` as arrays and a JSON-able content."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from . import losses, metrics, optimizers, safetensors_io
from .backend import array_module, to_numpy
from .datasets.files import shown
from .errors import CheckpointError, NumericsError
from .layers.base import Layer
from .layers.serialization import serialize
from .training import Progress, set_steps

if TYPE_CHECKING:
    from .model import Sequential

Arrays = dict[str, np.ndarray]
Matched = list[tuple[Any, np.ndarray]]
"""Pairs of an array of the model and the file's array that belongs there."""


@contextmanager
def one_line(name: str) -> Iterator[None]:
    """Turn any error of code that processes a file's content into one CheckpointError."""
    try:
        yield
    except Exception as error:
        text = shown(error)[:500]
        if not isinstance(error, CheckpointError):
            text = f"{type(error).__name__}: {text}"
        raise CheckpointError(f"{name}: {text}") from error


def places(model: Sequential) -> dict[str, tuple[dict[str, Any], str]]:
    """The place of each weight, under ``layer/name``, or ``layer/inner/name`` in a composite, in the model's order."""
    model.require_built()
    found: dict[str, tuple[dict[str, Any], str]] = {}

    def visit(layer: Layer, path: str) -> None:
        for where in (layer.params, layer.state):
            for name in where:
                found[_unique(path + name, found)] = (where, name)
        for inner in layer.sublayers():
            visit(inner, f"{path}{inner.name}/")

    visit(model, "")
    return found


def _unique(key: str, taken: Mapping[str, Any]) -> str:
    numbered = (f"{key}_{number}" for number in range(2, len(taken) + 3))
    return key if key not in taken else next(other for other in numbered if other not in taken)


def _layers_with_keys(model: Sequential) -> list[Any]:
    """The layers that draw random numbers from their own key."""
    return [layer for layer in model.walk() if isinstance(getattr(layer, "key", None), int)]


# Into a file ----------------------------------------------------------------------------------------------------------


def describe_weights(model: Sequential) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and content of a file of weights."""
    arrays = {key: to_numpy(where[name]) for key, (where, name) in places(model).items()}
    return arrays, {"kind": "weights", "weights": list(arrays)}


def describe_model(model: Sequential) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and content of a model file: weights, architecture, compile settings, the state of the optimizer."""
    arrays, content = describe_weights(model)
    optimizer, loss = model.optimizer, model.loss
    slots = optimizer.slots if (begun := has_begun(model)) else {}
    content |= {
        "kind": "model",
        "architecture": serialize(model),
        "input_shape": list(model.input_shape),
        "optimizer": None if optimizer is None else optimizers.serialize(optimizer),
        "loss": None if loss is None else losses.serialize(loss),
        "metrics": [metrics.serialize(metric) for metric in model.metrics],
        "precision": model.precision,
        "capture": model.capture,
        "iterations": int(optimizer.iterations) if begun else 0,
        "slots": _without_arrays(slots, "optimizer", arrays),
    }
    return arrays, content


def has_begun(model: Sequential) -> bool:
    """Whether the optimizer has slots for this model that its next step goes on with."""
    return model.optimizer is not None and model.flat_params is not None and model.optimizer.taken_by(model) is None


def describe_fit(model: Sequential, generation: int) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and content of a checkpoint: those of a model file, and the state of the running fit.

    Raises
    ------
    CheckpointError
        If no fit has begun.
    NumericsError
        If the running loss is not finite.
    """
    progress, callbacks = model.progress, model.callbacks
    if progress is None or callbacks is None:
        raise CheckpointError(f"model {model.name!r} has not been trained: there is no fit to go on with")
    model.trainer().capture(progress)
    if not math.isfinite(progress.totals[0]):  # a captured epoch continues to its end all the same
        step = int(model.optimizer.iterations)
        raise NumericsError(f"step {step}: the loss is not finite", step=step, array="loss")
    arrays, content = describe_model(model)
    state = {field.name: getattr(progress, field.name) for field in fields(progress)}
    state |= {"generation": generation, "callbacks": callbacks.state(), "folder": ""}
    content |= {
        "kind": "training",
        "progress": _without_arrays(state, "progress", arrays),
        "keys": [layer.key for layer in _layers_with_keys(model)],
    }
    return arrays, content


def _without_arrays(value: Any, key: str, arrays: Arrays) -> Any:
    """``value`` with its arrays moved to ``arrays``, and NumPy's numbers as Python's."""
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or name == safetensors_io.REFERENCE:
                raise CheckpointError(f"{key}: cannot be saved: a state's names must be text, got {name!r}")
        return {name: _without_arrays(inner, f"{key}/{name}", arrays) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(inner, f"{key}/{index}", arrays) for index, inner in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "dtype"):
        key = _unique(key, arrays)
        arrays[key] = to_numpy(value)
        return {safetensors_io.REFERENCE: key}
    return value


# Out of a file --------------------------------------------------------------------------------------------------------


def match_weights(model: Sequential, arrays: Arrays, content: dict[str, Any], same_dtype: bool) -> Matched:
    """The file's array for each weight of the model.

    Raises
    ------
    CheckpointError
        Naming the first weight that is missing, superfluous, or of another shape or type.
    """
    targets, there = places(model), content["weights"]
    for key in targets:
        if key not in there:
            raise CheckpointError(f"has no weight {key!r}, the model has")
    for key in there:
        if key not in targets:
            raise CheckpointError(f"has a weight {key!r}, the model has none of that name")
    return [_fitting(key, where[name], arrays[key], same_dtype) for key, (where, name) in targets.items()]


def match_slots(model: Sequential, content: dict[str, Any]) -> Matched:
    """The file's vector for each slot of the model's optimizer.

    Raises
    ------
    CheckpointError
        If the optimizer has other slots, or the vectors another size or type.
    """
    model.trainer()  # lays out the flat vectors
    slots = model.optimizer.slots
    if set(slots) != set(content["slots"]):
        raise CheckpointError(f"its optimizer keeps {sorted(content['slots'])}, the model's {sorted(slots)}")
    return [_fitting(name, slot, content["slots"][name], True) for name, slot in slots.items()]


def _fitting(key: str, own: Any, array: np.ndarray, same_dtype: bool) -> tuple[Any, np.ndarray]:
    if array.shape != own.shape:
        raise CheckpointError(f"{key!r} has shape {array.shape}, the model's has {own.shape}")
    if array.dtype != own.dtype and (same_dtype or array.dtype.kind != own.dtype.kind):
        raise CheckpointError(f"{key!r} is {array.dtype}, the model's is {own.dtype}")
    return own, array


def put(matched: Matched) -> None:
    """Copy the file's arrays into the model's."""
    for own, array in matched:
        own[...] = array_module().asarray(array)


def progress_of(content: dict[str, Any]) -> Progress:
    """The state of the fit.

    Raises
    ------
    CheckpointError
        If the content does not describe a fit.
    """
    state = content["progress"]
    kinds = {"seed": int, "epoch": int, "step": int, "samples": int, "generation": int, "totals": list,
             "metrics": list, "callbacks": dict, "settings": dict, "folder": str}  # fmt: skip
    if set(state) != set(kinds) or any(type(state[name]) is not kind for name, kind in kinds.items()):
        raise CheckpointError("does not say where its fit stood")
    for name, kind in kinds.items():
        if kind is int:
            count(state[name])
    return Progress(**state)


def require_same(model: Sequential, content: dict[str, Any]) -> None:
    """Raise CheckpointError, naming the first difference, unless the model is the one that was trained.

    What a checkpoint restores may differ: learning rate, dropout keys. So may names and initializers.
    """
    if model.optimizer is None:
        raise CheckpointError(f"model {model.name!r} is not compiled: call compile(optimizer, loss) first")
    _, ours = describe_model(model)
    ours = json.loads(json.dumps(ours))  # tuples become lists, as in the file
    for what in ("architecture", "input_shape", "optimizer", "loss"):
        if difference := _difference(content[what], ours[what], what):
            raise CheckpointError(f"is of another model: {difference}")


def _difference(saved: Any, ours: Any, path: str) -> str | None:
    if isinstance(saved, dict) and isinstance(ours, dict):
        for key in dict.fromkeys([*saved, *ours]):
            if key in ("seed", "name", "learning_rate") or key.endswith("_initializer"):
                continue
            if found := _difference(saved.get(key), ours.get(key), f"{path}.{key}"):
                return found
        return None
    if isinstance(saved, list) and isinstance(ours, list) and len(saved) == len(ours):
        each = (_difference(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(saved, ours, strict=True)))
        return next((found for found in each if found), None)
    return None if saved == ours else f"{path} was {str(saved)[:80]}, is {str(ours)[:80]}"


def restore(model: Sequential, arrays: Arrays, content: dict[str, Any]) -> None:
    """Restore a model to the state of a checkpoint's fit: all of it or, with a CheckpointError, nothing."""
    model.require_built()
    require_same(model, content)
    matched = match_slots(model, content)  # first: it moves the weights into the flat vector
    matched += match_weights(model, arrays, content, True)
    rate = optimizers.get(content["optimizer"]).rate_or_schedule
    keys = [(layer, count(key)) for layer, key in zip(_layers_with_keys(model), content["keys"], strict=True)]
    iterations = count(content["iterations"])
    put(matched)
    model.optimizer.learning_rate = rate
    set_steps(model, iterations)
    for layer, key in keys:
        layer.key = key


def count(number: Any) -> int:
    """``number``, if it is a whole number that fits into 64 bits; otherwise CheckpointError."""
    if type(number) is not int or not 0 <= number < 2**64:
        raise CheckpointError(f"expected a count, got {str(number)[:40]}")
    return number

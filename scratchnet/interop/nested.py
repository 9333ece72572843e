"""Parameters inside parameters, by scikit-learn's double underscore: ``layers__dense__units``."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

from .. import losses, optimizers
from ..errors import ConfigError, ScratchnetError
from ..layers.base import Layer
from ..layers.reshaping import Input
from ..layers.serialization import custom_objects, deserialize
from ..layers.stack import Stack

_MODULES: dict[str, Any] = {"optimizer": optimizers, "loss": losses}
NESTED = ("layers", *_MODULES)


def inner_parameters(owner: str, value: Any) -> dict[str, Any]:
    """What can be set inside the parameter ``owner``, by name; nothing if its value is invalid."""
    try:
        if owner in _MODULES:
            return {name: setting for name, setting in _MODULES[owner].get(value).config().items() if name != "name"}
        if callable(value):
            given = inspect.signature(value).parameters.values()
            return {p.name: None if p.default is p.empty else p.default for p in given if p.kind is not p.VAR_KEYWORD}
        return {
            f"{name}__{argument}": setting
            for name, layer in named_layers(value)
            for argument, setting in layer.config().items()
            if argument not in ("name", "dtype")
        }
    except (ScratchnetError, TypeError, ValueError):
        return {}


def with_inner(owner: str, value: Any, path: str, setting: Any) -> Any:
    """A new value of the parameter ``owner`` whose inner parameter ``path`` has this setting.

    Raises
    ------
    ConfigError
        If there is no such inner parameter.
    """
    takes_any = callable(value) and any(p.kind is p.VAR_KEYWORD for p in inspect.signature(value).parameters.values())
    known = inner_parameters(owner, value)
    if path not in known and not (owner == "layers" and takes_any):
        raise ConfigError(f"{owner} has no parameter {path!r}; there are: {', '.join(known) or 'none'}")
    if owner in _MODULES:
        module = _MODULES[owner]
        made = module.get(value)
        return type(made)(**{**made.config(), path: setting})
    if callable(value):
        return functools.partial(value, **{path: setting})
    name, _, argument = path.partition("__")
    return [_with_argument(layer, argument, setting) if name == own else layer for own, layer in named_layers(value)]


def named_layers(layers: Any) -> list[tuple[str, Layer]]:
    """The layers with the names that a model gives them."""
    kept = [layer for layer in layers or [] if not isinstance(layer, Input)]
    names = [str(layer.name) for layer in Stack(copy.deepcopy(kept)).layers]
    return list(zip(names, kept, strict=True))


def _with_argument(layer: Layer, argument: str, setting: Any) -> Layer:
    with custom_objects({type(inner).__name__: type(inner) for inner in layer.walk()}):
        return deserialize({"class_name": type(layer).__name__, "config": {**layer.config(), argument: setting}})

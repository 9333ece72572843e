"""Keras's module of this name: ``from scratchnet.models import Sequential, load_model``."""

from __future__ import annotations

import json
from typing import Any

from .errors import ConfigError
from .keras_defaults import CLONE, SAVE_MODEL, refuse_others
from .layers.serialization import custom_objects as known
from .layers.serialization import deserialize
from .model import Sequential, load_model, require_model

__all__ = ["Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


def clone_model(model: Sequential, **others: Any) -> Sequential:
    """A model of the same layers with newly drawn weights, as in Keras; it is not compiled.

    Raises
    ------
    ConfigError
        If ``model`` is not a model, or for an argument of Keras's that requests other layers.
    """
    refuse_others(clone_model, others, CLONE)
    require_model("clone_model", model)
    clone = type(model).from_config(model.get_config())
    assert isinstance(clone, Sequential)
    return clone


def model_from_json(json_string: str, custom_objects: dict[str, type] | None = None) -> Sequential:
    """The model whose ``to_json()`` this is, with newly drawn weights; it is not compiled.

    Raises
    ------
    ConfigError
        If the text is not what ``to_json()`` returned, or names a class that is not known (`sn.layers.register`).
    """
    try:
        description = json.loads(json_string)
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"model_from_json: expected what to_json() returned: {error}") from None
    with known(custom_objects):
        model = deserialize(description)
    if not isinstance(model, Sequential):
        raise ConfigError(f"model_from_json: expected a Sequential, got a {type(model).__name__}")
    return model


def save_model(model: Sequential, filepath: Any, **others: Any) -> None:
    """``model.save(filepath)``. Raises as that does, and ConfigError if ``model`` is not a model."""
    refuse_others(save_model, others, SAVE_MODEL)
    require_model("save_model", model)
    model.save(filepath)

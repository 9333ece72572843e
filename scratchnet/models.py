"""Keras's module of this name: ``from scratchnet.models import Sequential, load_model``."""

from __future__ import annotations

from typing import Any

from .keras_defaults import CLONE, refuse_others
from .model import Sequential, load_model, require_model

__all__ = ["Sequential", "clone_model", "load_model"]


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

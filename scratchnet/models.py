"""Keras's module of this name: ``from scratchnet.models import Sequential, load_model``."""

from __future__ import annotations

from .errors import ConfigError
from .model import Sequential as Sequential
from .model import load_model as load_model


def clone_model(model: Sequential) -> Sequential:
    """A model of the same layers with newly drawn weights, as in Keras; it is not compiled.

    Raises
    ------
    ConfigError
        If ``model`` is not a model.
    """
    if not isinstance(model, Sequential):
        raise ConfigError(f"clone_model: expected a Sequential, got {model!r:.80}")
    clone = type(model).from_config(model.get_config())
    assert isinstance(clone, Sequential)
    return clone

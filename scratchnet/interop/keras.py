"""Weights from Keras, and models for it. Files are read with h5py alone: no TensorFlow, no Keras, nothing executed."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, ShapeError
from ..keras_format.parts import keras_arguments, keras_class
from ..keras_format.weights import read_weights
from ..layers.base import Layer
from ..layers.stack import Stack
from ..model import require_model
from ..require import require

if TYPE_CHECKING:
    from ..model import Sequential


def load_weights(model: Sequential, source: Any) -> None:
    """Load the weights of a Keras model of the same architecture; all of them, or none.

    Parameters
    ----------
    model : Sequential
        Built.
    source : Keras model or path-like
        A live model, a ``.keras`` or ``.weights.h5`` file of Keras 3, or an ``.h5`` file of Keras 2.

    Raises
    ------
    ConfigError
        If ``model`` is not a model, or ``source`` neither a Keras model nor a path.
    DependencyError
        If a file is given and ``h5py`` is not installed.
    ShapeError
        If the weights do not fit (naming the first that does not).
    CheckpointError
        If the file is damaged or not one of Keras's.
    """
    require_model("interop.keras.load_weights", model)
    model.require_built()
    if isinstance(source, str | os.PathLike):
        model.set_weights(read_weights(source, model, "interop.keras.load_weights"))
        return
    if isinstance(source, Layer) or not hasattr(source, "weights") or not hasattr(source, "get_weights"):
        raise ConfigError(f"source: expected a Keras model or the path of a file, got {str(source)[:80]!r}")
    theirs = [weight.name for weight in source.weights]
    ours = [key for layer in model.walk() for key in (*layer.params, *layer.state)]
    if theirs != ours:
        raise ShapeError(f"load_weights: expected the weights {', '.join(ours)}; got {', '.join(theirs)}")
    model.set_weights(source.get_weights())


def to_keras(model: Sequential) -> Any:
    """A ``keras.Sequential`` with the same layers and weights.

    Keras can save it, except with ``GELU(approximate=True)``, which is a function with an argument there.

    Raises
    ------
    DependencyError
        If Keras is not installed.
    ConfigError
        If this is not a model, or Keras lacks a layer (naming it).
    """
    require_model("interop.keras.to_keras", model)
    keras = require("keras", "interop.keras.to_keras", "benchmark")
    model.require_built()
    start = keras.layers.Input(model.input_shape, dtype=model.dtype.name)
    made = keras.Sequential([start, *(_layer(keras, layer) for layer in model.layers)], name=model.name)
    made.set_weights(model.get_weights())
    return made


def _layer(keras: Any, layer: Layer) -> Any:
    if isinstance(layer, Stack):
        return keras.Sequential([_layer(keras, inner) for inner in layer.layers], name=layer.name)
    name, settings = keras_class(layer), keras_arguments(layer)
    # The weights already exist, so initializers are omitted; so is the dropout masks' key.
    kept = {key: value for key, value in settings.items() if not key.endswith("_initializer") and key != "seed"}
    if isinstance(kept.get("activation"), dict):
        (inner,) = layer.sublayers()
        kept["activation"] = _layer(keras, inner)
    elif getattr(layer, "approximate", False):
        kept["activation"] = partial(keras.activations.gelu, approximate=True)
    return getattr(keras.layers, name)(**kept)

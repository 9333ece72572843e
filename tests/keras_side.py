"""The real TensorFlow, imported once per process where a test asks for it; twins of layers and networks in Keras."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest

# One worker of pytest-xdist runs all of these tests: TensorFlow takes seconds to import, and 700 MB.
GROUP = pytest.mark.xdist_group("tensorflow")

# Layers of scratchnet that Keras has as a function only.
ACTIVATIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "GELU": "gelu"}


@cache
def tensorflow() -> Any:
    """The module ``tensorflow``; the test is skipped where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # Keras 3 runs on others, too
    return pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install -e '.[test]'")


def keras() -> Any:
    """The Keras that came with TensorFlow."""
    tensorflow()
    import keras

    return keras


@contextmanager
def floatx(dtype: str) -> Iterator[None]:
    """Layers, losses and optimizers made inside compute in this dtype."""
    config = keras().config
    config.set_floatx(dtype)
    config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        config.set_floatx("float32")
        config.set_dtype_policy("float32")


def exact(value: Any) -> Any:
    """A hyperparameter that Keras does not round to float32."""
    return np.float64(value) if isinstance(value, float) else value


def layer(cls: str, **arguments: Any) -> Any:
    """Keras's layer of this class name, or the one that does the same."""
    library = keras()
    if cls in ACTIVATIONS:
        function = getattr(library.activations, ACTIVATIONS[cls])
        dtype = arguments.pop("dtype", None)
        return library.layers.Activation(lambda x: function(x, **arguments), dtype=dtype)
    return getattr(library.layers, cls)(**arguments)


def passes(layer: Any, x: np.ndarray, dy: np.ndarray, training: bool) -> list[np.ndarray]:
    """One forward and one backward pass of a layer or model: y, dx, each weight's gradient, the moving statistics."""
    tf = tensorflow()
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
    gradients = tape.gradient(y, [x, *layer.trainable_weights], output_gradients=tf.constant(dy))
    moved = [weight for weight in layer.non_trainable_weights if "moving" in weight.name]
    return [array.numpy() for array in (y, *gradients, *moved)]


class Network:
    """A recipe's network in Keras, from the same TOML, with its loss and its optimizer; dropout off.

    Parameters
    ----------
    recipe : Recipe
        Read by scratchnet; only the tables of its TOML file are used.
    weights : list of array
        Initial weights, in Keras's order.
    dtype : {"float32", "float64"}
        Of weights, activations, loss and optimizer.
    """

    def __init__(self, recipe: Any, weights: list[np.ndarray], dtype: str) -> None:
        library, tf = keras(), tensorflow()
        content = recipe.as_dict()
        with floatx(dtype):
            layers = [self._layer(table) for table in content["layers"]]
            self.model = library.Sequential([library.layers.Input(content["data"]["shape"]), *layers])
            self.model.set_weights(weights)
            self.loss = self._named(library.losses, content["training"]["loss"])
            self.optimizer = self._named(library.optimizers, content["training"]["optimizer"])
            self.optimizer.build(self.model.trainable_variables)

        @tf.function
        def gradients(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self.loss(y, self.model(x, training=True))
            return loss, tape.gradient(loss, self.model.trainable_variables)

        @tf.function
        def step(x: Any, y: Any) -> Any:
            loss, slopes = gradients(x, y)
            self.optimizer.apply(slopes, self.model.trainable_variables)
            return loss

        self._gradients, self._step = gradients, step

    @staticmethod
    def _layer(table: dict[str, Any]) -> Any:
        arguments = {key: value for key, value in table.items() if key != "type" and not key.endswith("_initializer")}
        if table["type"] == "Dropout":
            arguments["rate"] = 0.0
        return layer(table["type"], **arguments)

    @staticmethod
    def _named(module: Any, table: dict[str, Any]) -> Any:
        wanted = table["name"].replace("_", "")
        cls = next(c for name, c in vars(module).items() if isinstance(c, type) and name.lower() == wanted)
        defaults = {name: argument.default for name, argument in inspect.signature(cls).parameters.items()}
        settings = {name: value for name, value in {**defaults, **table}.items() if isinstance(value, float | bool)}
        return cls(**{name: exact(value) for name, value in settings.items()})

    def gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, list[np.ndarray]]:
        """Loss and gradients of one batch."""
        loss, slopes = self._gradients(x, y)
        return float(loss), [slope.numpy() for slope in slopes]

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One optimizer step; the loss before it."""
        return float(self._step(x, y))

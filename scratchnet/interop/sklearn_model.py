"""The parts of `SequentialClassifier`: making its network, when to stop, and the network as plain data."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import losses, optimizers
from ..backend import array_module, to_numpy
from ..callbacks import Callback
from ..checks import flag, number, whole
from ..errors import ConfigError
from ..layers import Dense, Dropout
from ..layers.arguments import batch_shape
from ..layers.base import Layer
from ..layers.reshaping import Input
from ..layers.serialization import custom_objects, deserialize, serialize
from ..model import Sequential


def make_model(settings: Any, X: np.ndarray, classes: int, seed: int) -> Sequential:
    """The network of a `SequentialClassifier`, built for samples like ``X`` and compiled.

    Raises
    ------
    ConfigError
        If its layers, loss and classes do not go together.
    """
    layers = _hidden_layers(settings)
    loss = losses.get(settings.loss)
    from_logits = getattr(loss, "from_logits", False)
    if layers and layers[-1].without_activation("softmax") is not None:
        if from_logits:
            raise ConfigError("layers: end in softmax, but the loss is from logits: use one of the two")
    else:
        layers.append(Dense(classes, activation=None if from_logits else "softmax"))
    for layer in layers:
        for inner in layer.walk():
            inner.dtype = X.dtype
    model = Sequential(layers)
    model.build(X.shape[1:], rng=np.random.default_rng(seed))
    if model.output_shape != (classes,):
        raise ConfigError(f"layers: expected {classes} outputs, one per class, got {batch_shape(model.output_shape)}")
    optimizer = optimizers.get(settings.optimizer)
    optimizer = type(optimizer)(**optimizer.config())  # a copy: the user's object does not change
    if settings.learning_rate is not None:
        optimizer.learning_rate = settings.learning_rate
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def check_settings(settings: Any) -> None:
    """Raise ConfigError for an invalid argument of a `SequentialClassifier` that nothing else checks.

    As in scikit-learn this is up to `fit`, not the constructor.
    """
    for name in ("early_stopping", "shuffle", "warm_start"):
        flag(settings, name, getattr(settings, name))
    number(settings, "tol", settings.tol)
    number(settings, "validation_fraction", settings.validation_fraction, "(0, 1)")
    whole("SequentialClassifier: n_iter_no_change", settings.n_iter_no_change)


def _hidden_layers(settings: Any) -> list[Layer]:
    given = settings.layers
    if callable(given) and not isinstance(given, Layer | type):
        given = given()
    if given is not None:
        if not isinstance(given, list | tuple) or not all(isinstance(layer, Layer) for layer in given):
            expected = "expected a list of layers, or a function that returns one"
            raise ConfigError(f"SequentialClassifier: layers: {expected}, got {given!r:.80}")
        layers = [copy.deepcopy(layer) for layer in given if not isinstance(layer, Input)]
        for layer in layers:
            layer.requested_input_shape = None  # the samples determine it
        return layers
    layers = []
    for units in np.atleast_1d(settings.hidden_layer_sizes).tolist():
        layers.append(Dense(units, activation=settings.activation))
        if settings.dropout:
            layers.append(Dropout(settings.dropout))
    return layers


def targets(model: Sequential, codes: np.ndarray) -> np.ndarray:
    """Class numbers as the model's loss wants them: unchanged, or as one-hot rows."""
    if isinstance(model.loss, losses.SparseCategoricalCrossentropy):
        return codes
    return np.asarray(np.eye(model.output_shape[0], dtype=model.dtype)[codes])


def softmax(logits: np.ndarray) -> np.ndarray:
    """``exp(x) / sum(exp(x))`` of each row."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


class Stopping(Callback):
    """Stop after ``patience`` epochs in which ``monitor`` did not improve by more than ``tol``.

    If an accuracy is watched, the weights of its best epoch are restored at the end, as in `MLPClassifier`.
    """

    def __init__(self, monitor: str, tol: float, patience: int) -> None:
        super().__init__()
        self.monitor, self.tol, self.patience = monitor, tol, patience
        self.sign = -1 if monitor == "loss" else 1
        self.best, self.wait = -np.inf, 0
        self.weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.sign * logs[self.monitor]
        self.wait = 0 if value > self.best + self.tol else self.wait + 1
        if value > self.best:
            self.best = value
            if self.sign > 0:
                self.weights = self.model.get_weights()
        if self.wait > self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)


def freeze(model: Sequential) -> dict[str, Any]:
    """A model as plain data for pickle: no buffers, no device arrays, no functions."""
    optimizer = model.optimizer
    return {
        "architecture": serialize(model),
        "classes": {type(inner).__name__: type(inner) for inner in model.walk()},
        "input_shape": model.input_shape,
        "weights": model.get_weights(),
        "optimizer": optimizers.serialize(optimizer),
        "iterations": int(optimizer.iterations),
        "slots": {name: to_numpy(slot).copy() for name, slot in optimizer.slots.items()},
        "loss": losses.serialize(model.loss),
    }


def thaw(state: dict[str, Any]) -> Sequential:
    """The model that `freeze` described, ready to predict and to train on."""
    with custom_objects(state["classes"]):
        model: Any = deserialize(state["architecture"])
    model.build(state["input_shape"])
    model.set_weights(state["weights"])
    model.compile(optimizers.get(state["optimizer"]), losses.get(state["loss"]), metrics=["accuracy"])
    model.flatten()
    model.optimizer.iterations = state["iterations"]
    for name, slot in state["slots"].items():
        model.optimizer.slots[name][...] = array_module().asarray(slot)
    return model

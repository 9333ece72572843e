"""TensorFlow: the bare ``tf.function`` step, and ``keras.fit`` as a user calls it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..networks import Network
from .base import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Adapter


def make(variant: str, threads: int) -> Adapter:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return KerasFit() if variant == "keras" else FunctionStep(xla=variant == "xla")


def sequential(network: Network, weights: list[np.ndarray], softmax: bool) -> keras.Sequential:
    """The network as a Keras model."""
    layers: list[Any] = [keras.Input(network.shape)]
    for layer in network.layers:
        activation = "relu" if layer.get("relu") else None
        match layer["kind"]:
            case "dense":
                layers.append(keras.layers.Dense(layer["units"], activation=activation))
            case "conv":
                layers.append(
                    keras.layers.Conv2D(layer["filters"], layer["kernel"], padding="same", activation=activation)
                )
            case "pool":
                layers.append(keras.layers.MaxPooling2D(2, padding=layer["padding"]))
            case "dropout":
                layers.append(keras.layers.Dropout(layer["rate"]))
            case "flatten":
                layers.append(keras.layers.Flatten())
    if softmax:
        layers.append(keras.layers.Softmax())
    model = keras.Sequential(layers)
    model.set_weights(weights)
    return model


def adam() -> keras.optimizers.Adam:
    return keras.optimizers.Adam(LEARNING_RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)


class FunctionStep(Adapter):
    """The training loop that TensorFlow's own guide writes, as one ``tf.function`` on tensors in memory."""

    def __init__(self, xla: bool) -> None:
        self.xla = xla

    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        self.network = network
        model = sequential(network, weights, softmax=False)
        optimizer = adam()
        optimizer.build(model.trainable_variables)

        @tf.function(jit_compile=self.xla)
        def train(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                logits = model(x, training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return loss

        @tf.function(jit_compile=self.xla)
        def infer(x: tf.Tensor) -> tf.Tensor:
            logits = model(x, training=False)
            return tf.nn.softmax(logits) if network.softmax else logits

        self.train, self.infer = train, infer

    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        n = self.network.batch
        self.batches = [(tf.constant(x[i : i + n]), tf.constant(y[i : i + n])) for i in range(0, len(x), n)]

    def step(self, index: int) -> tf.Tensor:
        return self.train(*self.batches[index])

    def fit(self, x: np.ndarray, y: np.ndarray, batch: int) -> tuple[float, float]:
        raise NotImplementedError("a tf.function has no fit: that is keras.fit's column")

    def predict(self, x: np.ndarray, batch: int) -> np.ndarray:
        return np.concatenate([self.infer(tf.constant(x[i : i + batch])).numpy() for i in range(0, len(x), batch)])


class EpochClock(keras.callbacks.Callback):
    """Seconds between the begin and the end of an epoch: leaves out what ``fit`` does before its first batch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds = perf_counter() - self.began
        self.loss = float(logs["loss"])


class KerasFit(Adapter):
    """``model.compile`` + ``model.fit`` with the accuracy metric on NumPy arrays."""

    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        self.network = network
        self.model = sequential(network, weights, softmax=network.softmax)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not network.softmax)
        self.model.compile(optimizer=adam(), loss=loss, metrics=["accuracy"])

    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y
        self.batches = [slice(i, i + self.network.batch) for i in range(0, len(x), self.network.batch)]

    def step(self, index: int) -> float:
        rows = self.batches[index]
        self.model.reset_metrics()
        return self.model.train_on_batch(self.x[rows], self.y[rows])[0]

    def run(self, start: int, steps: int) -> tuple[float, float]:
        rows = slice(self.batches[start].start, self.batches[start + steps - 1].stop)
        clock = EpochClock()
        self.model.fit(
            self.x[rows],
            self.y[rows],
            batch_size=self.network.batch,
            shuffle=False,
            verbose=0,
            callbacks=[clock],
        )
        return clock.seconds, clock.loss

    def fit(self, x: np.ndarray, y: np.ndarray, batch: int) -> tuple[float, float]:
        history = self.model.fit(x, y, batch_size=batch, epochs=1, verbose=0).history
        return history["loss"][-1], history["accuracy"][-1]

    def predict(self, x: np.ndarray, batch: int) -> np.ndarray:
        return self.model.predict(x, batch_size=batch, verbose=0)

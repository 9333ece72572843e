"""JAX: one jitted training step, parameters and optimizer state donated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..networks import Network
from .base import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Adapter

State = tuple[list[Any], list[Any], list[Any], Any, Any]


def make(variant: str, threads: int) -> Adapter:
    # XLA sizes its pool by the cores that the process may run on, which the worker has already limited to `threads`.
    return JaxStep()


def logits_of(network: Network, params: list[Any], x: Any, key: Any, training: bool) -> Any:
    """The forward pass, written as a user of plain JAX writes it."""
    arrays = iter(params)
    for position, layer in enumerate(network.layers):
        match layer["kind"]:
            case "dense":
                x = x @ next(arrays) + next(arrays)
            case "conv":
                layout = ("NHWC", "HWIO", "NHWC")
                x = lax.conv_general_dilated(x, next(arrays), (1, 1), "SAME", dimension_numbers=layout)
                x = x + next(arrays)
            case "pool":
                x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), layer["padding"].upper())
            case "dropout" if training:
                keep = 1 - layer["rate"]
                mask = jax.random.bernoulli(jax.random.fold_in(key, position), keep, x.shape)
                x = jnp.where(mask, x / keep, 0)
            case "flatten":
                x = x.reshape(x.shape[0], -1)
        if layer.get("relu"):
            x = jax.nn.relu(x)
    return x


def adam(state: State, grads: list[Any]) -> State:
    """Adam in Keras's formula: the bias correction is in the rate, epsilon is added to sqrt(v) itself."""
    params, first, second, count, key = state
    count = count + 1
    rate = LEARNING_RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    first = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(first, grads, strict=True)]
    second = [BETA_2 * v + (1 - BETA_2) * g * g for v, g in zip(second, grads, strict=True)]
    params = [p - rate * m / (jnp.sqrt(v) + EPSILON) for p, m, v in zip(params, first, second, strict=True)]
    return params, first, second, count, key


class JaxStep(Adapter):
    """``jax.jit`` over value_and_grad and Adam."""

    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        self.network = network
        params = [jnp.asarray(array) for array in weights]
        self.state: State = (
            params,
            [jnp.zeros_like(p) for p in params],
            [jnp.zeros_like(p) for p in params],
            jnp.zeros((), jnp.float32),
            jax.random.key(0),
        )

        def train(state: State, x: Any, y: Any) -> tuple[State, Any, Any]:
            key = jax.random.fold_in(state[4], state[3].astype(jnp.int32))

            def loss_of(params: list[Any]) -> tuple[Any, Any]:
                logits = logits_of(network, params, x, key, training=True)
                chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)
                return -chosen.mean(), logits

            (loss, logits), grads = jax.value_and_grad(loss_of, has_aux=True)(state[0])
            return adam(state, grads), loss, logits

        def step(state: State, x: Any, y: Any) -> tuple[State, Any]:
            state, loss, _ = train(state, x, y)
            return state, loss

        def fit_step(state: State, total: Any, right: Any, data: Any, labels: Any, chosen: Any) -> Any:
            y = labels[chosen]
            state, loss, logits = train(state, data[chosen], y)
            return state, total + loss * len(chosen), right + (logits.argmax(1) == y).sum()

        def infer(params: list[Any], x: Any) -> Any:
            logits = logits_of(network, params, x, None, training=False)
            return jax.nn.softmax(logits) if network.softmax else logits

        self.train = jax.jit(step, donate_argnums=0)
        self.fit_step = jax.jit(fit_step, donate_argnums=(0, 1, 2))
        self.infer = jax.jit(infer)

    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        n = self.network.batch
        self.batches = [(jnp.asarray(x[i : i + n]), jnp.asarray(y[i : i + n], jnp.int32)) for i in range(0, len(x), n)]

    def step(self, index: int) -> Any:
        self.state, loss = self.train(self.state, *self.batches[index])
        return loss

    def value(self, loss: Any) -> float:
        jax.block_until_ready(self.state)
        return float(loss)

    def fit(self, x: np.ndarray, y: np.ndarray, batch: int) -> tuple[float, float]:
        data, labels = jnp.asarray(x), jnp.asarray(y, jnp.int32)
        order = np.random.default_rng().permutation(len(x)).astype(np.int32)
        total, right = jnp.zeros(()), jnp.zeros((), jnp.int32)
        for i in range(0, len(x), batch):
            self.state, total, right = self.fit_step(self.state, total, right, data, labels, order[i : i + batch])
        jax.block_until_ready(self.state)
        return float(total) / len(x), float(right) / len(x)

    def predict(self, x: np.ndarray, batch: int) -> np.ndarray:
        parts = [self.infer(self.state[0], x[i : i + batch]) for i in range(0, len(x), batch)]
        return np.concatenate([np.asarray(part) for part in parts])

"""BatchNormalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import initializers
from ..checks import flag, number
from ..errors import ShapeError
from .arguments import axis_number, batch_shape, label
from .base import Layer, Shape, ops


class BatchNormalization(Layer):
    """``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` per channel; x and y (n, ..., c).

    In training, mean and (biased) variance are the batch's, over all axes but the last, and update the moving
    ones: ``moving = momentum moving + (1 - momentum) batch``. In inference, and if the layer is not ``trainable``,
    they are the moving ones.
    Source: Ioffe and Szegedy, ICML 2015; arguments, defaults and the order of the arrays are Keras 3's.

    Parameters
    ----------
    axis : int
        That of the channels: the last one, as -1 or its number.
    momentum, epsilon : float
        See the formulas.
    center, scale : bool
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : str or Initializer
    beta_regularizer, gamma_regularizer : str or Regularizer, optional

    Raises
    ------
    ConfigError, ShapeError
        If ``momentum`` is outside [0, 1] or ``epsilon`` is not positive; at build, if ``axis`` is not the last one.
    """

    def __init__(
        self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
        scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer, **kwargs)
        self.axis = axis_number("BatchNormalization", axis)
        self.momentum = float(number(self, "momentum", momentum, "[0, 1]"))
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))
        self.center, self.scale = flag(self, "center", center), flag(self, "scale", scale)
        self.initializers = {
            "gamma": initializers.get(gamma_initializer),
            "beta": initializers.get(beta_initializer),
            "moving_mean": initializers.get(moving_mean_initializer),
            "moving_variance": initializers.get(moving_variance_initializer),
        }

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        last = len(self.input_shape)
        if not last or self.axis not in (-1, last):
            given = f"{self.axis} of {batch_shape(self.input_shape)}"
            raise ShapeError(f"layer {label(self)!r}: axis: expected the last, -1 or {last}, got {given}")
        rng, shape = rng or initializers.default_rng(), self.input_shape[-1:]
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                self.add_param(name, shape, self.initializers[name], rng)
        for name in ("moving_mean", "moving_variance"):
            self.add_state(name, self.initializers[name](shape, rng=rng, dtype=self.dtype))

    def forward(self, x: Any, training: bool = False) -> Any:
        self.x, c = self.check_input(x), self.input_shape[-1]
        self.training = training = training and self.trainable and len(self.x) > 0
        gamma, beta = (self.optional(self.params, name) for name in ("gamma", "beta"))
        moving = self.state["moving_mean"], self.state["moving_variance"]
        self.mean, self.inverse = (self.buffer(name, (c,), np.float64) for name in ("mean", "inverse"))
        y = self.buffer("y", self.x.shape)
        rows, results = self.x.reshape(-1, c), (y.reshape(-1, c), self.mean, self.inverse)
        if training:
            ops.batch_norm_forward(rows, gamma, beta, *moving, self.momentum, self.epsilon, *results)
        else:
            ops.batch_norm_inference(rows, gamma, beta, *moving, self.epsilon, *results)
        return y

    def backward(self, dy: Any) -> Any:
        dy, dx, c = self.check_gradient(dy), self.input_gradient(self.x.shape), self.input_shape[-1]
        dgamma, dbeta = (self.optional(self.grads, name) for name in ("gamma", "beta"))
        gamma = self.optional(self.params, "gamma")
        rows, dy_rows = self.x.reshape(-1, c), dy.reshape(-1, c)
        ops.batch_norm_backward(rows, dy_rows, gamma, self.mean, self.inverse, self.training, dx, dgamma, dbeta)
        return dx

    def config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("axis", "momentum", "epsilon", "center", "scale")}
        drawn = {f"{name}_initializer": initializers.serialize(i) for name, i in self.initializers.items()}
        return {**own, **drawn, **super().config()}

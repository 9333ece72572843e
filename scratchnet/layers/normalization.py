"""BatchNormalization and LayerNormalization."""

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
        rng, shape = rng or initializers.default_rng(), self.input_shape[-1:]
        _add_parameters(self, rng)
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


class LayerNormalization(Layer):
    """``y = gamma (x - mean) / sqrt(variance + epsilon) + beta``, mean and (biased) variance over the last axis alone.

    x and y have shape (n, ..., c), gamma and beta (c,). Every row of c numbers is normalized by itself, in training and
    inference alike, so samples do not depend on each other.
    Source: Ba, Kiros and Hinton, 2016; arguments, defaults and the order of the arrays are Keras 3's.

    Parameters
    ----------
    axis : int
        The last one, as -1 or its number.
    epsilon : float
        See the formula.
    center, scale : bool
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer : str or Initializer
    beta_regularizer, gamma_regularizer : str or Regularizer, optional

    Raises
    ------
    ConfigError, ShapeError
        If ``epsilon`` is not positive; if ``axis`` is not the last one.
    """

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
        gamma_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer, **kwargs)
        one = isinstance(axis, list | tuple) and len(axis) == 1  # as Keras's get_config has it
        self.axis = axis_number("LayerNormalization", axis[0] if one else axis)
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))
        self.center, self.scale = flag(self, "center", center), flag(self, "scale", scale)
        given = {"gamma": gamma_initializer, "beta": beta_initializer}
        self.initializers = {name: initializers.get(one) for name, one in given.items()}

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        _add_parameters(self, rng or initializers.default_rng())

    def forward(self, x: Any, training: bool = False) -> Any:
        self.x = self.check_input(x)
        rows = self.x.reshape(-1, self.input_shape[-1])
        self.mean, self.inverse = (self.buffer(name, (len(rows),), np.float64) for name in ("mean", "inverse"))
        y = self.buffer("y", self.x.shape)
        gamma, beta = (self.optional(self.params, name) for name in ("gamma", "beta"))
        ops.layer_norm_forward(rows, gamma, beta, self.epsilon, y.reshape(rows.shape), self.mean, self.inverse)
        return y

    def backward(self, dy: Any) -> Any:
        dy, dx, c = self.check_gradient(dy), self.input_gradient(self.x.shape), self.input_shape[-1]
        dgamma, dbeta = (self.optional(self.grads, name) for name in ("gamma", "beta"))
        rows, gamma = self.x.reshape(-1, c), self.optional(self.params, "gamma")
        ops.layer_norm_backward(rows, dy.reshape(-1, c), gamma, self.mean, self.inverse, dx, dgamma, dbeta)
        return dx

    def config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("axis", "epsilon", "center", "scale")}
        drawn = {f"{name}_initializer": initializers.serialize(i) for name, i in self.initializers.items()}
        return {**own, **drawn, **super().config()}


def _add_parameters(layer: BatchNormalization | LayerNormalization, rng: np.random.Generator) -> None:
    """gamma and beta of the last axis, as far as the layer has them; refuses any other axis."""
    last = len(layer.input_shape)
    if not last or layer.axis not in (-1, last):
        given = f"{layer.axis} of {batch_shape(layer.input_shape)}"
        raise ShapeError(f"layer {label(layer)!r}: axis: expected the last, -1 or {last}, got {given}")
    for name, wanted in (("gamma", layer.scale), ("beta", layer.center)):
        if wanted:
            layer.add_param(name, layer.input_shape[-1:], layer.initializers[name], rng)

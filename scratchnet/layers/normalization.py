"""BatchNormalization and LayerNormalization."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import initializers
from ..checks import flag, number
from ..errors import ShapeError
from .arguments import axis_number, batch_shape, label
from .base import Layer, Shape, ops


class _Normalization(Layer):
    """What both have: gamma and beta along the last axis."""

    settings: ClassVar[tuple[str, ...]] = ("axis", "epsilon", "center", "scale")

    def __init__(
        self, axis: Any, epsilon: float, center: bool, scale: bool, drawn: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis_number(type(self).__name__, axis)
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))
        self.center, self.scale = flag(self, "center", center), flag(self, "scale", scale)
        self.initializers = {name: initializers.get(one) for name, one in drawn.items()}

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        last = len(self.input_shape)
        if not last or self.axis not in (-1, last):
            given = f"{self.axis} of {batch_shape(self.input_shape)}"
            raise ShapeError(f"layer {label(self)!r}: axis: expected the last, -1 or {last}, got {given}")
        rng = rng or initializers.default_rng()
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                self.add_param(name, self.input_shape[-1:], self.initializers[name], rng)

    def config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in self.settings}
        drawn = {f"{name}_initializer": initializers.serialize(i) for name, i in self.initializers.items()}
        return {**own, **drawn, **super().config()}


class BatchNormalization(_Normalization):
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

    settings = ("axis", "momentum", "epsilon", "center", "scale")

    def __init__(
        self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
        scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        drawn = {
            "gamma": gamma_initializer, "beta": beta_initializer, "moving_mean": moving_mean_initializer,
            "moving_variance": moving_variance_initializer,
        }  # fmt: skip
        penalties = {"beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer}
        super().__init__(axis, epsilon, center, scale, drawn, **penalties, **kwargs)
        self.momentum = float(number(self, "momentum", momentum, "[0, 1]"))

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        rng = rng or initializers.default_rng()
        super().build(input_shape, rng)
        for name in ("moving_mean", "moving_variance"):
            self.add_state(name, self.initializers[name](self.input_shape[-1:], rng=rng, dtype=self.dtype))

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


class LayerNormalization(_Normalization):
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
        one = isinstance(axis, list | tuple) and len(axis) == 1  # as Keras's get_config has it
        drawn = {"gamma": gamma_initializer, "beta": beta_initializer}
        penalties = {"beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer}
        super().__init__(axis[0] if one else axis, epsilon, center, scale, drawn, **penalties, **kwargs)

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

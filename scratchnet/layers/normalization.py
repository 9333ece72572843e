"""BatchNormalization, LayerNormalization, and Normalization of a model's inputs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import initializers
from ..checks import flag, number
from ..errors import DataError, ShapeError
from ..host_arrays import batch_expected, numbers
from ..results import as_result
from .arguments import axis_number, batch_shape, label
from .base import Layer, Shape, nothing, ops
from .weights import put_one, require_built

LEAST = 1e-14  # added to a variance of 0, a feature that is always the same


def require_last(layer: Any) -> None:
    """Raise ShapeError unless a built layer's axis is the last one."""
    last = len(layer.input_shape)
    if not last or layer.axis not in (-1, last):
        given = f"{layer.axis} of {batch_shape(layer.input_shape)}"
        raise ShapeError(f"layer {label(layer)!r}: axis: expected the last, -1 or {last}, got {given}")


class _Normalization(Layer):
    """What the first two have: gamma and beta along the last axis."""

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
        require_last(self)
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


class Normalization(Layer):
    """``y = (x - mean) / sqrt(variance + 1e-14)``, with the statistics of the data given to `adapt`; all (n, ..., c).

    So each feature of a model's inputs gets mean 0 and variance 1. Training does not change the statistics; before
    `adapt` they are 0 and 1. Keras divides by ``max(sqrt(variance), 1e-7)``: the same, up to rounding in float32.

    Parameters
    ----------
    axis : int or None
        -1, or the number of the last axis: mean and variance (c,), one for each feature. None: one for all numbers.
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(axis, list | tuple) and len(axis) < 2:  # as Keras's get_config has it
            axis = axis[0] if axis else None
        self.axis = None if axis is None else axis_number("Normalization", axis)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        if self.axis is not None:
            require_last(self)
        shape = () if self.axis is None else self.input_shape[-1:]
        self.add_state("mean", np.zeros(shape, self.dtype))
        self.add_state("variance", np.ones(shape, self.dtype))
        self.add_state("count", np.zeros((), self.dtype))  # Keras's, which does not use it any more

    def adapt(self, data: Any) -> None:
        """Set mean and variance to those of ``data`` (n, ...); the layer is built for samples of its shape.

        Raises
        ------
        DataError
            If it does not hold numbers, or none, or one that is NaN or infinite.
        ShapeError
            If the layer is built for another shape.
        """
        array = numbers(data, f"{label(self)}: data", "an array of numbers")
        if not array.size or not np.isfinite(array).all():
            raise DataError(
                f"{label(self)}: data: expected finite numbers, got {'NaN or Inf' if array.size else 'none'}"
            )
        if not self.built:
            self.build(array.shape[1:] or (1,))
        if self.axis is not None and array.shape[1:] != self.input_shape:
            expected = batch_expected(self.input_shape, array.shape, "data")
            raise ShapeError(f"layer {label(self)!r}: adapt: expected {expected}")
        rows = array.reshape(-1, self.state["mean"].size)
        for key, values in (("mean", rows.mean(0, dtype=np.float64)), ("variance", rows.var(0, dtype=np.float64))):
            put_one(self, self.state, key, values.reshape(self.shapes[key]))

    @property
    def mean(self) -> Any:
        """The mean of each feature, in a shape that broadcasts with x."""
        return self._broadcasting("mean")

    @property
    def variance(self) -> Any:
        """The variance of each feature, in the same shape."""
        return self._broadcasting("variance")

    def _broadcasting(self, name: str) -> Any:
        require_built(self)
        return as_result(self.state[name].reshape(*[1] * len(self.input_shape), -1))

    def forward(self, x: Any, training: bool = False) -> Any:
        self.x, none = self.check_input(x), nothing(self.dtype)
        y, c = self.buffer("y", self.x.shape), self.state["mean"].size
        self.used_mean, self.inverse = (self.buffer(name, (c,), np.float64) for name in ("mean", "inverse"))
        mean, variance = (self.state[name].reshape(c) for name in ("mean", "variance"))
        results = y.reshape(-1, c), self.used_mean, self.inverse
        ops.batch_norm_inference(self.x.reshape(-1, c), none, none, mean, variance, LEAST, *results)
        return y

    def backward(self, dy: Any) -> Any:
        dy, dx, none = self.check_gradient(dy), self.input_gradient(self.x.shape), nothing(self.dtype)
        rows, dy_rows = (array.reshape(-1, self.used_mean.size) for array in (self.x, dy))
        ops.batch_norm_backward(rows, dy_rows, none, self.used_mean, self.inverse, False, dx, none, none)
        return dx

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis, **super().config()}

"""Dense: every output is a weighted sum of every input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import initializers
from ..checks import flag
from ..errors import ShapeError
from .activated import WithActivation
from .arguments import positive
from .base import Shape, ops


def _matrix(x: Any) -> Any:
    """x with all axes but the last merged into one."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


class Dense(WithActivation):
    """``y = activation(x kernel + bias)``.

    x is (n, ..., in), kernel (in, units), bias (units,), y (n, ..., units): the last axis is mapped, as in Keras.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str or Layer, optional
        ``"relu"`` runs inside the kernel; any other is a layer applied to the result.
    use_bias : bool
        Whether to add a bias.
    kernel_initializer, bias_initializer : str or Initializer
        Initial values; Keras's defaults.
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        What large weights add to the loss.
    **kwargs
        Those of `Layer`: name, dtype, input_shape ...

    Raises
    ------
    ConfigError
        If ``units`` is not a positive integer.
    ShapeError
        If the input has no axis to map.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer, **kwargs)
        positive("Dense", units=units)
        self.units, self.use_bias = int(units), flag(self, "use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        rng = rng or initializers.default_rng()
        if not input_shape:
            raise ShapeError(f"layer {self.name or 'dense'!r}: expected input of shape (n, ..., in), got (n,)")
        self.add_param("kernel", (int(input_shape[-1]), self.units), self.kernel_initializer, rng)
        if self.use_bias:
            self.add_param("bias", (self.units,), self.bias_initializer, rng)
        self.finish_build(tuple(input_shape), (*input_shape[:-1], self.units), rng)

    def linear_forward(self, x: Any, training: bool) -> Any:
        self.x = self.check_input(x)
        self.y = self.buffer("y", (len(x), *self.linear_shape))
        bias = self.optional(self.params, "bias")
        ops.dense_forward(_matrix(self.x), self.params["kernel"], bias, self.relu, _matrix(self.y))
        return self.y

    def linear_backward(self, dy: Any) -> Any:
        dx = self.input_gradient(self.x.shape)
        ops.dense_backward(
            _matrix(self.x), self.params["kernel"], _matrix(self.y), _matrix(dy), self.relu,
            self.grads["kernel"], self.optional(self.grads, "bias"), dx,
        )  # fmt: skip
        return dx

    def config(self) -> dict[str, Any]:
        return {
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            **super().config(),
        }

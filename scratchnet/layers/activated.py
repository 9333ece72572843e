"""What Dense and Conv2D share: a linear map with an activation after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Layer, Shape
from .serialization import serialize


class WithActivation(Layer):
    """A linear map, then an activation.

    ReLU is fused into the linear map's kernel (one pass less over memory); any other activation is a layer of its
    own. A subclass defines ``linear_forward(x, training)`` and ``linear_backward(dy)``, and calls `finish_build`.
    """

    def __init__(self, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        from . import activations

        activation = activations.name_of(activation)
        self.relu = isinstance(activation, str) and activation == "relu"
        self.activation: Layer | None = None if self.relu else activations.get(activation, dtype=self.dtype.name)
        self.linear_shape: Shape = ()

    def finish_build(self, input_shape: Shape, linear_shape: Shape, rng: np.random.Generator) -> None:
        """Set the shapes and build the activation."""
        super().build(input_shape, rng)
        self.output_shape = self.linear_shape = linear_shape
        if self.activation is not None:
            self.activation.build(linear_shape, rng)

    def linear_forward(self, x: Any, training: bool) -> Any:
        """The linear map and, where it is fused, ReLU."""
        raise TypeError(f"{type(self).__name__} does not define linear_forward(x, training)")

    def linear_backward(self, dy: Any) -> Any:
        """The vector-Jacobian product of `linear_forward`."""
        raise TypeError(f"{type(self).__name__} does not define linear_backward(dy)")

    def forward(self, x: Any, training: bool = False) -> Any:
        y = self.linear_forward(x, training)
        return y if self.activation is None else self.activation.forward(y, training)

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        return self.linear_backward(dy if self.activation is None else self.activation.backward(dy))

    def without_activation(self, name: str) -> tuple[Any, Any, Any] | None:
        if self.activation is None or self.activation.without_activation(name) is None:
            return None
        return self.linear_forward, lambda dy: self.linear_backward(self.check_gradient(dy)), self.activation.forward

    def sublayers(self) -> list[Layer]:
        return [] if self.activation is None else [self.activation]

    def config(self) -> dict[str, Any]:
        if self.relu or self.activation is None:
            activation: Any = "relu" if self.relu else None
        else:
            activation = serialize(self.activation)
        return {"activation": activation, **super().config()}

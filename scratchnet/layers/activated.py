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

    Attributes
    ----------
    relu : bool
        Whether the linear map's kernel takes ReLU along.
    after : Layer or None
        What runs after the linear map: the activation, unless it is fused.
    """

    def __init__(self, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.linear_shape: Shape = ()
        self.activation = activation

    @property
    def activation(self) -> Layer | None:
        """The activation as a layer, fused or not; None for a linear one.

        It can be set, to whatever the constructor takes. As in Keras, a model that was compiled before learns of it by
        `compile`.
        """
        return self._activation

    @activation.setter
    def activation(self, value: Any) -> None:
        from . import activations

        value = activations.name_of(value)
        self._activation = activations.get(value, dtype=self.dtype.name)
        self.relu = isinstance(value, str) and value == "relu"
        self.after = None if self.relu else self._activation
        if self.built and self._activation is not None:
            self._activation.build(self.linear_shape)

    def finish_build(self, input_shape: Shape, linear_shape: Shape, rng: np.random.Generator) -> None:
        """Set the shapes and build the activation."""
        super().build(input_shape, rng)
        self.output_shape = self.linear_shape = linear_shape
        if self._activation is not None:
            self._activation.build(linear_shape, rng)

    def linear_forward(self, x: Any, training: bool) -> Any:
        """The linear map and, where it is fused, ReLU."""
        raise TypeError(f"{type(self).__name__} does not define linear_forward(x, training)")

    def linear_backward(self, dy: Any) -> Any:
        """The vector-Jacobian product of `linear_forward`."""
        raise TypeError(f"{type(self).__name__} does not define linear_backward(dy)")

    def forward(self, x: Any, training: bool = False) -> Any:
        y = self.linear_forward(x, training)
        return y if self.after is None else self.after.forward(y, training)

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        return self.linear_backward(dy if self.after is None else self.after.backward(dy))

    def without_activation(self, name: str) -> tuple[Any, Any, Any] | None:
        if self.after is None or self.after.without_activation(name) is None:
            return None
        return self.linear_forward, lambda dy: self.linear_backward(self.check_gradient(dy)), self.after.forward

    def sublayers(self) -> list[Layer]:
        return [] if self.after is None else [self.after]

    def config(self) -> dict[str, Any]:
        fused = "relu" if self.relu else None
        return {"activation": fused if self.after is None else serialize(self.after), **super().config()}

    def get_config(self) -> dict[str, Any]:
        """What `config` says, the activation by its name where a name makes it, as in Keras."""
        from . import activations

        name = getattr(self.after, "activation", None)
        named = isinstance(name, str) and activations.get(name, dtype=self.dtype.name)
        config = super().get_config()
        if self.after is not None and named and serialize(named) == serialize(self.after):
            config["activation"] = name
        return config

"""What Dense and Conv2D share: a linear map with an activation after it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..errors import ShapeError
from .arguments import batch_shape, label
from .base import Layer, Shape
from .serialization import serialize


class WithActivation(Layer):
    """A linear map, then an activation.

    ReLU is fused into the linear map's kernel (one pass fewer over memory); any other activation is a separate
    layer. A subclass defines ``linear_forward(x, training)`` and ``linear_backward(dy)``, and calls `finish_build`.

    Attributes
    ----------
    relu : bool
        Whether the linear map's kernel applies ReLU too.
    after : Layer or None
        What runs after the linear map: the activation, unless it is fused.
    """

    changes = 0  # counts activations that were set: a recorded step is then outdated

    def __init__(self, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.linear_shape: Shape = ()
        self.activation = activation

    @property
    def activation(self) -> Layer | None:
        """The activation as a layer, fused or not; None for a linear one.

        It can be set to whatever the constructor takes. As in Keras, a compiled model must be compiled again to notice.
        """
        return self._activation

    @activation.setter
    def activation(self, value: Any) -> None:
        from . import activations

        value = activations.name_of(value)
        if isinstance(value, activations.Activation):  # one for each layer: it keeps the forward pass's arrays
            value = copy.deepcopy(value)
        self._activation = activations.get(value, dtype=self.dtype.name)
        self.relu = isinstance(value, str) and value == "relu"
        self.after = None if self.relu else self._activation
        self.changes += 1
        if self.built:
            self._build_activation(None)

    def finish_build(self, input_shape: Shape, linear_shape: Shape, rng: np.random.Generator) -> None:
        """Set the shapes and build the activation."""
        super().build(input_shape, rng)
        self.output_shape = self.linear_shape = linear_shape
        self._build_activation(rng)

    def _build_activation(self, rng: np.random.Generator | None) -> None:
        if self._activation is None:
            return
        self._activation.build(self.linear_shape, rng)
        if self._activation.output_shape != self.linear_shape:
            made = f"{batch_shape(self._activation.output_shape)} of {type(self._activation).__name__}"
            expected = f"outputs in the shape of inputs, {batch_shape(self.linear_shape)}"
            raise ShapeError(f"layer {label(self)!r}: activation: expected {expected}, got {made}")

    def linear_forward(self, x: Any, training: bool) -> Any:
        """The linear map and, if fused, ReLU."""
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
        """What `config` returns, with the activation by name if possible, as in Keras."""
        from . import activations

        config = super().get_config()
        return {**config, "activation": activations.plain_name(self.after) or config["activation"]}

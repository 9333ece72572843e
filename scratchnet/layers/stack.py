"""Stack: layers one after the other, as a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import initializers
from ..checks import snake_case
from ..errors import ConfigError
from ..names import unknown
from .arguments import is_integer, label
from .base import Layer, Shape
from .building import build_inside
from .reshaping import Input


class Stack(Layer):
    """``y = layer_k(... layer_2(layer_1(x)))``; the backward pass goes through the layers in reverse.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first may be ``Input(shape)`` or have ``input_shape=``; then the stack is built at once.

    Raises
    ------
    ConfigError
        If something in the stack is not a layer, is repeated, or has a different dtype from the rest.
    ShapeError
        If a layer does not fit the output of the one before it.
    """

    def __init__(self, layers: Iterable[Layer] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._layers: list[Layer] = []
        self._rng: np.random.Generator | None = None
        # A lookup instead of a walk through the stack for each new layer: 8,000 layers take 0.2 s instead of 32.
        self._inside: set[int] = set()
        self._names: dict[str | None, int] = {}  # also of layers taken off, which may come back
        if layers is not None and (isinstance(layers, str | bytes | Mapping) or not isinstance(layers, Iterable)):
            raise ConfigError(f"{label(self)}: expected a list of layers, got {layers!r:.80}")
        for layer in () if layers is None else layers:
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers, as a new list, as in Keras: `add` and `pop` change the stack."""
        return list(self._layers)

    def add(self, layer: Layer) -> None:
        """Put a layer on top; it is built at once if the model's input shape is known."""
        if not isinstance(layer, Layer):
            raise ConfigError(f"{label(self)}: expected a layer, got {layer!r:.80}")
        inner = {id(one): one for one in layer.walk()}
        if id(self) in inner:
            raise ConfigError(f"{label(self)}: a model cannot be inside itself")
        if not self._inside.isdisjoint(inner):  # or a reused id of a former object
            for other in self.walk():
                if id(other) in inner:
                    raise ConfigError(
                        f"{label(self)}: the layer {other.name or type(other).__name__!r} is in the model already"
                    )
        requested, built = self.requested_input_shape, self.built
        first = not self._layers and requested is None
        if first and layer.requested_input_shape is not None:
            self.requested_input_shape = layer.requested_input_shape
        if isinstance(layer, Input):
            if not first:
                raise ConfigError(f"{label(self)}: Input comes first, before all layers")
            return
        self._give_name(layer)
        if not self._layers:
            self.dtype = layer.dtype
        if any(inner.dtype != self.dtype for inner in layer.walk()):
            raise ConfigError(
                f"{label(self)}: all layers share one dtype: expected {self.dtype}, {layer.name!r} has {layer.dtype}"
            )
        self._layers.append(layer)
        try:
            if self.built:
                self._build_layer(layer, self.output_shape)
            elif self.requested_input_shape is not None:
                self.build(self.requested_input_shape)
        except BaseException:  # restore the stack: in a notebook the next cell may add another layer
            Stack.pop(self)
            self._names = {one.name: 0 for one in self._layers}
            self.requested_input_shape, self.built = requested, built
            raise
        self._inside.update(map(id, layer.walk()))

    def pop(self) -> Layer:
        """Remove the last layer, and return it. Its name is not given to another layer, so it can be added again.

        Raises
        ------
        ConfigError
            If there is none.
        """
        if not self._layers:
            raise ConfigError(f"{label(self)}: there is no layer to take off")
        last = self._layers.pop()
        if self.built:
            self.output_shape = self._layers[-1].output_shape if self._layers else self.input_shape
        return last

    def _give_name(self, layer: Layer) -> None:
        if layer.name is None or (layer.unnamed and layer.name in self._names):
            snake = name = snake_case(type(layer).__name__)
            while name in self._names:
                self._names[snake] += 1  # the number of the last layer that was named after this one
                name = f"{snake}_{self._names[snake]}"
            layer.name = name
        elif layer.name in self._names and any(one.name == layer.name for one in self._layers):
            raise ConfigError(f"{label(self)}: layer names are unique, and {layer.name!r} is taken")
        self._names[layer.name] = 0

    def build(self, input_shape: Any, rng: np.random.Generator | None = None) -> None:
        """Build every layer for inputs of shape ``(28, 28, 1)`` or, with the batch axis, ``(None, 28, 28, 1)``.

        Layers that are already built keep their weights.
        """
        self._rng = rng or initializers.default_rng()
        super().build(input_shape)
        for layer in self._layers:
            self._build_layer(layer, self.output_shape)

    def _build_layer(self, layer: Layer, input_shape: Shape) -> None:
        build_inside(layer, input_shape, self._rng)
        self.output_shape = layer.output_shape

    def sublayers(self) -> list[Layer]:
        return list(self._layers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer with this name, or at this index; ConfigError if there is none."""
        n, names = len(self._layers), [str(layer.name) for layer in self._layers]
        if index is not None:
            if not is_integer(index) or not -n <= index < n:
                raise ConfigError(f"get_layer: index: expected an integer from {-n} to {n - 1}, got {index!r:.80}")
            return self._layers[index]
        if not isinstance(name, str) or name not in names:
            raise unknown("get_layer: name", name, names)
        return self._layers[names.index(name)]

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        for layer in self._layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy: Any) -> Any:
        for layer in reversed(self._layers):
            dy = layer.backward(dy)
        return dy

    def without_activation(self, name: str) -> tuple[Any, Any, Any] | None:
        cut = self._layers[-1].without_activation(name) if self._layers else None
        if cut is None:
            return None
        last_forward, last_backward, activation = cut

        def forward(x: Any, training: bool = False) -> Any:
            x = self.check_input(x)
            for layer in self._layers[:-1]:
                x = layer.forward(x, training)
            return last_forward(x, training)

        def backward(dy: Any) -> Any:
            dy = last_backward(dy)
            for layer in reversed(self._layers[:-1]):
                dy = layer.backward(dy)
            return dy

        return forward, backward, activation

    def config(self) -> dict[str, Any]:
        from .serialization import serialize

        return {**super().config(), "layers": [serialize(layer) for layer in self._layers]}

    def __repr__(self) -> str:
        names = [str(layer.name) for layer in self._layers]
        shown = [*names[:8], *([f"... {len(names) - 8} more"] if len(names) > 8 else [])]
        return f"{type(self).__name__}(name={self.name!r}, layers=[{', '.join(shown)}])"

    def get_config(self) -> dict[str, Any]:
        """What `config` returns, and the input shape if known: `from_config` then returns a built stack."""
        from .serialization import serialize

        layers = [serialize(layer, layer.get_config()) for layer in self._layers]
        shape = self.input_shape if self.built else self.requested_input_shape
        return {**super().get_config(), "layers": layers, "input_shape": shape}

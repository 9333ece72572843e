"""Flattened: a stack whose parameters are views of one vector, so an optimizer is one kernel over all of them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import array_module, to_numpy
from .errors import ShapeError
from .layers import weights as of_layers
from .layers.base import Layer
from .layers.stack import Stack
from .turns import Turns
from .workspace import Workspace, flatten_into_views

if TYPE_CHECKING:
    from .training import Trainer


class Flattened(Stack):
    """``flat_params`` and ``flat_grads`` are the vectors, once they exist; ``spans`` are the slices of the arrays."""

    def __init__(self, layers: Iterable[Layer] | None = None, **kwargs: Any) -> None:
        self.optimizer: Any = None
        self.flat_params: Any = None
        self.flat_grads: Any = None
        self.spans: list[tuple[int, int]] = []
        self.frozen: list[Layer] = []  # not trainable at `compile`
        self._views: list[tuple[dict[str, Any], str, Any]] = []  # the owners, keys and arrays of the vectors' parts
        self.buffers = Workspace()
        self.turns = Turns()
        self._trainer: Trainer | None = None
        super().__init__(layers, **kwargs)

    def add(self, layer: Layer) -> None:
        super().add(layer)
        self.flat_params = None

    def pop(self) -> Layer:
        last = super().pop()
        self.flat_params = None
        return last

    def build(self, input_shape: Any, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        self.flat_params = None

    def flatten(self) -> None:
        """Make the trained parameters views of one vector, and their gradients views of another.

        The optimizer starts afresh, unless it belongs to these vectors' predecessors: after recompiling, it continues.
        """
        self.require_built()
        self._lay_out()
        self._trainer = None
        if self.optimizer is None:
            return
        try:
            if self.optimizer.goes_on(self, self.spans):
                self.optimizer.follow_backend()
            else:
                self.optimizer.build(self.flat_params.size, self.spans, self.dtype)
                self.optimizer.model = weakref.ref(self)
        except BaseException:  # Ctrl-C: the next step lays out everything again
            self.flat_params = None
            raise

    def trained_layers(self) -> list[Layer]:
        """The layers, inner ones too, that were trainable when the model was compiled."""
        frozen = {id(layer) for layer in self.frozen}
        return [layer for layer in self.walk() if id(layer) not in frozen]

    def _lay_out(self) -> None:
        layers = self.trained_layers()
        params = [(layer.params, name) for layer in layers for name in layer.params]
        grads = [(layer.grads, name) for layer in layers for name in layer.params]
        self.flat_params, self.spans = flatten_into_views(params, self.dtype)
        self.flat_grads, _ = flatten_into_views(grads, self.dtype)
        self._views = [(where, name, where[name]) for where, name in params + grads]

    def reclaim(self) -> None:
        """Copy into the vectors what has taken the place of one of their parts: an array that a user put into
        ``params``, or the part of another model's vectors, if that model shares layers with this one.
        """
        if self.flat_params is None:
            return
        for where, name, view in self._views:
            array: Any = where.get(name)
            if array is view:
                continue
            if np.shape(array) != view.shape:  # the layer was built again, for other inputs
                self._lay_out()
                self._trainer = None
                return
            view[...] = array_module().asarray(array)
            where[name] = view

    def _joined(self) -> bool:
        """Whether each layer is built for the output of the one before it."""
        ends = [self.input_shape, *(layer.output_shape for layer in self._layers)]
        return all(layer.input_shape == end for layer, end in zip(self._layers, ends, strict=False))

    def __getstate__(self) -> dict[str, Any]:
        """What a copy, or a spawned process, gets: not the vectors, of which arrays are views."""
        left: dict[str, Any] = {
            "_trainer": None,
            "_views": [],
            "buffers": Workspace(),
            "flat_grads": None,
            "turns": None,
        }
        return {**super().__getstate__(), **left, "flat_params": None, "laid_out": self.flat_params is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        laid_out = state.pop("laid_out")
        vars(self).update(state, turns=Turns())
        if laid_out:
            self._lay_out()

    def require_built(self) -> None:
        """Raise ShapeError unless the model is built."""
        if not self.built:
            raise ShapeError(
                f"model {self.name!r} is not built: call build(input_shape), or start it with Input(shape)"
            )

    def follow_backend(self) -> None:
        """Move weights, gradients and the optimizer's vectors to where the current backend computes."""
        if self.built and not self._joined():  # another model has built a shared layer for its own inputs
            super().build(self.input_shape, self._rng)
            self._trainer = None
        xp = array_module()
        some = [*(where[key] for _, where, key in islice(of_layers.places(self), 1)), *self.buffers.arrays[:1]]
        if all(isinstance(array, xp.ndarray) for array in some):
            return
        for layer in self.walk():
            for arrays in (layer.params, layer.grads, layer.state):
                for name, array in arrays.items():
                    arrays[name] = xp.asarray(to_numpy(array))
        self.buffers.clear()
        self._trainer = None
        if self.flat_params is not None:
            self._lay_out()
            if self.optimizer is not None:
                self.optimizer.follow_backend()

    def __call__(self, inputs: Any, training: bool | None = None, mask: None = None) -> Any:
        """As `Layer` does; ShapeError for a model that has no layers and was not built without them."""
        if not self.built and not self._layers:
            raise ShapeError(f"model {self.name!r} cannot be built: it has no layers; add(layer) comes first")
        return super().__call__(inputs, training, mask)

    def forward(self, x: Any, training: bool = False) -> Any:
        self.follow_backend()
        return super().forward(x, training)

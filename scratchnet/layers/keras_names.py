"""Attributes and methods of layers under Keras's names: weights, which of them are trained, config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..checks import flag
from ..configured import Configured
from ..errors import ConfigError
from ..names import INSTEAD, folded, no_attribute
from ..results import Number
from .weights import copies, places, put, put_one, require_built

if TYPE_CHECKING:
    from .base import Layer


WEIGHTS = (
    "kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "depthwise_kernel", "pointwise_kernel",
)  # fmt: skip
NO_GRAPH = dict.fromkeys(
    ("input", "inputs", "output", "outputs"), "there is no graph: layer(x) computes it for an array"
)
LEFT_OUT_BY = {"bias": "use_bias", "gamma": "scale", "beta": "center"}  # in Keras an omitted weight is None


class UninitializedError(ConfigError, AttributeError):
    """A user-defined layer that does not call the constructor of `Layer`."""


def _weight(name: str) -> Any:
    def get(self: Any) -> Any:
        return vars(self)[name] if name in vars(self) else self.__getattr__(name)

    def put(self: Any, value: Any) -> None:
        for where in (vars(self).get("params", {}), vars(self).get("state", {})):
            if name in where:
                put_one(self, where, name, value)
                return
        vars(self)[name] = value  # an attribute of a user-defined layer

    return property(get, put, doc="The weight of this name. Numbers that are set are copied into it.")


class Described(Configured):
    """What Keras says of a layer without calling it: the shape of its output, and what its weights add to the loss."""

    if TYPE_CHECKING:
        params: dict[str, Any]

        def walk(self) -> list[Layer]: ...

        def trained(self) -> list[Layer]: ...

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the output for inputs of this shape, both with the batch axis: ``(None, 28, 28, 1)``.

        The layer itself stays as it is, built or not.

        Raises
        ------
        ShapeError
            If the layer cannot take such inputs.
        """
        from .building import output_shape

        return output_shape(cast(Any, self), input_shape)

    @property
    def losses(self) -> list[float]:
        """What the regularizers add to the loss: a number for each weight that has one and is trained."""
        penalties = [(layer, *one) for layer in self.trained() if layer.built for one in layer.regularizers.items()]
        return [Number(penalty(layer.params[name])) for layer, name, penalty in penalties if name in layer.params]


class KerasNames(Described):
    """The part of `Layer` with Keras's names."""

    kernel, bias, gamma, beta, moving_mean, moving_variance, depthwise_kernel, pointwise_kernel = map(_weight, WEIGHTS)

    if TYPE_CHECKING:
        _trainable: bool

        def sublayers(self) -> list[Layer]: ...

    @property
    def weights(self) -> list[Any]:
        """The arrays themselves, of this layer and those inside it: for each layer its parameters, then its state."""
        return [where[key] for _, where, key in places(self)]

    variables = weights

    @property
    def trainable_weights(self) -> list[Any]:
        """Those of `weights` that training changes by their gradient."""
        return [array for layer in self.trained() for array in layer.params.values()]

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The other `weights`: those of frozen layers, and moving statistics."""
        trained = {id(array) for array in self.trainable_weights}
        return [array for array in self.weights if id(array) not in trained]

    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Copies of `weights`, in Keras's order; none before the layer is built."""
        return copies(self)

    def set_weights(self, weights: Any) -> None:
        """Set the weights, in the order of `get_weights`; nothing changes unless all of them fit.

        Raises
        ------
        ShapeError
            If the layer is not built, or the number of arrays or a shape does not match.
        DataError
            If one does not hold numbers.
        """
        put(self, weights)

    def count_params(self) -> int:
        """Number of weights, trainable or not."""
        require_built(self)
        return sum(int(array.size) for array in self.weights)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer like the one whose `get_config` returned this; only a model that knew its input shape is built."""
        from .serialization import make

        return make(cast(Any, cls), config)

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.walk():
            layer._trainable = flag(self, "trainable", value)

    def trained(self: Any) -> list[Layer]:
        """Those of `walk` that training changes: they and all that contain them are trainable."""
        return [self, *(one for layer in self.sublayers() for one in layer.trained())] if self._trainable else []

    def untrained(self) -> list[Layer]:
        """The others of `walk`."""
        trained = {id(layer) for layer in self.trained()}
        return [layer for layer in self.walk() if id(layer) not in trained]

    if not TYPE_CHECKING:  # else mypy would take every misspelled attribute for a weight

        def __getattr__(self, name: str) -> Any:
            """A weight under its name: ``layer.kernel``, ``layer.moving_mean``."""
            return _missing(self, name)


def _missing(layer: Any, name: str) -> Any:
    if "params" not in vars(layer) and not name.startswith("__"):
        raise UninitializedError(
            f"{type(layer).__name__}: has no {name}: its __init__ has to call super().__init__(**kwargs) first"
        )
    for arrays in ("params", "state"):
        if name in vars(layer).get(arrays, ()):
            return vars(layer)[arrays][name]
    if vars(layer).get(LEFT_OUT_BY.get(name, "")) is False:
        return None
    waits = name in WEIGHTS and not vars(layer).get("built", True)
    waiting = {folded(name): "the layer is not built, and has no weights yet"} if waits else {}
    raise no_attribute(layer, name, INSTEAD | NO_GRAPH | waiting)

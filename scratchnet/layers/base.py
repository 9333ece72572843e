"""The base of every layer: parameters made by ``build``, a forward pass, and its exact vector-Jacobian product."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np

from .. import config, initializers
from ..backend import array_module, contiguous, get_backend, ops
from ..checks import flag, part_name, snake_case
from ..custom import Hooks, Part, ours
from ..errors import BackendError, ConfigError, DataError, ShapeError
from ..host_arrays import batch_expected, numbers
from ..regularizers import serialize
from ..results import as_result
from ..workspace import Workspace, nothing
from . import keras_arguments
from .keras_names import KerasNames
from .subclassing import KERAS_HOOKS, check_signatures, taking_batch_axis
from .weights import require_built, settle_grads, settle_weights

__all__ = ["Layer", "nothing", "ops"]

Shape = tuple[int, ...]


class Layer(KerasNames, Part):
    """Base class of all layers.

    A subclass sets ``output_shape`` and makes its parameters in `build`, computes in `forward`, and returns the
    vector-Jacobian product in `backward`, where it *assigns* (never accumulates) ``grads``.

    Parameters
    ----------
    name : str, optional
        By default Keras's: the class name in snake case, numbered by the model.
    dtype : {"float32", "float64"}, optional
        Of parameters and activations; ``sn.config.floatx()`` by default.
    input_shape : tuple of int, optional
        Shape of one sample, without the batch axis; a ``Sequential`` that starts with this layer is built at once.
        ``input_dim=4`` means ``input_shape=(4,)``.
    trainable : bool
        See the attribute.
    **unknown
        ``kernel_regularizer`` if the class has a ``kernel_initializer``, and so on: what `regularizers.get` takes.
        Otherwise Keras's layer arguments (``autocast=True``, ``kernel_constraint=None`` ...), only at their defaults.

    Attributes
    ----------
    params, grads, state : dict of str to array
        Trainable parameters, the gradient of each, and arrays that training changes without a gradient, under Keras's
        variable names. In a model, ``params`` and ``grads`` are views into its flat vectors. ``layer.kernel`` is
        ``layer.params["kernel"]``, and so on.
    input_shape, output_shape : tuple of int
        Shapes of one sample, known after `build`.
    trainable : bool
        Whether training changes the parameters. Setting it also sets it for inner layers. As in Keras a model uses the
        value at `compile`; a `BatchNormalization` that is not trainable runs in inference mode.

    Raises
    ------
    ConfigError
        For an argument that the class does not have, or one of Keras's for what scratchnet does not do.
    """

    keras_hooks: ClassVar[Hooks] = KERAS_HOOKS
    argument_words: ClassVar[dict[str, str]] = {}  # {"depthwise_kernel": "depthwise"}: as in depthwise_initializer
    unnamed = False  # whether a stack may change its name, to keep names unique
    augments = False  # whether ``layer(x)`` without ``training`` is a call in training
    _fitted = False  # whether a call has built it: without weights, it takes other shapes, too

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = taking_batch_axis(cls.build)  # type: ignore[method-assign]
        check_signatures(cls)

    def __init__(
        self, name: str | None = None, dtype: Any = None, input_shape: Any = None, trainable: bool = True,
        **unknown: Any,
    ) -> None:  # fmt: skip
        input_shape = keras_arguments.input_shape(self, input_shape, unknown)
        self.regularizers = keras_arguments.regularizers(self, unknown)
        self.name = part_name(self, name)
        self._trainable = flag(self, "trainable", trainable)
        self.dtype = config.as_float_dtype(config.floatx() if dtype is None else dtype)
        self.requested_input_shape: Shape | None = input_shape
        self.params: dict[str, Any] = {}
        self.grads: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.shapes: dict[str, Shape] = {}  # of the parameters and the state
        self.input_shape: Shape = ()
        self.output_shape: Shape = ()
        self.built = False
        self._batch: int | None = None  # samples in the last forward: backward must have as many
        self.needs_input_gradient = True
        self.workspace: Workspace | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "workspace": None}  # a copy that a callback makes is not in the middle of fit

    @taking_batch_axis
    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        """Make the parameters for inputs of this shape and set ``output_shape``.

        The shape has no batch axis; in every subclass, Keras's ``(None, 28, 28, 1)`` is taken as ``(28, 28, 1)``.
        """
        self.input_shape = self.output_shape = input_shape
        self.built, self._batch, self._fitted = True, None, False

    def forward(self, x: Any, training: bool = False) -> Any:
        """The layer's output for a batch ``x`` of shape ``(n, *input_shape)``."""
        raise TypeError(f"{type(self).__name__} does not define forward(x, training=False)")

    def backward(self, dy: Any) -> Any:
        """Given dL/dy for the last `forward`, assign ``grads`` and return dL/dx."""
        raise TypeError(f"{type(self).__name__} does not define backward(dy)")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        words = self.argument_words
        penalties = {f"{words.get(name, name)}_regularizer": serialize(one) for name, one in self.regularizers.items()}
        frozen = {} if self._trainable else {"trainable": False}
        return {"name": self.name, "dtype": self.dtype.name, **frozen, **penalties}

    # What subclasses use ------------------------------------------------------------------------------------------

    def add_param(
        self, name: str, shape: Shape, initializer: str | initializers.Initializer, rng: np.random.Generator
    ) -> None:
        """Make the parameter ``name`` and its gradient."""
        self.require_backend()
        try:
            if isinstance(initializer, str):
                initializer = initializers.get(initializer)
            values = initializer(shape, rng=rng, dtype=self.dtype)
        except ConfigError as error:
            raise ConfigError(f"layer {self.name or type(self).__name__!r}: {name}: {error}") from None
        self.params[name] = array_module().asarray(values)
        self.grads[name] = array_module().zeros(shape, self.dtype)
        self.shapes[name] = tuple(shape)

    def add_state(self, name: str, values: np.ndarray) -> None:
        """Make an array that training changes without a gradient."""
        self.state[name] = array_module().asarray(values)
        self.shapes[name] = values.shape

    def buffer(self, name: str, shape: Shape, dtype: Any = None) -> Any:
        """An uninitialized output array.

        In a model's own loops it is a reused buffer; elsewhere, as in a lecture, it is fresh, so that the results of
        two calls can be compared.
        """
        if self.workspace is None:
            return array_module().empty(shape, dtype or self.dtype)
        return self.workspace.take(self, name, shape, dtype or self.dtype)

    def optional(self, arrays: dict[str, Any], name: str) -> Any:
        """``arrays[name]``, or an array of size 0 if the layer has none of that name."""
        return arrays[name] if name in arrays else nothing(self.dtype)

    def input_gradient(self, shape: Shape) -> Any:
        """The array for dL/dx, of size 0 if it is not wanted."""
        return self.buffer("dx", shape) if self.needs_input_gradient else nothing(self.dtype)

    def check_input(self, x: Any) -> Any:
        """``x`` as a contiguous array of the layer's dtype.

        Raises
        ------
        ShapeError
            If the layer was not built, ``x`` is not a batch of its ``input_shape``, or a parameter was replaced by an
            array of another shape: names the layer, what was expected and what was given.
        DataError
            If ``x`` does not hold numbers.
        BackendError
            If the layer was built under a backend whose arrays are elsewhere.
        """
        if not self.built:
            require_built(self)
        xp = array_module()
        if xp is not np:
            self.require_backend()
        first = next(iter(self.params.values()), None)
        if hasattr(first, "dtype") and not isinstance(first, xp.ndarray):
            raise BackendError(
                f"layer {self.name or type(self).__name__!r}: its weights are not where the {get_backend()} "
                "backend computes; a model takes those of its layers along, a layer alone has to be built again"
            )
        settle_weights(self)
        # Not isinstance: NumPy's matrices and masked arrays have their own arithmetic.
        if type(x) is not xp.ndarray or x.dtype != self.dtype or not x.flags.c_contiguous:
            x = self._converted(x)
        if x.shape[1:] != self.input_shape or x.ndim == 0:
            label = self.name or type(self).__name__
            raise ShapeError(f"layer {label!r}: expected {batch_expected(self.input_shape, x.shape)}")
        self._batch = x.shape[0]
        return x

    def check_gradient(self, dy: Any) -> Any:
        """``dy`` as a contiguous array of the layer's dtype.

        Raises
        ------
        ShapeError
            If it is not a batch of the layer's ``output_shape`` with as many samples as `check_input` last saw, or if
            there was no forward pass yet.
        DataError
            If it does not hold numbers.
        """
        xp = array_module()
        if type(dy) is not xp.ndarray or dy.dtype != self.dtype or not dy.flags.c_contiguous:
            dy = self._converted(dy)
        if dy.shape != (self._batch, *self.output_shape):
            self._refuse_gradient(dy.shape)
        settle_grads(self)
        return dy

    def _refuse_gradient(self, shape: Shape) -> None:
        label = self.name or type(self).__name__
        if self._batch is None:
            require_built(self)
            if ours(type(self)):
                raise ShapeError(f"layer {label!r}: backward comes after forward, and nothing has gone forward yet")
            if shape and shape[1:] == self.output_shape:
                return  # a user-defined class, whose forward does not call check_input
        expected = ", ".join(map(str, ["n" if self._batch is None else self._batch, *self.output_shape]))
        raise ShapeError(f"layer {label!r}: expected dy of shape ({expected}), got {shape}")

    def _converted(self, array: Any) -> Any:
        xp, label = array_module(), self.name or type(self).__name__
        try:
            given = xp.asarray(array) if hasattr(array, "__cuda_array_interface__") else np.asarray(array)
            if given.dtype.kind not in "biuf":
                raise TypeError(f"got {given.dtype}")
            return contiguous(given, self.dtype)
        except (TypeError, ValueError, RuntimeError) as error:
            raise DataError(f"layer {label!r}: expected an array of numbers: {error!s:.200}") from None

    def without_activation(self, name: str) -> tuple[Any, Any, Any] | None:
        """``(forward, backward, activation)``: the layer without its final activation of this name, and the activation;
        None if the layer does not end in it.

        With these, a loss after softmax or sigmoid is computed from the logits, in one stable step.
        """
        return None

    def sublayers(self) -> list[Layer]:
        """The layers inside this one (a composite overrides it)."""
        return []

    def walk(self) -> list[Layer]:
        """This layer and all layers inside it, in order of execution, parents first."""
        return [self, *(inner for layer in self.sublayers() for inner in layer.walk())]

    def __call__(self, inputs: Any, training: bool | None = None, mask: None = None) -> Any:
        """Build on first use, then `forward`: ``layer(x)``, as in Keras. The array returned also has ``numpy()``.

        Without ``training`` it is a call in inference; but, as in Keras, `RandomFlip` and `RandomTranslation`, alone or
        in a stack, change their images then. A layer without weights takes inputs of another shape with each call.

        Raises
        ------
        ConfigError
            If ``inputs`` is a layer, or there is a ``mask``.
        """
        x = inputs
        if any(isinstance(one, Layer) for one in (x if isinstance(x, list | tuple) else [x])):
            raise ConfigError(
                f"{type(self).__name__}: expected an array, got a layer: there is no functional API: use "
                "Sequential([...]), and Residual for a way around layers"
            )
        if mask is not None:
            raise ConfigError(f"{type(self).__name__}: mask: expected None, got {mask!r:.80}: there are no masks")
        if not self.built or (self._fitted and not self.weights):
            label = self.name or type(self).__name__
            shape = x.shape if hasattr(x, "shape") else numbers(x, f"layer {label!r}", "an array of numbers").shape
            try:
                if not self.built or tuple(shape)[1:] != self.input_shape:
                    self.build(tuple(shape)[1:], initializers.default_rng())
            except ShapeError as error:
                raise ShapeError(f"{error}; x has the shape {tuple(shape)}") from None
            self._fitted = True
        if training is None and not any(layer.augments for layer in self.walk()):
            training = False
        return as_result(self.forward(x, training))  # type: ignore[arg-type]

    def _told(self) -> dict[str, Any]:
        told = self.get_config()
        if re.fullmatch(rf"{snake_case(type(self).__name__)}(_\d+)?", self.name or ""):  # given by the model
            told.pop("name", None)
        if self.dtype == config.floatx():
            told.pop("dtype", None)
        return told

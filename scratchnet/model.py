"""Sequential: a stack of layers that is itself a layer, with Keras's way of training it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from . import fitting, losses, optimizers, summary, testing, training
from . import metrics as metrics_module
from .backend import PRECISIONS, array_module, products_in, to_numpy
from .callbacks import CallbackList, History
from .errors import ConfigError, ShapeError
from .layers import weights as of_layers
from .layers.base import Layer
from .layers.serialization import register
from .layers.stack import Stack
from .workspace import Workspace, flatten_into_views

UNNAMED = "sequential"


@register
class Sequential(Stack):
    """A stack of layers, each fed with the output of the one before it.

    ``y = layer_k(... layer_2(layer_1(x)))``; the backward pass goes through the layers in reverse.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first may be ``Input(shape)`` or have ``input_shape=``: then the model builds itself.
    name : str, optional
        ``"sequential"`` when left out; inside another model it gets a number, if there are several.

    Raises
    ------
    ConfigError
        If something in the stack is not a layer, is there twice, or has another dtype than the rest.
    ShapeError
        If a layer does not fit the output of the one before it.

    Examples
    --------
    >>> model = Sequential([Input((8, 8)), Flatten(), Dense(32, activation="relu"), Dense(10)])
    >>> model.compile("adam", SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    >>> history = model.fit(x_train, y_train, epochs=3, verbose=0)
    """

    def __init__(self, layers: Iterable[Layer] | None = None, name: str | None = None, **kwargs: Any) -> None:
        self.optimizer: Any = None
        self.loss: Any = None
        self.metrics: list[Any] = []
        self.history: History | None = None
        self.callbacks: CallbackList | None = None
        self.stop_training = False
        self.flat_params: Any = None
        self.flat_grads: Any = None
        self.spans: list[tuple[int, int]] = []
        self._views: list[tuple[dict[str, Any], str, Any]] = []  # where the vectors' parts are, and which they are
        self.buffers = Workspace()
        self.progress: training.Progress | None = None
        self._trainer: training.Trainer | None = None
        self.precision, self.capture = "float32", True
        self.unnamed = name in (None, UNNAMED)
        super().__init__(layers, name=name or UNNAMED, **kwargs)

    def add(self, layer: Layer) -> None:
        super().add(layer)
        self.flat_params = None

    def pop(self) -> None:
        super().pop()
        self.flat_params = None

    def build(self, input_shape: Any, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        self.flat_params = None

    # Parameters ---------------------------------------------------------------------------------------------------

    def flatten(self) -> None:
        """Make all parameters views of one vector, and all gradients of another; the optimizer starts anew."""
        self.require_built()
        self._lay_out()
        self._trainer = None
        if self.optimizer is not None:
            self.optimizer.build(self.flat_params.size, self.spans, self.dtype)
            self.optimizer.model = weakref.ref(self)

    def _lay_out(self) -> None:
        params = [(layer.params, name) for layer in self.walk() for name in layer.params]
        grads = [(layer.grads, name) for layer in self.walk() for name in layer.params]
        self.flat_params, self.spans = flatten_into_views(params, self.dtype)
        self.flat_grads, _ = flatten_into_views(grads, self.dtype)
        self._views = [(where, name, where[name]) for where, name in params + grads]

    def _reclaim(self) -> None:
        """Lay the vectors out again if another model, that layers of this one are in as well, has done so since."""
        if self.flat_params is not None and any(where.get(name) is not view for where, name, view in self._views):
            self._lay_out()
            self._trainer = None

    def _joined(self) -> bool:
        """Whether each layer is built for what comes out of the one before it."""
        ends = [self.input_shape, *(layer.output_shape for layer in self.layers)]
        return all(layer.input_shape == end for layer, end in zip(self.layers, ends, strict=False))

    def __getstate__(self) -> dict[str, Any]:
        """What a copy, or a process of one's own, takes along: not the vectors, which arrays are views of."""
        left: dict[str, Any] = {"_trainer": None, "_views": [], "buffers": Workspace(), "flat_grads": None}
        return {**vars(self), **left, "flat_params": None, "laid_out": self.flat_params is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        laid_out = state.pop("laid_out")
        vars(self).update(state)
        if laid_out:
            self._lay_out()

    def require_built(self) -> None:
        """Raise ShapeError unless the model is built."""
        if not self.built:
            raise ShapeError(
                f"model {self.name!r} is not built: call build(input_shape), or start it with Input(shape)"
            )

    def follow_backend(self) -> None:
        """Take weights, gradients and the optimizer's vectors to where the backend in use computes."""
        if self.built and not self._joined():  # another model has built a layer of this one for inputs of its own
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

    def forward(self, x: Any, training: bool = False) -> Any:
        self.follow_backend()
        return super().forward(x, training)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights in Keras's order: layer by layer, parameters, then moving statistics."""
        self.require_built()
        return of_layers.copies(self)

    def set_weights(self, weights: Any) -> None:
        """Put weights in place, in the order of `get_weights`; nothing is changed unless all of them fit."""
        self.require_built()
        self.follow_backend()
        of_layers.put(self, weights)

    def count_params(self) -> int:
        """Number of weights, trainable or not."""
        self.require_built()
        return sum(int(where[key].size) for _, where, key in of_layers.places(self))

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print the table of layers, output shapes and parameter counts."""
        for line in summary.lines(self):
            print_fn(line)

    # Training -----------------------------------------------------------------------------------------------------

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, *,
        precision: str = "float32", capture: bool = True,
    ) -> None:  # fmt: skip
        """Choose the optimizer, the loss and what else to measure, by name or as objects.

        Parameters
        ----------
        optimizer : str or Optimizer
        loss : str or Loss
        metrics : list of str, Metric or function, optional
            A function ``f(y_true, y_pred)`` of NumPy arrays gives a number per sample, or the batch's mean.
        precision : {"float32", "tf32", "mixed_bfloat16"}
            Of matrix products and convolutions of a float32 model on a GPU. ``tf32`` and ``mixed_bfloat16`` round their
            inputs to 10 or 7 bits of fraction, for tensor cores; sums, weights and everything else stay float32.
        capture : bool
            Replay a training step instead of running it from Python: a captured graph on a GPU (capture.py), a program
            on a CPU (recording.py). False is for lectures and debugging; the results are the same.

        Raises
        ------
        ConfigError
            For names or values that make no sense.
        """
        self.optimizer = optimizers.get(optimizer)
        self.loss = None if loss is None else losses.get(loss)
        self.metrics = metrics_module.get_all(metrics)
        if precision not in PRECISIONS:
            raise ConfigError(f"compile: precision: expected one of {', '.join(PRECISIONS)}, got {precision!r:.80}")
        self.precision, self.capture = precision, bool(capture)
        self.flat_params = None  # the optimizer starts anew: the next step lays its vectors out

    def trainer(self) -> training.Trainer:
        """The compiled training step."""
        self.require_built()
        self.follow_backend()
        self._reclaim()
        if self.flat_params is not None and self.optimizer is not None:
            self.optimizer.require_model(self)
        if self._trainer is None or self.flat_params is None:
            self._trainer = training.Trainer(self)
        return self._trainer

    fit = fitting.fit
    evaluate = testing.evaluate
    predict = testing.predict
    predict_classes = testing.predict_classes
    train_on_batch = fitting.train_on_batch
    test_on_batch = fitting.test_on_batch
    loss_and_gradients = fitting.loss_and_gradients

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """What `predict` gives, all samples in one batch."""
        return self.predict(x, steps=1, verbose=0)

    @property
    def metrics_names(self) -> list[str]:
        """What the numbers of `evaluate` and `train_on_batch` are: the loss, then the metrics."""
        return ["loss", *(metric.name for metric in self.metrics)]

    @contextmanager
    def reusing_buffers(self) -> Iterator[None]:
        """Inside the block layers write into reused buffers: what one step returns, the next one overwrites."""
        self.follow_backend()
        layers = self.walk()
        before = [layer.workspace for layer in layers]  # not None where fit's own loop asks for a validation
        for layer in layers:
            layer.require_backend()
            layer.workspace = self.buffers
        try:
            with products_in(self.precision):
                yield
        finally:
            for layer, workspace in zip(layers, before, strict=True):
                layer.workspace = workspace

    # Saving -------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write architecture, weights, compile settings and optimizer state into one ``.safetensors`` file."""
        from . import checkpoint

        checkpoint.save_model(self, path)

    def save_weights(self, path: str | Path) -> None:
        """Write the weights alone into a ``.safetensors`` file."""
        from . import checkpoint

        checkpoint.save_weights(self, path)

    def load_weights(self, path: str | Path) -> None:
        """Read weights that `save_weights` or `save` wrote for a model of the same architecture."""
        from . import checkpoint

        checkpoint.load_weights(self, path)


def load_model(path: str | Path, custom_objects: dict[str, type] | None = None, compile: bool = True) -> Sequential:
    """The model that ``model.save(path)`` wrote: architecture, weights, compile settings and optimizer state.

    Parameters
    ----------
    path : path
        A ``.safetensors`` file. Nothing in it is executed.
    custom_objects : dict of name to class, optional
        Layer and loss classes of your own, where they are not registered (`sn.layers.register`).
    compile : bool
        Whether to restore the compile settings too.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or not one of ours.
    """
    from . import checkpoint

    model: Sequential = checkpoint.load_model(path, custom_objects, compile)
    return model

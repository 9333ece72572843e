"""Sequential: a stack of layers that is itself a layer, with Keras's way of training it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from . import fitting, keras_defaults, losses, optimizers, summary, testing, training
from . import metrics as metrics_module
from .backend import PRECISIONS, products_in
from .callbacks import CallbackList, History
from .checks import whole
from .errors import ConfigError
from .flattened import Flattened
from .layers import weights as of_layers
from .layers.base import Layer
from .layers.serialization import register, serialize
from .layers.subclassing import MODEL_HOOKS

UNNAMED = "sequential"


@register
class Sequential(Flattened):
    """A stack of layers, each fed with the output of the one before it.

    ``y = layer_k(... layer_2(layer_1(x)))``; the backward pass goes through the layers in reverse.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first may be ``Input(shape)`` or have ``input_shape=``; then the model is built at once.
    name : str, optional
        Default ``"sequential"``; inside another model it gets a number if there are several.

    Raises
    ------
    ConfigError
        If something in the stack is not a layer, is repeated, or has a different dtype from the rest.
    ShapeError
        If a layer does not fit the output of the one before it.

    Examples
    --------
    >>> model = Sequential([Input((8, 8)), Flatten(), Dense(32, activation="relu"), Dense(10)])
    >>> model.compile("adam", SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    >>> history = model.fit(x_train, y_train, epochs=3, verbose=0)
    """

    keras_hooks = MODEL_HOOKS

    def __init__(self, layers: Iterable[Layer] | None = None, name: str | None = None, **kwargs: Any) -> None:
        self.loss: Any = None
        self.metrics: list[Any] = []
        self.history: History | None = None
        self.callbacks: CallbackList | None = None
        self.stop_training = False
        self.progress: training.Progress | None = None
        self.precision, self.capture = "float32", True
        self.unnamed = name is None or (isinstance(name, str) and name == UNNAMED)
        super().__init__(layers, name=UNNAMED if name is None else name, **kwargs)

    def set_weights(self, weights: Any) -> None:
        """Set the weights, in the order of `get_weights`; nothing changes unless all of them fit."""
        self.require_built()
        self.follow_backend()
        of_layers.put(self, weights)

    def count_params(self) -> int:
        """Number of weights, trainable or not."""
        self.require_built()
        return sum(int(where[key].size) for _, where, key in of_layers.places(self))

    def summary(
        self, line_length: int | None = None, *, print_fn: Callable[[str], Any] | None = print, **others: Any
    ) -> None:
        """Print the table of layers, output shapes and parameter counts, at least ``line_length`` wide.

        Raises
        ------
        ConfigError
            For an invalid argument, or one of Keras's that would change the table.
        """
        keras_defaults.refuse_others(Sequential.summary, others, keras_defaults.SUMMARY)
        for line in summary.lines(self, 0 if line_length is None else whole("line_length", line_length)):
            (print_fn or print)(line)

    # Training -----------------------------------------------------------------------------------------------------

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, *,
        precision: str = "float32", capture: bool = True, run_eagerly: bool | None = False, **others: Any,
    ) -> None:  # fmt: skip
        """Set the optimizer, the loss and the metrics, by name or as objects.

        Parameters
        ----------
        optimizer : str or Optimizer
        loss : str or Loss
        metrics : list of str, Metric or function, optional
            A function ``f(y_true, y_pred)`` of NumPy arrays returns a number per sample, or the batch's mean.
        precision : {"float32", "tf32", "mixed_bfloat16"}
            Of matrix products and convolutions of a float32 model on a GPU. ``tf32`` and ``mixed_bfloat16`` round their
            inputs to 10 or 7 fraction bits, for tensor cores; sums, weights and everything else stay float32.
        capture : bool
            Replay a training step instead of running it from Python: a captured graph on a GPU (capture.py), a program
            on a CPU (recording.py). False is for lectures and debugging; the results are the same. Keras's
            ``run_eagerly=True`` means ``capture=False``.

        Raises
        ------
        ConfigError
            For invalid names or values, or arguments of Keras's for what scratchnet does not do.
        """
        keras_defaults.refuse_others(Sequential.compile, others, keras_defaults.COMPILE)
        if isinstance(loss, list | tuple) and len(loss) == 1:  # Keras's list of a loss for each output
            loss = loss[0]
        chosen = optimizers.get(optimizer), None if loss is None else losses.get(loss), metrics_module.get_all(metrics)
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise ConfigError(f"compile: precision: expected one of {', '.join(PRECISIONS)}, got {precision!r:.80}")
        self.optimizer, self.loss, self.metrics = chosen  # all of them, or nothing is changed
        self.precision, self.capture = precision, bool(capture) and run_eagerly is not True
        self.frozen = self.untrained()
        self.flat_params = None  # the next step lays out the vectors

    def trainer(self) -> training.Trainer:
        """The compiled training step."""
        self.require_built()
        self.follow_backend()
        self.reclaim()
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
        """What `predict` returns, with all samples in one batch."""
        return self.predict(x, steps=1, verbose=0)

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers that `evaluate` and `train_on_batch` return: the loss, then the metrics, numbered if
        two have the same name.
        """
        names = ["loss"]
        for metric in self.metrics:
            others = sum(one.name == metric.name for one in self.metrics[: len(names) - 1])
            names.append(f"{metric.name}_{others}" if others else metric.name)
        return names

    @contextmanager
    def reusing_buffers(self) -> Iterator[None]:
        """Within the block layers write into reused buffers: the next step overwrites what one step returns."""
        self.follow_backend()
        layers = self.walk()
        before = [layer.workspace for layer in layers]  # not None if fit's own loop runs a validation
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

    def save(self, filepath: str | Path, **others: Any) -> None:
        """Write architecture, weights, compile settings and optimizer state into one file.

        ``"model.keras"`` is a file that Keras loads, too; any other name makes a ``.safetensors`` file, which keeps
        everything that scratchnet has, to the bit.

        Raises
        ------
        CheckpointError
            If it cannot be written, has another suffix of Keras's (``.h5``), or Keras lacks something in the model.
        DependencyError
            If it is to be a ``.keras`` file, and h5py is not installed.
        ConfigError
            For an argument of Keras's that requests something else.
        """
        from . import checkpoint

        keras_defaults.refuse_others(Sequential.save, others, keras_defaults.SAVE_MODEL)
        checkpoint.save_model(self, filepath)

    def to_json(self) -> str:
        """The architecture as JSON, which `models.model_from_json` turns into a model with newly drawn weights."""
        return json.dumps(serialize(self, self.get_config()))

    def save_weights(self, filepath: str | Path, **others: Any) -> None:
        """Write only the weights, into a ``.safetensors`` file, or for Keras into ``.weights.h5``. Raises as `save`."""
        from . import checkpoint

        keras_defaults.refuse_others(Sequential.save_weights, others, keras_defaults.SAVE)
        checkpoint.save_weights(self, filepath)

    def load_weights(self, filepath: str | Path) -> None:
        """Read weights that `save_weights` or `save`, or Keras's, wrote for a model of the same architecture."""
        from . import checkpoint

        checkpoint.load_weights(self, filepath)


def require_model(who: str, model: Any) -> None:
    """Raise ConfigError, naming the function that was called, unless this is a model."""
    if not isinstance(model, Sequential):
        raise ConfigError(f"{who}: expected a Sequential, got {model!r:.80}")


def load_model(
    path: str | Path, custom_objects: dict[str, type] | None = None, compile: bool = True, **others: Any
) -> Sequential:
    """Load the model that ``model.save(path)`` wrote: architecture, weights, compile settings and optimizer state.

    Parameters
    ----------
    path : path
        A ``.safetensors`` file, or one of Keras's: ``.keras`` or, of Keras 2, ``.h5``. Nothing in it is executed.
    custom_objects : dict of name to class, optional
        User-defined layer and loss classes that are not registered (`sn.layers.register`).
    compile : bool
        Whether to restore the compile settings too.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or neither ours nor Keras's; or a Keras model has a layer that is not here.
    DependencyError
        If it is a file of Keras's, and h5py is not installed.
    ConfigError
        For an argument of Keras's that requests something else.
    """
    from . import checkpoint

    keras_defaults.refuse_others(load_model, others, keras_defaults.LOAD)
    model: Sequential = checkpoint.load_model(path, custom_objects, compile)
    return model

"""One model's training step, and the state of a fit: the basis of fitting.py and testing.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import numerics
from .backend import array_module, ops, to_numpy
from .checks import warn
from .custom import ours
from .errors import CheckpointError, ConfigError
from .layers.weights import put_one
from .results import logged
from .stepping import Stepper
from .workspace import nothing

if TYPE_CHECKING:
    from .model import Sequential


@dataclass
class Progress:
    """The state of a fit: with the weights and the optimizer, all that is needed to resume it, bit for bit."""

    seed: int  # of the order of the samples
    epoch: int = 0
    step: int = 0  # of this epoch
    samples: int = 0  # of this epoch
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0])
    metrics: list[Any] = field(default_factory=list)
    callbacks: dict[str, Any] = field(default_factory=dict)  # their states, from a checkpoint until fit hands them out
    settings: dict[str, Any] = field(default_factory=dict)  # of the fit: those that determine which samples a step sees
    generation: int = 0  # number of the checkpoint that this was read from or last written to; 0 if none
    folder: str = ""  # of that checkpoint

    def take_up(self, **settings: Any) -> None:
        """Record the settings of a fit.

        Raises
        ------
        ConfigError
            If they are not those with which it began: its steps would see different samples.
        """
        for name, value in settings.items():
            if name in self.settings and self.settings[name] != value:
                raise ConfigError(f"progress: this fit began with {name}={self.settings[name]}, got {name}={value}")
        self.settings = settings


def require_compiled(model: Sequential) -> None:
    """Raise ConfigError unless the model is compiled."""
    if model.loss is None or model.optimizer is None:
        raise ConfigError(f"model {model.name!r} is not compiled: call compile(optimizer, loss) first")


def set_steps(model: Sequential, iterations: int) -> None:
    """Set the number of steps taken, from which the optimizer and layers with random bits continue."""
    model.optimizer.iterations = iterations
    for layer in model.walk():
        if hasattr(layer, "step"):
            layer.step = iterations


class Trainer:
    """One model's step, planned once: which layers run, whether a final activation is skipped, what is measured."""

    def __init__(self, model: Sequential) -> None:
        require_compiled(model)
        if not model.layers:
            raise ConfigError(f"model {model.name!r} has no layers")
        if model.flat_params is None:
            model.flatten()
        self.model, self.loss = model, model.loss
        self.loss.require_backend()
        name, cut = self._final_activation()
        self.logits = getattr(self.loss, "from_logits", False) is True or cut is not None
        forwards: list[Callable[..., Any]] = [layer.forward for layer in model.layers]
        backwards: list[Callable[[Any], Any]] = [layer.backward for layer in model.layers]
        self.left_out = None
        if cut is not None:
            forwards[-1], backwards[-1], self.left_out = cut
        self.forwards = forwards
        layers = model.trained_layers()
        trained = {id(layer) for layer in layers if layer.params}
        trainable = [i for i, layer in enumerate(model.layers) if any(id(inner) in trained for inner in layer.walk())]
        first = trainable[0] if trainable else len(model.layers)
        self.backwards = backwards[first:][::-1]
        self.first_trainable = model.layers[first if trainable else -1]
        # Of user-defined classes, whose backward may replace the view of the flat vector by a new array.
        own = [layer for layer in layers if not ours(type(layer))]
        self.own_gradients = [(layer, name, layer.grads[name]) for layer in own for name in layer.params]
        self.penalties = [(layer, name, one) for layer in layers for name, one in layer.regularizers.items()]
        self.totals = array_module().zeros(2, np.float64)
        counts = self.loss.counts_correct and name == self.loss.fused_activation
        self.counted = [m for m in model.metrics if counts and m.counts_correct and ours(type(m))]
        self.measured = [m for m in model.metrics if m not in self.counted]
        self.watches_loss = True  # a captured step checks it on the GPU
        self.stepper = Stepper(self)
        self.active = False  # inside `running`
        self._ones: Any = nothing(model.dtype)

    def _final_activation(self) -> tuple[str, Any]:
        """A final softmax or sigmoid that the loss takes over, by name, and the last layer without it; None if none.

        The loss is then computed from the activation's input: stable, and one kernel. As in Keras on TensorFlow, this
        happens for the wrong one of the two as well: training then minimizes a loss that is not that of the outputs.
        """
        from_logits, expected = getattr(self.loss, "from_logits", None), self.loss.fused_activation
        names = [expected, *({"softmax", "sigmoid"} - {expected} if ours(type(self.loss)) else ())]
        for name in names if from_logits is not None else ():
            cut = self.model.layers[-1].without_activation(name)
            if cut is not None:
                if from_logits or name != expected:
                    wanted = "from_logits=True" if from_logits else f"{expected} is expected"
                    warn(
                        f"{self.loss.name}: {wanted}, but the model ends in {name}: as in Keras, what stands before it "
                        "is taken for the logits"
                    )
                return name, cut
        return expected, None

    @contextmanager
    def running(self) -> Iterator[None]:
        """The state of the layers during training: buffers are reused, the first layer's dx is not computed."""
        if self.active:  # a callback of fit takes its own steps
            yield
            return
        self.active = True
        self.stepper.pace.begin()
        try:
            with self.model.reusing_buffers():
                yield
        finally:
            self.active = False
            self.stepper.pace.end()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A new mean within the block; afterwards an epoch's mean, if a callback of fit called this, continues."""
        if not self.active:
            self.reset()
            yield
            return
        epoch = Progress(0)
        self.capture(epoch)
        self.reset()
        try:
            yield
        finally:
            self.restore(epoch)

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Steps leave no trace on the host: counters stay, the loss is not checked. For a GPU that only records."""
        layers = [layer for layer in self.model.walk() if hasattr(layer, "step")]
        before = int(self.model.optimizer.iterations), [layer.step for layer in layers]
        self.watches_loss = False
        try:
            yield
        finally:
            self.watches_loss, self.model.optimizer.iterations = True, before[0]
            for layer, step in zip(layers, before[1], strict=True):
                layer.step = step

    def take_memory(self, targets: Any, n: int) -> None:
        """Allocate all buffers of a step with n samples."""
        with self.tracing():
            x = array_module().empty((n, *self.model.input_shape), self.model.dtype)
            self.step(x, targets[:n], self.weights(n))

    def weights(self, n: int, weights: Any = None) -> Any:
        """Sample weights as an array of the model's dtype; ones if there are none."""
        if weights is not None:
            return array_module().asarray(weights, dtype=self.model.dtype)
        if len(self._ones) < n:
            self._ones = array_module().ones(n, self.model.dtype)
        return self._ones[:n]

    def forward(self, x: Any, training: bool) -> Any:
        """The model's output, or its logits if the final activation is skipped."""
        for forward in self.forwards:
            x = forward(x, training)
        return x

    def gradients(self, x: Any, targets: Any, weights: Any) -> None:
        """Forward, loss (added to ``totals``), backward: fills every gradient.

        Raises
        ------
        NumericsError
            If the loss is not finite; the weights are then those before the step.
        """
        y = self.forward(x, True)
        dy = self.model.buffers.take(self, "dy", y.shape, y.dtype)
        self.loss.evaluate(y, targets, weights, self.logits, self.totals, dy)
        if self.watches_loss and not math.isfinite(self.totals[0]):
            raise numerics.explain(self.model, x, int(self.model.optimizer.iterations))
        self.measure(y, targets)
        self.first_trainable.needs_input_gradient = not self.active
        try:
            for backward in self.backwards:
                dy = backward(dy)
        finally:
            self.first_trainable.needs_input_gradient = True
        for layer, name, view in self.own_gradients:
            if layer.grads[name] is not view:
                put_one(layer, {name: view}, name, layer.grads[name])
                layer.grads[name] = view
        self.penalize(len(x), True)

    def penalize(self, n: int, gradients: bool) -> None:
        """Add the regularizers' penalties to the loss of n samples, and their derivatives to the gradients."""
        for layer, name, regularizer in self.penalties:
            if name in layer.params:
                w, g = layer.params[name], layer.grads[name] if gradients else nothing(layer.dtype)
                ops.penalize(w.reshape(-1), regularizer.l1, regularizer.l2, n, self.totals, g.reshape(-1))

    def measure(self, y: Any, targets: Any) -> None:
        """Update the metrics that the loss does not count itself."""
        if self.measured and self.left_out is not None:
            y = self.left_out(y)
        for metric in self.measured:
            metric.update_state(to_numpy(targets), to_numpy(y))

    def step(self, x: Any, targets: Any, weights: Any) -> None:
        """One optimizer step with a batch, from Python; stepping.py replays it if possible."""
        self.gradients(x, targets, weights)
        self.model.optimizer.apply(self.model.flat_params, self.model.flat_grads)

    def test(self, x: Any, targets: Any, weights: Any) -> None:
        """Forward and loss only."""
        y = self.forward(x, False)
        self.loss.evaluate(y, targets, weights, self.logits, self.totals, nothing(y.dtype))
        self.penalize(len(x), False)
        self.measure(y, targets)

    def reset(self) -> None:
        """Start a new mean."""
        self.totals[...] = 0
        for metric in self.measured:
            metric.reset_state()

    def restore(self, progress: Progress) -> None:
        """Continue the mean of an interrupted epoch."""
        self.reset()
        self.totals[...] = array_module().asarray(progress.totals)
        for metric, state in zip(self.measured, progress.metrics, strict=False):
            try:
                metric.load_state(state)
            except (TypeError, ValueError, IndexError) as error:
                raise CheckpointError(f"the fit was saved with another metric than {metric.name!r}: {error}") from error

    def capture(self, progress: Progress) -> None:
        """Save the mean of the running epoch, for `restore`."""
        progress.totals = [float(total) for total in to_numpy(self.totals)]
        progress.metrics = [metric.state() for metric in self.measured]

    def results(self, samples: int) -> dict[str, Any]:
        """Loss and metrics of the samples since `reset`; an array as a list."""
        loss, correct = (float(total) for total in to_numpy(self.totals))
        for metric in self.counted:
            metric.load_state([correct, samples])
        values = [loss / samples, *(logged(metric.result()) for metric in self.model.metrics)]
        return dict(zip(self.model.metrics_names, values, strict=True))

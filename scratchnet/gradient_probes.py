"""What `check_gradients` probes: a layer, model or loss in double precision, reduced to one number.

A probe has ``arrays`` that may be changed in place, ``terms()`` whose sum is the loss for the current arrays, and
``gradients()``, the derivatives that the object claims.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from .backend import array_module, to_numpy
from .errors import GradientError
from .workspace import nothing


def size_of(array: Any) -> float:
    """The root mean square of an array's elements, 1 where they are all zero."""
    return float(np.sqrt(np.mean(np.square(to_numpy(array))))) or 1.0 if array.size else 1.0


def require_checkable(subject: Any, x: Any, y: Any) -> None:
    """Raise GradientError unless this is a layer, model or loss with a batch of numbers."""
    loss = hasattr(subject, "prepare_targets")
    if not loss and not (hasattr(subject, "backward") and hasattr(subject, "built")):
        raise GradientError(f"check_gradients: expected a layer, a model or a loss, got {subject!r:.80}")
    try:
        array = to_numpy(x)
    except ValueError:
        raise GradientError("check_gradients: x: expected an array, got a ragged list") from None
    if array.dtype.kind not in "biuf" or array.ndim == 0 or array.size == 0:
        got = f"shape {array.shape}, dtype {array.dtype}"
        raise GradientError(f"check_gradients: x: expected numbers, at least one sample, got an array of {got}")
    if y is not None and not loss and not hasattr(subject, "trainer"):
        raise GradientError(f"check_gradients: y goes with a compiled model or a loss, got a {type(subject).__name__}")


class LayerProbe:
    """A float64 copy of a layer or model: its loss as a function of its arrays, and the gradients it claims."""

    def __init__(self, subject: Any, x: Any, y: Any, training: bool, seed: int, moved: bool) -> None:
        self.rng, self.y, self.training = np.random.default_rng(seed), y, training
        self.model = copy.deepcopy(subject)
        self.layers = self.model.walk() if hasattr(self.model, "walk") else [self.model]
        xp = array_module()
        integers = np.asarray(to_numpy(x)).dtype.kind in "iub"
        self.x = xp.array(x) if integers else xp.array(x, dtype=np.float64)
        for layer in self.layers:
            layer.dtype, layer.workspace, layer.needs_input_gradient = np.dtype(np.float64), None, True
        if not self.model.built:
            self.model.build(tuple(self.x.shape[1:]), self.rng)
        for layer in self.layers:
            for where in (layer.params, layer.grads, layer.state):
                where.update({key: value.astype(np.float64) for key, value in where.items()})
        if y is not None:
            self.model.flat_params, self.model.frozen = None, []  # it lays out its vectors again: float64, all layers
            self.trainer = self.model.trainer()
            self.targets = self.model.loss.prepare_targets(y, self.model.output_shape)
            self.model.loss_and_gradients(self.x, y)
        self.params = dict(self._named("params"))
        self.arrays = {**({} if integers or y is not None else {"x": self.x}), **self.params}
        if moved:
            for array in self.arrays.values():
                array += 0.01 * size_of(array) * xp.asarray(self.rng.standard_normal(array.shape))
        self._state = [
            ({key: array.copy() for key, array in layer.state.items()}, getattr(layer, "step", None))
            for layer in self.layers
        ]
        self.r: Any = None

    def _named(self, where: str) -> Iterator[tuple[str, Any]]:
        for layer in self.layers:
            label = "" if layer is self.model else f"{layer.name or type(layer).__name__}/"
            for key in layer.params:
                yield label + key, getattr(layer, where).get(key)

    def _restore(self) -> None:
        # Every evaluation sees the same dropout mask, and leaves the moving statistics unchanged.
        for layer, (state, step) in zip(self.layers, self._state, strict=True):
            for key, array in state.items():
                layer.state[key][...] = array
            if step is not None:
                layer.step = step

    def forward(self) -> Any:
        """The output for the current arrays."""
        self._restore()
        return self.model.forward(self.x, training=self.training)

    def terms(self) -> np.ndarray:
        """Terms whose sum is the loss."""
        if self.y is None:
            return to_numpy(self.forward() * self.r).ravel()
        self._restore()
        totals, weights = array_module().zeros(2), self.trainer.weights(len(self.x))
        y_pred = self.trainer.forward(self.x, True)
        logits, unwanted = self.trainer.logits, nothing(np.dtype(np.float64))
        self.model.loss.evaluate(y_pred, self.targets, weights, logits, totals, unwanted)
        penalties = [regularizer(layer.params[name]) for layer, name, regularizer in self.trainer.penalties]
        return np.array([*(to_numpy(totals[:1]) / len(self.x)), *penalties])

    def gradients(self) -> dict[str, Any]:
        """The gradients that the layer or model claims, as copies."""
        dx = None
        if self.y is None:
            self.forward()
            dx = self.model.backward(self.r)
        else:
            self._restore()
            self.model.loss_and_gradients(self.x, self.y)
        claimed = {"x": dx, **dict(self._named("grads"))}
        return {name: None if value is None else np.array(to_numpy(value)) for name, value in claimed.items()}


class LossProbe:
    """A loss as a function of its predictions."""

    def __init__(self, loss: Any, y_pred: Any, y_true: Any, seed: int, moved: bool) -> None:
        xp = array_module()
        self.rng, self.loss = np.random.default_rng(seed), loss
        self.x = xp.array(y_pred, dtype=np.float64)
        if moved:
            self.x += 0.01 * size_of(self.x) * xp.asarray(self.rng.standard_normal(self.x.shape))
        self.targets = loss.prepare_targets(y_true, tuple(self.x.shape[1:]))
        if self.targets.dtype.kind == "f":
            self.targets = self.targets.astype(np.float64)
        self.arrays = {"y_pred": self.x}

    def _evaluate(self, dy: Any) -> float:
        totals, weights = array_module().zeros(2), array_module().ones(len(self.x))
        logits = bool(getattr(self.loss, "from_logits", False))
        self.loss.evaluate(self.x, self.targets, weights, logits, totals, dy)
        return float(totals[0]) / len(self.x)

    def terms(self) -> np.ndarray:
        """The loss."""
        return np.array([self._evaluate(nothing(np.dtype(np.float64)))])

    def gradients(self) -> dict[str, Any]:
        """The gradient that the loss claims."""
        dy = array_module().full_like(self.x, np.nan)
        self._evaluate(dy)
        return {"y_pred": to_numpy(dy)}


def returns_view(layer: Any) -> bool:
    inner = layer.sublayers() if hasattr(layer, "sublayers") else []
    return all(map(returns_view, inner)) if inner else bool(getattr(layer, "returns_view", False))


def habits(probe: LayerProbe) -> Iterator[str]:
    """What a layer must not do, whatever its derivative: change its arrays, share memory, add to old gradients."""
    before = {name: array.copy() for name, array in probe.arrays.items()}
    y = probe.forward()
    probe.r = array_module().asarray(probe.rng.standard_normal(y.shape))
    if not bool(np.isfinite(to_numpy(y)).all()):
        raise GradientError("check_gradients: the output is not finite at this point")
    if getattr(probe.model, "output_shape", y.shape[1:]) != tuple(y.shape[1:]):
        yield f"output_shape is {probe.model.output_shape}, but forward gives {tuple(y.shape)}"
    if array_module().may_share_memory(y, probe.x) and not returns_view(probe.model):
        yield "the output shares memory with the input (a layer that means this says returns_view = True)"
    r, once, twice = probe.r.copy(), probe.gradients(), probe.gradients()
    if (probe.r != r).any():
        yield "backward changes its argument dy"
    for name, array in probe.arrays.items():
        if (array != before[name]).any():
            yield f"forward or backward changes {'its input' if name == 'x' else name}"
            array[...] = before[name]
    for name, first in once.items():
        second = twice[name]
        if first is None or second is None or not np.isfinite(first).all():
            continue  # its row of the table says so
        if first.shape != second.shape or not np.allclose(first, second, rtol=1e-9, atol=1e-12):
            yield f"the gradient of {name} differs from one backward to the next: assign it, do not add to it"

"""Building a layer inside another one."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np

from .. import initializers
from ..checks import sample_shape
from ..errors import ShapeError
from .arguments import batch_shape, label
from .base import Layer, Shape


def build_inside(layer: Layer, input_shape: Shape, rng: np.random.Generator | None) -> None:
    """Build a layer of a composite, as in Keras: one already built, alone or in another model, keeps its weights.

    So a trained model can be put into a new one, and two models can share layers.

    Raises
    ------
    ShapeError
        If its weights are for inputs of another shape.
    """
    if not layer.built:
        layer.build(input_shape, rng)
        return
    layer._fitted = False  # the stack relies on its shape
    if layer.input_shape == tuple(input_shape):
        return
    held = [(inner, inner.params, inner.grads, inner.state) for inner in layer.walk()]
    before = layer.input_shape
    fresh = _built_for(layer, input_shape, rng)
    fits = fresh == [[array.shape for array in (*params.values(), *state.values())] for _, params, _, state in held]
    if not fits:
        _built_for(layer, before, rng)
    for inner, params, grads, state in held:
        inner.params, inner.grads, inner.state = params, grads, state
    if not fits:
        raise ShapeError(
            f"layer {label(layer)!r} is built, with weights for inputs of shape {batch_shape(before)}: it cannot take "
            f"{batch_shape(tuple(input_shape))}; make a new layer"
        )


def output_shape(layer: Layer, input_shape: Any) -> tuple[Any, ...]:
    """See `KerasNames.compute_output_shape`."""
    n, *shape = input_shape if isinstance(input_shape, tuple | list) and input_shape else (None, input_shape)
    twin = copy.deepcopy(layer)
    with initializers.blank(sys.maxsize):
        build_inside(twin, sample_shape(f"layer {label(layer)!r}", tuple(shape), ShapeError), np.random.default_rng(0))
    return (n, *twin.output_shape)


def _built_for(layer: Layer, shape: Shape, rng: np.random.Generator | None) -> list[list[Shape]]:
    """Rebuild it and all layers inside it; returns the shapes of their weights."""
    for inner in layer.walk():
        inner.built, inner.params, inner.grads, inner.state = False, {}, {}, {}
    layer.build(shape, rng)
    return [[array.shape for array in (*inner.params.values(), *inner.state.values())] for inner in layer.walk()]

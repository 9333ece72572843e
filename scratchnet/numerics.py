"""When numbers go wrong: find where, and report it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import all_finite, to_numpy
from .errors import NumericsError

if TYPE_CHECKING:
    from .model import Sequential

ADVICE = "try a lower learning rate, clipnorm=1.0, or inputs scaled to [0, 1]"


def _bad(array: Any) -> str | None:
    values = to_numpy(array)
    if np.isfinite(values).all():
        return None
    return "NaN" if np.isnan(values).any() else "Inf"


def require_finite(model: Sequential) -> None:
    """Raise NumericsError, naming step, layer and array, if a weight or a slot of the optimizer is not finite."""
    step = 0 if model.optimizer is None else int(model.optimizer.iterations)
    slots = model.optimizer.slots if model.optimizer is not None else {}
    laid_out = model.flat_params is not None  # then all parameters are in one array
    params = [model.flat_params] if laid_out else [a for layer in model.walk() for a in layer.params.values()]
    if all_finite([*params, *(a for layer in model.walk() for a in layer.state.values()), *slots.values()]):
        return
    for layer in model.walk():
        for name, array in {**layer.params, **layer.state}.items():
            if kind := _bad(array):
                raise NumericsError(
                    f"step {step}: {kind} in {name!r} of layer {layer.name!r}: {ADVICE}",
                    step=step, layer=layer.name, array=name,
                )  # fmt: skip
    for name, array in slots.items():
        if kind := _bad(array):
            raise NumericsError(f"step {step}: {kind} in the optimizer's {name!r}: {ADVICE}", step=step, array=name)


def explain(model: Sequential, x: Any, step: int) -> NumericsError:
    """The error for a loss that is not finite: it names the first such array, from the input on."""
    if kind := _bad(x):
        return NumericsError(f"step {step}: {kind} in the input of the model", step=step, array="x")
    y = x
    for layer in model.layers:
        for inner in layer.walk():
            for name, array in {**inner.params, **inner.state}.items():
                if kind := _bad(array):
                    return NumericsError(
                        f"step {step}: {kind} in {name!r} of layer {inner.name!r}: {ADVICE}",
                        step=step, layer=inner.name, array=name,
                    )  # fmt: skip
        y = layer.forward(y, False)
        if kind := _bad(y):
            return NumericsError(
                f"step {step}: {kind} in the output of layer {layer.name!r}: {ADVICE}",
                step=step, layer=layer.name, array="output",
            )  # fmt: skip
    return NumericsError(
        f"step {step}: the loss is not finite though every layer's output is: check the targets; {ADVICE}",
        step=step, array="loss",
    )  # fmt: skip

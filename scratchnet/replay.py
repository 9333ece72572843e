"""What a replayed step, on a CPU (recording.py) or a GPU (capture.py), may consist of, and what may change.

A replayed step consists of our own kernels with the numbers that they had. So every part of it must be one of ours, a
setting that a user changes must be noticed, and what differs from step to step is computed by the optimizer's own code.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .model import Sequential
    from .training import Trainer


def possible(trainer: Trainer) -> bool:
    """Whether a model's step can be replayed: only our own parts, and no metrics that are computed outside kernels."""
    model = trainer.model
    parts = [*model.walk()[1:], model.loss, model.optimizer]
    return model.capture and not trainer.measured and all(map(_ours, parts))


def _ours(part: Any) -> bool:
    """Whether this is one of our parts, unmodified: a user-defined one may do anything between the kernels."""
    changed = {"forward", "backward", "evaluate", "apply", "update"} & set(vars(part))
    return type(part).__module__.partition(".")[0] == __package__ and not changed


def foreseeable(rate: Any) -> bool:
    """Whether the learning rate of later steps can be computed now: a user-defined schedule may depend on more than
    the step.
    """
    return isinstance(rate, float) or _ours(rate)


class Settings:
    """The settings that a replayed step has built in and a user may change: whether they have changed.

    Parameters
    ----------
    model : Sequential
    """

    def __init__(self, model: Sequential) -> None:
        self.model = model
        layers = model.walk()[1:]
        parts = [*layers, model.loss, *(one for layer in layers for one in layer.regularizers.values())]
        self._states = [(layer.state, name) for layer in model.walk() for name in layer.state]
        self._parts = [(part, attrgetter(*names)) for part in parts if (names := _numbers(part))]
        self._values = copy.deepcopy(self._read())  # a list in a schedule may be changed in place

    def hold(self) -> bool:
        """Whether nothing has changed."""
        return self._values == self._read()

    def _read(self) -> list[Any]:
        model = self.model
        rate = model.optimizer.rate_or_schedule
        schedule = () if isinstance(rate, float) or not _ours(rate) else tuple(vars(rate).values())
        values = [read(part) for part, read in self._parts]
        arrays = [model.flat_params, *model.optimizer.slots.values(), *(kept[name] for kept, name in self._states)]
        return [model.optimizer.changes, schedule, *map(id, arrays), *values]


def _numbers(part: Any) -> list[str]:
    """The arguments of a layer or a loss that it keeps as plain values: kernels are launched with them."""
    plain = bool, int, float, str, tuple, np.generic
    names = [*part.config(), "trainable", "changes"]
    return [name for name in names if name != "name" and isinstance(getattr(part, name, None), plain)]


def ask_ahead(model: Sequential, steps: int, note: Callable[[], bool]) -> None:
    """Make the optimizer take its next steps as if for real; the caller must keep the launches from running.

    Parameters
    ----------
    model : Sequential
    steps : int
        At most.
    note : callable
        Called after each step; returns False to stop.
    """
    optimizer = model.optimizer
    before = {name: getattr(optimizer, name) for name in optimizer.counters}
    asked = 0
    try:
        while asked < steps:
            optimizer.apply(model.flat_params, model.flat_grads)
            asked += 1
            if not note():
                break
    except Exception:
        if not asked:  # a schedule that fails at a later step fails when that step comes
            raise
    finally:
        vars(optimizer).update(before)

"""The base of every optimizer: settings, slots, and a step of clipping, decay and update."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import array_module, ops, to_numpy
from ..checks import number, part_name, refuse_unknown
from ..configured import Configured
from ..custom import ours, refuse_keras_hooks
from ..errors import ConfigError, ShapeError
from ..keras_defaults import OPTIMIZER, take
from ..names import no_attribute
from ..results import Rate
from ..workspace import empty, nothing
from . import schedules


class Optimizer(Configured):
    """Base class of all optimizers.

    A step is: clip the gradients in place, shrink the parameters by ``learning_rate * weight_decay``, then `update`.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Can be set at any time; a schedule is called at every step. Reading it returns the rate of the next step, a
        number that also has Keras's ``numpy()`` and ``assign(rate)``.
    weight_decay : float, optional
        Decoupled: of the parameters, not of the gradient (Loshchilov and Hutter, arXiv:1711.05101).
    clipnorm, global_clipnorm, clipvalue : float, optional
        Scale the gradient of each variable, or of all together, down to this norm; or limit every number to +- this
        value. At most one of them.
    **unknown
        Keras's other optimizer arguments (``use_ema=False``, ``gradient_accumulation_steps=None`` ...), only at their
        defaults.

    Attributes
    ----------
    iterations : int
        Steps taken.
    slots : dict of str to array
        What the optimizer remembers: a flat vector each, under Keras's names, laid out like the parameters.

    Raises
    ------
    ConfigError
        For an invalid value, or an unknown argument (suggesting the right one).
    """

    arguments: tuple[str, ...] = ()  # a subclass's own, besides those of this class
    counters: tuple[str, ...] = ("iterations",)  # attributes that a step changes
    changes = 0  # counts changed settings, except the learning rate: a recorded step is then outdated

    def __init__(
        self, learning_rate: Any, weight_decay: float | None = None, clipnorm: float | None = None,
        clipvalue: float | None = None, global_clipnorm: float | None = None, name: str | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        known = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "name")
        take(self, unknown, OPTIMIZER)
        refuse_unknown(self, unknown, ("learning_rate", *self.arguments, *known))
        self.name = part_name(self, name) or type(self).__name__.lower()
        self.learning_rate = learning_rate
        self.weight_decay = self._optional("weight_decay", weight_decay, "[0, inf)")
        self.clipnorm = self._optional("clipnorm", clipnorm, "(0, inf)")
        self.clipvalue = self._optional("clipvalue", clipvalue, "(0, inf)")
        self.global_clipnorm = self._optional("global_clipnorm", global_clipnorm, "(0, inf)")
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ConfigError(f"{type(self).__name__}: expected at most one of clipnorm, clipvalue and global_clipnorm")
        self.iterations = 0
        self.slots: dict[str, Any] = {}
        self.dtype: Any = None
        self.size = 0
        self.spans: Any = None
        self.model: weakref.ref[Any] | None = None  # whose parameters it was built for

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_keras_hooks(
            cls,
            {
                "update_step": ("define update(params, grads, rate, decay), a step of all parameters", ("update",)),
                "get_config": ("name the arguments in the class's `arguments`, or define config()", ("config",)),
            },
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "model": None}  # a copy belongs to the model's copy

    if not TYPE_CHECKING:  # else mypy would take every misspelled attribute for one of these

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("lr", "decay") and ours(type(self)):  # Keras's of old: to set them would change nothing
            raise no_attribute(self, name)
        super().__setattr__(name, value)
        if name not in ("learning_rate", "rate_or_schedule", *self.counters):
            vars(self)["changes"] = self.changes + 1
        if name in self.arguments and vars(self).get("dtype") is not None:
            self._make_slots(self.dtype)

    def _optional(self, name: str, value: Any, interval: str) -> float | None:
        return None if value is None else number(self, name, value, interval)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; the number or schedule that was set is in ``rate_or_schedule``.

        Raises
        ------
        ConfigError
            If a schedule returns something that is not a rate.
        """
        return Rate(self._next_rate(), self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, schedules.LearningRateSchedule | dict):
            self.rate_or_schedule: Any = schedules.get(value)
        else:
            self.rate_or_schedule = float(number(self, "learning_rate", _scalar(value), "[0, inf)"))

    def _next_rate(self) -> float:
        rate = self.rate_or_schedule
        if isinstance(rate, float):
            return rate
        rate = _scalar(rate(self.iterations))
        return float(number(self, f"learning_rate of step {self.iterations}", rate, "[0, inf)"))

    def slot_values(self) -> dict[str, float | None]:
        """The slots by name, and the initial value of each; None for one that the settings do not need."""
        return {}

    def build(self, size: int, spans: list[tuple[int, int]], dtype: Any) -> None:
        """Start afresh with vectors of this size; ``spans`` are the slices (start, stop) of the single variables."""
        xp = array_module()
        self.dtype, self.iterations, self.size = None, 0, size
        self.spans = xp.asarray(np.array(spans, np.int64).reshape(-1, 2))
        self.slots = {}
        self._make_slots(dtype)
        self.dtype = np.dtype(dtype)  # last: it says that the rest is there, whatever interrupts this

    def _make_slots(self, dtype: Any) -> None:
        """Create the slots that the settings need and that do not exist yet."""
        for name, value in self.slot_values().items():
            if value is not None and name not in self.slots:
                slot = empty(self.size, dtype)
                slot[...] = value
                self.slots[name] = slot

    def goes_on(self, model: Any, spans: list[tuple[int, int]]) -> bool:
        """Whether it was last built for this model, with these variables."""
        if self._last_model() is not model or self.dtype != model.dtype:
            return False
        return np.array_equal(to_numpy(self.spans), np.array(spans, np.int64).reshape(-1, 2))

    def taken_by(self, model: Any) -> Any:
        """The other model that has taken this optimizer since it was built for ``model``; None if there is none."""
        last = self._last_model()
        return None if last is model else last

    def _last_model(self) -> Any:
        """The model that it was last built for, if it still exists."""
        return None if self.model is None else self.model()

    def require_model(self, model: Any) -> None:
        """Raise ConfigError if another model has taken this optimizer since it was built for ``model``."""
        if (other := self.taken_by(model)) is not None:
            raise ConfigError(
                f"{type(self).__name__}: model {other.name!r} trains with this optimizer since: expected one for each "
                f"model; compile model {model.name!r} with its own"
            )

    def follow_backend(self) -> None:
        """Move the vectors to where the current backend computes."""
        xp = array_module()
        self.spans = xp.asarray(to_numpy(self.spans))
        self.slots = {name: xp.asarray(to_numpy(slot)) for name, slot in self.slots.items()}

    def apply(self, params: Any, grads: Any) -> None:
        """One step, in place. Clipping changes ``grads`` too.

        Raises
        ------
        ConfigError
            If the optimizer was not built, or was built for vectors of another size.
        ShapeError
            If there are more or fewer gradients than parameters, or one is not a contiguous vector of its dtype.
        """
        if self.dtype is None:
            raise ConfigError(f"{type(self).__name__} is not built: call build(size, spans, dtype) first")
        if params.size != self.size:
            raise ConfigError(
                f"{type(self).__name__} was built for {self.size} parameters, got {params.size}: call build first"
            )
        if grads.size != params.size:
            raise ShapeError(f"{type(self).__name__}: expected {params.size} gradients, got {grads.size}")
        for what, vector in (("parameters", params), ("gradients", grads)):
            if vector.ndim != 1 or vector.dtype != self.dtype or not vector.flags.c_contiguous:
                raise ShapeError(
                    f"{type(self).__name__}: {what}: expected a contiguous vector of {self.dtype}, got {vector.dtype} "
                    f"of shape {vector.shape}{'' if vector.flags.c_contiguous else ', not contiguous'}"
                )
        if self.clipvalue is not None:
            ops.clip_by_value(grads, self.clipvalue)
        elif self.clipnorm is not None:
            ops.clip_by_norm(grads, self.spans, self.clipnorm, False)
        elif self.global_clipnorm is not None:
            ops.clip_by_norm(grads, self.spans, self.global_clipnorm, True)
        rate = self._next_rate()
        self.update(params, grads, rate, rate * (self.weight_decay or 0.0))
        self.count_step()

    def count_step(self) -> None:
        """Count a step."""
        vars(self)["iterations"] += 1

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        """The step itself, with these clipped gradients; ``decay`` is the fraction by which parameters first shrink."""
        raise TypeError(f"{type(self).__name__} does not define update(params, grads, rate, decay)")

    def slot(self, name: str) -> Any:
        """A slot, or an array of size 0 if the settings do not need it.

        Raises
        ------
        ConfigError
            If `slot_values` has no slot of this name.
        """
        if name in self.slots:
            return self.slots[name]
        if name not in (there := self.slot_values()):
            has = f"slot_values(), which names each with its start, has {', '.join(there) or 'none'}"
            raise ConfigError(f"{type(self).__name__}: there is no slot {name!r}: {has}")
        return nothing(self.dtype)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        rate = self.rate_or_schedule
        names = (*self.arguments, "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "name")
        return {
            "learning_rate": rate if isinstance(rate, float) else schedules.serialize(rate),
            **{name: getattr(self, name) for name in names},
        }

    def __repr__(self) -> str:
        settings = {key: value for key, value in self.config().items() if value is not None and key != "name"}
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"


def _scalar(value: Any) -> Any:
    """A number instead of an array of shape ()."""
    return to_numpy(value).item() if getattr(value, "shape", None) == () else value

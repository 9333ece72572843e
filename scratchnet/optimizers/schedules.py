"""Learning rate schedules: ``schedule(step)`` is the rate of that optimizer step, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import arguments_of, number, refuse_unknown
from ..configured import Configured, resolve
from ..custom import known
from ..errors import ConfigError

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]


class LearningRateSchedule(Configured):
    """Base class: a subclass defines ``__call__(step) -> float``, in Python floats. Attributes are the arguments.

    Parameters
    ----------
    name : str, optional
        For compatibility with Keras.

    Raises
    ------
    ConfigError
        For an argument that the class does not have.
    """

    def __init__(self, name: str | None = None, **unknown: Any) -> None:
        refuse_unknown(self, unknown, list(dict.fromkeys([*arguments_of(type(self)), "name"])))
        if name is not None:
            self.name = name

    def __call__(self, step: Any) -> Any:
        """The rate of a step, a float; for an array of steps, as in a plot, an array."""
        if np.ndim(step) == 0:
            return self.rate(step)
        steps = np.asarray(step)
        return np.array([self.rate(one) for one in steps.flat]).reshape(steps.shape)

    def rate(self, step: int) -> float:
        """The rate of a step."""
        raise TypeError(f"{type(self).__name__} does not define __call__(step)")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        return dict(vars(self))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in vars(self).items())})"


class _Decay(LearningRateSchedule):
    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False,
        name: str | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **unknown)
        self.initial_learning_rate = number(self, "initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.decay_steps = number(self, "decay_steps", decay_steps, "(0, inf)")
        self.decay_rate = number(self, "decay_rate", decay_rate, "[0, inf)")
        self.staircase = bool(staircase)

    def progress(self, step: int) -> float:
        """``step / decay_steps``, in whole numbers for a staircase."""
        return step // self.decay_steps if self.staircase else step / self.decay_steps


class ExponentialDecay(_Decay):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``; ``staircase`` rounds the exponent down."""

    def rate(self, step: int) -> float:
        try:
            return float(self.initial_learning_rate * self.decay_rate ** self.progress(step))
        except OverflowError:
            return math.inf


class InverseTimeDecay(_Decay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``; ``staircase`` rounds the fraction down."""

    def rate(self, step: int) -> float:
        return float(self.initial_learning_rate / (1 + self.decay_rate * self.progress(step)))


class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end`` until ``decay_steps``, then ``end``.

    With ``cycle`` the decay restarts, over the next multiple of ``decay_steps``, whenever it has reached its end.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, end_learning_rate: float = 0.0001, power: float = 1.0,
        cycle: bool = False, name: str | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **unknown)
        self.initial_learning_rate = number(self, "initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.decay_steps = number(self, "decay_steps", decay_steps, "(0, inf)")
        self.end_learning_rate = number(self, "end_learning_rate", end_learning_rate, "[0, inf)")
        self.power = number(self, "power", power, "[0, inf)")
        self.cycle = bool(cycle)

    def rate(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        fraction = min(step, steps) / steps
        fall = self.initial_learning_rate - self.end_learning_rate
        return float(fall * (1 - fraction) ** self.power + self.end_learning_rate)


class CosineDecay(LearningRateSchedule):
    """Half a cosine from ``initial_learning_rate`` down to ``alpha`` times it; Loshchilov and Hutter, arXiv:1608.03983.

    ``rate ((1 - alpha) (1 + cos(pi step / decay_steps)) / 2 + alpha)``. With a ``warmup_target`` the rate first rises
    linearly from ``initial_learning_rate`` to the target in ``warmup_steps``, and falls from there in the following
    ``decay_steps``.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, alpha: float = 0.0, name: str | None = None,
        warmup_target: float | None = None, warmup_steps: int = 0, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **unknown)
        self.initial_learning_rate = number(self, "initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.decay_steps = number(self, "decay_steps", decay_steps, "(0, inf)")
        self.alpha = number(self, "alpha", alpha)
        self.warmup_target = None if warmup_target is None else number(self, "warmup_target", warmup_target, "[0, inf)")
        self.warmup_steps = number(self, "warmup_steps", warmup_steps, "[0, inf)")

    def rate(self, step: int) -> float:
        start, peak = 0.0, self.initial_learning_rate
        if self.warmup_target is not None:
            start, peak = self.warmup_steps, self.warmup_target
            if step < start:
                return float((peak - self.initial_learning_rate) * (step / start) + self.initial_learning_rate)
        fraction = min(step - start, self.decay_steps) / self.decay_steps
        cosine = 0.5 * (1 + math.cos(math.pi * fraction))
        return float(peak * ((1 - self.alpha) * cosine + self.alpha))


class CosineDecayRestarts(LearningRateSchedule):
    """`CosineDecay` again and again, as in the same paper: from ``m_mul ** i`` times the initial rate in cycle i.

    The first cycle takes ``first_decay_steps``, each of the next ``t_mul`` times as many as the one before it; the
    formula is ``rate ((1 - alpha) m_mul ** i (1 + cos(pi fraction of the cycle)) / 2 + alpha)``.
    """

    def __init__(
        self, initial_learning_rate: float, first_decay_steps: int, t_mul: float = 2.0, m_mul: float = 1.0,
        alpha: float = 0.0, name: str | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **unknown)
        self.initial_learning_rate = number(self, "initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.first_decay_steps = number(self, "first_decay_steps", first_decay_steps, "[1, inf)")
        self.t_mul = number(self, "t_mul", t_mul, "[1, inf)")
        self.m_mul = number(self, "m_mul", m_mul, "[0, inf)")
        self.alpha = number(self, "alpha", alpha)

    def rate(self, step: int) -> float:
        try:
            cycle, start, length = self._cycle(step)
            cosine = 0.5 * (1 + math.cos(math.pi * (step - start) / length))
            height = self.m_mul**cycle * cosine
        except OverflowError:
            return math.inf
        return float(self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha))

    def _cycle(self, step: int) -> tuple[int, float, float]:
        """The number of the cycle that a step is in, the cycle's first step, and its length."""
        first, times = self.first_decay_steps, self.t_mul
        if times == 1:
            cycle = int(step // first)
            return cycle, cycle * first, first
        cycle = int(math.log1p(step / first * (times - 1)) / math.log(times))
        starts = [first * (times**i - 1) / (times - 1) for i in (cycle, cycle + 1)]
        late = step >= starts[1]  # the logarithms were rounded down
        return cycle + late, starts[late], first * times ** (cycle + late)


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[i]`` up to and including step ``boundaries[i]``, the last value after the last boundary."""

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str | None = None, **unknown: Any
    ) -> None:
        super().__init__(name, **unknown)
        for name, given in (("boundaries", boundaries), ("values", values)):
            if isinstance(given, str) or not hasattr(given, "__len__") or np.ndim(given) != 1:
                raise ConfigError(f"PiecewiseConstantDecay: {name}: expected a list of numbers, got {given!r:.80}")
        self.boundaries = [number(self, "boundaries", value) for value in boundaries]
        self.values = [number(self, "values", value, "[0, inf)") for value in values]
        if len(self.values) != len(self.boundaries) + 1 or not self.boundaries:
            raise ConfigError(
                "PiecewiseConstantDecay: expected one more value than boundaries, "
                f"got {len(self.boundaries)} boundaries and {len(self.values)} values"
            )
        if sorted(self.boundaries) != self.boundaries:
            raise ConfigError(f"PiecewiseConstantDecay: boundaries: expected them to rise, got {self.boundaries}")

    def rate(self, step: int) -> float:
        return float(self.values[sum(step > boundary for boundary in self.boundaries)])


def get(identifier: Any) -> LearningRateSchedule:
    """A schedule from a ``{"class_name", "config"}`` dict, or itself.

    Raises
    ------
    ConfigError
        For anything else.
    """
    classes = {name: globals()[name] for name in __all__ if name != "LearningRateSchedule"}
    return resolve("schedule", identifier, LearningRateSchedule, classes | known(LearningRateSchedule))


deserialize = get  # Keras's name for it when given a dict


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """The dict that `get` turns back into the schedule."""
    return {"class_name": type(schedule).__name__, "config": schedule.config()}

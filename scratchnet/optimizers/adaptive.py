"""A separate rate for every parameter: RMSprop, Adagrad and Adadelta."""

from __future__ import annotations

from typing import Any

from ..backend import ops
from ..checks import flag, number
from .base import Optimizer


class RMSprop(Optimizer):
    """``p -= rate g / sqrt(v + epsilon)``, v the running mean of g^2; Tieleman and Hinton, Coursera lecture 6.5, 2012.

    With ``centered`` the square of the running mean of g is subtracted from v; with ``momentum`` the step is
    ``m = momentum m + step``.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    rho : float in [0, 1)
    momentum : float in [0, 1]
    epsilon : float above 0
    centered : bool
    **kwargs
        Those of `Optimizer`: weight decay, clipping.
    """

    arguments = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7,
        centered: bool = False, weight_decay: float | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.rho = float(number(self, "rho", rho, "[0, 1)"))
        self.momentum = float(number(self, "momentum", momentum, "[0, 1]"))
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))
        self.centered = flag(self, "centered", centered)

    def slot_values(self) -> dict[str, float | None]:
        needed = {"velocity": True, "momentum": self.momentum > 0, "average_gradient": self.centered}
        return {name: 0.0 if value else None for name, value in needed.items()}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        ops.rmsprop(
            params, grads, self.slots["velocity"], self.slot("average_gradient"), self.slot("momentum"),
            rate, self.rho, self.momentum, self.epsilon, decay,
        )  # fmt: skip


class Adagrad(Optimizer):
    """``v += g^2``, ``p -= rate g / sqrt(v + epsilon)``; Duchi, Hazan and Singer, JMLR 12, 2011.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    initial_accumulator_value : float
        The initial value of v.
    epsilon : float above 0
    **kwargs
        Those of `Optimizer`: weight decay, clipping.
    """

    arguments = ("initial_accumulator_value", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7,
        weight_decay: float | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, **kwargs)
        value = number(self, "initial_accumulator_value", initial_accumulator_value, "[0, inf)")
        self.initial_accumulator_value = float(value)
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))

    def slot_values(self) -> dict[str, float | None]:
        return {"accumulator": self.initial_accumulator_value}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        ops.adagrad(params, grads, self.slots["accumulator"], rate, self.epsilon, decay)


class Adadelta(Optimizer):
    """``step = sqrt(u + epsilon) / sqrt(v + epsilon) g``, ``p -= rate step``; Zeiler, arXiv:1212.5701.

    u and v are running means of ``step^2`` (of the steps before this one) and g^2.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    rho : float in [0, 1)
    epsilon : float above 0
    **kwargs
        Those of `Optimizer`: weight decay, clipping.
    """

    arguments = ("rho", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7,
        weight_decay: float | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.rho = float(number(self, "rho", rho, "[0, 1)"))
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))

    def slot_values(self) -> dict[str, float | None]:
        return {"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        slots = self.slots["accumulated_grad"], self.slots["accumulated_delta_var"]
        ops.adadelta(params, grads, *slots, rate, self.rho, self.epsilon, decay)

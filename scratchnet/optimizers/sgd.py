"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from ..backend import ops
from ..checks import flag, number
from .base import Optimizer


class SGD(Optimizer):
    """``m = momentum m - rate g``, ``p += m``; with ``nesterov`` ``p += momentum m - rate g``.

    Sutskever et al., ICML 2013. Without momentum there is no state.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    momentum : float in [0, 1]
    nesterov : bool
    **kwargs
        Those of `Optimizer`: weight decay, clipping.
    """

    arguments = ("momentum", "nesterov")

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.momentum = float(number(self, "momentum", momentum, "[0, 1]"))
        self.nesterov = flag(self, "nesterov", nesterov)

    def slot_values(self) -> dict[str, float | None]:
        return {"momentum": 0.0 if self.momentum else None}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        ops.sgd(params, grads, self.slot("momentum"), rate, self.momentum, self.nesterov, decay)

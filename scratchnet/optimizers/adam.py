"""Adam and its variants AdamW and Nadam."""

from __future__ import annotations

import functools
import math
from typing import Any

from ..backend import ops
from ..checks import flag, number, refuse_unknown
from .base import Optimizer


@functools.lru_cache(maxsize=64)
def _rounded(dtype: Any, value: float) -> float:
    return float(dtype.type(value))


class Adam(Optimizer):
    """``p -= a m / (sqrt(v) + epsilon)``, ``a = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)``.

    m and v are running means of g and g^2 with ``beta_1`` and ``beta_2``. Kingma and Ba, arXiv:1412.6980; Keras's
    epsilon is the paper's "epsilon hat", added before the bias correction of v. With ``amsgrad`` the largest v so far
    takes the place of v.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    beta_1, beta_2 : float in [0, 1)
    epsilon : float above 0
    amsgrad : bool
    **kwargs
        Those of `Optimizer`: weight decay, clipping.
    """

    arguments: tuple[str, ...] = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        amsgrad: bool = False, weight_decay: float | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.beta_1 = float(number(self, "beta_1", beta_1, "[0, 1)"))
        self.beta_2 = float(number(self, "beta_2", beta_2, "[0, 1)"))
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))
        self.amsgrad = flag(self, "amsgrad", amsgrad)

    def slot_values(self) -> dict[str, float | None]:
        return {"momentum": 0.0, "velocity": 0.0, "velocity_hat": 0.0 if self.amsgrad else None}

    def rounded(self, value: float) -> float:
        """A value rounded to the parameters' dtype: Keras rounds the betas before it takes their powers."""
        return _rounded(self.dtype, value)

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        t = self.iterations + 1
        alpha = rate * math.sqrt(1 - self.rounded(self.beta_2) ** t) / (1 - self.rounded(self.beta_1) ** t)
        ops.adam(
            params, grads, self.slots["momentum"], self.slots["velocity"], self.slot("velocity_hat"),
            alpha, self.beta_1, self.beta_2, self.epsilon, decay,
        )  # fmt: skip


class AdamW(Adam):
    """`Adam` with decoupled weight decay: ``p -= rate weight_decay p`` before its step.

    Loshchilov and Hutter, arXiv:1711.05101.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    weight_decay : float
    beta_1, beta_2, epsilon, amsgrad
        As for `Adam`.
    **kwargs
        Those of `Optimizer`: weight decay, clipping.
    """

    def __init__(
        self, learning_rate: Any = 0.001, weight_decay: float = 0.004, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, amsgrad: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        weight_decay = number(self, "weight_decay", weight_decay, "[0, inf)")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **kwargs)


class Nadam(Adam):
    """Adam with Nesterov's look-ahead: the next step's momentum is already applied to the new mean. Dozat, ICLR 2016.

    ``u_t = beta_1 (1 - 0.96^t / 2)``, ``U_t = u_1 ... u_t``,
    ``p -= rate (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)``.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    beta_1, beta_2, epsilon
        As for `Adam`.
    **kwargs
        Those of `Optimizer`: weight decay, clipping.
    """

    arguments = ("beta_1", "beta_2", "epsilon")
    counters = ("iterations", "_product")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        weight_decay: float | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        refuse_unknown(self, {"amsgrad"} & set(kwargs), ("learning_rate", *self.arguments))
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, **kwargs)
        self._product = (0, 1.0)  # t and U_t: not a slot, because it follows from the step count

    def momentum(self, t: int) -> float:
        """``u_t``."""
        return self.rounded(self.beta_1) * (1 - 0.5 * self.rounded(0.96) ** t)

    def momentum_product(self, t: int) -> float:
        """``U_t``, from the last one computed, or from the beginning after a jump back."""
        done, product = self._product if self._product[0] <= t else (0, 1.0)
        for step in range(done + 1, t + 1):
            product *= self.momentum(step)
        self._product = (t, product)
        return product

    def build(self, size: int, spans: list[tuple[int, int]], dtype: Any) -> None:
        super().build(size, spans, dtype)
        self._product = (0, 1.0)

    def count_step(self) -> None:
        super().count_step()
        self.momentum_product(self.iterations)  # a replayed step too: the next one then needs one factor, not t

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        t = self.iterations + 1
        product, next_u = self.momentum_product(t), self.momentum(t + 1)
        ops.nadam(
            params, grads, self.slots["momentum"], self.slots["velocity"],
            rate * next_u / (1 - product * next_u), rate * (1 - self.momentum(t)) / (1 - product),
            1 / (1 - self.rounded(self.beta_2) ** t), self.beta_1, self.beta_2, self.epsilon, decay,
        )  # fmt: skip

"""Optimizers with Keras 3's formulas, defaults and epsilons: one op call per step, over one flat vector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import schedules
from .backend import array_module, ops
from .checks import number, refuse_unknown
from .errors import ConfigError
from .workspace import nothing

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "get",
    "schedules",
    "serialize",
]


class Optimizer:
    """Base class of all optimizers.

    A step is: clip the gradients in place, shrink the parameters by ``learning_rate * weight_decay``, then `update`.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Can be set at any time; a schedule is asked at every step.
    weight_decay : float, optional
        Decoupled: of the parameters, not of the gradient (Loshchilov and Hutter, arXiv:1711.05101).
    clipnorm, global_clipnorm, clipvalue : float, optional
        Scale the gradient of each variable, or of all together, down to this norm; or limit every number to +- this
        value. At most one of them.

    Attributes
    ----------
    iterations : int
        Steps taken.
    slots : dict of str to array
        What the optimizer remembers: a flat vector each, under Keras's names, laid out as the parameters are.

    Raises
    ------
    ConfigError
        For a value that makes no sense, or an unknown argument (suggesting the right one).
    """

    arguments: tuple[str, ...] = ()  # a subclass's own, beside those of this class

    def __init__(
        self, learning_rate: Any, weight_decay: float | None = None, clipnorm: float | None = None,
        clipvalue: float | None = None, global_clipnorm: float | None = None, name: str | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        known = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "name")
        refuse_unknown(self, unknown, ("learning_rate", *self.arguments, *known))
        self.name = name or type(self).__name__.lower()
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
        self.spans: Any = None

    def _optional(self, name: str, value: Any, interval: str) -> float | None:
        return None if value is None else number(self, name, value, interval)

    @property
    def learning_rate(self) -> Any:
        """The rate, a float, or the schedule that gives it."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, schedules.LearningRateSchedule | dict):
            self._learning_rate: Any = schedules.get(value)
        else:
            self._learning_rate = float(number(self, "learning_rate", value, "[0, inf)"))

    def rate(self) -> float:
        """The learning rate of the next step.

        Raises
        ------
        ConfigError
            If a schedule gives something that is not a rate.
        """
        rate = self._learning_rate
        if isinstance(rate, float):
            return rate
        return float(number(self, f"learning_rate of step {self.iterations}", rate(self.iterations), "[0, inf)"))

    def slot_values(self) -> dict[str, float]:
        """The slots by name, and the value that each starts from."""
        return {}

    def build(self, size: int, spans: list[tuple[int, int]], dtype: Any) -> None:
        """Start anew with vectors of this size; ``spans`` are the slices (start, stop) of the single variables."""
        xp = array_module()
        self.dtype, self.iterations = np.dtype(dtype), 0
        self.spans = xp.asarray(np.array(spans, np.int64).reshape(-1, 2))
        self.slots = {name: xp.full(size, value, self.dtype) for name, value in self.slot_values().items()}

    def apply(self, params: Any, grads: Any) -> None:
        """One step, in place. Clipping changes ``grads`` too.

        Raises
        ------
        ConfigError
            If the optimizer was not built, or was built for vectors of another size.
        """
        if self.dtype is None:
            raise ConfigError(f"{type(self).__name__} is not built: call build(size, spans, dtype) first")
        for vector in self.slots.values():
            if vector.size != params.size:
                raise ConfigError(
                    f"{type(self).__name__} was built for {vector.size} parameters, got {params.size}: call build first"
                )
        if self.clipvalue is not None:
            ops.clip_by_value(grads, self.clipvalue)
        elif self.clipnorm is not None:
            ops.clip_by_norm(grads, self.spans, self.clipnorm, False)
        elif self.global_clipnorm is not None:
            ops.clip_by_norm(grads, self.spans, self.global_clipnorm, True)
        rate = self.rate()
        self.update(params, grads, rate, rate * (self.weight_decay or 0.0))
        self.iterations += 1

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        """The step itself, of these clipped gradients; ``decay`` is the fraction by which parameters shrink first."""
        raise TypeError(f"{type(self).__name__} does not define update(params, grads, rate, decay)")

    def slot(self, name: str) -> Any:
        """A slot, or the array of size 0 where the settings do not need it."""
        return self.slots[name] if name in self.slots else nothing(self.dtype)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        rate = self._learning_rate
        names = (*self.arguments, "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "name")
        return {
            "learning_rate": rate if isinstance(rate, float) else schedules.serialize(rate),
            **{name: getattr(self, name) for name in names},
        }

    def __repr__(self) -> str:
        settings = {key: value for key, value in self.config().items() if value is not None and key != "name"}
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"


class SGD(Optimizer):
    """``m = momentum m - rate g``, ``p += m``; with ``nesterov`` ``p += momentum m - rate g``.

    Sutskever et al., ICML 2013. Without momentum nothing is remembered.
    """

    arguments = ("momentum", "nesterov")

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum, self.nesterov = float(number(self, "momentum", momentum, "[0, 1]")), bool(nesterov)

    def slot_values(self) -> dict[str, float]:
        return {"momentum": 0.0} if self.momentum else {}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        ops.sgd(params, grads, self.slot("momentum"), rate, self.momentum, self.nesterov, decay)


class Adam(Optimizer):
    """``p -= a m / (sqrt(v) + epsilon)``, ``a = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)``.

    m and v are running means of g and g^2 with ``beta_1`` and ``beta_2``. Kingma and Ba, arXiv:1412.6980; Keras's
    epsilon is the paper's "epsilon hat", added before the bias correction of v. With ``amsgrad`` the largest v so far
    takes the place of v.
    """

    arguments: tuple[str, ...] = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        amsgrad: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = float(number(self, "beta_1", beta_1, "[0, 1)"))
        self.beta_2 = float(number(self, "beta_2", beta_2, "[0, 1)"))
        self.epsilon, self.amsgrad = float(number(self, "epsilon", epsilon, "(0, inf)")), bool(amsgrad)

    def slot_values(self) -> dict[str, float]:
        return dict.fromkeys(["momentum", "velocity", *(["velocity_hat"] if self.amsgrad else [])], 0.0)

    def rounded(self, value: float) -> float:
        """A value as the parameters' dtype has it: Keras rounds the betas before it takes powers of them."""
        return float(self.dtype.type(value))

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        t = self.iterations + 1
        alpha = rate * math.sqrt(1 - self.rounded(self.beta_2) ** t) / (1 - self.rounded(self.beta_1) ** t)
        ops.adam(
            params, grads, self.slots["momentum"], self.slots["velocity"], self.slot("velocity_hat"),
            alpha, self.beta_1, self.beta_2, self.epsilon, decay,
        )  # fmt: skip


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.004 by default. Loshchilov and Hutter, arXiv:1711.05101."""

    def __init__(
        self, learning_rate: Any = 0.001, weight_decay: float = 0.004, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, amsgrad: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        weight_decay = number(self, "weight_decay", weight_decay, "[0, inf)")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


class Nadam(Adam):
    """Adam with Nesterov's look ahead: the next step's momentum is applied to the new mean already. Dozat, ICLR 2016.

    ``u_t = beta_1 (1 - 0.96^t / 2)``, ``U_t = u_1 ... u_t``,
    ``p -= rate (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)``.
    """

    arguments = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        refuse_unknown(self, {"amsgrad"} & set(kwargs), ("learning_rate", *self.arguments))
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self._product = (0, 1.0)  # t and U_t: not a slot, for it follows from the step count

    def momentum(self, t: int) -> float:
        """``u_t``."""
        return self.rounded(self.beta_1) * (1 - 0.5 * self.rounded(0.96) ** t)

    def momentum_product(self, t: int) -> float:
        """``U_t``, from the last one that was asked for, or from the beginning after a jump back."""
        done, product = self._product if self._product[0] <= t else (0, 1.0)
        for step in range(done + 1, t + 1):
            product *= self.momentum(step)
        self._product = (t, product)
        return product

    def build(self, size: int, spans: list[tuple[int, int]], dtype: Any) -> None:
        super().build(size, spans, dtype)
        self._product = (0, 1.0)

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        t = self.iterations + 1
        product, next_u = self.momentum_product(t), self.momentum(t + 1)
        ops.nadam(
            params, grads, self.slots["momentum"], self.slots["velocity"],
            rate * next_u / (1 - product * next_u), rate * (1 - self.momentum(t)) / (1 - product),
            1 / (1 - self.rounded(self.beta_2) ** t), self.beta_1, self.beta_2, self.epsilon, decay,
        )  # fmt: skip


class RMSprop(Optimizer):
    """``p -= rate g / sqrt(v + epsilon)``, v the running mean of g^2; Tieleman and Hinton, Coursera lecture 6.5, 2012.

    With ``centered`` the running mean of g, squared, is taken from v; with ``momentum`` the step is
    ``m = momentum m + step``.
    """

    arguments = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7,
        centered: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, **kwargs)
        self.rho = float(number(self, "rho", rho, "[0, 1)"))
        self.momentum = float(number(self, "momentum", momentum, "[0, 1]"))
        self.epsilon, self.centered = float(number(self, "epsilon", epsilon, "(0, inf)")), bool(centered)

    def slot_values(self) -> dict[str, float]:
        slots = {"velocity": True, "momentum": self.momentum > 0, "average_gradient": self.centered}
        return {name: 0.0 for name, needed in slots.items() if needed}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        ops.rmsprop(
            params, grads, self.slots["velocity"], self.slot("average_gradient"), self.slot("momentum"),
            rate, self.rho, self.momentum, self.epsilon, decay,
        )  # fmt: skip


class Adagrad(Optimizer):
    """``v += g^2``, ``p -= rate g / sqrt(v + epsilon)``; Duchi, Hazan and Singer, JMLR 12, 2011."""

    arguments = ("initial_accumulator_value", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        value = number(self, "initial_accumulator_value", initial_accumulator_value, "[0, inf)")
        self.initial_accumulator_value = float(value)
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))

    def slot_values(self) -> dict[str, float]:
        return {"accumulator": self.initial_accumulator_value}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        ops.adagrad(params, grads, self.slots["accumulator"], rate, self.epsilon, decay)


class Adadelta(Optimizer):
    """``step = sqrt(u + epsilon) / sqrt(v + epsilon) g``, ``p -= rate step``; Zeiler, arXiv:1212.5701.

    u and v are running means of ``step^2`` (of the steps before this one) and g^2.
    """

    arguments = ("rho", "epsilon")

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = float(number(self, "rho", rho, "[0, 1)"))
        self.epsilon = float(number(self, "epsilon", epsilon, "(0, inf)"))

    def slot_values(self) -> dict[str, float]:
        return {"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        slots = self.slots["accumulated_grad"], self.slots["accumulated_delta_var"]
        ops.adadelta(params, grads, *slots, rate, self.rho, self.epsilon, decay)


_CLASSES: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls for cls in (SGD, Adam, AdamW, Nadam, RMSprop, Adagrad, Adadelta)
}


def get(identifier: Any) -> Optimizer:
    """An optimizer from its name (``"adam"``), a ``{"class_name", "config"}`` dict, or itself.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    name, arguments = identifier, {}
    if isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        name, arguments = identifier["class_name"], identifier["config"]
    if isinstance(name, str) and name.lower() in _CLASSES and isinstance(arguments, dict):
        return _CLASSES[name.lower()](**arguments)
    given = str(identifier)[:80]
    raise ConfigError(f"optimizer: expected one of {', '.join(_CLASSES)}, or an Optimizer, got {given!r}")


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The dict that `get` turns back into the optimizer, without its slots."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.config()}

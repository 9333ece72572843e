"""Callbacks that change the learning rate from epoch to epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import number
from ..errors import ConfigError
from .base import Callback, Logs
from .monitor import Monitor


def _require_number(callback: Callback) -> None:
    """Raise ConfigError if the optimizer follows a schedule, which the callback would silently replace."""
    rate = callback.model.optimizer.rate_or_schedule
    if not isinstance(rate, float):
        name = type(callback).__name__
        raise ConfigError(
            f"{name}: the optimizer follows a schedule: expected a number to be changed, got {rate!r:.80}"
        )


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by ``factor`` when a quantity has not improved for some epochs.

    Parameters
    ----------
    monitor, mode, min_delta
        See `Monitor`.
    factor : float
        Below 1.
    patience : int
        Epochs without improvement after which the rate is reduced.
    verbose : {0, 1}
    cooldown : int
        Epochs to wait after a reduction before epochs without improvement are counted again.
    min_lr : float
        The rate is not reduced below this.

    Raises
    ------
    ConfigError
        If the factor is not in [0, 1), another argument is invalid, or the optimizer follows a schedule; or as
        `Monitor` does.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **unknown: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta, **unknown)
        self.factor, self.verbose = number(self, "factor", factor, "[0, 1)"), verbose
        self.patience = number(self, "patience", patience, "[0, inf)")
        self.cooldown = number(self, "cooldown", cooldown, "[0, inf)")
        self.min_lr = number(self, "min_lr", min_lr, "[0, inf)")
        self.cooldown_counter = self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self.best = None
        self.cooldown_counter = self.wait = 0
        _require_number(self)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self.value(logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best, self.wait = current, 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, epoch: int) -> bool:
        optimizer = self.model.optimizer
        before = optimizer.learning_rate
        # 0.1 * 0.1 is above 0.01, but not in float32, which Keras uses.
        if np.float32(before) <= np.float32(self.min_lr):
            return False
        optimizer.learning_rate = max(before * self.factor, self.min_lr)
        if self.verbose:
            print(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {optimizer.learning_rate}.")
        return True

    def state(self) -> dict[str, Any]:
        return {**super().state(), "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.wait, self.cooldown_counter = int(state["wait"]), int(state["cooldown_counter"])


class LearningRateScheduler(Callback):
    """Set the learning rate of every epoch: ``schedule(epoch, rate) -> rate``, called as the epoch begins.

    Raises
    ------
    ConfigError
        If the schedule is not a function, or returns something other than a float; or if the optimizer follows a
        schedule of its own.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0, **unknown: Any) -> None:
        super().__init__(**unknown)
        if not callable(schedule):
            raise ConfigError(
                f"LearningRateScheduler: schedule: expected a function (epoch, rate) -> rate, got {schedule!r:.80}"
            )
        self.schedule, self.verbose = schedule, verbose
        self.set_for: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.set_for = None
        _require_number(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.set_for == epoch:  # resumed inside this epoch: its rate is set
            return
        rate = self._rate(epoch, self.model.optimizer.learning_rate)
        if not isinstance(rate, float | np.floating):
            raise ConfigError(f"LearningRateScheduler: expected the schedule to return a float, got {rate!r}")
        self.model.optimizer.learning_rate = float(rate)
        self.set_for = epoch
        if self.verbose:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def _rate(self, epoch: int, rate: float) -> Any:
        try:
            return self.schedule(epoch, rate)
        except TypeError:  # a schedule with one argument, which Keras also accepts
            return self.schedule(epoch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)

    def state(self) -> dict[str, Any]:
        return {"set_for": self.set_for}

    def load_state(self, state: dict[str, Any]) -> None:
        self.set_for = state["set_for"]

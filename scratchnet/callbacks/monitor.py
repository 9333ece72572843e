"""The common part of callbacks that watch a logged quantity."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ..checks import number
from ..errors import ConfigError
from ..names import closest
from .base import Callback, Logs

_RISING = ("acc", "auc", "precision", "recall", "f1")


class Monitor(Callback):
    """Watches the quantity ``monitor``; tells whether one value is better than another.

    Parameters
    ----------
    monitor : str
        A name in the logs of an epoch: ``"loss"``, ``"val_accuracy"`` ...
    mode : {"auto", "min", "max"}
        Which direction is better; "auto" knows it for the loss and the model's metrics, or infers it from the name.
    min_delta : float
        A change must be larger than this to count.

    Raises
    ------
    ConfigError
        If ``monitor`` is not a name or ``min_delta`` not a number; when training begins, if "auto" cannot tell the
        direction; after an epoch, if ``monitor`` is several numbers.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0, **unknown: Any) -> None:
        super().__init__(**unknown)
        if not isinstance(monitor, str):
            raise ConfigError(f"{type(self).__name__}: monitor: expected a name in the logs, got {monitor!r:.80}")
        if not isinstance(mode, str) or mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__}: mode: expected auto, min or max, got {mode!r:.80}; auto is used", stacklevel=3
            )
            mode = "auto"
        self.monitor, self.mode = monitor, mode
        self.min_delta = abs(number(self, "min_delta", min_delta))
        self.best: float | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.rises()  # fail now, not after an epoch, if it cannot be told

    def value(self, logs: Mapping[str, Any] | None) -> float | None:
        """The watched quantity; if it is missing None, with a warning that lists what is available."""
        if logs is not None and self.monitor in logs:
            value = logs[self.monitor]
            if isinstance(value, list):
                what = f"expected a single number, {self.monitor!r} is {len(value)} numbers"
                raise ConfigError(f"{type(self).__name__}: monitor: {what}: choose an average, or one threshold")
            return float(value)
        available = ", ".join(logs or {}) or "nothing"
        warnings.warn(
            f"{type(self).__name__} watches {self.monitor!r}, which is not there; there is: {available}", stacklevel=2
        )
        return None

    def rises(self) -> bool:
        """Whether higher is better."""
        name = self.monitor.removeprefix("val_")
        if self.mode != "auto" or name == "loss":
            return self.mode == "max"
        metrics = dict(zip(self.model.metrics_names[1:], [one.direction for one in self.model.metrics], strict=True))
        if metrics.get(name) is not None:
            return bool(metrics[name] == "up")
        if any(word in name.lower() for word in _RISING):
            return True
        names = [] if name in metrics else ["loss", *metrics]
        meant = closest(self.monitor, [*names, *(f"val_{one}" for one in names)])
        raise ConfigError(
            f"{type(self).__name__}: cannot tell whether {self.monitor!r} should rise or fall: pass mode='max' or 'min'"
            + (f", or did you mean {meant!r}?" if meant else "")
        )

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether ``value`` is better than ``reference`` by more than ``min_delta``."""
        if reference is None:
            return True
        if self.rises():
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def state(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state(self, state: dict[str, Any]) -> None:
        self.best = state["best"]

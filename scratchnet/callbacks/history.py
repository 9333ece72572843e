"""History: what a fit returns."""

from __future__ import annotations

from typing import Any

from ..results import single
from .base import Callback, Logs


class History(Callback):
    """Records the logs of every epoch: ``history.history["val_loss"][epoch]``.

    A number, or a list of numbers for a metric whose result is an array.
    """

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        last = "".join(f", {name}={single(values[-1]):.4g}" for name, values in self.history.items())
        return f"{type(self).__name__}(epochs={len(self.epoch)}{last})"

    def state(self) -> dict[str, Any]:
        return {"history": self.history, "epoch": self.epoch}

    def load_state(self, state: dict[str, Any]) -> None:
        self.history, self.epoch = state["history"], state["epoch"]

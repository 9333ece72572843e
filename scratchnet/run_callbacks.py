"""The callbacks of a run: recording every epoch, and stopping in time."""

from __future__ import annotations

import math
import time
from typing import Any

from .callbacks import Callback, Logs
from .console import Reporter
from .run_folder import RunFolder
from .signals import Stop


class Recorder(Callback):
    """Writes the metrics of every epoch as it ends, and notifies the reporter."""

    reads_logs = False

    def __init__(self, folder: RunFolder, reporter: Reporter, steps: int, epochs: int) -> None:
        super().__init__()
        self.folder, self.reporter = folder, reporter
        self.steps, self.epochs = steps, epochs
        self.rows: list[dict[str, Any]] = []
        self.images = self._seen = self._seen_before = 0
        self.seconds = self._since = self._stepped = 0.0  # validation is not in `seconds`

    @property
    def curves(self) -> dict[str, list[float]]:
        """The rows in the form of ``History.history``."""
        return {key: [row[key] for row in self.rows if key in row] for key in (self.rows[0] if self.rows else ())}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._since = self._stepped = time.perf_counter()
        self._seen = self._seen_before = self.model.progress.samples
        self.reporter.epoch_began(epoch, self.epochs, self.steps)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._seen, self._stepped = self.model.progress.samples, time.perf_counter()
        if self.reporter.due():
            speed = (self._seen - self._seen_before) / (self._stepped - self._since)
            self.reporter.step(batch + 1, self.model.trainer().results(self._seen), speed)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        # Without a step there was no beginning either: the last epoch of a finished run that is resumed.
        seconds, stepping = (
            (time.perf_counter() - self._since, self._stepped - self._since) if self._since else (0.0, 0.0)
        )
        optimizer = self.model.optimizer
        row = {
            "epoch": epoch + 1,
            "step": int(optimizer.iterations),
            **(logs or {}),
            "learning_rate": float(optimizer.learning_rate),
        }
        self.rows.append(row)
        images = self._seen - self._seen_before
        self.images += images
        self.seconds += stepping
        self.folder.write_metrics(self.rows)
        self.reporter.epoch(row, self.epochs, seconds, images / stepping if stepping else 0.0)

    def state(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])


class Stopper(Callback):
    """Ends the fit after the step in which a signal came, or after a number of steps."""

    reads_logs = False

    def __init__(self, stop: Stop, steps: int | None) -> None:
        super().__init__()
        self.stop = stop
        self.steps: float = math.inf if steps is None else steps

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.stop.number or self.model.optimizer.iterations >= self.steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.on_train_batch_end(0)  # a signal may have come during validation

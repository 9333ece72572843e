"""What a fit shows while it runs: a bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import shutil
import time
from typing import Any

from .callbacks import Callback, Logs
from .results import in_words

REDRAW_SECONDS = 0.1  # drawing more often costs time without showing more


class EpochLines(Callback):
    """One line per epoch, for log files: no control characters."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        seconds = time.perf_counter() - self.started
        print(f"Epoch {epoch + 1}/{self.params['epochs']} - {seconds:.1f}s - {in_words(logs or {})}", flush=True)


class ProgressBar(EpochLines):
    """A bar with the running means, redrawn ten times a second at most; the finished epoch stays as a line."""

    width = 24
    reads_logs = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self.drawn = 0.0
        self.kernels, self.since, self.first = self._compiled(), self.started, 0
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        now, kernels = time.perf_counter(), self._compiled()
        if kernels > self.kernels:  # what the steps so far took says nothing about those to come
            self.kernels, self.since, self.first = kernels, now, batch + 1
        if now - self.drawn < REDRAW_SECONDS:
            return
        self.drawn = now
        steps = self.params["steps"]
        filled = self.width * (batch + 1) // steps
        done = batch + 1 - self.first
        left = f"{(now - self.since) / done * (steps - batch - 1):.0f}s left - " if done else ""
        bar = "=" * filled + "." * (self.width - filled)
        means = in_words(self.model.trainer().results(self.model.progress.samples))
        text = f"Epoch {self.epoch + 1}/{self.params['epochs']} [{bar}] {batch + 1}/{steps} - {left}{means}"
        # A line that the terminal breaks could not be drawn over.
        self._write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._write("\r\x1b[K")
        super().on_epoch_end(epoch, logs)

    def _compiled(self) -> int:
        return len(self.model.callbacks.compiled.kernels)

    @staticmethod
    def _write(text: Any) -> None:
        print(text, end="", flush=True)  # which does nothing where there is no output

"""Callbacks: what happens between the steps and epochs of a fit."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .errors import ConfigError

if TYPE_CHECKING:
    from .model import Sequential
    from .training import Progress, Trainer

Logs = dict[str, float]


class Callback:
    """Base class, with Keras's hooks. ``self.model`` and ``self.params`` are set before training begins.

    A callback with ``needs_batch_logs = True`` is given the running means after every batch; others get an empty dict there, because
    reading the means back costs time on a GPU.
    """

    needs_batch_logs = False

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_model(self, model: Sequential) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None: ...
    def on_train_end(self, logs: Logs | None = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, JSON-able."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""


class History(Callback):
    """Records the logs of every epoch: ``history.history["val_loss"][epoch]``."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def state(self) -> dict[str, Any]:
        return {"history": self.history, "epoch": self.epoch}

    def load_state(self, state: dict[str, Any]) -> None:
        self.history, self.epoch = state["history"], state["epoch"]


class CallbackList:
    """Calls the hooks of all callbacks of a fit, in order; those that do not override a hook are not called at all."""

    def __init__(self, model: Sequential, callbacks: Any, verbose: Any, **params: Any) -> None:
        given = callbacks if isinstance(callbacks, Iterable) else [] if callbacks is None else [callbacks]
        self.callbacks: list[Callback] = [History(), *given]
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(f"callbacks: expected Callback objects, got {callback!r}")
        self.callbacks.extend(progress_callbacks(verbose))
        model.history = self.callbacks[0]  # type: ignore[assignment]
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self._batch_begin = self._overriding("on_train_batch_begin")
        self._batch_end = self._overriding("on_train_batch_end")
        self._needs_logs = any(callback.needs_batch_logs for callback in self._batch_end)

    def _overriding(self, hook: str) -> list[Callback]:
        return [one for one in self.callbacks if getattr(type(one), hook) is not getattr(Callback, hook)]

    def on_train_begin(self) -> None:
        for callback in self.callbacks:
            callback.on_train_begin({})

    def on_train_end(self) -> None:
        for callback in self.callbacks:
            callback.on_train_end({})

    def on_epoch_begin(self, epoch: int) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, {})

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int) -> None:
        for callback in self._batch_begin:
            callback.on_train_batch_begin(batch, {})

    def on_train_batch_end(self, batch: int, trainer: Trainer, progress: Progress) -> None:
        if not self._batch_end:
            return
        logs = trainer.results(progress.samples) if self._needs_logs else {}
        for callback in self._batch_end:
            callback.on_train_batch_end(batch, logs)


def progress_callbacks(verbose: Any) -> list[Callback]:
    """The callback that shows the progress of a fit: none, a bar, or a line per epoch."""
    from .progress import EpochLines, ProgressBar

    if verbose == "auto":
        verbose = 1 if sys.stdout.isatty() else 2
    if verbose not in (0, 1, 2, False, True):
        raise ConfigError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r}")
    return [[], [ProgressBar()], [EpochLines()]][int(verbose)]


def report_evaluation(results: Logs, verbose: Any) -> None:
    """Print the results of `evaluate` on one line, where that was asked for."""
    if verbose == "auto":
        verbose = sys.stdout.isatty()
    if verbose:
        print(" - ".join(f"{name}: {value:.4f}" for name, value in results.items()))

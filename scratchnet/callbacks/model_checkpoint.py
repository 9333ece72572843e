"""ModelCheckpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checks import file_path, flag, is_whole, number
from ..datasets.files import shown
from ..errors import CheckpointError, ConfigError
from ..formats import writes_keras
from ..numerics import require_finite
from .base import Logs
from .monitor import Monitor


class ModelCheckpoint(Monitor):
    """Save the model after every epoch, after some steps, or when it is the best so far.

    A file holds everything (weights, optimizer, position in the data, states of all callbacks):
    ``checkpoint.resume(file, model)`` resumes from it. So this callback runs after the others, wherever it was given.
    A ``.keras`` file, or ``.weights.h5`` with ``save_weights_only``, is Keras's, and holds what that does: no position.

    Parameters
    ----------
    filepath : path-like
        May contain ``{epoch:02d}``, ``{batch}`` (with a ``save_freq`` in steps) and names of logs: ``{val_loss:.2f}``.
    monitor, mode
        See `Monitor`.
    verbose : {0, 1}
    save_best_only : bool
        Save only when the monitored quantity is better than ever before.
    save_weights_only : bool
        Save only the weights.
    save_freq : "epoch" or int
        A number of steps: save this often instead of after every epoch.
    initial_value_threshold : float, optional
        The value to beat at the beginning.

    Raises
    ------
    ConfigError
        If ``save_freq`` is neither, another argument is invalid, or the path names a log that does not exist; or as
        `Monitor` does, if only the best is saved.
    CheckpointError
        If the path has the wrong suffix of Keras's, or a file cannot be written, or Keras lacks a layer.
    DependencyError
        If the file is to be one of Keras's, and h5py is not installed.
    NumericsError
        If the weights hold NaN or Inf: earlier files are kept.
    """

    rank = 1

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(monitor, mode, **unknown)
        if not (isinstance(save_freq, str) and save_freq == "epoch") and not is_whole(save_freq):
            raise ConfigError(
                f"ModelCheckpoint: save_freq: expected 'epoch' or a number of steps, got {save_freq!r:.80}"
            )
        self.filepath, self.verbose = file_path(self, "filepath", filepath), verbose
        self.save_freq = "epoch" if isinstance(save_freq, str) else int(save_freq)
        self.save_best_only = flag(self, "save_best_only", save_best_only)
        self.save_weights_only = flag(self, "save_weights_only", save_weights_only)
        self.for_keras = writes_keras(self.filepath, self.save_weights_only)  # here, not after the first epoch
        if initial_value_threshold is not None:
            self.best = number(self, "initial_value_threshold", initial_value_threshold)
        self.epoch = self.steps = 0
        self.reads_logs = save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.save_best_only:
            super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if isinstance(self.save_freq, int):
            self.steps += 1
            if self.steps >= self.save_freq:
                self.steps = 0
                self._save({**(logs or {}), "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch
        if self.save_freq == "epoch":
            self._save(dict(logs or {}))

    def _save(self, logs: dict[str, Any]) -> None:
        from .. import checkpoint

        path = self._path(logs)
        if not self._wanted(logs, path):
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{shown(path)}: its folder cannot be made: {shown(error)}") from error
        if self.save_weights_only or self.for_keras:
            require_finite(self.model)
            save = checkpoint.save_weights if self.save_weights_only else checkpoint.save_model
            save(self.model, path)
        else:
            checkpoint.save_training(self.model, path)

    def _path(self, logs: dict[str, Any]) -> Path:
        try:
            return Path(self.filepath.format(**{**logs, "epoch": self.epoch + 1}))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            names = ", ".join(["epoch", *logs])
            raise ConfigError(
                f"ModelCheckpoint: filepath {shown(repr(self.filepath))} cannot be filled in: "
                f"{type(error).__name__}: {error}; there is: {names}"
            ) from None

    def _wanted(self, logs: dict[str, Any], path: Path) -> bool:
        what = f"saving model to {path}"
        current = self.value(logs) if self.save_best_only else None
        wanted = current is None or self.improves(current, self.best)
        if current is not None:
            best = "None" if self.best is None else f"{self.best:.5f}"
            what = f"{self.monitor} improved from {best} to {current:.5f}, {what}"
            if not wanted:
                what = f"{self.monitor} did not improve from {best}"
            else:
                self.best = current
        if self.verbose:
            print(f"Epoch {self.epoch + 1}: {what}")
        return wanted

    def state(self) -> dict[str, Any]:
        return {**super().state(), "steps": self.steps}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.steps = int(state["steps"])

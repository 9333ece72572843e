"""TrainingCheckpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..checks import file_path, is_whole
from ..errors import ConfigError
from .base import Callback, Logs


class TrainingCheckpoint(Callback):
    """Keep all that is needed to resume a fit after a crash, a signal or a power cut, with the same bits.

    ``progress = checkpoint.resume(folder, model)`` and ``model.fit(..., progress=progress)`` with the same arguments
    and callbacks resume it; if the folder is empty, ``progress`` is None and a new fit begins. Two generations are
    kept. One is written before the first step, so that a full or read-only disk is detected then.

    With this callback, ``model.stop_training = True`` within an epoch interrupts the fit: its state is saved, and the
    epoch is left to be resumed, without validation, ``on_epoch_end`` or a row in the history.

    Parameters
    ----------
    folder : path-like
        Created if missing.
    every_steps : int, optional
        Save every this many steps, in addition to after every epoch and when a fit is stopped inside one.

    Raises
    ------
    ConfigError
        If ``every_steps`` is not a positive integer, or ``folder`` not a path.
    CheckpointError
        If a checkpoint cannot be written, or a new fit finds the checkpoints of another one in the folder.
    NumericsError
        If the weights hold NaN or Inf: earlier checkpoints are kept.
    """

    rank = 2
    interrupts = True
    reads_logs = False

    def __init__(self, folder: str | os.PathLike[str], every_steps: int | None = None, **unknown: Any) -> None:
        super().__init__(**unknown)
        if every_steps is not None and not is_whole(every_steps):
            raise ConfigError(f"TrainingCheckpoint: every_steps: expected a positive integer, got {every_steps!r:.80}")
        self.folder, self.every_steps = Path(file_path(self, "folder", folder)), every_steps

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from .. import checkpoint

        checkpoint.open_folder(self.folder, self.model)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.model.progress.generation == 0:
            self._save()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # A fit that is stopped here will not reach the end of the epoch.
        due = self.every_steps is not None and int(self.model.optimizer.iterations) % self.every_steps == 0
        if due or self.model.stop_training:
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._save()

    def _save(self) -> None:
        from .. import checkpoint

        checkpoint.save_generation(self.model, self.folder)

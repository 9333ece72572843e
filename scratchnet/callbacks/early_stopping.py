"""EarlyStopping."""

from __future__ import annotations

from typing import Any

from ..checks import flag, number
from .base import Logs
from .monitor import Monitor


class EarlyStopping(Monitor):
    """Stop when a quantity has not improved for some epochs.

    Parameters
    ----------
    monitor, min_delta, mode
        See `Monitor`.
    patience : int
        Epochs without improvement after which training stops.
    verbose : {0, 1}
        1 reports when it stops and which weights it restores.
    baseline : float, optional
        Epochs that are not better than this count as epochs without improvement.
    restore_best_weights : bool
        Restore the weights of the best epoch when training ends, for whatever reason.
    start_from_epoch : int
        Epochs before this one are ignored.

    Raises
    ------
    ConfigError
        If an argument is invalid, or as `Monitor` does.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
        **unknown: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta, **unknown)
        self.patience = number(self, "patience", patience, "[0, inf)")
        self.start_from_epoch = number(self, "start_from_epoch", start_from_epoch, "[0, inf)")
        self.baseline = None if baseline is None else number(self, "baseline", baseline)
        self.verbose = verbose
        self.restore_best_weights = flag(self, "restore_best_weights", restore_best_weights)
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.best_weights: list[Any] | None = None
        self.wait = self.stopped_epoch = self.best_epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.improves(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def state(self) -> dict[str, Any]:
        names = ("wait", "stopped_epoch", "best_epoch", "best_weights")
        return {**super().state(), **{name: getattr(self, name) for name in names}}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.wait, self.stopped_epoch = int(state["wait"]), int(state["stopped_epoch"])
        self.best_epoch, self.best_weights = int(state["best_epoch"]), state["best_weights"]
        if self.stopped_epoch > 0:  # the checkpoint was written after the last epoch: there is no next one
            self.model.stop_training = True

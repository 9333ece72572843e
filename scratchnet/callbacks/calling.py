"""Calling the callbacks of a fit."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, ConfigError
from .base import Callback, Logs
from .history import History

if TYPE_CHECKING:
    from ..model import Sequential
    from ..training import Progress, Trainer


class BatchLogs(Mapping[str, float]):
    """The running means of an epoch, computed when they are first looked at: reading them back costs time on a GPU."""

    def __init__(self, trainer: Trainer, samples: int) -> None:
        self._trainer, self._samples = trainer, samples
        self._values: Logs | None = None

    def _read(self) -> Logs:
        if self._values is None:
            self._values = self._trainer.results(self._samples)
        return self._values

    def __getitem__(self, name: str) -> float:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())


class CallbackList:
    """Calls the hooks of all callbacks of a fit, in order; those that do not override a hook are not called at all.

    As in Keras the history comes after the callbacks that were given: it has what they add to the logs of an epoch.

    Raises
    ------
    ConfigError
        If something else than a callback is given.
    """

    def __init__(self, model: Sequential, callbacks: Any, verbose: Any, **params: Any) -> None:
        given = callbacks if isinstance(callbacks, Iterable) else [] if callbacks is None else [callbacks]
        history = History()
        self.callbacks: list[Callback] = [*given, *progress_callbacks(verbose), history]
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(f"callbacks: expected Callback objects, got {callback!r}")
        self.callbacks.sort(key=lambda callback: callback.rank)
        model.history, model.callbacks = history, self
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self._batch_begin = self._overriding("on_train_batch_begin")
        self._batch_end = self._overriding("on_train_batch_end")

    def _overriding(self, hook: str) -> list[Callback]:
        own = getattr(Callback, hook)
        return [one for one in self.callbacks if getattr(getattr(one, hook), "__func__", None) is not own]

    def _named(self) -> Iterator[tuple[str, Callback]]:
        """The callbacks by class name, numbered where a class is there more than once."""
        counts: dict[str, int] = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            counts[name] = counts.get(name, 0) + 1
            yield (name if counts[name] == 1 else f"{name}_{counts[name]}"), callback

    def state(self) -> dict[str, Any]:
        """The states of all callbacks that have one."""
        return {name: state for name, callback in self._named() if (state := callback.state())}

    def load_state(self, states: dict[str, Any]) -> None:
        """Hand every callback its state; one that was not there before starts anew.

        Raises
        ------
        CheckpointError
            If a callback cannot take up its state.
        """
        for name, callback in self._named():
            if name in states:
                try:
                    callback.load_state(states[name])
                except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                    raise CheckpointError(
                        f"checkpoint: callback {name} cannot take up its state: {type(error).__name__}: {error}"
                    ) from error

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

    @property
    def watches_batches(self) -> bool:
        """Whether a callback wants to be called between batches."""
        return bool(self._batch_begin or self._batch_end)

    def on_train_batch_begin(self, batch: int) -> None:
        for callback in self._batch_begin:
            callback.on_train_batch_begin(batch, {})

    def on_train_batch_end(self, batch: int, trainer: Trainer, progress: Progress) -> None:
        if self._batch_end:
            logs = BatchLogs(trainer, progress.samples)
            for callback in self._batch_end:
                callback.on_train_batch_end(batch, logs)


def progress_callbacks(verbose: Any) -> list[Callback]:
    """The callback that shows the progress of a fit: none, a bar, or a line per epoch."""
    from ..progress import EpochLines, ProgressBar

    if verbose == "auto":
        verbose = 1 if sys.stdout.isatty() else 2
    if verbose not in (0, 1, 2, False, True):
        raise ConfigError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r}")
    if not verbose:
        return []
    return [ProgressBar() if verbose == 1 else EpochLines()]


def report_evaluation(results: Logs, verbose: Any) -> None:
    """Print the results of `evaluate` on one line, where that was asked for."""
    if verbose == "auto":
        verbose = sys.stdout.isatty()
    if verbose:
        print(" - ".join(f"{name}: {value:.4f}" for name, value in results.items()))

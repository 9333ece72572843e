"""Calling the callbacks of a fit, a test or a prediction."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiling import Compilation
from ..errors import CheckpointError, ConfigError
from ..results import in_words
from .base import HOOKS, OLD_NAMES, Callback, Logs
from .history import History
from .terminate_on_nan import TerminateOnNaN

if TYPE_CHECKING:
    from ..model import Sequential
    from ..training import Progress, Trainer


class Hooks:
    """Calls the hooks of callbacks, in order; those that do not override a hook are not called at all.

    Raises
    ------
    ConfigError
        If something other than a callback is given.
    """

    def __init__(self, model: Sequential, callbacks: Any, **params: Any) -> None:
        given = callbacks if isinstance(callbacks, Iterable) else [] if callbacks is None else [callbacks]
        self.model, self.callbacks = model, list(given)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(f"callbacks: expected Callback objects, got {callback!r:.80}")
        self.callbacks.sort(key=lambda callback: callback.rank)
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self._overriding = {hook: [one for one in self.callbacks if _overrides(one, hook)] for hook in HOOKS}

    def call(self, hook: str, *arguments: Any) -> None:
        """Call a hook of the callbacks that have it."""
        for callback in self._overriding[hook]:
            getattr(callback, hook)(*arguments)

    def on_test_batch_end(self, batch: int, trainer: Trainer, samples: int) -> None:
        if self._overriding["on_test_batch_end"]:
            self.call("on_test_batch_end", batch, trainer.results(samples))


class CallbackList(Hooks):
    """The callbacks of a fit; ``compiled`` is what had to be compiled for it so far.

    As in Keras the history comes after the given callbacks, so it contains what they add to the logs of an epoch.
    """

    def __init__(self, model: Sequential, callbacks: Any, verbose: Any, **params: Any) -> None:
        given = callbacks if isinstance(callbacks, Iterable) else [] if callbacks is None else [callbacks]
        history = History()
        super().__init__(model, [*given, *progress_callbacks(verbose), history], verbose=verbose, **params)
        model.history, model.callbacks = history, self
        self.compiled = Compilation()

    def _named(self) -> Iterator[tuple[str, Callback]]:
        """The callbacks by class name, numbered if a class occurs more than once."""
        counts: dict[str, int] = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            counts[name] = counts.get(name, 0) + 1
            yield (name if counts[name] == 1 else f"{name}_{counts[name]}"), callback

    def state(self) -> dict[str, Any]:
        """The states of all callbacks that have one."""
        return {name: state for name, callback in self._named() if (state := callback.state())}

    def load_state(self, states: dict[str, Any]) -> None:
        """Give every callback its state; a new one starts afresh.

        Raises
        ------
        CheckpointError
            If a callback cannot restore its state.
        """
        for name, callback in self._named():
            if name in states:
                try:
                    callback.load_state(states[name])
                except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                    raise CheckpointError(
                        f"checkpoint: callback {name} cannot take up its state: {type(error).__name__}: {error}"
                    ) from error

    @property
    def watches_batches(self) -> bool:
        """Whether steps must be taken one by one: a callback wants to be called between them, or the next one is the
        last.
        """
        between = self._overriding["on_train_batch_begin"] or self._overriding["on_train_batch_end"]
        return bool(between) or self.model.stop_training

    def on_train_batch_begin(self, batch: int) -> None:
        self.call("on_train_batch_begin", batch, {})

    def on_train_batch_end(self, batch: int, trainer: Trainer, progress: Progress) -> None:
        if self._overriding["on_train_batch_end"]:
            read = any(callback.reads_logs for callback in self._overriding["on_train_batch_end"])
            self.call("on_train_batch_end", batch, trainer.results(progress.samples) if read else {})

    @property
    def interrupts(self) -> bool:
        """Whether a stopped epoch will be resumed."""
        return any(callback.interrupts for callback in self.callbacks)

    def terminates(self, batch: int) -> bool:
        """Whether a callback ends the training because of a loss or weights that are not finite."""
        return any(one.terminates(batch) for one in self.callbacks if isinstance(one, TerminateOnNaN))


def _overrides(callback: Callback, hook: str) -> bool:
    names = [hook, OLD_NAMES[hook]] if hook in OLD_NAMES else [hook]
    return any(getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name) for name in names)


def progress_callbacks(verbose: Any) -> list[Callback]:
    """The callback that shows the progress of a fit: none, a bar, or a line per epoch."""
    from ..progress import EpochLines, ProgressBar

    level = verbosity(verbose, 2)
    return [] if level == 0 else [ProgressBar() if level == 1 else EpochLines()]


def verbosity(verbose: Any, elsewhere: int) -> int:
    """0, 1 or 2; for "auto" 1 on a terminal, and ``elsewhere`` otherwise.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return 1 if sys.stdout is not None and sys.stdout.isatty() else elsewhere
    if not isinstance(verbose, int | np.integer | np.bool_) or verbose not in (0, 1, 2):
        raise ConfigError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r:.80}")
    return int(verbose)


def report_evaluation(results: Logs, verbose: int) -> None:
    """Print the results of `evaluate` on one line, if requested."""
    if verbose:
        print(in_words(results))

"""What a callback is: hooks between the steps and epochs of a fit, and of testing and predicting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..checks import arguments_of, refuse_unknown
from ..configured import described
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..model import Sequential

Logs = dict[str, Any]
"""Numbers, and lists of numbers for metrics whose result is an array."""


class Callback:
    """Base class, with Keras's hooks. ``self.model`` and ``self.params`` are set before the first of them is called.

    After a batch, ``logs`` are the running means so far; after an epoch callbacks may add to them. A validation within
    a fit calls the test hooks.

    ``self.model.stop_training = True`` ends the training: within an epoch after the current batch, and the incomplete
    epoch counts, as in Keras; but see `TrainingCheckpoint`.

    Attributes
    ----------
    rank : int
        Callbacks of a higher rank come after all those of a lower one; within a rank in the order given. Those that
        save the states of the others have a rank above 0.
    interrupts : bool
        Whether a stop within an epoch interrupts it: the callback has saved the state of the fit, so the epoch is not
        ended but left to be resumed.
    reads_logs : bool
        Whether ``on_train_batch_end`` reads its logs. If no callback does, they are empty: reading them back costs 3
        us, and on a GPU a wait for the step.

    Raises
    ------
    ConfigError
        For an argument that the class does not have.
    """

    rank = 0
    interrupts = False
    reads_logs = True

    def __init__(self, **unknown: Any) -> None:
        refuse_unknown(self, unknown, arguments_of(type(self)))
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def __repr__(self) -> str:
        return described(self, {name: vars(self)[name] for name in arguments_of(type(self)) if name in vars(self)})

    def set_model(self, model: Sequential) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Any = None) -> None: ...
    def on_train_end(self, logs: Any = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.on_batch_end(batch, logs)

    # Keras's old names.
    def on_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Any = None) -> None: ...

    def on_test_begin(self, logs: Any = None) -> None: ...
    def on_test_end(self, logs: Any = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_begin(self, logs: Any = None) -> None: ...
    def on_predict_end(self, logs: Any = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None: ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback: numbers, text, lists, dicts and arrays."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; called after ``on_train_begin`` of a resumed fit."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class LambdaCallback(Callback):
    """A callback made of functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))``.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable (epoch, logs)
    on_train_begin, on_train_end : callable (logs)
    on_train_batch_begin, on_train_batch_end : callable (batch, logs)
    **hooks : callable
        Every other hook of `Callback`.

    Raises
    ------
    ConfigError
        For an unknown hook, or something that is not callable.
    """

    def __init__(
        self,
        on_epoch_begin: Any = None,
        on_epoch_end: Any = None,
        on_train_begin: Any = None,
        on_train_end: Any = None,
        on_train_batch_begin: Any = None,
        on_train_batch_end: Any = None,
        **hooks: Any,
    ) -> None:
        super().__init__()
        refuse_unknown(self, hooks.keys() - set(HOOKS), HOOKS)
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **hooks,
        }
        for name, function in given.items():
            if function is None:
                continue
            if not callable(function):
                raise ConfigError(f"LambdaCallback: {name}: expected a function, got {function!r:.80}")
            setattr(self, name, function)

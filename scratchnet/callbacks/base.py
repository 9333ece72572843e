"""What a callback is: hooks between the steps and epochs of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model import Sequential

Logs = dict[str, float]


class Callback:
    """Base class, with Keras's hooks. ``self.model`` and ``self.params`` are set before training begins.

    After a batch, ``logs`` are the running means of the epoch, read back only where a callback looks at them; after an
    epoch they are a dict that callbacks may add to.

    Attributes
    ----------
    rank : int
        Callbacks of a higher rank come after all those of a lower one; within a rank in the order given. Those that
        save the states of the others have a rank above 0.
    """

    rank = 0

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_model(self, model: Sequential) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Any = None) -> None: ...
    def on_train_end(self, logs: Any = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None: ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback: numbers, text, lists, dicts and arrays."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave; called after ``on_train_begin`` of a fit that goes on."""


class LambdaCallback(Callback):
    """A callback made of functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))``.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable (epoch, logs)
    on_train_begin, on_train_end : callable (logs)
    on_train_batch_begin, on_train_batch_end : callable (batch, logs)
    """

    def __init__(
        self,
        on_epoch_begin: Any = None,
        on_epoch_end: Any = None,
        on_train_begin: Any = None,
        on_train_end: Any = None,
        on_train_batch_begin: Any = None,
        on_train_batch_end: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in hooks.items():
            if function is not None:
                setattr(self, name, function)

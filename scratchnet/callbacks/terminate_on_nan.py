"""TerminateOnNaN."""

from __future__ import annotations

from typing import Any

from ..checks import flag
from .base import Callback


class TerminateOnNaN(Callback):
    """End the training in an orderly way when a loss becomes NaN or infinite, instead of raising NumericsError.

    The epoch ends early, its loss is in the history, and ``on_train_end`` is called. Unlike in Keras the weights are
    those before the failed step, which did not change them. In captured steps on a GPU the accuracy of that epoch is
    NaN: later steps were already queued, and have been counted.

    Parameters
    ----------
    raise_error : bool
        Raise NumericsError nevertheless, which names the step, the layer and the array.
    """

    def __init__(self, raise_error: bool = False, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.raise_error = flag(self, "raise_error", raise_error)

    def terminates(self, batch: int) -> bool:
        """End the training; returns whether that is all, with no error to raise."""
        if self.raise_error:
            return False
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
        return True

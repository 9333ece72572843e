"""All errors of scratchnet: one class per subject, one line per message (what was expected, what was given)."""

from __future__ import annotations

from typing import Any

__all__ = [
    "BackendError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DependencyError",
    "GradientError",
    "NumericsError",
    "RecipeError",
    "ScratchnetError",
    "ShapeError",
]


class ScratchnetError(Exception):
    """The base class: ``except sn.errors.ScratchnetError`` catches every error that this package raises.

    A message is one line: if it quotes something of several lines, such as a matrix, they are joined.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*(_one_line(one) if isinstance(one, str) else one for one in arguments))


def _one_line(text: str) -> str:
    return " ".join(map(str.strip, text.splitlines()))


class DataError(ScratchnetError, ValueError):
    """Data that cannot be used: a damaged or foreign file, a failed download, wrong labels, NaN."""


class ShapeError(ScratchnetError, ValueError):
    """An array or a layer has the wrong shape; the message names the layer, the expected and the given shape."""


class ConfigError(ScratchnetError, ValueError):
    """An argument has an invalid value (a negative rate, an unknown name)."""


class BackendError(ScratchnetError):
    """The chosen backend cannot run here, or lacks an operation; the message says which, and what to install."""


class DependencyError(ScratchnetError, ImportError):
    """An optional library is not installed; the message says which, what needs it, and how to install it."""


class CheckpointError(ScratchnetError):
    """A model file or checkpoint is damaged, foreign, or cannot be written."""


class RecipeError(ScratchnetError):
    """A recipe has a wrong key or value; the message names the key and the line or path."""


class GradientError(ScratchnetError):
    """A derivative cannot be checked or is not the derivative of the forward pass."""


class NumericsError(ScratchnetError):
    """NaN or Inf turned up while training.

    Parameters
    ----------
    message : str
        One line: what turned up where, and what to try.
    step : int, optional
        Number of the training step.
    layer : str, optional
        Name of the layer.
    array : str, optional
        Name of the array (``"kernel"``, ``"loss"``, ``"x"`` ...).
    """

    def __init__(
        self,
        message: str = "",
        *,
        step: int | None = None,
        layer: str | None = None,
        array: str | None = None,
    ) -> None:
        super().__init__(message)
        self.step, self.layer, self.array = step, layer, array

"""Checks of arguments that several modules make."""

from __future__ import annotations

import difflib
import inspect
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .errors import ConfigError


def is_number(value: Any) -> bool:
    """Whether this is a finite Python or NumPy number, and not a truth value."""
    kinds = int | float | np.integer | np.floating
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def number(owner: Any, name: str, value: Any, interval: str = "(-inf, inf)") -> Any:
    """A finite number within an interval such as ``"[0, 1)"``, as a Python float (or int, where it is one).

    Raises
    ------
    ConfigError
        Naming the owner's class, the argument, what was expected and what came.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if (
        is_number(value)
        and (value >= low if interval[0] == "[" else value > low)
        and (value <= high if interval[-1] == "]" else value < high)
    ):
        return int(value) if isinstance(value, int | np.integer) else float(value)
    raise ConfigError(f"{type(owner).__name__}: {name}: expected a number in {interval}, got {value!r:.80}")


def warn(message: str) -> None:
    """A UserWarning at the line of the user's code from which all this was called."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == __name__.partition(".")[0]:
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, stacklevel=depth)


def is_whole(value: Any, least: int = 1) -> bool:
    """Whether this is a Python or NumPy integer of at least ``least``, and not a truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def whole(name: str, value: Any, least: int = 1) -> int:
    """An integer of at least ``least``, as Python's.

    Raises
    ------
    ConfigError
        Naming the argument, what was expected and what came.
    """
    if not is_whole(value, least):
        raise ConfigError(f"{name}: expected an integer of at least {least}, got {value!r:.80}")
    return int(value)


def file_path(owner: Any, name: str, value: Any) -> str:
    """A path as text.

    Raises
    ------
    ConfigError
        If it is none; it names the owner's class and the argument.
    """
    if not isinstance(value, str | os.PathLike):
        raise ConfigError(f"{type(owner).__name__}: {name}: expected a path, got {value!r:.80}")
    return os.fspath(value)


def snake_case(name: str) -> str:
    """``MeanSquaredError`` as ``mean_squared_error``."""
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def arguments_of(cls: type | Callable[..., Any]) -> list[str]:
    """What the constructor of a class, or a method, takes, by name."""
    function = cls.__init__ if isinstance(cls, type) else cls  # type: ignore[misc]
    arguments = list(inspect.signature(function).parameters.values())[1:]
    return [a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)]


def refuse_unknown(owner: Any, unknown: Iterable[str], known: Iterable[str]) -> None:
    """Raise ConfigError for the first unknown keyword argument, suggesting the one that was probably meant.

    The owner is an object of the class that was asked for, or the name of a function.
    """
    for name in unknown:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(known) or 'none'}"
        label = owner if isinstance(owner, str) else type(owner).__name__
        raise ConfigError(f"{label} has no argument {name[:80]!r}: {hint}")

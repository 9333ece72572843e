"""Checks of constructor arguments that several modules make."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
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


def snake_case(name: str) -> str:
    """``MeanSquaredError`` as ``mean_squared_error``."""
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def refuse_unknown(owner: Any, unknown: Iterable[str], known: Iterable[str]) -> None:
    """Raise ConfigError for the first unknown keyword argument, suggesting the one that was probably meant."""
    for name in unknown:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(known)}"
        raise ConfigError(f"{type(owner).__name__} has no argument {name[:80]!r}: {hint}")

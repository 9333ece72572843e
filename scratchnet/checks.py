"""Checks of arguments that several modules make."""

from __future__ import annotations

import inspect
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import numpy as np

from .errors import ConfigError, DataError, ScratchnetError
from .names import hint


def is_number(value: Any) -> bool:
    """Whether this is a finite Python or NumPy number, and not a truth value."""
    kinds = int | float | np.integer | np.floating
    try:
        return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def number(owner: Any, name: str, value: Any, interval: str = "(-inf, inf)") -> Any:
    """A finite number within an interval such as ``"[0, 1)"``, as a Python float (or int, where it is one).

    Raises
    ------
    ConfigError
        Naming the owner's class, the argument, what was expected and what was given.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if (
        is_number(value)
        and (value >= low if interval[0] == "[" else value > low)
        and (value <= high if interval[-1] == "]" else value < high)
    ):
        return int(value) if isinstance(value, int | np.integer) else float(value) + 0.0  # -0.0 + 0.0 is 0.0
    raise ConfigError(f"{type(owner).__name__}: {name}: expected a number in {interval}, got {value!r:.80}")


def warn(message: str) -> None:
    """A UserWarning at the line of user code that led here."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
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
        Naming the argument, what was expected and what was given.
    """
    if not is_whole(value, least):
        raise ConfigError(f"{name}: expected an integer of at least {least}, got {value!r:.80}")
    return int(value)


def part_name(owner: Any, name: Any) -> str | None:
    """``name=`` of a layer, a loss ...: a word, or None to let it be chosen; ConfigError for anything else."""
    if name is None or (isinstance(name, str) and name):
        return None if name is None else str(name)
    raise ConfigError(f"{type(owner).__name__}: name: expected a word, or None, got {name!r:.80}")


def flag(owner: Any, name: str, value: Any) -> bool:
    """A truth value: True, False, or the numbers 1 and 0.

    The owner is an object of the called class, or the name of a function.

    Raises
    ------
    ConfigError
        Naming the owner, the argument and what was given.
    """
    if isinstance(value, bool | np.bool_) or (isinstance(value, int | np.integer) and value in (0, 1)):
        return bool(value)
    label = owner if isinstance(owner, str) else type(owner).__name__
    raise ConfigError(f"{label}: {name}: expected True or False, got {value!r:.80}")


def refuse_beyond_memory(need: int, name: str, refusal: type[ScratchnetError] = DataError) -> None:
    """Refuse content larger than the machine's memory before it is read or made (Linux would kill the process)."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows, or a system that does not tell
        memory = sys.maxsize
    if need > memory > 0:
        raise refusal(f"{name}: would take {need:,} bytes of memory, this machine has {memory:,}")


def sample_shape(what: str, shape: Any, refusal: type[ScratchnetError] = ConfigError) -> tuple[int, ...]:
    """The shape of one sample, a sequence of positive integers, as a tuple of Python's.

    Raises
    ------
    ScratchnetError
        Of the class ``refusal``, naming what the shape is of, and what was given.
    """
    try:
        extents = None if isinstance(shape, str | bytes | Mapping | Set) else tuple(shape)
    except TypeError:  # not a sequence, or an array without axes
        extents = None
    if extents is None or not all(map(is_whole, extents)):
        expected = "a shape of positive integers such as (28, 28, 1), without the batch axis"
        raise refusal(f"{what}: expected {expected}, got {shape!r:.80}")
    return tuple(map(int, extents))


def file_path(owner: Any, name: str, value: Any) -> str:
    """A path as text.

    Raises
    ------
    ConfigError
        If it is none; it names the owner's class and the argument.
    """
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise ConfigError(f"{type(owner).__name__}: {name}: expected a path, got {value!r:.80}")
    return os.fspath(value)


def snake_case(name: str) -> str:
    """``MeanSquaredError`` as ``mean_squared_error``, ``MaxPooling2D`` as ``max_pooling2d``: Keras's rule."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def arguments_of(cls: type | Callable[..., Any]) -> list[str]:
    """What the constructor of a class, or a method, takes, by name."""
    function = cls.__init__ if isinstance(cls, type) else cls  # type: ignore[misc]
    arguments = list(inspect.signature(function).parameters.values())[1:]
    return [a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)]


def refuse_unknown(owner: Any, unknown: Iterable[str], known: Iterable[str]) -> None:
    """Raise ConfigError for the first unknown keyword argument, saying what to write instead.

    The owner is an object of the called class, or the name of a function.
    """
    for name in unknown:
        help = hint(name, known) or f": it has: {', '.join(known) or 'none'}"
        label = owner if isinstance(owner, str) else type(owner).__name__
        raise ConfigError(f"{label} has no argument {name[:80]!r}{help}")

"""Checks of arguments that several layers share; each error says in one line what was expected and what was given."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import is_whole
from ..errors import ConfigError, ShapeError
from ..host_arrays import NO_BATCH_AXIS
from .base import Layer, Shape

Pair = tuple[int, int]


def is_integer(value: Any) -> bool:
    """Whether ``value`` is a whole number (and not a bool)."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))


def positive(owner: str, **arguments: Any) -> None:
    """Refuse any of these arguments that is not an integer of at least 1.

    Raises
    ------
    ConfigError
        Naming the first of them.
    """
    for name, value in arguments.items():
        if not is_whole(value):
            raise ConfigError(f"{owner}: {name}: expected a positive integer, got {value!r:.80}")


def pair(owner: str, argument: str, value: Any, least: int = 1) -> Pair:
    """One or two integers, as a pair.

    Raises
    ------
    ConfigError
        For anything else, or below ``least``.
    """
    values = value if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2 or not all(is_integer(v) and v >= least for v in values):
        raise ConfigError(f"{owner}: {argument}: expected integer(s) >= {least}, one or two, got {value!r:.80}")
    return int(values[0]), int(values[1])


def padding_mode(owner: str, value: Any) -> str:
    """``"valid"`` or ``"same"``, in upper or lower case.

    Raises
    ------
    ConfigError
        For anything else.
    """
    mode = value.lower() if isinstance(value, str) else None
    if mode not in ("valid", "same"):
        raise ConfigError(f"{owner}: padding: expected 'valid' or 'same', got {value!r:.80}")
    return mode


def channels_last(owner: str, data_format: Any) -> None:
    """Refuse any ``data_format`` but NHWC.

    Raises
    ------
    ConfigError
        For anything but None and ``"channels_last"``.
    """
    if data_format is not None and not (isinstance(data_format, str) and data_format == "channels_last"):
        raise ConfigError(f"{owner}: data_format: expected 'channels_last', got {data_format!r:.80}")


def axis_number(owner: str, value: Any) -> int:
    """An axis.

    Raises
    ------
    ConfigError
        If it is not an integer.
    """
    if not is_integer(value):
        raise ConfigError(f"{owner}: axis: expected an integer, got {value!r:.80}")
    return int(value)


def label(layer: Layer) -> str:
    """A layer's name in messages: its own, or its class's if it has none yet."""
    return layer.name or type(layer).__name__


def image_shape(layer: Layer, input_shape: Any) -> tuple[int, int, int]:
    """``input_shape`` as ``(h, w, c)``.

    Raises
    ------
    ShapeError
        If it has another number of axes.
    """
    if len(input_shape) != 3:
        got = batch_shape(input_shape)
        help = NO_BATCH_AXIS if len(input_shape) == 4 else ""
        raise ShapeError(f"layer {label(layer)!r}: expected images of shape (n, h, w, c), got {got}{help}")
    h, w, c = (int(extent) for extent in input_shape)
    return h, w, c


def batch_shape(shape: Shape) -> str:
    """A shape with its batch axis for a message: ``(n, 28, 28, 1)``."""
    return f"({', '.join(['n', *map(str, shape)])}{',' if not shape else ''})"

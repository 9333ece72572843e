"""Where initial values come from: the process-wide generator, and the base class of initializers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from . import config
from .checks import arguments_of, is_whole, refuse_beyond_memory, refuse_unknown
from .configured import Configured
from .errors import ConfigError

_global_rng = np.random.default_rng()
_blanks_left: ContextVar[list[int] | None] = ContextVar("blanks_left", default=None)


def default_rng() -> np.random.Generator:
    """The process-wide generator, used if none is given; ``sn.utils.set_random_seed`` seeds it."""
    return _global_rng


def seed_default_rng(seed: int) -> None:
    """Seed the process-wide generator."""
    global _global_rng
    _global_rng = np.random.default_rng(seed)


@contextmanager
def blank(most: int) -> Iterator[None]:
    """Within the block initial values are zeros: for a model whose ``most`` weights are about to be read from a file.

    Raises
    ------
    ConfigError
        If a parameter would exceed what is left of ``most``, before memory is allocated for it.
    """
    token = _blanks_left.set([most])
    try:
        yield
    finally:
        _blanks_left.reset(token)


def _blank(shape: tuple[int, ...], dtype: Any, left: list[int]) -> np.ndarray:
    left[0] -= math.prod(shape)
    if left[0] < 0:
        raise ConfigError(f"a parameter of shape {shape} is larger than what there is for it")
    return np.zeros(shape, dtype)


class Initializer(Configured):
    """Base class: ``initializer(shape, rng=None, dtype=None)`` returns a NumPy array.

    So does ``initializer(shape, dtype)``, as in Keras; the default dtype is ``sn.config.floatx()``.

    Parameters
    ----------
    seed : int, optional
        Draw from a separate generator instead of the model's: the same numbers at every call.

    Raises
    ------
    ConfigError
        If the seed is negative or not an integer, or for an argument that the class does not have.
    """

    def __init__(self, seed: int | None = None, **unknown: Any) -> None:
        refuse_unknown(self, unknown, arguments_of(type(self)))
        if seed is not None:
            whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
            if not whole or seed < 0:
                raise ConfigError(f"{type(self).__name__}: seed: expected an integer from 0 on, got {seed!r:.80}")
            seed = int(seed)
        self.seed = seed

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """The values, in float64."""
        raise TypeError(f"{type(self).__name__} does not define draw(shape, rng)")

    def __call__(self, shape: Any, rng: Any = None, dtype: Any = None) -> np.ndarray:
        if rng is not None and not isinstance(rng, np.random.Generator):  # Keras's second argument
            rng, dtype = None, rng
        shape = self._shape(shape)
        dtype, left = config.as_float_dtype(dtype or config.floatx()), _blanks_left.get()
        if left is not None:
            return _blank(shape, dtype, left)
        refuse_beyond_memory(2 * 8 * math.prod(shape), f"a parameter of shape {shape}", ConfigError)
        if self.seed is not None:
            rng = np.random.default_rng(self.seed)
        return np.asarray(self.draw(shape, rng or default_rng()), dtype=dtype)

    def _shape(self, shape: Any) -> tuple[int, ...]:
        given = (shape,) if np.ndim(shape) == 0 else tuple(shape)
        if not all(is_whole(extent, 0) for extent in given):
            raise ConfigError(f"{type(self).__name__}: expected a shape, integers from 0 on, got {shape!r:.80}")
        return tuple(int(extent) for extent in given)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(vars(self))

"""Initial values of parameters, drawn on the host with NumPy, so that every backend starts from the same numbers.

For a parameter of shape ``(kh, kw, in, out)`` or ``(in, out)``, ``fan_in = kh kw in`` and ``fan_out = kh kw out``; a
vector of length ``n`` has ``fan_in = fan_out = n``, as in Keras.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .errors import ConfigError

_global_rng = np.random.default_rng()
_blanks_left: ContextVar[list[int] | None] = ContextVar("blanks_left", default=None)


def default_rng() -> np.random.Generator:
    """The process-wide generator that is used where none is given; ``sn.utils.set_random_seed`` seeds it."""
    return _global_rng


def seed_default_rng(seed: int) -> None:
    """Seed the process-wide generator."""
    global _global_rng
    _global_rng = np.random.default_rng(seed)


@contextmanager
def blank(most: int) -> Iterator[None]:
    """Inside the block initial values are zeros: for a model whose ``most`` weights are about to be read from a file.

    Raises
    ------
    ConfigError
        If a parameter would be larger than what is left of ``most``, before memory is taken for it.
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


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a parameter of this shape."""
    if len(shape) < 2:
        n = shape[0] if shape else 1
        return n, n
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


class Initializer:
    """Base class: ``initializer(shape, rng=None, dtype="float32")`` gives a NumPy array.

    Parameters
    ----------
    seed : int, optional
        Draw from a generator of its own instead of the model's: the same numbers at every call.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """The values, in float64."""
        raise TypeError(f"{type(self).__name__} does not define draw(shape, rng)")

    def __call__(self, shape: Any, rng: np.random.Generator | None = None, dtype: Any = "float32") -> np.ndarray:
        left = _blanks_left.get()
        if left is not None:
            return _blank(tuple(shape), dtype, left)
        if self.seed is not None:
            rng = np.random.default_rng(self.seed)
        return np.asarray(self.draw(tuple(shape), rng or default_rng()), dtype=dtype)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(vars(self))


class Zeros(Initializer):
    """All zeros."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.zeros(shape)


class Ones(Initializer):
    """All ones."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.ones(shape)


class Constant(Initializer):
    """All ``value``."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = value

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.full(shape, self.value)

    def config(self) -> dict[str, Any]:
        return {"value": self.value}


class RandomUniform(Initializer):
    """Uniform on ``[minval, maxval)``."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.minval, self.maxval, shape)


class RandomNormal(Initializer):
    """Normal with this mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mean, self.stddev, shape)


def truncated_normal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Standard normal values, those beyond two standard deviations drawn again."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2.0).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return values


class TruncatedNormal(RandomNormal):
    """Normal with this mean and standard deviation; values beyond two standard deviations are drawn again."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return self.mean + self.stddev * truncated_normal(shape, rng)


class VarianceScaling(Initializer):
    """Zero mean, variance ``scale / n``, where ``n`` is ``fan_in``, ``fan_out`` or their mean ``fan_avg``.

    ``uniform`` draws from ``[-limit, limit)`` with ``limit = sqrt(3 scale / n)``; ``truncated_normal`` corrects for the
    variance that truncation at two standard deviations removes.

    Raises
    ------
    ConfigError
        For an unknown mode or distribution.
    """

    # Standard deviation of a standard normal truncated at 2: scipy.stats.truncnorm.std(-2, 2).
    TRUNCATED_STDDEV = 0.87962566103423978

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ConfigError(f"mode: expected fan_in, fan_out or fan_avg, got {mode!r}")
        if distribution not in ("uniform", "truncated_normal"):
            raise ConfigError(f"distribution: expected uniform or truncated_normal, got {distribution!r}")
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        return math.sqrt(variance) / self.TRUNCATED_STDDEV * truncated_normal(shape, rng)


class _Preset(VarianceScaling):
    """A VarianceScaling whose arguments are fixed but for the seed."""

    preset: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.preset, seed=seed)

    def config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Preset):
    """Uniform, limit ``sqrt(6 / (fan_in + fan_out))``: Glorot and Bengio, AISTATS 2010. Keras's default for kernels."""

    preset = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Preset):
    """Truncated normal, variance ``2 / (fan_in + fan_out)``: Glorot and Bengio, AISTATS 2010."""

    preset = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Preset):
    """Uniform, limit ``sqrt(6 / fan_in)``: He et al., ICCV 2015."""

    preset = (2.0, "fan_in", "uniform")


class HeNormal(_Preset):
    """Truncated normal, variance ``2 / fan_in``: He et al., ICCV 2015."""

    preset = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Preset):
    """Uniform, limit ``sqrt(3 / fan_in)``: LeCun et al., Efficient BackProp, 1998."""

    preset = (1.0, "fan_in", "uniform")


class LecunNormal(_Preset):
    """Truncated normal, variance ``1 / fan_in``: LeCun et al., Efficient BackProp, 1998."""

    preset = (1.0, "fan_in", "truncated_normal")


_BY_NAME: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "random_uniform": RandomUniform,
    "random_normal": RandomNormal,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
}


def get(identifier: Any) -> Initializer:
    """An initializer from its name (``"he_normal"``), a ``{"class_name", "config"}`` dict, or itself.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        for cls in _BY_NAME.values():
            if cls.__name__ == identifier["class_name"]:
                return cls(**identifier["config"])
    if isinstance(identifier, str):
        for name, cls in _BY_NAME.items():
            if identifier in (name, cls.__name__):
                return cls()
    raise ConfigError(f"initializer: expected one of {', '.join(_BY_NAME)}, got {identifier!r}")


def serialize(initializer: Initializer) -> dict[str, Any]:
    """The dict that `get` turns back into the initializer."""
    return {"class_name": type(initializer).__name__, "config": initializer.config()}

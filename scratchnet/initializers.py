"""Initial values of parameters, drawn on the host with NumPy, so every backend starts from the same numbers.

For a parameter of shape ``(kh, kw, in, out)`` or ``(in, out)``, ``fan_in = kh kw in`` and ``fan_out = kh kw out``; a
vector of length ``n`` has ``fan_in = fan_out = n``, as in Keras.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .checks import number
from .configured import resolve
from .drawing import Initializer
from .drawing import blank as blank
from .drawing import default_rng as default_rng
from .drawing import seed_default_rng as seed_default_rng
from .errors import ConfigError
from .keras_defaults import SCALING, take


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a parameter of this shape."""
    if len(shape) < 2:
        n = shape[0] if shape else 1
        return n, n
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


class Zeros(Initializer):
    """All zeros."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.zeros(shape)


class Ones(Initializer):
    """All ones."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.ones(shape)


class Constant(Initializer):
    """All ``value``; or given values, an array of the parameter's shape or one that can be broadcast to it.

    Raises
    ------
    ConfigError
        If the value is neither a number nor numbers, or, when a parameter is made, if they do not fit its shape.
    """

    def __init__(self, value: Any = 0.0, **unknown: Any) -> None:
        super().__init__(**unknown)
        several = isinstance(value, list | tuple) or np.shape(value) != ()
        self.value = _listed(value) if several else number(self, "value", value)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        try:
            return np.array(np.broadcast_to(self.value, shape))
        except ValueError:
            raise ConfigError(f"Constant: expected values for shape {shape}, got {np.shape(self.value)}") from None

    def config(self) -> dict[str, Any]:
        return {"value": self.value}


def _listed(values: Any) -> Any:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ConfigError(f"Constant: value: expected a number or an array of finite numbers, got {values!r:.80}")
    return array.astype(np.float64).tolist()


class RandomUniform(Initializer):
    """Uniform on ``[minval, maxval)``.

    Raises
    ------
    ConfigError
        If ``maxval`` is below ``minval``.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None, **unknown: Any) -> None:
        super().__init__(seed, **unknown)
        self.minval = number(self, "minval", minval)
        self.maxval = number(self, "maxval", maxval)
        if self.maxval < self.minval:
            raise ConfigError(f"{type(self).__name__}: maxval: expected at least minval={minval}, got {maxval}")

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.minval, self.maxval, shape)


class RandomNormal(Initializer):
    """Normal with this mean and standard deviation.

    Raises
    ------
    ConfigError
        If ``stddev`` is negative.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None, **unknown: Any) -> None:
        super().__init__(seed, **unknown)
        self.mean, self.stddev = number(self, "mean", mean), number(self, "stddev", stddev, "[0, inf)")

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mean, self.stddev, shape)


def _truncated(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Standard normal values; those beyond two standard deviations are redrawn."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2.0).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return values


class TruncatedNormal(RandomNormal):
    """Normal with this mean and standard deviation; values beyond two standard deviations are redrawn."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return self.mean + self.stddev * _truncated(shape, rng)


class VarianceScaling(Initializer):
    """Zero mean, variance ``scale / n``, where ``n`` is ``fan_in``, ``fan_out`` or their mean ``fan_avg``.

    ``uniform`` draws from ``[-limit, limit)`` with ``limit = sqrt(3 scale / n)``; ``truncated_normal`` corrects for the
    variance that truncation at two standard deviations removes.

    Raises
    ------
    ConfigError
        For a scale of 0 or less, an unknown mode or distribution.
    """

    # Standard deviation of a standard normal truncated at 2: scipy.stats.truncnorm.std(-2, 2).
    TRUNCATED_STDDEV = 0.87962566103423978

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        **unknown: Any,
    ) -> None:
        take(self, unknown, SCALING)
        super().__init__(seed, **unknown)
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ConfigError(f"mode: expected fan_in, fan_out or fan_avg, got {mode!r}")
        if distribution not in ("uniform", "truncated_normal"):
            raise ConfigError(f"distribution: expected uniform or truncated_normal, got {distribution!r}")
        self.scale, self.mode, self.distribution = number(self, "scale", scale, "(0, inf)"), mode, distribution

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        return math.sqrt(variance) / self.TRUNCATED_STDDEV * _truncated(shape, rng)


class _Preset(VarianceScaling):
    """A VarianceScaling whose arguments are fixed, except the seed."""

    preset: tuple[float, str, str]

    def __init__(self, seed: int | None = None, **unknown: Any) -> None:
        super().__init__(*self.preset, seed=seed, **unknown)

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


class Orthogonal(Initializer):
    """``gain`` times a matrix with orthonormal columns, or rows if it is wide: Saxe et al., arXiv:1312.6120.

    A parameter of more than two axes is treated as the matrix ``(everything else, last axis)``.

    Raises
    ------
    ConfigError
        When called for a parameter of fewer than two axes.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None, **unknown: Any) -> None:
        super().__init__(seed, **unknown)
        self.gain = number(self, "gain", gain)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        if len(shape) < 2:
            raise ConfigError(f"Orthogonal: expected a parameter of two axes or more, got shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.where(np.diag(r) < 0, -1, 1)  # otherwise the algorithm would determine the signs
        return self.gain * (q.T if rows < columns else q).reshape(shape)


class Identity(Initializer):
    """``gain`` times the identity matrix.

    Raises
    ------
    ConfigError
        When called for a parameter that is not a matrix.
    """

    def __init__(self, gain: float = 1.0, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.gain = number(self, "gain", gain)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        if len(shape) != 2:
            raise ConfigError(f"Identity: expected a parameter of two axes, got shape {shape}")
        return self.gain * np.eye(*shape)

    def config(self) -> dict[str, Any]:
        return {"gain": self.gain}


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
    "orthogonal": Orthogonal,
    "identity": Identity,
}

# Keras's short names, and its lower-case names, as in ``kernel_initializer=sn.initializers.he_normal``.
zeros, ones, constant, random_uniform, random_normal = Zeros, Ones, Constant, RandomUniform, RandomNormal
truncated_normal, variance_scaling, orthogonal, identity = TruncatedNormal, VarianceScaling, Orthogonal, Identity
glorot_uniform, glorot_normal, he_uniform, he_normal = GlorotUniform, GlorotNormal, HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
_SHORT = {"zero": Zeros, "one": Ones, "uniform": RandomUniform, "normal": RandomNormal}


def get(identifier: Any) -> Initializer:
    """An initializer from its name (``"he_normal"``), a ``{"class_name", "config"}`` dict, or itself.

    None is Keras's default for a parameter without its own: ``"glorot_uniform"``.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if identifier is None:
        return GlorotUniform()
    return resolve("initializer", identifier, Initializer, _BY_NAME | _SHORT)


deserialize = get  # Keras's name for it, where it is given a dict


def serialize(initializer: Initializer) -> dict[str, Any]:
    """The dict that `get` turns back into the initializer."""
    return {"class_name": type(initializer).__name__, "config": initializer.config()}

"""GaussianNoise."""

from __future__ import annotations

from typing import Any

from ..checks import number
from .base import ops
from .random_stream import RandomLayer


class GaussianNoise(RandomLayer):
    """Training: ``y = x + stddev z``, z normally distributed with mean 0 and variance 1. Inference: ``y = x``.

    The noise is a function of (key, step, index) alone (see kernels/noise.py): of the same random bits on every
    backend, where logarithm and cosine may differ in the last bit. ``dx = dy``.

    Parameters
    ----------
    stddev : float
        Standard deviation of the noise, in [0, 1] as in Keras.
    seed : int, optional
        The key; drawn from the model's generator by default. Two layers with the same seed draw alike.

    Attributes
    ----------
    step : int
        Number of the next training step; each training `forward` adds one.

    Raises
    ------
    ConfigError
        If ``stddev`` is outside [0, 1], or the seed not an integer in [0, 2^64).
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.stddev = float(number(self, "stddev", stddev, "[0, 1]"))

    def transform(self, x: Any, step: int) -> Any:
        if self.stddev == 0:
            return x
        y = self.buffer("y", x.shape)
        ops.gaussian_noise(x, self.key, step, self.stddev, y)
        return y

    def config(self) -> dict[str, Any]:
        return {"stddev": self.stddev, **super().config()}

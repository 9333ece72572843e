"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import number
from ..errors import ConfigError
from .base import ops
from .random_stream import RandomLayer


class Dropout(RandomLayer):
    """Training: ``y = x mask / (1 - rate)``, mask 0 with probability ``rate``, else 1. Inference: ``y = x``.

    The mask is a function of (key, step, index) alone (see kernels/philox.py): the same on every backend and
    after a resume. Source: Srivastava et al., JMLR 15, 2014, in its inverted form.

    Parameters
    ----------
    rate : float
        Fraction to drop, in [0, 1]. At 1 everything is dropped: ``y = 0``.
    noise_shape : None
        Keras's; every number has its own mask.
    seed : int, optional
        The key; drawn from the model's generator by default. Two layers with the same seed drop alike.

    Attributes
    ----------
    step : int
        Number of the next training step; each training `forward` adds one.

    Raises
    ------
    ConfigError
        If the rate is outside [0, 1], the seed is not an integer in [0, 2^64), or a ``noise_shape`` is given.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = float(number(self, "rate", rate, "[0, 1]"))
        if noise_shape is not None:
            raise ConfigError(f"Dropout: noise_shape: expected None, got {noise_shape!r:.80}")

    def transform(self, x: Any, step: int) -> Any:
        if self.rate == 0:
            return x
        y, self.mask = self.buffer("y", x.shape), self.buffer("mask", x.shape, np.uint8)
        ops.dropout_forward(x, self.key, step, self.rate, y, self.mask)
        return y

    def transform_gradient(self, dy: Any) -> Any:
        dx = self.input_gradient(dy.shape)
        ops.dropout_backward(dy, self.mask, self.rate, dx)
        return dx

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, **super().config()}

"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import initializers
from ..checks import number
from ..errors import ConfigError
from .arguments import is_integer
from .base import Layer, Shape, ops

ALMOST_ALL = 1 - 2**-40  # at a rate of 1 the kernels' factor 1 / (1 - rate) would be infinite


class Dropout(Layer):
    """Training: ``y = x mask / (1 - rate)``, mask 0 with probability ``rate``, else 1. Inference: ``y = x``.

    The mask is a function of (key, step, index) alone (see kernels/dropout.py): the same on every backend and
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
        super().__init__(**kwargs)
        self.rate = float(number(self, "rate", rate, "[0, 1]"))
        if noise_shape is not None:
            raise ConfigError(f"Dropout: noise_shape: expected None, got {noise_shape!r:.80}")
        if seed is not None and not (is_integer(seed) and 0 <= seed < 2**64):
            raise ConfigError(f"Dropout: seed: expected an integer in [0, 2^64), got {seed!r:.80}")
        self.key = None if seed is None else int(seed)
        self.drawn, self.step = False, 0
        self.mask: Any = None

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        if self.key is None:
            self.drawn = True
            self.key = int((rng or initializers.default_rng()).integers(2**64, dtype=np.uint64))

    def forward(self, x: Any, training: bool = False) -> Any:
        x, self.mask = self.check_input(x), None
        if not training:
            return x
        step, self.step = self.step, self.step + 1
        if self.rate == 0:
            return x
        y, self.mask = self.buffer("y", x.shape), self.buffer("mask", x.shape, np.uint8)
        if self.rate == 1:
            y[...], self.mask[...] = 0, 0
        else:
            ops.dropout_forward(x, self.key, step, self.rate, y, self.mask)
        return y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        if self.mask is None:
            return dy
        dx = self.input_gradient(dy.shape)
        ops.dropout_backward(dy, self.mask, min(self.rate, ALMOST_ALL), dx)
        return dx

    @property
    def returns_view(self) -> bool:
        """Whether the last output was the input itself."""
        return self.mask is None

    @property
    def seed(self) -> int | None:
        """The key in use, drawn or given."""
        return self.key

    def get_config(self) -> dict[str, Any]:
        """What `config` returns, without a key that was drawn: as in Keras, a layer made from this draws its own."""
        return {**super().get_config(), "seed": None if self.drawn else self.key}

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed, **super().config()}

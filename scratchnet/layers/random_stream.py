"""The base of layers that draw random numbers in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import initializers
from ..errors import ConfigError
from .arguments import is_integer
from .base import Layer, Shape


class RandomLayer(Layer):
    """Training: ``y = transform(x, step)``. Inference: ``y = x``.

    What is drawn is a function of (key, step, index) alone (see kernels/philox.py): the same on every backend and
    after a resume. A subclass defines `transform` and, if it changes dL/dx, `transform_gradient`.

    Parameters
    ----------
    seed : int, optional
        The key; drawn from the model's generator by default. Two layers with the same seed draw alike.

    Attributes
    ----------
    step : int
        Number of the next training step; each training `forward` adds one.
    returns_view : bool
        Whether the last output was the input itself.

    Raises
    ------
    ConfigError
        If the seed is not an integer in [0, 2^64).
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if seed is not None and not (is_integer(seed) and 0 <= seed < 2**64):
            raise ConfigError(f"{type(self).__name__}: seed: expected an integer in [0, 2^64), got {seed!r:.80}")
        self.key = None if seed is None else int(seed)
        self.drawn, self.step = False, 0
        self.returns_view = True

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        if self.key is None:
            self.drawn = True
            self.key = int((rng or initializers.default_rng()).integers(2**64, dtype=np.uint64))

    def forward(self, x: Any, training: bool = False) -> Any:
        x = y = self.check_input(x)
        if training:
            step, self.step = self.step, self.step + 1
            y = self.transform(x, step)
        self.returns_view = y is x
        return y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        return dy if self.returns_view else self.transform_gradient(dy)

    def transform(self, x: Any, step: int) -> Any:
        """The output of a training step; ``x`` itself if nothing changes."""
        raise NotImplementedError

    def transform_gradient(self, dy: Any) -> Any:
        """dL/dx of the last `transform`."""
        return dy

    @property
    def seed(self) -> int | None:
        """The key in use, drawn or given."""
        return self.key

    def get_config(self) -> dict[str, Any]:
        """What `config` returns, without a key that was drawn: as in Keras, a layer made from this draws its own."""
        return {**super().get_config(), "seed": None if self.drawn else self.key}

    def config(self) -> dict[str, Any]:
        return {"seed": self.seed, **super().config()}

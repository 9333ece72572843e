"""RandomFlip and RandomTranslation: every image of a batch is changed by itself, in training only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import is_number, number
from ..errors import ConfigError
from ..kernels.augmentation import CONSTANT, NEAREST, REFLECT, WRAP
from .arguments import channels_last, image_shape
from .base import Shape, ops
from .random_stream import RandomLayer

MODES = ("horizontal_and_vertical", "horizontal", "vertical")
FILL_MODES = {"reflect": REFLECT, "constant": CONSTANT, "nearest": NEAREST, "wrap": WRAP}
Range = tuple[int, int]


class _Moving(RandomLayer):
    """Flips and shifts images by whole pixels; dx is what was copied from each pixel, added up."""

    augments = True

    def __init__(self, seed: int | None, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        channels_last(type(self).__name__, data_format)

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        image_shape(self, input_shape)
        super().build(input_shape, rng)

    def forward(self, x: Any, training: bool | None = False) -> Any:
        return super().forward(x, training is None or training)

    def transform(self, x: Any, step: int) -> Any:
        y, self.moves = self.buffer("y", x.shape), self.buffer("moves", (len(x), 4), np.int32)
        ops.flip_shift_forward(x, self.key, step, *self.moving(), y, self.moves)
        return y

    def transform_gradient(self, dy: Any) -> Any:
        dx = self.input_gradient(dy.shape)
        ops.flip_shift_backward(dy, self.moves, self.moving()[2], dx)
        return dx

    def moving(self) -> tuple[tuple[bool, bool], tuple[Range, Range], int, float]:
        """Whether rows and columns may be flipped, how far they may move, what is outside, and its value."""
        raise NotImplementedError


class RandomFlip(_Moving):
    """Training: each image is flipped left to right, top to bottom, or both, with probability 1/2 each.

    Images are (n, h, w, c). In inference ``y = x``; but ``layer(x)``, without ``training``, flips. What is drawn is a
    function of (key, step, number in the batch) alone (see kernels/augmentation.py): the same on every backend and
    after a resume.

    Parameters
    ----------
    mode : {"horizontal_and_vertical", "horizontal", "vertical"}
        Which flips; the two of ``"horizontal_and_vertical"`` are independent of each other.
    seed : int, optional
        The key; drawn from the model's generator by default. Two layers with the same seed draw alike.
    data_format : {None, "channels_last"}

    Attributes
    ----------
    step : int
        Number of the next training step; each training `forward` adds one.

    Raises
    ------
    ConfigError
        For another mode, or a seed that is not an integer in [0, 2^64).
    ShapeError
        If the input is not an image.
    """

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: int | None = None, data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.mode = _one_of(self, "mode", mode, MODES)

    def moving(self) -> tuple[tuple[bool, bool], tuple[Range, Range], int, float]:
        return ("vertical" in self.mode, "horizontal" in self.mode), ((0, 0), (0, 0)), CONSTANT, 0.0

    def config(self) -> dict[str, Any]:
        return {"mode": self.mode, **super().config()}


class RandomTranslation(_Moving):
    """Training: each image is shifted by a whole number of pixels, all of a range being equally likely.

    Images are (n, h, w, c). In inference ``y = x``; but ``layer(x)``, without ``training``, shifts. Down and right are
    positive. Keras shifts by fractions of pixels, too, and interpolates; of whole pixels both ways to interpolate make
    the same. What is drawn is a function of (key, step, number in the batch) alone (see kernels/augmentation.py): the
    same on every backend and after a resume.

    Parameters
    ----------
    height_factor, width_factor : float or (float, float)
        The range as fractions of the height and the width, in [-1, 1]; 0.1 means (-0.1, 0.1). Its ends are rounded to
        whole pixels: with 28 of them, 0.1 means up to 3.
    fill_mode : {"reflect", "constant", "nearest", "wrap"}
        What comes in from outside: ``b a|a b c|c b``, ``fill_value``, ``a a|a b c|c c`` or ``b c|a b c|a b``.
    interpolation : {"bilinear", "nearest"}
        Keras's, without effect.
    seed : int, optional
        The key; drawn from the model's generator by default. Two layers with the same seed draw alike.
    fill_value : float
    data_format : {None, "channels_last"}

    Attributes
    ----------
    step : int
        Number of the next training step; each training `forward` adds one.

    Raises
    ------
    ConfigError
        For a factor outside [-1, 1], another mode, or a seed that is not an integer in [0, 2^64).
    ShapeError
        If the input is not an image.
    """

    def __init__(
        self, height_factor: Any, width_factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear",
        seed: int | None = None, fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.height_factor = _factor(self, "height_factor", height_factor)
        self.width_factor = _factor(self, "width_factor", width_factor)
        self.fill_mode = _one_of(self, "fill_mode", fill_mode, tuple(FILL_MODES))
        self.interpolation = _one_of(self, "interpolation", interpolation, ("bilinear", "nearest"))
        self.fill_value = float(number(self, "fill_value", fill_value))

    def moving(self) -> tuple[tuple[bool, bool], tuple[Range, Range], int, float]:
        h, w, _ = self.input_shape
        shifts = _pixels(self.height_factor, h), _pixels(self.width_factor, w)
        return (False, False), shifts, FILL_MODES[self.fill_mode], self.fill_value

    def config(self) -> dict[str, Any]:
        names = ("height_factor", "width_factor", "fill_mode", "interpolation", "fill_value")
        return {**{name: getattr(self, name) for name in names}, **super().config()}


def _one_of(layer: Any, name: str, value: Any, choices: tuple[str, ...]) -> str:
    if not (isinstance(value, str) and value in choices):
        expected = ", ".join(map(repr, choices))
        raise ConfigError(f"{type(layer).__name__}: {name}: expected one of {expected}, got {value!r:.80}")
    return value


def _factor(layer: Any, name: str, value: Any) -> float | tuple[float, ...]:
    ends = value if isinstance(value, tuple | list) else (value, value)
    if len(ends) != 2 or not all(is_number(end) and abs(end) <= 1 for end in ends):
        owner = f"{type(layer).__name__}: {name}"
        raise ConfigError(f"{owner}: expected a number in [-1, 1], or two of them, got {value!r:.80}")
    return tuple(map(float, ends)) if isinstance(value, tuple | list) else float(value)


def _pixels(factor: float | tuple[float, ...], size: int) -> Range:
    low, high = sorted(factor if isinstance(factor, tuple) else (-factor, factor))
    return round(low * size), round(high * size)

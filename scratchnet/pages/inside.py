"""A look inside a trained network: the first layer's filters, and what one example becomes from layer to layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import plots
from ..backend import to_numpy, use_backend
from ..errors import ShapeError
from ..model import Sequential
from ..recipes.recipe import Recipe
from .measures import twin_of
from .pictures import Picture, colored, enlarged_to, picture, sheet, strip
from .rendering import shape as in_words

MOST_FILTERS, MOST_MAPS = 64, 16
SHEET = 420  # pixels of a page that a sheet of filters or maps is wide, about


@dataclass(frozen=True)
class Filters:
    """The first layer's weights as images."""

    layer: str
    shown: int
    of: int
    channel: bool  # whether only input channel 0 of several is shown
    picture: Picture


@dataclass(frozen=True)
class Activation:
    """What one layer gives for the example: a picture, and figures that say the same."""

    layer: str
    shape: tuple[int, ...]
    shown: int
    low: float
    mean: float
    high: float
    zeros: float
    picture: Picture
    values: tuple[float, ...]  # those of a vector


def filters(model: Sequential, image_shape: tuple[int, ...]) -> Filters | None:
    """The filters of the first convolution, or the columns of a first dense layer as images of ``image_shape``.

    None where the first layer with weights has none that can be seen so.
    """
    layer = next((inner for inner in model.walk() if "kernel" in inner.params), None)
    if layer is None:
        return None
    kernel = np.asarray(to_numpy(layer.params["kernel"]), np.float64)
    if kernel.ndim == 4:
        images = np.moveaxis(kernel[:, :, 0, :], -1, 0)
    elif kernel.ndim == 2 and kernel.shape[0] == math.prod(image_shape):
        images = kernel.T.reshape(-1, *image_shape)
    else:
        return None
    shown = images[:MOST_FILTERS]
    scales = np.maximum(np.abs(shown).max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    pixels = sheet(colored(shown / scales, "PuOr_r", -1.0, 1.0), 8)
    size = in_words(shown.shape[1:])
    alt = (
        f"{len(shown)} filters of {layer.name}, {size} weights each: orange positive, purple negative, white zero; "
        f"each has its own scale. The largest weight of all is {np.abs(kernel).max():.3g}."
    )
    channel = kernel.ndim == 4 and kernel.shape[2] > 1
    return Filters(layer.name, len(shown), len(images), channel, picture(pixels, alt, enlarged_to(pixels, SHEET)))


def activations(model: Sequential, recipe: Recipe, sample: Any) -> list[Activation]:
    """The output of every layer for one sample, by the textbook formulas; layers that only pass it on are left out."""
    found = []
    with use_backend("numpy"), np.errstate(all="ignore"):
        y = np.asarray(sample, model.dtype)
        for layer in twin_of(model, recipe).layers:
            before, y = y, layer.forward(y, training=False)
            if not np.array_equal(before.ravel(), y.ravel()):
                found.append(_activation(str(layer.name), np.array(y[0], np.float64)))
    return found


def _activation(name: str, y: np.ndarray) -> Activation:
    low, mean, high = (float(value) for value in (y.min(), y.mean(), y.max()))
    span = min(low, 0.0), high  # zero has the darkest color wherever nothing is negative
    if y.ndim == 3:
        maps = np.moveaxis(y, -1, 0)[:MOST_MAPS]
        shown, pixels = len(maps), sheet(colored(maps, "cividis", *span), 8)
        what = f"{shown} of {y.shape[-1]} maps of {in_words(y.shape[:2])}"
    else:
        values = strip(y.ravel()[:1024])
        pixels = colored(np.nan_to_num(values), "cividis", *span)
        pixels[np.isnan(values)] = 0
        shown, what = min(y.size, 1024), f"{min(y.size, 1024):,} of {y.size:,} values"
    zeros = float((y == 0).mean())
    alt = f"Output of {name}: {what}, dark to light from {span[0]:.3g} to {high:.3g}; {zeros:.0%} are zero."
    drawn = picture(pixels, alt, enlarged_to(pixels, SHEET))
    return Activation(name, y.shape, shown, low, mean, high, zeros, drawn, tuple(y.tolist()) if y.ndim == 1 else ())


def image_shape(sample: np.ndarray) -> tuple[int, ...] | None:
    """Height and width of the samples where they are gray images, as `scratchnet.plots.as_images` sees them."""
    try:
        images = plots.as_images(sample)
    except ShapeError:
        return None
    return images.shape[1:] if images.ndim == 3 else images.shape[1:3]

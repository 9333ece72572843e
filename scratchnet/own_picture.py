"""Somebody's own picture made like the samples that a network was trained on, and what was done to it in words.

MNIST's digits were fitted into 20 x 20 pixels and put into 28 x 28 by their center of mass (LeCun, Bottou, Bengio,
Haffner 1998); Fashion-MNIST's clothes were trimmed, fitted into 28 x 28 and put into the middle (Xiao, Rasul, Vollgraf
2017). Samples of one's own were only stretched to their size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .datasets.files import shown
from .datasets.pictures import read_picture
from .errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

LIGHT_ON_DARK = ("mnist", "fashion_mnist", "digits")
"""Data sets whose samples are light on dark, and centered as their makers did it."""
DIGIT_BOX = 20 / 28
NOISES, LEAST_DRAWN, MOST_DRAWN = 10.0, 0.04, 0.3
"""A pixel belongs to what is drawn from so many times the edge's noise on, as a share of the brightest level."""
WORKING_SIDE = 1024
CELLS, LEAST_SHAPE = 14, 0.1
"""Shapes are told apart on so many cells to a side, so that a stroke with a gap stays one; a speck has a smaller share.

Of 5,000 training samples each, 0.2% of MNIST's and 3% of Fashion-MNIST's have more than one shape, by this count, none
of the digits; of 1,000 pairs of MNIST's digits beside each other 99.8% have.
"""


@dataclass(frozen=True)
class Samples:
    """What the samples look like: ``shape`` (h, w), (h, w, 1) or (h, w, 3), the value of a gray level, where from.

    ``background`` is the usual gray level at their edge, 0 to 255, or None where it is not known.
    """

    shape: tuple[int, ...]
    scale: float = 1 / 255
    dataset: str = ""
    background: float | None = None

    @property
    def color_mode(self) -> str:
        """``"rgb"`` or ``"grayscale"``."""
        return "rgb" if len(self.shape) == 3 and self.shape[2] == 3 else "grayscale"


def prepare(path: Path, samples: Samples) -> tuple[np.ndarray, list[str]]:
    """A picture as one sample.

    Returns
    -------
    sample : ndarray of float32, shape ``samples.shape``
        Gray levels as the network has learned them: 0 to 1, in whole steps of the data's gray levels.
    done : list of str
        What was done, for people.

    Raises
    ------
    DataError
        One line: no picture, a damaged one, or one on which nothing is drawn.
    """
    picture, done = read_picture(path, samples.color_mode)
    height, width = samples.shape[:2]
    fits = picture.size == (width, height)
    picture = _smaller(picture)
    if samples.color_mode == "rgb":
        levels = np.asarray(_stretched(picture, width, height, done), np.float64)
    elif samples.dataset in LIGHT_ON_DARK:
        levels = _light_on_dark(np.asarray(picture, np.float64), shown(path), done)
        if not fits:
            levels = _centered(levels, (height, width), samples.dataset, done)
    else:
        levels = np.asarray(_stretched(picture, width, height, done), np.float64)
        edge, wanted = float(np.median(_edge(levels))), samples.background
        if wanted is not None and abs(wanted - edge) > 191:  # only where both are nearly black or white
            done.append(f"inverted, for the training data have a {'dark' if wanted < 128 else 'light'} background")
            levels = 255 - levels
    if fits and not done:
        done.append(f"nothing: it has {width} x {height} pixels as the training data")
    gray_levels = np.rint(levels / 255 / samples.scale) * samples.scale
    return gray_levels.astype(np.float32).reshape(samples.shape), done


def _smaller(picture: Image) -> Image:
    """Large pictures in a size that is quick to work with."""
    factor = max(picture.size) // WORKING_SIDE
    return picture.reduce(factor) if factor > 1 else picture


def _stretched(picture: Image, width: int, height: int, done: list[str]) -> Image:
    if picture.size == (width, height):
        return picture
    done.append(f"{picture.width} x {picture.height} pixels stretched to {width} x {height}")
    return picture.resize((width, height), 2)  # Image.BILINEAR, as load_image_folder does


def _edge(levels: Any) -> np.ndarray:
    return np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])


def _light_on_dark(levels: np.ndarray, name: str, done: list[str]) -> np.ndarray:
    """Inverted where the edge is nearer to the lightest levels than to the darkest."""
    low, high = np.percentile(levels, [0.5, 99.5]) if levels.size > 4096 else (levels.min(), levels.max())
    if high - low < 16:
        raise DataError(f"{name}: nothing is drawn on it: all its gray levels are nearly alike")
    if np.median(_edge(levels)) <= (low + high) / 2:
        return levels
    done.append("inverted: it is dark on light, the training data are light on dark")
    return 255 - levels


def _centered(levels: np.ndarray, shape: tuple[int, int], dataset: str, done: list[str]) -> np.ndarray:
    """What is drawn, cut out, made as large as in the training data and put into the middle as there."""
    from PIL import Image

    levels = levels - _background(levels)
    noise = float(np.median(np.abs(_edge(levels)))) / levels.max()
    levels = np.clip(levels * (255 / levels.max()), 0, None)
    drawn = levels > 255 * min(max(NOISES * noise, LEAST_DRAWN), MOST_DRAWN)
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    levels = np.where(drawn, levels, 0)[inside]
    box = [round(side * DIGIT_BOX) for side in shape] if dataset == "mnist" else list(shape)
    factor = min(box[0] / levels.shape[0], box[1] / levels.shape[1])
    size = [max(1, min(side, round(extent * factor))) for extent, side in zip(levels.shape, box, strict=True)]
    image = Image.fromarray(levels.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BOX)
    small = np.asarray(image, np.float64)
    small *= 255 / small.max()  # thin strokes have become pale
    by_mass = dataset == "mnist"
    frame = np.zeros(shape)
    at = [_start(small.sum(axis=1 - axis), shape[axis], by_mass) for axis in (0, 1)]
    frame[at[0] : at[0] + size[0], at[1] : at[1] + size[1]] = small
    how = "by its center of mass " if by_mass else ""
    done.append(
        f"cut out, fitted into {box[1]} x {box[0]} and put {how}into the middle of {shape[1]} x {shape[0]} pixels"
    )
    if (shapes := _shapes(drawn[inside])) > 1:
        done.append(f"{shapes} separate shapes are drawn on it and were taken as one: the network knows one at a time")
    return frame


def _shapes(drawn: np.ndarray) -> int:
    """How many shapes that do not touch, but for specks, are drawn."""
    side = -(-max(drawn.shape) // CELLS)
    rows, columns = (range(0, extent, side) for extent in drawn.shape)
    ink = np.add.reduceat(np.add.reduceat(drawn, rows, axis=0, dtype=np.int64), columns, axis=1)
    left, sizes = {(int(y), int(x)) for y, x in np.argwhere(ink)}, []
    while left:
        reached, size = [left.pop()], 0
        while reached:
            y, x = reached.pop()
            size += ink[y, x]
            near = {(y + down, x + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            reached += near
        sizes.append(size)
    return int(np.sum(np.array(sizes) >= LEAST_SHAPE * ink.sum()))


def _background(levels: np.ndarray) -> Any:
    """The plane through the edge's gray levels: paper is seldom lit evenly."""
    y, x = np.indices(levels.shape)
    corners = [np.ones(levels.shape), y, x]
    edge = np.stack([_edge(part) for part in corners], axis=1)
    values = _edge(levels)
    keep = np.abs(values - np.median(values)) <= 64  # not where the drawing touches the edge
    plane, *_ = np.linalg.lstsq(edge[keep], values[keep], rcond=None)
    return sum(factor * part for factor, part in zip(plane, corners, strict=True))


def _start(mass: np.ndarray, side: int, by_mass: bool) -> int:
    """Where a drawing with this mass along an axis begins in a frame."""
    room = side - len(mass)
    if not by_mass:
        return room // 2
    center = float((mass * (np.arange(len(mass)) + 0.5)).sum() / mass.sum())
    return int(min(max(math.floor(side / 2 - center + 0.5), 0), room))


def picture_shape(shape: Any) -> tuple[int, ...] | None:
    """``(h, w)``, ``(h, w, 1 or 3)`` or the square that a row of pixels is; None for what is no picture."""
    shape = tuple(shape)
    if len(shape) == 1 and math.isqrt(shape[0]) ** 2 == shape[0] > 1:
        return (math.isqrt(shape[0]),) * 2
    return shape if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)) else None

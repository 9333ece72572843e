"""Arrays as pictures inside a page: small PNG images, enlarged by the browser without smoothing."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Picture:
    """An ``img``: its content, the size at which it is shown, and what it says to those who do not see it."""

    source: str
    width: int
    height: int
    alt: str


def colored(values: np.ndarray, colors: str, low: float, high: float) -> np.ndarray:
    """Numbers (..., h, w) as uint8 colors (..., h, w, 4) of one of matplotlib's color maps."""
    from matplotlib import colormaps

    scaled = (np.asarray(values, np.float64) - low) / ((high - low) or 1.0)
    return np.asarray(colormaps[colors](np.clip(scaled, 0.0, 1.0), bytes=True))


def ink(image: np.ndarray) -> np.ndarray:
    """An image of `scratchnet.plots.as_images` as colors: gray ones as dark ink on white, as the PNG pictures are."""
    if image.ndim == 3:
        return np.rint(image * 255).astype(np.uint8)
    return colored(image, "gray_r", 0.0, 1.0)


def picture(pixels: np.ndarray, alt: str, scale: int = 1) -> Picture:
    """An array of colors (h, w, 3 or 4) as an image that is shown ``scale`` times as large."""
    from matplotlib.image import imsave

    content = io.BytesIO()
    imsave(content, np.ascontiguousarray(pixels), format="png")
    source = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    height, width = pixels.shape[:2]
    return Picture(source, width * scale, height * scale, alt)


def sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Colors (n, h, w, 4) side by side in rows, one transparent pixel between them."""
    count, height, width = images.shape[:3]
    columns = min(columns, count)
    rows = -(-count // columns)
    whole = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1, 4), np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        whole[top : top + height, left : left + width] = image
    return whole


def enlarged_to(pixels: np.ndarray, size: int) -> int:
    """How many times an image is to be enlarged to be about ``size`` pixels wide, at least once."""
    return max(1, round(size / pixels.shape[1]))


def strip(values: np.ndarray, columns: int = 32) -> np.ndarray:
    """A vector as rows of ``columns``, the rest of the last row NaN."""
    columns = min(columns, len(values))
    rows = math.ceil(len(values) / columns)
    padded = np.full(rows * columns, np.nan)
    padded[: len(values)] = values
    return padded.reshape(rows, columns)

"""A user's picture file: opened with care, turned upright, put on a background, in gray or in color.

Pillow decodes; only formats that it decodes itself are accepted (EPS would start another program), and a picture's size
is checked before its pixels are read.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import ConfigError, DataError, DependencyError
from .files import open_regular, shown

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm")
MOST_PIXELS = 1 << 26
"""67 million: enough for phone pictures, and 268 MB while decoding."""
COLOR_MODES = {"grayscale": "L", "rgb": "RGB"}
_ORIENTATION = 0x0112  # EXIF's tag; 1 is upright


def require_pillow() -> Any:
    """Pillow's ``Image`` module.

    Raises
    ------
    DependencyError
        If it is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise DependencyError("pictures are read with Pillow, which is missing: pip install pillow") from None
    return Image


def check_color_mode(color_mode: Any) -> str:
    """Pillow's name for ``"grayscale"`` or ``"rgb"``, or ConfigError."""
    if not isinstance(color_mode, str) or color_mode not in COLOR_MODES:
        raise ConfigError(f"color_mode: expected {' or '.join(map(repr, COLOR_MODES))}, got {color_mode!r:.80}")
    return COLOR_MODES[color_mode]


def check_image_size(image_size: Any) -> tuple[int, int] | None:
    """``(height, width)`` of ``28``, ``(28, 28)`` or None, or ConfigError."""
    if image_size is None:
        return None
    pair = (image_size, image_size) if isinstance(image_size, int | np.integer) else image_size
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        or not all(isinstance(side, int | np.integer) and not isinstance(side, bool) and side > 0 for side in pair)
        or pair[0] * pair[1] > MOST_PIXELS
    ):
        raise ConfigError(f"image_size: expected a side or (height, width) in pixels, got {image_size!r:.80}")
    return int(pair[0]), int(pair[1])


def read_picture(path: str | bytes | os.PathLike[Any], color_mode: str = "grayscale") -> tuple[Image, list[str]]:
    """Open a picture.

    Parameters
    ----------
    path : path-like
    color_mode : {"grayscale", "rgb"}

    Returns
    -------
    picture : PIL.Image.Image
        Upright, without transparency, of mode L or RGB.
    done : list of str
        What was done to it, in words: ``["color to gray"]``.

    Raises
    ------
    DataError
        One line: it is missing, not a picture, damaged, or larger than `MOST_PIXELS`. No other exception escapes,
        whatever the content.
    DependencyError
        If Pillow is not installed.
    """
    mode, module, name = check_color_mode(color_mode), require_pillow(), shown(path)
    file, size = open_regular(path)
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's on large sizes and damaged EXIF data, which are handled here
        try:
            if size == 0:
                raise DataError(f"{name}: expected a picture, this file is empty")
            return _decode(module, file, mode, name)
        except DataError:
            raise
        except module.UnidentifiedImageError:
            raise DataError(f"{name}: not a picture that can be read ({', '.join(FORMATS)})") from None
        except module.DecompressionBombError:
            raise DataError(f"{name}: expected a picture of at most {MOST_PIXELS:,} pixels, it has more") from None
        except MemoryError:
            raise DataError(f"{name}: not enough memory for the picture") from None
        except Exception as error:  # decoders let struct.error, SyntaxError, zlib.error, EOFError and others escape
            text = shown(error) or type(error).__name__
            raise DataError(f"{name}: a damaged picture: {text[:200]}") from error


def _decode(module: Any, file: BinaryIO, mode: str, name: str) -> tuple[Image, list[str]]:
    done: list[str] = []
    image = module.open(file, formats=FORMATS)
    width, height = image.size
    if width * height > MOST_PIXELS:
        what = f"{width:,} x {height:,}"
        raise DataError(f"{name}: expected a picture of at most {MOST_PIXELS:,} pixels, it has {what}")
    if getattr(image, "is_animated", False):
        done.append("first of several frames")
    image.seek(0)
    image.load()
    image = _upright(image, done)
    image = _eight_bits(module, image, done)
    if "A" in image.getbands() or "transparency" in image.info:
        image = _on_background(module, image, done)
    if mode == "L" and image.mode not in ("L", "1"):
        done.append("color to gray")
    return image.convert(mode), done


def _upright(image: Any, done: list[str]) -> Any:
    from PIL import ImageOps

    with contextlib.suppress(Exception):  # damaged EXIF data do not make a picture unusable
        if image.getexif().get(_ORIENTATION, 1) != 1:
            turned = ImageOps.exif_transpose(image)
            done.append("turned upright as its EXIF data say")
            return turned
    return image


def _eight_bits(module: Any, image: Any, done: list[str]) -> Any:
    """Gray levels of 16 bits or more as 8; Pillow's own conversion would clip them."""
    if not image.mode.startswith(("I", "F")):
        return image
    levels = np.nan_to_num(np.asarray(image, np.float64))
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (levels.min(), levels.max())
    if image.mode == "I" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0 if high > 255 else 255.0
    done.append("gray levels to 8 bits")
    return module.fromarray(np.rint((levels - low) * (255 / ((high - low) or 1.0))).astype(np.uint8))


def _on_background(module: Any, image: Any, done: list[str]) -> Any:
    """Put transparent pixels on white, or on black if the drawing is bright."""
    image = image.convert("RGBA")
    alpha = np.asarray(image.getchannel("A"))
    if alpha.min() == 255:
        return image.convert("RGB")
    drawn = np.asarray(image.convert("RGB").convert("L"))[alpha > 127]
    color = "black" if drawn.size and drawn.mean() > 127 else "white"
    background = module.new("RGBA", image.size, color)
    background.alpha_composite(image)
    done.append(f"transparency on {color}")
    return background.convert("RGB")

"""The network as a table and as a drawing: each layer's kind, output shape and number of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .rendering import shape as in_words

MOST_DRAWN = 40
ROW, CENTER = 62, 58  # of the drawing: the height of a row, and the middle of its solids
TALLEST, DEEPEST = 40.0, 26.0


@dataclass(frozen=True)
class LayerRow:
    """One layer, or the input."""

    name: str
    type: str
    settings: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Drawn:
    """A row of the drawing: where it begins, the faces of its solid, and the text next to it."""

    y: float
    faces: list[str]
    keeps: bool  # the shape of its input
    words: list[str]


def rows(model: Any) -> list[LayerRow]:
    """Every layer of a built model; a composite's inner layers count as its own."""
    return [
        LayerRow(str(layer.name), type(layer).__name__, settings(layer), tuple(layer.output_shape), weights(layer))
        for layer in model.layers
    ]


def weights(layer: Any) -> int:
    """Number of weights, trainable or not."""
    return sum(
        int(array.size) for inner in layer.walk() for part in (inner.params, inner.state) for array in part.values()
    )


def settings(layer: Any) -> str:
    """A layer's arguments in a few words: ``5 × 5, 32 filters, same, relu``."""
    config = layer.config()
    words = [_extent(config[key]) for key in ("kernel_size", "pool_size") if config.get(key)]
    inside = [] if hasattr(layer, "activation") else layer.sublayers()
    if inside:
        words.append(" and ".join(_sequence(part) for part in inside))
    words += [f"{_extent(config[key])} {key}" for key in ("filters", "units") if config.get(key)]
    strides = config.get("strides")
    if isinstance(strides, tuple | list) and set(strides) != {1} and strides != config.get("pool_size"):
        words.append(f"strides {in_words(strides)}")
    words += [f"{key} {config[key]}" for key in ("rate", "momentum", "alpha", "negative_slope") if key in config]
    words += [config["padding"]] if isinstance(config.get("padding"), str) else []
    if (activation := config.get("activation")) and activation != "linear":
        words.append(activation if isinstance(activation, str) else _name(layer.activation))
    return ", ".join(words)


def _extent(value: Any) -> str:
    return in_words(value if isinstance(value, tuple | list) else [value])


def _sequence(layer: Any) -> str:
    return " → ".join(type(one).__name__ for one in layer.sublayers() or [layer])


def _name(layer: Any) -> str:
    """An activation as a recipe calls it."""
    return str(layer.config().get("activation") or type(layer).__name__.lower())


def drawing(input_shape: Sequence[int], layers: Sequence[LayerRow]) -> tuple[list[Drawn], float]:
    """The rows of the drawing and its height; of a very deep network only the beginning."""
    every = [LayerRow("input", "", "", tuple(input_shape), 0), *layers][: MOST_DRAWN + 1]
    sides = [row.shape[0] for row in every if len(row.shape) > 1]
    flats = [math.prod(row.shape) for row in every if len(row.shape) <= 1]
    channels = [row.shape[-1] for row in every if len(row.shape) > 2]
    most = max(sides, default=1), max(channels, default=1), max(flats, default=1)
    drawn: list[Drawn] = []
    before: tuple[int, ...] = ()
    for index, row in enumerate(every):
        y = index * ROW + 4.0
        weighs = f"{row.parameters:,} parameters" if row.parameters else "no parameters"
        size = in_words(row.shape)
        words = [
            _title(row),
            _short(row.settings) if row.type else "one sample",
            f"{size}, {weighs}" if row.type else size,
        ]
        faces = _solid(y + ROW / 2 - 6, row.shape, most)
        drawn.append(Drawn(y, faces, row.shape == before, [line for line in words if line]))
        before = row.shape
    return drawn, len(every) * ROW + 4.0


def _title(row: LayerRow, most: int = 31) -> str:
    """The name in bold letters, with the class where there is room."""
    both = f"{row.name} ({row.type})"
    return both if row.type and len(both) <= most else _short(row.name, most)


def _short(text: str, most: int = 34) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _solid(y: float, shape: tuple[int, ...], most: tuple[int, int, int]) -> list[str]:
    """The visible faces of a box around (CENTER, y): as high and wide as an image, as deep as it has channels."""
    if len(shape) < 2:
        height, width, depth = 8 + (TALLEST - 8) * math.log(1 + math.prod(shape)) / math.log(1 + most[2]), 7.0, 3.0
    else:
        height = max(6.0, TALLEST * math.sqrt(shape[0] / most[0]))
        width = max(6.0, min(60.0, height * math.sqrt(shape[1] / shape[0])))
        deep = shape[-1] if len(shape) > 2 else 1
        depth = 2 + DEEPEST * math.log2(deep) / max(1.0, math.log2(max(most[1], 2)))
    slant = depth * 0.45
    left, top = CENTER - (width + depth) / 2, y - (height - slant) / 2
    right, bottom = left + width, top + height
    front = f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}z"
    above = f"M{left:.1f} {top:.1f}l{depth:.1f} {-slant:.1f}h{width:.1f}l{-depth:.1f} {slant:.1f}z"
    beside = f"M{right:.1f} {top:.1f}l{depth:.1f} {-slant:.1f}v{height:.1f}l{-depth:.1f} {slant:.1f}z"
    return [front, above, beside]

"""The table that ``model.summary()`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .layers.base import Layer

if TYPE_CHECKING:
    from .model import Sequential


def _count(layer: Layer, which: str) -> int:
    return sum(int(array.size) for inner in layer.walk() for array in getattr(inner, which).values())


def _rule(character: str, widths: list[int]) -> str:
    return character * (sum(widths) + 2 * len(widths) - 2)


def lines(model: Sequential, least: int = 0) -> Iterator[str]:
    """A model's table with a minimum width: layer (type), output shape, number of parameters; then the totals."""
    header = ("Layer (type)", "Output Shape", "Param #")
    rows = [
        (
            f"{layer.name} ({type(layer).__name__})",
            str((None, *layer.output_shape)) if layer.built else "?",
            f"{_count(layer, 'params') + _count(layer, 'state'):,}" if layer.built else "?",
        )
        for layer in model.layers
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(3)]
    widths[1] += max(0, least - len(_rule("_", widths)))

    def line(row: tuple[str, str, str]) -> str:
        return f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}"

    yield f'Model: "{model.name}"'
    yield _rule("_", widths)
    yield line(header)
    yield _rule("=", widths)
    for row in rows:
        yield line(row)
    yield _rule("=", widths)
    if not model.built:
        yield "The model is not built: its input shape is not known yet."
        return
    total, trainable = model.count_params(), sum(int(array.size) for array in model.trainable_weights)
    yield f"Total params: {total:,}"
    yield f"Trainable params: {trainable:,}"
    yield f"Non-trainable params: {total - trainable:,}"

"""Recipes in words: a network in one line, and the length of its training."""

from __future__ import annotations

from typing import Any


def epochs(count: int) -> str:
    """``1 epoch``, ``20 epochs``."""
    return f"{count:,} epoch{'' if count == 1 else 's'}"


def length(training: Any) -> str:
    """How long a recipe trains: ``20 epochs`` or ``1,500 steps``."""
    if training.steps is None:
        return epochs(training.epochs)
    return f"{training.steps:,} step{'' if training.steps == 1 else 's'}"


def network(layers: list[dict[str, Any]]) -> str:
    """``conv 3x3 32, max-pool, dense 128, dense 10``."""
    words = []
    for layer in layers:
        match layer["type"]:
            case "Conv2D":
                size = layer["kernel_size"]
                size = f"{size}x{size}" if isinstance(size, int) else "x".join(map(str, size))
                words.append(f"conv {size} {layer['filters']}")
            case "Dense":
                words.append(f"dense {layer['units']}")
            case "Dropout":
                words.append(f"dropout {layer['rate']}")
            case "MaxPooling2D" | "MaxPool2D":
                words.append("max-pool")
            case "Flatten":
                continue
            case other:
                words.append(other)
    return ", ".join(words)

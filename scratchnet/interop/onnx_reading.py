"""What the readers of ONNX operators share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import CheckpointError

Reader = Callable[[Any, Any, dict[str, Any]], Any]
"""Takes the graph that is being read, a node and its attributes; returns the chain of its output."""


def one_of(attributes: dict[str, Any], name: str, default: Any, *allowed: Any) -> Any:
    """An attribute; CheckpointError unless it is one of these."""
    value = attributes.get(name, default)
    if value not in allowed:
        raise CheckpointError(f"{name}: expected {' or '.join(map(str, allowed))}, got {str(value)[:80]}")
    return value


def chain_of(reading: Any, node: Any) -> Any:
    """The chain of a node's first input."""
    return reading.chains[node.input[0]]

"""The graph of an ONNX file that is being written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from ..layers.base import Shape


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: its name, a sample's shape in scratchnet, and whether channels come first."""

    name: str
    shape: Shape
    first: bool = False


class Graph:
    """The operators and constants of a graph that is being written."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, array: Any) -> str:
        """A constant under this name, numbered if the name is taken; floats get the graph's dtype."""
        name, array = self._free(name, self.constants), np.asarray(array)
        array = np.asarray(array, self.dtype if array.dtype.kind == "f" else array.dtype, order="C")
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def float32(self, name: str, values: Any) -> str:
        """A constant of float32, whatever the model's dtype."""
        name = self._free(name, self.constants)
        self.constants[name] = numpy_helper.from_array(np.array(values, np.float32), name)
        return name

    def number(self, name: str, value: float) -> str:
        """A constant of the model's dtype."""
        return self.constant(name, np.array(value, self.dtype))

    def node(self, op: str, label: str, *inputs: str, **attributes: Any) -> str:
        """An operator; the name of its output."""
        name = self._free(f"{label}/{op}", {node.name for node in self.nodes})
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}:0"], name=name, **attributes))
        return f"{name}:0"

    @staticmethod
    def _free(name: str, taken: Any) -> str:
        return next(n for n in (name, *(f"{name}_{i}" for i in range(1, len(taken) + 2))) if n not in taken)

    def turned(self, x: Value, first: bool) -> Value:
        """``x`` with channels first, or last."""
        axes = len(x.shape) + 1
        if x.first == first or axes < 3:
            return Value(x.name, x.shape, first and axes > 2)
        order = [0, axes - 1, *range(1, axes - 1)] if first else [0, *range(2, axes), 1]
        return Value(self.node("Transpose", x.name.partition("/")[0], x.name, perm=order), x.shape, first)


Writer = Callable[[Graph, Any, str, Value], Value]
"""Adds the operators of a layer, whose label and input it gets; returns its output."""

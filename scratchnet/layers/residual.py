"""Residual: a body, and a way around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from .arguments import batch_shape, label
from .base import Layer, Shape, ops
from .building import build_inside
from .serialization import deserialize, serialize
from .stack import Stack


class Residual(Layer):
    """``y = body(x) + shortcut(x)``; without a shortcut, ``y = body(x) + x``.

    Backward sends dy through both and adds: ``dx = body'(dy) + shortcut'(dy)``.

    Parameters
    ----------
    body : Layer or iterable of Layer
        What is learned on top of the shortcut; several layers run one after the other.
    shortcut : Layer or iterable of Layer, optional
        Needed if the body changes the shape.

    Raises
    ------
    ConfigError
        If body or shortcut are not layers, share one, or have a different dtype from the block.
    ShapeError
        If the two outputs have different shapes.

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, CVPR 2016.
    """

    def __init__(self, body: Any, shortcut: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.body = self._layer("body", body)
        self.shortcut = None if shortcut is None else self._layer("shortcut", shortcut)
        inner = self.walk()
        if len({id(layer) for layer in inner}) < len(inner):
            raise ConfigError(f"{label(self)}: a layer is in body and shortcut: expected one of its own for each")
        if kwargs.get("dtype") is None:
            self.dtype = self.body.dtype
        for branch in self.sublayers():
            if branch.dtype != self.dtype:
                raise ConfigError(f"{label(self)}: expected layers of {self.dtype}, {branch.name!r} has {branch.dtype}")

    @staticmethod
    def _layer(name: str, value: Any) -> Layer:
        if isinstance(value, (list, tuple)):
            value = Stack(value, name=name, dtype=getattr(value[0], "dtype", None) if value else None)
        if isinstance(value, dict):
            value = deserialize(value)
        if not isinstance(value, Layer):
            raise ConfigError(f"Residual: {name}: expected a layer or a list of layers, got {value!r:.80}")
        value.name = value.name or name
        return value

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        super().build(input_shape, rng)
        for branch in self.sublayers():
            build_inside(branch, self.input_shape, rng)
        self.output_shape = self.body.output_shape
        around = self.input_shape if self.shortcut is None else self.shortcut.output_shape
        if around != self.output_shape:
            raise ShapeError(
                f"layer {label(self)!r}: body and shortcut must end in one shape, got "
                f"{batch_shape(self.output_shape)} and {batch_shape(around)}"
            )

    def forward(self, x: Any, training: bool = False) -> Any:
        x = self.check_input(x)
        around = x if self.shortcut is None else self.shortcut.forward(x, training)
        y = self.buffer("y", (len(x), *self.output_shape))
        ops.add(self.body.forward(x, training), around, y)
        return y

    def backward(self, dy: Any) -> Any:
        dy = self.check_gradient(dy)
        around = dy if self.shortcut is None else self.shortcut.backward(dy)
        dx = self.buffer("dx", (len(dy), *self.input_shape))
        ops.add(self.body.backward(dy), around, dx)
        return dx

    def sublayers(self) -> list[Layer]:
        return [self.body] if self.shortcut is None else [self.body, self.shortcut]

    def config(self) -> dict[str, Any]:
        shortcut = None if self.shortcut is None else serialize(self.shortcut)
        return {"body": serialize(self.body), "shortcut": shortcut, **super().config()}

    def get_config(self) -> dict[str, Any]:
        """What `config` returns, with the inner layers' `get_config`."""
        inner = {"body": self.body, "shortcut": self.shortcut}
        configs = {key: layer and serialize(layer, layer.get_config()) for key, layer in inner.items()}
        return {**super().get_config(), **configs}

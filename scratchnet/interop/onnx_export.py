"""Layers as ONNX operators: one function per layer class."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .. import layers as L  # noqa: N812
from ..backend import to_numpy
from ..errors import ConfigError
from ..layers.base import Layer, Shape
from ..layers.stack import Stack
from .onnx_activations import OPERATORS


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


# Operators for which onnxruntime 1.31 has no float64 kernel on a CPU.
_ONLY_FLOAT32 = ("AveragePool", "Conv", "Erf", "GlobalAveragePool", "GlobalMaxPool", "LeakyRelu")


def only_float32(proto: Any) -> list[str]:
    """The operators in a float64 model that onnxruntime runs in float32 only."""
    if proto.graph.input[0].type.tensor_type.elem_type != onnx.TensorProto.DOUBLE:
        return []
    found = {node.op_type for node in proto.graph.node}
    exact = any(node.op_type == "Gelu" and node.attribute[0].s == b"none" for node in proto.graph.node)
    return [name for name in _ONLY_FLOAT32 if name in found or (name == "Erf" and exact)]


def make_onnx(model: Any, opset: int, dtype: Any) -> Any:
    """The checked ``onnx.ModelProto`` of a built model, in floats of this dtype."""
    graph = Graph(dtype)
    y = Value("input", model.input_shape)
    for layer in model.layers:
        y = write(graph, layer, "", y)
    y = graph.turned(y, first=False)
    nodes = [*graph.nodes, helper.make_node("Identity", [y.name], ["output"], name="output")]
    element = helper.np_dtype_to_tensor_dtype(graph.dtype)
    ends = [
        helper.make_tensor_value_info(name, element, ["batch", *shape])
        for name, shape in (("input", model.input_shape), ("output", model.output_shape))
    ]
    made = helper.make_graph(nodes, model.name, ends[:1], ends[1:], list(graph.constants.values()))
    opsets = [helper.make_opsetid("", opset)]
    proto = helper.make_model(
        made, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets), producer_name="scratchnet"
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def write(graph: Graph, layer: Layer, path: str, x: Value) -> Value:
    """Add the operators of a layer; returns its output.

    Raises
    ------
    ConfigError
        If the layer has no form in ONNX.
    """
    if isinstance(layer, Stack):
        for inner in layer.layers:
            x = write(graph, inner, f"{path}{layer.name}.", x)
        return x
    label = f"{path}{layer.name or type(layer).__name__}"
    for cls in type(layer).__mro__:
        if cls in _WRITERS:
            return _WRITERS[cls](graph, layer, label, x)
    raise ConfigError(f"layer {label!r}: a {type(layer).__name__} has no form in ONNX")


def _activated(graph: Graph, layer: Any, label: str, y: Value) -> Value:
    if layer.relu:
        return Value(graph.node("Relu", label, y.name), y.shape, y.first)
    return y if layer.after is None else _activation(graph, layer.after, label, y)


def _dense(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x = graph.turned(x, first=False)
    kernel = graph.constant(f"{label}/kernel", to_numpy(layer.params["kernel"]))
    bias = [graph.constant(f"{label}/bias", to_numpy(layer.params["bias"]))] if layer.use_bias else []
    if len(x.shape) == 1:
        y = graph.node("Gemm", label, x.name, kernel, *bias)
    else:
        y = graph.node("MatMul", label, x.name, kernel)
        y = graph.node("Add", label, y, *bias) if bias else y
    return _activated(graph, layer, label, Value(y, layer.linear_shape))


def _pads(pads: tuple[int, int, int, int]) -> list[int]:
    """Ours (top, bottom, left, right) in ONNX's order: all beginnings, all ends."""
    top, bottom, left, right = pads
    return [top, left, bottom, right]


def _conv2d(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    kernel = graph.constant(f"{label}/kernel", to_numpy(layer.params["kernel"]).transpose(3, 2, 0, 1))
    bias = [graph.constant(f"{label}/bias", to_numpy(layer.params["bias"]))] if layer.use_bias else []
    y = graph.node(
        "Conv", label, graph.turned(x, first=True).name, kernel, *bias, kernel_shape=layer.kernel_size,
        strides=layer.strides, dilations=layer.dilation_rate, group=layer.groups, pads=_pads(layer.pads),
    )  # fmt: skip
    return _activated(graph, layer, label, Value(y, layer.linear_shape, True))


def _pool(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x, largest = graph.turned(x, first=True), isinstance(layer, L.MaxPooling2D)
    if isinstance(layer, L.GlobalMaxPooling2D | L.GlobalAveragePooling2D):
        y = graph.node("GlobalMaxPool" if largest else "GlobalAveragePool", label, x.name)
        if layer.keepdims:
            return Value(y, layer.output_shape, True)
        return Value(graph.node("Flatten", label, y, axis=1), layer.output_shape)
    counting = {} if largest else {"count_include_pad": 0}  # the border does not count in the mean
    y = graph.node(
        "MaxPool" if largest else "AveragePool", label, x.name, kernel_shape=layer.pool_size, strides=layer.strides,
        pads=_pads(layer.pads), **counting,
    )  # fmt: skip
    return Value(y, layer.output_shape, True)


def _flatten(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x = graph.turned(x, first=False)
    return Value(graph.node("Flatten", label, x.name, axis=1), layer.output_shape)


def _reshape(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    shape = graph.constant(f"{label}/shape", np.array([0, *layer.output_shape], np.int64))  # 0: unchanged
    return Value(graph.node("Reshape", label, graph.turned(x, first=False).name, shape), layer.output_shape)


def _zero_padding(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    top, bottom, left, right = layer.pads
    sides = [0, top, left, 0, 0, bottom, right, 0]
    if x.first:
        sides = [0, 0, top, left, 0, 0, bottom, right]
    pads = graph.constant(f"{label}/pads", np.array(sides, np.int64))
    return Value(graph.node("Pad", label, x.name, pads, mode="constant"), layer.output_shape, x.first)


def _rescaling(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    y = graph.node("Mul", label, x.name, graph.number(f"{label}/scale", layer.scale))
    return Value(graph.node("Add", label, y, graph.number(f"{label}/offset", layer.offset)), x.shape, x.first)


def _batch_normalization(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x = graph.turned(x, first=True)
    mean, variance = (to_numpy(layer.state[name]) for name in ("moving_mean", "moving_variance"))
    arrays = {
        "gamma": to_numpy(layer.params["gamma"]) if layer.scale else np.ones_like(mean),
        "beta": to_numpy(layer.params["beta"]) if layer.center else np.zeros_like(mean),
        "moving_mean": mean,
        "moving_variance": variance,
    }
    names = [graph.constant(f"{label}/{name}", array) for name, array in arrays.items()]
    y = graph.node("BatchNormalization", label, x.name, *names, epsilon=layer.epsilon, momentum=layer.momentum)
    return Value(y, x.shape, x.first)


def _layer_normalization(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x = graph.turned(x, first=False)
    gamma = to_numpy(layer.params["gamma"]) if layer.scale else np.ones(x.shape[-1:], layer.dtype)
    names = [graph.constant(f"{label}/gamma", gamma)]
    if layer.center:
        names.append(graph.constant(f"{label}/beta", to_numpy(layer.params["beta"])))
    return Value(graph.node("LayerNormalization", label, x.name, *names, axis=-1, epsilon=layer.epsilon), x.shape)


def _dropout(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    rate = graph.constant(f"{label}/rate", np.array(layer.rate, graph.dtype))
    return Value(graph.node("Dropout", label, x.name, rate), x.shape, x.first)  # without training_mode: x itself


def _residual(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    body = write(graph, layer.body, f"{label}.", x)
    around = x if layer.shortcut is None else write(graph, layer.shortcut, f"{label}.", x)
    around = graph.turned(around, body.first)
    return Value(graph.node("Add", label, body.name, around.name), body.shape, body.first)


def _activation(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    name = layer.activation
    if name == "linear":
        return x
    if name == "softmax":
        axis = 1 if x.first else -1
        return Value(graph.node("Softmax", label, x.name, axis=axis), x.shape, x.first)
    if name == "gelu":
        formula = "tanh" if getattr(layer, "approximate", False) else "none"
        return Value(graph.node("Gelu", label, x.name, approximate=formula), x.shape, x.first)
    if name in ("silu", "swish"):  # ONNX has an operator for it from opset 24 on
        return Value(graph.node("Mul", label, x.name, graph.node("Sigmoid", label, x.name)), x.shape, x.first)
    if name in OPERATORS:
        operator, attributes = OPERATORS[name]
        return Value(graph.node(operator, label, x.name, **attributes), x.shape, x.first)
    return Value(_relu(graph, label, x.name, *layer.alpha), x.shape, x.first)


def _relu(graph: Graph, label: str, x: str, slope: float, threshold: float, ceiling: float) -> str:
    if threshold == 0 and ceiling == math.inf:
        return graph.node("LeakyRelu", label, x, alpha=slope) if slope else graph.node("Relu", label, x)
    if threshold == 0 and slope == 0:
        return graph.node("Clip", label, x, graph.number(f"{label}/min", 0), graph.number(f"{label}/max", ceiling))
    at = graph.number(f"{label}/threshold", threshold)
    above = x
    if ceiling != math.inf:
        above = graph.node("Min", label, x, graph.number(f"{label}/max", ceiling))
    below = graph.node("Mul", label, graph.node("Sub", label, x, at), graph.number(f"{label}/slope", slope))
    return graph.node("Where", label, graph.node("Greater", label, x, at), above, below)


_WRITERS: dict[type[Layer], Writer] = {
    L.Input: lambda graph, layer, label, x: x,
    L.Dense: _dense,
    L.Conv2D: _conv2d,
    L.MaxPooling2D: _pool,
    L.AveragePooling2D: _pool,
    L.Flatten: _flatten,
    L.Reshape: _reshape,
    L.ZeroPadding2D: _zero_padding,
    L.Rescaling: _rescaling,
    L.BatchNormalization: _batch_normalization,
    L.LayerNormalization: _layer_normalization,
    L.Dropout: _dropout,
    **dict.fromkeys((L.GaussianNoise, L.RandomFlip, L.RandomTranslation), lambda graph, layer, label, x: x),
    L.Residual: _residual,
    L.Activation: _activation,
}

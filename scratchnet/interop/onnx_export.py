"""Layers as ONNX operators: one function per layer class. Those of images are in onnx_export_images.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from onnx import helper

from .. import layers as L  # noqa: N812
from ..backend import to_numpy
from ..errors import ConfigError
from ..layers.activated import WithActivation
from ..layers.base import Layer
from ..layers.normalization import LEAST
from ..layers.stack import Stack
from .onnx_activations import OPERATORS
from .onnx_export_images import WRITERS
from .onnx_graph import Graph, Value, Writer

# Operators for which onnxruntime 1.31 has no float64 kernel on a CPU.
_ONLY_FLOAT32 = (
    "AveragePool", "Conv", "ConvTranspose", "Erf", "GlobalAveragePool", "GlobalMaxPool", "LeakyRelu", "Resize",
)  # fmt: skip


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
            y = _WRITERS[cls](graph, layer, label, x)
            return _activated(graph, layer, label, y) if isinstance(layer, WithActivation) else y
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
    return Value(y, layer.linear_shape)


def _flatten(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x = graph.turned(x, first=False)
    return Value(graph.node("Flatten", label, x.name, axis=1), layer.output_shape)


def _reshape(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    shape = graph.constant(f"{label}/shape", np.array([0, *layer.output_shape], np.int64))  # 0: unchanged
    return Value(graph.node("Reshape", label, graph.turned(x, first=False).name, shape), layer.output_shape)


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


def _normalization(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    mean, variance = (to_numpy(layer.state[name]).astype(np.float64) for name in ("mean", "variance"))
    if layer.axis is None:
        scale = float(1 / np.sqrt(variance + LEAST))
        y = graph.node("Mul", label, x.name, graph.number(f"{label}/scale", scale))
        y = graph.node("Add", label, y, graph.number(f"{label}/offset", -float(mean) * scale))
        return Value(y, x.shape, x.first)
    x = graph.turned(x, first=True)
    arrays = {"gamma": np.ones_like(mean), "beta": np.zeros_like(mean), "mean": mean, "variance": variance}
    names = [graph.constant(f"{label}/{name}", array) for name, array in arrays.items()]
    return Value(graph.node("BatchNormalization", label, x.name, *names, epsilon=LEAST), x.shape, x.first)


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
    if isinstance(layer, L.ELU):
        return Value(graph.node("Elu", label, x.name, alpha=layer.alpha), x.shape, x.first)
    if name in ("silu", "swish"):  # ONNX has an operator for it from opset 24 on
        return Value(graph.node("Mul", label, x.name, graph.node("Sigmoid", label, x.name)), x.shape, x.first)
    if name in OPERATORS:
        operator, attributes = OPERATORS[name]
        return Value(graph.node(operator, label, x.name, **attributes), x.shape, x.first)
    return Value(_relu(graph, label, x.name, *layer.numbers), x.shape, x.first)


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
    L.Flatten: _flatten,
    L.Reshape: _reshape,
    L.Rescaling: _rescaling,
    L.BatchNormalization: _batch_normalization,
    L.LayerNormalization: _layer_normalization,
    L.Normalization: _normalization,
    L.Dropout: _dropout,
    **dict.fromkeys((L.GaussianNoise, L.RandomFlip, L.RandomTranslation), lambda graph, layer, label, x: x),
    L.Residual: _residual,
    L.Activation: _activation,
    **WRITERS,
}

"""Layers of images as ONNX operators: convolutions without their activation, pooling, borders, upsampling."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import layers as L  # noqa: N812
from ..backend import to_numpy
from ..layers.base import Layer
from ..layers.separable import grouped
from .onnx_graph import Graph, Value, Writer


def _pads(pads: tuple[int, int, int, int]) -> list[int]:
    """Ours (top, bottom, left, right) in ONNX's order: all beginnings, all ends."""
    top, bottom, left, right = pads
    return [top, left, bottom, right]


def _filters(graph: Graph, layer: Any, label: str, name: str, kernel: Any) -> list[str]:
    """The constants of a kernel (kh, kw, in, out) under this name and, with the kernel that makes y, of the bias."""
    names = [graph.constant(f"{label}/{name}", to_numpy(kernel).transpose(3, 2, 0, 1))]
    biased = layer.use_bias and name != "depthwise_kernel"
    return [*names, graph.constant(f"{label}/bias", to_numpy(layer.params["bias"]))] if biased else names


def _conv(graph: Graph, layer: Any, label: str, x: Value, arrays: list[str], groups: int) -> str:
    return graph.node(
        "Conv", label, graph.turned(x, first=True).name, *arrays, kernel_shape=layer.kernel_size,
        strides=layer.strides, dilations=layer.dilation_rate, group=groups, pads=_pads(layer.pads),
    )  # fmt: skip


def _conv2d(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    arrays = _filters(graph, layer, label, "kernel", layer.params["kernel"])
    y = _conv(graph, layer, label, x, arrays, layer.groups)
    return Value(y, layer.linear_shape, True)


def _depthwise(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    arrays = _filters(graph, layer, label, "kernel", grouped(layer.params["kernel"]))
    y = _conv(graph, layer, label, x, arrays, x.shape[2])
    return Value(y, layer.linear_shape, True)


def _separable(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    depthwise, pointwise = grouped(layer.params["depthwise_kernel"]), layer.params["pointwise_kernel"]
    z = _conv(graph, layer, label, x, _filters(graph, layer, label, "depthwise_kernel", depthwise), x.shape[2])
    y = graph.node("Conv", label, z, *_filters(graph, layer, label, "pointwise_kernel", pointwise))
    return Value(y, layer.linear_shape, True)


def _conv2d_transpose(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x = graph.turned(x, first=True)
    # What the windows cover, in y with its padding, ends there; y itself ends before or behind that.
    axes = zip(x.shape[:2], layer.kernel_size, layer.strides, layer.dilation_rate, layer.pads[::2], strict=True)
    covered = [(s - 1) * t + (k - 1) * d + 1 - before for s, k, t, d, before in axes]
    ends = [end - extent for end, extent in zip(covered, layer.size, strict=True)]
    y = graph.node(
        "ConvTranspose", label, x.name, *_filters(graph, layer, label, "kernel", layer.params["kernel"]),
        kernel_shape=layer.kernel_size, strides=layer.strides, dilations=layer.dilation_rate,
        pads=[*layer.pads[::2], *(max(end, 0) for end in ends)], output_padding=[max(-end, 0) for end in ends],
    )  # fmt: skip
    return Value(y, layer.linear_shape, True)


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


def _zero_padding(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    top, bottom, left, right = layer.pads
    sides = [0, top, left, 0, 0, bottom, right, 0]
    if x.first:
        sides = [0, 0, top, left, 0, 0, bottom, right]
    pads = graph.constant(f"{label}/pads", np.array(sides, np.int64))
    return Value(graph.node("Pad", label, x.name, pads, mode="constant"), layer.output_shape, x.first)


def _cropping(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    axes = (2, 3) if x.first else (1, 2)
    starts, extents = layer.pads[::2], layer.output_shape[:2]
    limits = {"starts": starts, "ends": np.add(starts, extents), "axes": axes}
    names = [graph.constant(f"{label}/{name}", np.array(values, np.int64)) for name, values in limits.items()]
    return Value(graph.node("Slice", label, x.name, *names), layer.output_shape, x.first)


def _upsampling(graph: Graph, layer: Any, label: str, x: Value) -> Value:
    x = graph.turned(x, first=True)
    scales = graph.float32(f"{label}/scales", (1, 1, *layer.size))
    y = graph.node(
        "Resize", label, x.name, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip
    return Value(y, layer.output_shape, True)


WRITERS: dict[type[Layer], Writer] = {
    L.Conv2D: _conv2d,
    L.Conv2DTranspose: _conv2d_transpose,
    L.DepthwiseConv2D: _depthwise,
    L.SeparableConv2D: _separable,
    L.MaxPooling2D: _pool,
    L.AveragePooling2D: _pool,
    L.ZeroPadding2D: _zero_padding,
    L.Cropping2D: _cropping,
    L.UpSampling2D: _upsampling,
}

"""A model as the graph that TensorBoard draws: one node per layer, boxes for layers inside layers."""

from __future__ import annotations

from typing import Any

from tensorboardX.proto.attr_value_pb2 import AttrValue
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.node_def_pb2 import NodeDef
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboardX.proto.versions_pb2 import VersionDef

from ..layers.base import Layer
from ..layers.residual import Residual
from ..layers.stack import Stack


def graph_event(model: Any) -> Any:
    """The event that holds the ``GraphDef`` of a built model."""
    nodes = [_node("input", "Input", [], model.input_shape, "")]
    last = "input"
    for layer in model.layers:
        last = _add(nodes, layer, "", last)
    graph = GraphDef(node=nodes, versions=VersionDef(producer=22))
    return Event(graph_def=graph.SerializeToString())


def _add(nodes: list[Any], layer: Layer, path: str, source: str) -> str:
    """Append the nodes of a layer; the name of the one that ends it."""
    name = f"{path}{layer.name or type(layer).__name__}"
    if isinstance(layer, Stack):
        for inner in layer.layers:
            source = _add(nodes, inner, f"{name}/", source)
        return source
    sources = [source]
    if isinstance(layer, Residual):
        sources = [_add(nodes, layer.body, f"{name}/", source)]
        sources.append(source if layer.shortcut is None else _add(nodes, layer.shortcut, f"{name}/", source))
        name = f"{name}/add"
    settings = ", ".join(f"{key}={value}" for key, value in layer.config().items() if key != "name")
    nodes.append(_node(name, type(layer).__name__, sources, layer.output_shape, settings))
    return name


def _node(name: str, op: str, inputs: list[str], shape: tuple[int, ...], settings: str) -> Any:
    extents = [TensorShapeProto.Dim(size=-1), *(TensorShapeProto.Dim(size=extent) for extent in shape)]
    shapes = AttrValue.ListValue(shape=[TensorShapeProto(dim=extents)])
    attributes = {"_output_shapes": AttrValue(list=shapes), "settings": AttrValue(s=settings.encode())}
    return NodeDef(name=name, op=op, input=inputs, attr=attributes)

"""ONNX operators as layers."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from .. import initializers
from ..backend import array_module
from ..checks import refuse_beyond_memory
from ..datasets.files import open_regular, shown
from ..errors import CheckpointError, DataError, ScratchnetError
from ..layers.base import Layer
from ..model import Sequential
from .onnx_operators import READERS


@dataclass(frozen=True)
class Chain:
    """The layers that compute a tensor, one after the other, from the input on.

    Attributes
    ----------
    layers : tuple of Layer
    shape : tuple of int
        Of one sample in scratchnet, channels last.
    first : bool
        Whether the file has the channels first here.
    order : array of int, optional
        If the file has flattened images with channels first: our number of each of its features.
    """

    layers: tuple[Layer, ...]
    shape: tuple[int, ...]
    first: bool = False
    order: Any = None


@dataclass
class Reading:
    """A graph that is being read: its constants, the chain of each tensor, and the weights of the layers made."""

    constants: dict[str, np.ndarray]
    dtype: str
    chains: dict[str, Chain] = field(default_factory=dict)
    weights: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)

    def constant(self, name: str) -> np.ndarray:
        """The constant of this name."""
        if name not in self.constants:
            raise CheckpointError(f"expected a constant, got the computed tensor {name[:80]!r}")
        return self.constants[name]

    def extended(self, chain: Chain, layer: Layer, weights: dict[str, Any] | None = None, **changes: Any) -> Chain:
        """The chain with one more layer, which is built on its own to learn its output's shape."""
        with initializers.blank(sum(array.size for array in (weights or {}).values())):
            layer.build(chain.shape)
        for name, array in (weights or {}).items():
            where = layer.params if name in layer.params else layer.state
            if name not in where or where[name].shape != array.shape:
                raise CheckpointError(f"{name} of shape {array.shape} does not fit a {type(layer).__name__}")
        self.weights[id(layer)] = weights or {}
        return replace(chain, layers=(*chain.layers, layer), shape=layer.output_shape, **changes)


def read_onnx(path: str | os.PathLike[str]) -> Sequential:
    """See `scratchnet.interop.onnx.import_model`."""
    name = shown(path)
    try:
        with open_regular(path)[0] as file:
            data = file.read()
    except DataError as error:
        raise CheckpointError(str(error)) from error
    try:
        proto = onnx.ModelProto.FromString(data)
        refuse_beyond_memory(8 * len(data), name)
        onnx.checker.check_model(proto)
        return _model(proto.graph, len(data))
    except (DecodeError, onnx.checker.ValidationError) as error:
        first_line = str(error).strip().partition("\n")[0][:200]
        raise CheckpointError(f"{name}: damaged, or no ONNX file: {first_line}") from error
    except ScratchnetError as error:
        raise CheckpointError(f"{name}: {error}") from error
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{name}: cannot be understood: {type(error).__name__}: {error}") from error


def _model(graph: Any, most: int) -> Sequential:
    constants = {tensor.name: _array(tensor) for tensor in graph.initializer}
    inputs = [one for one in graph.input if one.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise CheckpointError(f"expected one input and one output, got {len(inputs)} and {len(graph.output)}")
    tensor = inputs[0].type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = tuple(int(d.dim_value) for d in tensor.shape.dim[1:])
    if not shape or not all(extent > 0 for extent in shape):
        raise CheckpointError(f"expected an input of known shape but for the batch, got (n, {str(shape)[1:]}")
    # ONNX images have channels first. A graph that begins with a Transpose of all axes tells that its input does not.
    readers = [node for node in graph.node if inputs[0].name in node.input]
    first = len(shape) == 3 and bool(readers) and all(node.op_type in _CHANNELS_FIRST for node in readers)
    shape = (*shape[1:], shape[0]) if first else shape
    reading = Reading(constants, dtype, {inputs[0].name: Chain((), shape, first)})
    for node in graph.node:
        _read(reading, node)
    end = reading.chains[graph.output[0].name]
    if end.order is not None or (end.first and not first and len(end.shape) > 1):
        what = "images flattened" if end.order is not None else "images"
        raise CheckpointError(
            f"output {graph.output[0].name[:80]!r}: expected channels last, got {what} channels first"
        )
    model = Sequential(end.layers, dtype=dtype)
    with initializers.blank(most):
        model.build(shape)
    for layer in model.walk():
        for key, array in reading.weights.get(id(layer), {}).items():
            where = layer.params if key in layer.params else layer.state
            where[key][...] = array_module().asarray(array, dtype=layer.dtype)
    return model


_CHANNELS_FIRST = (
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "BatchNormalization",
    "Resize",
)  # fmt: skip


def _array(tensor: Any) -> np.ndarray:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise CheckpointError(f"constant {tensor.name[:80]!r}: lies in another file, which is not read")
    return np.asarray(numpy_helper.to_array(tensor))


def _read(reading: Reading, node: Any) -> None:
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type == "Constant" and "value" in attributes:
        reading.constants[node.output[0]] = _array(attributes["value"])
        return
    if node.op_type == "Transpose" and len(node.input) == 1 and node.input[0] in reading.constants:
        reading.constants[node.output[0]] = reading.constants[node.input[0]].transpose(attributes.get("perm"))
        return
    where = f"operator {node.op_type[:80]} {node.name[:80]!r}"
    if node.op_type not in READERS or node.domain not in ("", "ai.onnx"):
        raise CheckpointError(f"{where}: no layer does this; known are: {', '.join(sorted(READERS))}")
    try:
        chain = READERS[node.op_type](reading, node, attributes)
    except ScratchnetError as error:
        raise CheckpointError(f"{where}: {error}") from error
    reading.chains[node.output[0]] = chain

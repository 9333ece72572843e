"""One function per ONNX operator that a layer computes: it takes its input's chain and returns the longer one. Those
that work on images are in onnx_import_images.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .. import layers as L  # noqa: N812
from ..errors import CheckpointError
from .onnx_activations import NAMES, layer_for
from .onnx_import_images import IMAGE_READERS
from .onnx_reading import Reader, chain_of, one_of


def _plain(chain: Any, what: str) -> Any:
    if chain.first or chain.order is not None:
        raise CheckpointError(f"{what} of images that have their channels first has no layer")
    return chain


def _dense(reading: Any, chain: Any, kernel: np.ndarray, bias: np.ndarray | None) -> Any:
    if chain.first or kernel.ndim != 2:
        raise CheckpointError(f"expected rows and a matrix, got a kernel of shape {kernel.shape}")
    if chain.order is not None:
        if len(chain.order) != len(kernel):
            raise CheckpointError(f"expected a kernel with {len(chain.order)} rows, got {len(kernel)}")
        turned = np.empty_like(kernel)
        turned[chain.order] = kernel
        kernel = turned
    layer = L.Dense(kernel.shape[1], use_bias=bias is not None, dtype=reading.dtype)
    weights = {"kernel": kernel, **({} if bias is None else {"bias": bias})}
    return reading.extended(chain, layer, weights, order=None)


def _gemm(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    one_of(attributes, "transA", 0, 0)
    kernel = reading.constant(node.input[1]) * attributes.get("alpha", 1.0)
    kernel = kernel.T if attributes.get("transB", 0) else kernel
    bias = None
    if len(node.input) > 2 and node.input[2] != "":
        given = reading.constant(node.input[2]) * attributes.get("beta", 1.0)
        if given.size not in (1, kernel.shape[-1]) or given.shape[-1:] not in ((), (1,), (given.size,)):
            raise CheckpointError(f"expected one bias for each of {kernel.shape[-1]} outputs, got {given.shape}")
        bias = np.ascontiguousarray(np.broadcast_to(given.ravel(), (kernel.shape[-1],)))
    return _dense(reading, chain_of(reading, node), kernel, bias)


def _matmul(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    return _dense(reading, chain_of(reading, node), reading.constant(node.input[1]), None)


def _add(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    if all(name in reading.chains for name in node.input):
        return _sum(reading, *(reading.chains[name] for name in node.input))
    named = next(name for name in node.input if name in reading.chains)
    other = reading.constant(next(name for name in node.input if name != named))
    chain = reading.chains[named]
    last = chain.layers[-1] if chain.layers else None
    if isinstance(last, L.Dense) and not last.use_bias and other.shape == (last.units,):
        before = replace(chain, layers=chain.layers[:-1], shape=last.input_shape)
        return _dense(reading, before, reading.weights[id(last)]["kernel"], other)
    return _rescaled(reading, chain, 1.0, other)


def _sum(reading: Any, one: Any, other: Any) -> Any:
    pairs = zip(one.layers, other.layers, strict=False)
    shared = next((i for i, (a, b) in enumerate(pairs) if a is not b), min(len(one.layers), len(other.layers)))
    if (one.first, one.shape) != (other.first, other.shape) or one.order is not None or other.order is not None:
        raise CheckpointError(f"expected two branches of one shape, got {one.shape} and {other.shape}")
    body, shortcut = one.layers[shared:], other.layers[shared:]
    if not body:
        body, shortcut = shortcut, body
    if not body:
        raise CheckpointError("a tensor added to itself has no layer")
    layer = L.Residual(list(body), list(shortcut) or None, dtype=reading.dtype)
    return replace(one, layers=(*one.layers[:shared], layer))


def _rescaled(reading: Any, chain: Any, scale: Any, offset: Any) -> Any:
    if np.size(scale) != 1 or np.size(offset) != 1:
        raise CheckpointError(f"expected one number, got {max(np.size(scale), np.size(offset))}")
    layer = L.Rescaling(float(np.ravel(scale)[0]), float(np.ravel(offset)[0]), dtype=reading.dtype)
    return reading.extended(chain, layer)


def _mul(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    if all(name in reading.chains for name in node.input):
        before, after = sorted((reading.chains[name] for name in node.input), key=lambda chain: len(chain.layers))
        gate = after.layers[len(before.layers) :]
        if after.layers[: len(before.layers)] == before.layers and [_name(layer) for layer in gate] == ["sigmoid"]:
            return reading.extended(before, L.Activation("silu", dtype=reading.dtype))
        raise CheckpointError("a product of two branches has no layer, but for a tensor and its sigmoid")
    named = next((name for name in node.input if name in reading.chains), node.input[0])
    other = next((name for name in node.input if name != named), named)
    return _rescaled(reading, reading.chains[named], reading.constant(other), 0.0)


def _name(layer: L.Layer) -> Any:
    return getattr(layer, "activation", None)


def _transpose(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain, order = chain_of(reading, node), list(attributes.get("perm", ()))
    axes = len(chain.shape) + 1
    forth, back = [0, axes - 1, *range(1, axes - 1)], [0, *range(2, axes), 1]
    if axes > 2 and order == (back if chain.first else forth):
        return replace(chain, first=not chain.first)
    raise CheckpointError(f"perm: expected channels to move from last to first or back, got {order}")


def _flatten(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    one_of(attributes, "axis", 1, 1)
    return _flat(reading, chain_of(reading, node))


def _flat(reading: Any, chain: Any) -> Any:
    order = chain.order
    if chain.first:
        places = np.arange(np.prod(chain.shape)).reshape(chain.shape)
        order = np.moveaxis(places, -1, 0).ravel()
    if order is not None and np.array_equal(order, np.arange(len(order))):
        order = None
    return reading.extended(chain, L.Flatten(dtype=reading.dtype), first=False, order=order)


def _reshape(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain, target = chain_of(reading, node), [int(extent) for extent in reading.constant(node.input[1])]
    one_of(attributes, "allowzero", 0, 0)
    if target[0] not in (0, -1):
        raise CheckpointError(f"shape: expected the batch to stay as it is, got {target}")
    size = int(np.prod(chain.shape))
    if len(target) == 2 and target[1] in (-1, size):
        return _flat(reading, chain)
    if 0 in target[1:]:
        raise CheckpointError(f"shape: expected positive extents, got {target}")
    return reading.extended(_plain(chain, "a Reshape"), L.Reshape(target[1:], dtype=reading.dtype))


def _batch_normalization(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain = chain_of(reading, node)
    if chain.order is not None or not (chain.first or len(chain.shape) == 1):
        raise CheckpointError("expected channels on the second axis")
    one_of(attributes, "training_mode", 0, 0)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {name: reading.constant(key) for name, key in zip(names, node.input[1:5], strict=True)}
    layer = L.BatchNormalization(
        momentum=attributes.get("momentum", 0.9), epsilon=attributes.get("epsilon", 1e-5), dtype=reading.dtype
    )
    return reading.extended(chain, layer, weights)


def _layer_normalization(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain = _plain(chain_of(reading, node), "layer normalization")
    one_of(attributes, "axis", -1, -1, len(chain.shape))
    keys = dict(zip(("gamma", "beta"), filter(None, node.input[1:]), strict=False))
    layer = L.LayerNormalization(epsilon=attributes.get("epsilon", 1e-5), center="beta" in keys, dtype=reading.dtype)
    return reading.extended(chain, layer, {name: reading.constant(key) for name, key in keys.items()})


def _softmax(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain = chain_of(reading, node)
    axes = (1,) if chain.first else (-1, len(chain.shape))
    one_of(attributes, "axis", -1, *axes)
    if chain.order is not None:
        raise CheckpointError("softmax of flattened images that have their channels first has no layer")
    return reading.extended(chain, L.Softmax(dtype=reading.dtype))


def _clip(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    limits = [reading.constant(name) if name else None for name in node.input[1:]]
    least, most = (*limits, None, None)[:2]
    if least is None or np.any(least != 0):
        raise CheckpointError("min: expected 0")
    return _elementwise(lambda a, **k: L.ReLU(None if most is None else float(most), **k))(reading, node, attributes)


def _dropout(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    if len(node.input) > 2 and node.input[2] and np.any(reading.constant(node.input[2])):
        raise CheckpointError("training_mode: expected false")
    rate = float(reading.constant(node.input[1])) if len(node.input) > 1 and node.input[1] else 0.5
    rate = round(rate, 7)  # the file has it in float32: 0.4, not 0.4000000059604645
    return reading.extended(chain_of(reading, node), L.Dropout(rate, dtype=reading.dtype))


def _elementwise(make: Callable[..., Any]) -> Reader:
    def read(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
        return reading.extended(chain_of(reading, node), make(attributes, dtype=reading.dtype))

    return read


READERS: dict[str, Reader] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Elu": _elementwise(lambda a, **k: L.ELU(a.get("alpha", 1.0), **k)),
    "Gelu": _elementwise(lambda a, **k: L.GELU(a.get("approximate", b"none") == b"tanh", **k)),
    "Gemm": _gemm,
    "Identity": lambda reading, node, attributes: chain_of(reading, node),
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": _elementwise(lambda a, **k: L.LeakyReLU(a.get("alpha", 0.01), **k)),
    "MatMul": _matmul,
    "Mul": _mul,
    "Relu": _elementwise(lambda a, **k: L.ReLU(**k)),
    "Reshape": _reshape,
    "Softmax": _softmax,
    "Transpose": _transpose,
    **{name: _elementwise(partial(layer_for, name)) for name in NAMES if name != "Elu"},
    **IMAGE_READERS,
}

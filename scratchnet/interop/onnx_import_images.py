"""One function per ONNX operator that works on images: convolutions, pooling, borders, upsampling."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import layers as L  # noqa: N812
from ..errors import CheckpointError
from ..kernels.window import pad_amounts, transposed_plan
from .onnx_reading import Reader, chain_of, one_of


def _images(chain: Any) -> Any:
    if not chain.first:
        raise CheckpointError("expected images with their channels first")
    return chain


def _ranges(attributes: dict[str, Any], chain: Any, window: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """(strides, "same" or "valid" or None, (top, bottom, left, right)) of a window."""
    strides = tuple(attributes.get("strides", (1, 1)))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    axes = list(zip(chain.shape[:2], window, strides, dilation, strict=True))
    same = tuple(side for s, k, t, d in axes for side in pad_amounts(s, k, t, "same", d))
    pads = {"NOTSET": (top, bottom, left, right), "VALID": (0, 0, 0, 0), "SAME_UPPER": same}.get(auto)
    if pads is None:
        raise CheckpointError(f"auto_pad: expected NOTSET, VALID or SAME_UPPER, got {auto[:80]}")
    return strides, "valid" if not any(pads) else "same" if pads == same else None, pads


def _kernel(reading: Any, node: Any) -> tuple[Any, dict[str, Any]]:
    """The kernel with its axes in our order, and the bias if there is one: (kh, kw, second, first) and (f,)."""
    kernel = reading.constant(node.input[1])
    if kernel.ndim != 4:
        raise CheckpointError(f"expected a kernel with four axes, got shape {kernel.shape}")
    biased = len(node.input) > 2 and node.input[2] != ""
    return kernel.transpose(2, 3, 1, 0), {"bias": reading.constant(node.input[2])} if biased else {}


def _conv(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain, (kernel, bias) = _images(chain_of(reading, node)), _kernel(reading, node)
    dilation, groups = tuple(attributes.get("dilations", (1, 1))), attributes.get("group", 1)
    strides, padding, pads = _ranges(attributes, chain, kernel.shape[:2], dilation)
    if padding is None:
        border = L.ZeroPadding2D((pads[:2], pads[2:]), dtype=reading.dtype)
        chain, padding = reading.extended(chain, border), "valid"
    settings = {"dilation_rate": dilation, "use_bias": bool(bias), "dtype": reading.dtype}
    window, filters = kernel.shape[:2], kernel.shape[3]
    if 1 < groups == chain.shape[2] and filters % groups == 0:
        layer: L.Layer = L.DepthwiseConv2D(window, strides, padding, filters // groups, **settings)
        kernel = kernel.reshape(*window, groups, -1)
    else:
        layer = L.Conv2D(filters, window, strides, padding, groups=groups, **settings)
    return reading.extended(chain, layer, {"kernel": kernel, **bias})


def _conv_transpose(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain, (kernel, bias) = _images(chain_of(reading, node)), _kernel(reading, node)
    one_of(attributes, "group", 1, 1)
    one_of(attributes, "auto_pad", b"NOTSET", b"NOTSET", b"VALID")
    if "output_shape" in attributes:
        raise CheckpointError("output_shape: expected pads and output_padding in its place")
    strides, dilation = (tuple(attributes.get(name, (1, 1))) for name in ("strides", "dilations"))
    beyond = tuple(attributes.get("output_padding", (0, 0)))
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    axes = zip(chain.shape, kernel.shape, strides, dilation, beyond, (top + bottom, left + right), strict=False)
    size = tuple((s - 1) * t + (k - 1) * d + 1 + more - less for s, k, t, d, more, less in axes)
    plans = {
        mode: transposed_plan("ConvTranspose", chain.shape[:2], kernel.shape[:2], strides, mode, dilation)
        for mode in ("valid", "same")
    }
    padding = next((mode for mode, (made, pads) in plans.items() if (made, pads[::2]) == (size, (top, left))), None)
    layer = L.Conv2DTranspose(
        kernel.shape[2], kernel.shape[:2], strides, padding or "valid", None if padding else beyond,
        dilation_rate=dilation, use_bias=bool(bias), dtype=reading.dtype,
    )  # fmt: skip
    chain = reading.extended(chain, layer, {"kernel": kernel, **bias})
    return chain if padding else _bordered(reading, chain, [(-top, -bottom), (-left, -right)])


def _bordered(reading: Any, chain: Any, sides: list[tuple[int, int]]) -> Any:
    """The chain with a border of zeros where numbers are positive, without one where they are negative."""
    for cls, sign in ((L.ZeroPadding2D, 1), (L.Cropping2D, -1)):
        border = [tuple(max(sign * side, 0) for side in pair) for pair in sides]
        if any(map(any, border)):
            chain = reading.extended(chain, cls(border, dtype=reading.dtype))
    return chain


def _pool(cls: Any) -> Reader:
    def read(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
        chain, window = _images(chain_of(reading, node)), tuple(attributes["kernel_shape"])
        one_of(attributes, "ceil_mode", 0, 0)
        one_of(attributes, "dilations", [1, 1], [1, 1])
        strides, padding, pads = _ranges(attributes, chain, window, (1, 1))
        if padding is None:
            raise CheckpointError(f"pads: expected none or those of SAME, got (top, bottom, left, right) = {pads}")
        if cls is L.AveragePooling2D and any(pads):
            one_of(attributes, "count_include_pad", 0, 0)
        return reading.extended(chain, cls(window, strides, padding, dtype=reading.dtype))

    return read


def _global_pool(cls: Any) -> Reader:
    def read(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
        return reading.extended(_images(chain_of(reading, node)), cls(keepdims=True, dtype=reading.dtype))

    return read


def _pad(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain = chain_of(reading, node)
    pads = reading.constant(node.input[1]).tolist() if len(node.input) > 1 else attributes["pads"]  # before opset 11
    one_of(attributes, "mode", b"constant", b"constant")
    one_of(attributes, "value", 0, 0)
    if len(node.input) > 2 and node.input[2] and np.any(reading.constant(node.input[2])):
        raise CheckpointError("expected a border of zeros")
    order = (0, 2, 3, 1) if chain.first else (0, 1, 2, 3)
    if len(pads) != 8 or len(node.input) > 3:
        raise CheckpointError("expected pads for batches of images, all axes")
    sides = [(pads[axis], pads[axis + 4]) for axis in order]
    if sides[0] != (0, 0) or sides[3] != (0, 0):
        raise CheckpointError(f"pads: expected a border around images alone, got {pads}")
    return _bordered(reading, chain, sides[1:3])


def _slice(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain = chain_of(reading, node)
    if len(node.input) == 1:  # before opset 10
        starts, ends = attributes["starts"], attributes["ends"]
    else:
        starts, ends = (reading.constant(name).tolist() for name in node.input[1:3])
    axes, steps = (
        reading.constant(name).tolist() if name else default
        for name, default in zip(
            (*node.input[3:], "", ""), (attributes.get("axes", range(len(starts))), [1] * len(starts)), strict=False
        )
    )
    order = (0, 2, 3, 1) if chain.first else (0, 1, 2, 3)
    sides = {0: (0, 0), 1: (0, 0), 2: (0, 0), 3: (0, 0)}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        ours = order.index(axis % 4)
        if len(chain.shape) != 3 or ours in (0, 3) or step != 1:
            raise CheckpointError(f"expected a part of the rows and columns of images, got axis {axis}, step {step}")
        first, stop, _ = slice(start, end).indices(chain.shape[ours - 1])
        sides[ours] = first, chain.shape[ours - 1] - stop
    return _bordered(reading, chain, [(-before, -behind) for before, behind in (sides[1], sides[2])])


# Where a pixel is looked up and how that is rounded: so each pixel is repeated if the factor is a whole number.
_REPEATING = ("asymmetric, floor", "half_pixel, round_prefer_floor", "half_pixel, round_prefer_ceil")


def _resize(reading: Any, node: Any, attributes: dict[str, Any]) -> Any:
    chain, (scales, sizes) = _images(chain_of(reading, node)), (*node.input[2:], "", "")[:2]
    one_of(attributes, "mode", b"nearest", b"nearest")
    defaults = {"coordinate_transformation_mode": b"half_pixel", "nearest_mode": b"round_prefer_floor"}
    lookup = ", ".join(attributes.get(name, default).decode() for name, default in defaults.items())
    one_of({"nearest_mode": lookup}, "nearest_mode", None, *_REPEATING)
    one_of(attributes, "keep_aspect_ratio_policy", b"stretch", b"stretch")
    given, axes = reading.constant(scales or sizes).tolist(), attributes.get("axes", [0, 1, 2, 3])
    if len(given) != len(axes) or not set(axes) <= {0, 1, 2, 3}:
        raise CheckpointError(f"expected a number for each of the axes {list(axes)}, got {given}")
    h, w, c = chain.shape
    before = dict.fromkeys(range(4), 1) if scales else {0: given[0], 1: c, 2: h, 3: w}
    by_axis = {axis: number / before[axis] for axis, number in zip(axes, given, strict=True)}
    factors = [by_axis.get(axis, 1) for axis in range(4)]
    if factors[:2] != [1, 1] or not all(f >= 1 and f == int(f) for f in factors[2:]):
        raise CheckpointError(f"expected rows and columns to be repeated, got the factors {factors}")
    return reading.extended(chain, L.UpSampling2D([int(factor) for factor in factors[2:]], dtype=reading.dtype))


IMAGE_READERS: dict[str, Reader] = {
    "AveragePool": _pool(L.AveragePooling2D),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool(L.GlobalAveragePooling2D),
    "GlobalMaxPool": _global_pool(L.GlobalMaxPooling2D),
    "MaxPool": _pool(L.MaxPooling2D),
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
}

"""Convolution, pooling, padding, dense layers, normalization: twins against references on random geometries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_arguments import OpCase, batch_norm, conv2d, conv2d_transpose, dense, layer_norm, normal, pooling, upsampling
from properties import DTYPES, PROFILE, SEEDS, Draw, check, extents

BOTH = ("forward", "backward")
OPS = [
    *(f"{name}_{way}" for name in ("conv2d", "conv2d_transpose", "dense", "max_pool", "average_pool") for way in BOTH),
    *(f"{name}_{way}" for name in ("zero_pad", "upsample", "layer_norm") for way in BOTH),
    *(f"batch_norm_{way}" for way in (*BOTH, "inference")),
]


def pairs(most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(1, most), st.integers(1, most))


def padded(draw: Draw, window: Any, dilation: Any = (1, 1), most: int = 9, free: bool = True) -> tuple[Any, Any]:
    """Height and width of an image, and its padding: a mode, or any four numbers; a window fits."""
    pads = st.tuples(*[st.integers(0, 3)] * 4)
    padding = draw(st.one_of(st.sampled_from(["same", "valid"]), pads) if free else st.sampled_from(["same", "valid"]))
    size = [draw(st.integers(1, most)), draw(st.integers(1, most))]
    for axis in range(2):
        there = 0 if isinstance(padding, str) else padding[2 * axis] + padding[2 * axis + 1]
        if padding != "same":
            size[axis] = max(size[axis], (window[axis] - 1) * dilation[axis] + 1 - there)
    return tuple(size), padding


def draw_conv2d(draw: Draw) -> list[OpCase]:
    relu, bias, groups = draw(st.booleans()), draw(st.integers(0, 1)), draw(st.integers(1, 3))
    strides, dilation, window = draw(pairs(3)), draw(pairs(3)), draw(pairs(5))
    if draw(st.booleans()):  # what Winograd's algorithm takes, or would take but for one thing
        window = draw(st.sampled_from([(3, 3), (5, 5), (3, 5)]))
        c, filters = (16 * draw(st.integers(1, 2)) for _ in range(2))
        why_not = draw(st.sampled_from(["", "", "", "strides", "dilation", "groups", "channels"]))
        strides = strides if why_not == "strides" else (1, 1)
        dilation = dilation if why_not == "dilation" else (1, 1)
        groups = 2 if why_not == "groups" else 1
        c += 8 * (why_not == "channels")
    else:
        c, filters = (groups * draw(st.integers(1, 5)) for _ in range(2))
    size, padding = padded(draw, window, dilation)
    shape = (draw(extents(1, 3, 9, 17)), *size, c)
    return conv2d(draw(SEEDS), shape, filters, window, strides, padding, dilation, groups, relu, bias)


def draw_conv2d_transpose(draw: Draw) -> list[OpCase]:
    window, strides, padding = draw(pairs(5)), draw(pairs(4)), draw(st.sampled_from(["same", "valid"]))
    dilation = draw(pairs(3)) if strides == (1, 1) else (1, 1)
    beyond = None
    if padding == "valid" and draw(st.booleans()):
        beyond = draw(st.tuples(*(st.integers(0, stride - 1) for stride in strides)))
    shape = (draw(extents(1, 3, 9, 17)), *draw(pairs(7)), draw(extents(1, 5, 16)))
    settings = window, strides, padding, dilation, beyond, draw(st.booleans()), draw(st.integers(0, 1))
    return conv2d_transpose(draw(SEEDS), shape, draw(extents(1, 5, 16)), *settings)


def draw_upsample(draw: Draw) -> list[OpCase]:
    shape = draw(extents(1, 3, 20)), *draw(pairs(9)), draw(extents(1, 5, 8))
    return upsampling(draw(SEEDS), shape, draw(pairs(4)))


def draw_dense(draw: Draw) -> list[OpCase]:
    used = draw(st.sampled_from([1.0, 1.0, 0.2]))
    least, most, large = (1, 80, 128) if used == 1 else (200, 400, 784)
    n, inputs, outputs = draw(extents(1, 40, 120)), draw(extents(least, most, large, 512)), draw(extents(1, 80, 512))
    return dense(draw(SEEDS), n, inputs, outputs, draw(st.booleans()), draw(st.integers(0, 1)), used)


def draw_pooling(draw: Draw) -> list[OpCase]:
    window, strides = draw(pairs(5)), draw(pairs(4))
    size, padding = padded(draw, window, most=12, free=False)
    return pooling(draw(SEEDS), (draw(extents(1, 3, 40)), *size, draw(extents(1, 5, 17, 32))), window, strides, padding)


def draw_zero_pad(draw: Draw) -> list[OpCase]:
    pads = draw(st.tuples(*[st.integers(0, 4)] * 4))
    n, h, w, c = draw(extents(1, 3, 20)), draw(extents(1, 9, 24)), draw(extents(1, 9, 24)), draw(extents(1, 4, 10))
    wide, id = (n, pads[0] + h + pads[1], pads[2] + w + pads[3], c), draw(SEEDS)
    return [
        OpCase("zero_pad_forward", id, lambda rng, dtype: (normal(rng, dtype, n, h, w, c), pads)),
        OpCase("zero_pad_backward", id, lambda rng, dtype: (normal(rng, dtype, *wide), pads), unwanted=(0,)),
    ]


def draw_batch_norm(draw: Draw) -> list[OpCase]:
    rows, c = draw(extents(1, 150, 3001)), draw(extents(1, 20, 33))
    return batch_norm(draw(SEEDS), rows, c, draw(st.integers(0, 1)), draw(st.integers(0, 1)))


def draw_layer_norm(draw: Draw) -> list[OpCase]:
    rows, c = draw(extents(1, 150, 3001)), draw(extents(1, 40, 257))
    return layer_norm(draw(SEEDS), rows, c, draw(st.integers(0, 1)), draw(st.integers(0, 1)))


FAMILIES = {
    "conv2d": draw_conv2d,
    "conv2d_transpose": draw_conv2d_transpose,
    "upsample": draw_upsample,
    "dense": draw_dense,
    "max_pool": draw_pooling,
    "average_pool": draw_pooling,
    "zero_pad": draw_zero_pad,
    "batch_norm": draw_batch_norm,
    "layer_norm": draw_layer_norm,
}


@pytest.mark.parametrize("op", OPS)
@PROFILE
@given(data=st.data(), dtype=DTYPES)
def test_twin_equals_reference(op: str, data: Any, dtype: str) -> None:
    cases = [case for case in FAMILIES[op.rsplit("_", 1)[0]](data.draw) if case.op == op]
    case = data.draw(st.sampled_from(cases))
    check(case, dtype, data.draw(st.sampled_from([None, *case.unwanted])))

"""Ops on elements, random numbers, losses and optimizers: twins against references on random shapes and settings."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import test_properties_windows
from hypothesis import given
from hypothesis import strategies as st
from op_arguments import (
    OpCase,
    activation,
    dropout,
    elementwise_loss,
    flip_shift,
    loss,
    noise,
    normal,
    optimizer,
    penalty,
    run,
)
from properties import DTYPES, PROFILE, SEEDS, Draw, check, extents
from scratchnet.kernels import registry
from scratchnet.kernels.augmentation import CONSTANT, NEAREST, REFLECT, WRAP
from test_kernels import POISON

KEYS, STEPS = st.integers(0, 2**64 - 1), st.integers(0, 2**40)  # of random numbers
LARGE = (16_385, 32_769, 50_001)  # beyond one, two and three tasks


def shapes(draw: Draw) -> tuple[int, ...]:
    """Any shape of one to four axes."""
    if draw(st.integers(0, 9)) == 0:
        return (draw(st.sampled_from(LARGE)),)
    return draw(st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple))


def floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


def draw_activation(draw: Draw) -> list[OpCase]:
    kind = draw(st.integers(0, 4))
    alpha = (draw(floats(0, 1)), draw(floats(-1, 1)), draw(st.one_of(st.just(math.inf), floats(1, 4))))
    return activation(draw(SEEDS), kind, shapes(draw), alpha)


def draw_softmax(draw: Draw) -> list[OpCase]:
    shape, factor, id = (*shapes(draw)[:3], draw(extents(1, 12, 257))), draw(floats(0, 200)), draw(SEEDS)

    def backward(rng: Any, dtype: Any) -> tuple[Any, ...]:
        return run("softmax_forward", normal(rng, dtype, *shape)), normal(rng, dtype, *shape)

    return [
        OpCase("softmax_forward", id, lambda rng, dtype: (np.dtype(dtype).type(factor) * normal(rng, dtype, *shape),)),
        OpCase("softmax_backward", id, backward, unwanted=(0,)),
    ]


def draw_dropout(draw: Draw) -> list[OpCase]:
    rate = draw(st.one_of(st.just(0.0), floats(0, 0.99)))
    return dropout(draw(SEEDS), shapes(draw), rate, draw(KEYS), draw(STEPS))


def draw_noise(draw: Draw) -> list[OpCase]:
    return [noise(draw(SEEDS), shapes(draw), draw(STEPS), draw(KEYS), draw(floats(0, 3)))]


def draw_flip_shift(draw: Draw) -> list[OpCase]:
    n, h, w, c = draw(extents(1, 9, 70)), draw(st.integers(1, 8)), draw(extents(1, 8, 28)), draw(st.integers(1, 4))
    flips = draw(st.booleans()), draw(st.booleans())
    shifts = [tuple(sorted((draw(st.integers(-size, size)), draw(st.integers(-size, size))))) for size in (h, w)]
    fill, value = draw(st.sampled_from([CONSTANT, NEAREST, REFLECT, WRAP])), draw(floats(-2, 2))
    return flip_shift(draw(SEEDS), (n, h, w, c), flips, tuple(shifts), fill, value, draw(KEYS), draw(STEPS))


def draw_sums(draw: Draw) -> list[OpCase]:
    shape, scale, offset, id = shapes(draw), draw(floats(-4, 4)), draw(floats(-4, 4)), draw(SEEDS)
    return [
        OpCase("add", id, lambda rng, dtype: (normal(rng, dtype, *shape), normal(rng, dtype, *shape))),
        OpCase("rescale", id, lambda rng, dtype: (normal(rng, dtype, *shape), scale, offset)),
    ]


def draw_clipping(draw: Draw) -> list[OpCase]:
    size, limit, id = draw(extents(1, 300, *LARGE)), draw(floats(1e-3, 30)), draw(SEEDS)
    cuts = [0, *sorted(draw(st.lists(st.integers(0, size), max_size=4))), size]
    spans, together = np.array(list(pairwise(cuts))), draw(st.booleans())
    return [
        OpCase("clip_by_value", id, lambda rng, dtype: (normal(rng, dtype, size), limit)),
        OpCase("clip_by_norm", id, lambda rng, dtype: (normal(rng, dtype, size), spans, limit, together)),
    ]


def draw_gather(draw: Draw) -> list[OpCase]:
    rows, features, n = draw(st.integers(1, 20)), draw(extents(1, 30, 784)), draw(st.integers(1, 40))
    kind, scale = draw(st.sampled_from(["u1", "f4", "f8"])), draw(floats(1e-3, 2))

    def make(rng: Any, dtype: Any) -> tuple[Any, ...]:
        source = rng.integers(0, POISON, (rows, features))  # with a scale of 1 bytes remain what they are
        return source.astype(kind), rng.integers(0, rows, n), scale

    return [OpCase("gather", draw(SEEDS), make)]


def draw_loss(draw: Draw) -> list[OpCase]:
    n, classes, id = draw(extents(1, 40, 300)), draw(extents(1, 12, 100)), draw(SEEDS)
    smoothing = draw(st.one_of(st.just(0.0), floats(0, 1)))
    names = ("sparse_softmax_cross_entropy", "softmax_cross_entropy", "sparse_cross_entropy", "cross_entropy")
    cases = [case for name in names for case in loss(name, id, n, classes, smoothing)]
    kind, delta = draw(st.sampled_from(range(10))), draw(floats(0.01, 4))
    return [*cases, *elementwise_loss(id, kind, n, classes, smoothing, delta)]


def draw_optimizer(draw: Draw) -> list[OpCase]:
    id, rate, decay = draw(SEEDS), draw(floats(1e-4, 0.5)), draw(st.one_of(st.just(0.0), floats(0, 0.1)))
    beta, rho, epsilon = draw(floats(0, 0.99)), draw(floats(0.5, 0.9999)), draw(floats(1e-7, 1e-2))
    momentum, flag = draw(floats(0, 0.99)), draw(st.booleans())
    slot = "n" if flag else "-"
    return [
        *optimizer("sgd", id, f"nn{slot}", rate, momentum if flag else 0.0, draw(st.booleans()), decay),
        *optimizer("adam", id, "nnns" + ("s" if flag else "-"), rate, beta, rho, epsilon, decay),
        *optimizer("nadam", id, "nnns", rate, rate / 2, draw(floats(1, 3)), beta, rho, epsilon, decay),
        *optimizer("rmsprop", id, f"nns-{slot}", rate, rho, momentum if flag else 0.0, epsilon, decay),
        *optimizer("adagrad", id, "nns", rate, epsilon, decay),
        *optimizer("adadelta", id, "nnss", rate, rho, epsilon, decay),
        OpCase("rmsprop", id, lambda rng, dtype: (*centered(rng, dtype), rate, rho, momentum, epsilon, decay)),
    ]


def centered(rng: Any, dtype: Any) -> tuple[Any, ...]:
    """Parameters, gradients, mean squares, means and momentum; the variance is not a difference of equal numbers."""
    p, g, v, a, m = (normal(rng, dtype, 29) for _ in range(5))
    return p, g, 1 + v * v, a.clip(-1, 1) / 2, m


def draw_penalty(draw: Draw) -> list[OpCase]:
    return penalty(draw(SEEDS), draw(extents(1, 300, *LARGE)), draw(floats(0, 1)), draw(floats(0, 1)))


FAMILIES = {
    "activation_forward activation_backward": draw_activation,
    "softmax_forward softmax_backward": draw_softmax,
    "dropout_forward dropout_backward": draw_dropout,
    "gaussian_noise": draw_noise,
    "flip_shift_forward flip_shift_backward": draw_flip_shift,
    "add rescale": draw_sums,
    "clip_by_value clip_by_norm": draw_clipping,
    "gather": draw_gather,
    "penalize": draw_penalty,
    "softmax_cross_entropy sparse_softmax_cross_entropy": draw_loss,
    "cross_entropy sparse_cross_entropy elementwise_loss": draw_loss,
    "sgd adam nadam rmsprop adagrad adadelta": draw_optimizer,
}
OPS = {op: family for names, family in FAMILIES.items() for op in names.split()}


def test_every_op_is_tried() -> None:
    assert set(registry.ops()) == {*OPS, *test_properties_windows.OPS}


@pytest.mark.parametrize("op", OPS)
@PROFILE
@given(data=st.data(), dtype=DTYPES)
def test_twin_equals_reference(op: str, data: Any, dtype: str) -> None:
    case = data.draw(st.sampled_from([case for case in OPS[op](data.draw) if case.op == op]))
    check(case, dtype, data.draw(st.sampled_from([None, *case.unwanted])))

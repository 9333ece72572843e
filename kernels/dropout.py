"""Dropout: the mask is a function of (key, step, index), by the generator of philox.py."""

from __future__ import annotations

import numpy as np

from .addresses import at
from .jit import kernel
from .launching import launch
from .philox import philox_block, random_words, stream_of
from .registry import reference, twin

BLOCKS = 4_096  # of four elements each, per task; up to two tasks stay on one thread


def drop_below(rate: float) -> int:
    """Elements whose word is below this are dropped: a fraction ``rate`` of the 2^32 words."""
    return round(rate * 2**32)


def kept_times(rate: float) -> float:
    """What elements that are not dropped are multiplied by; at a rate of 1 there are none."""
    return 1 / (1 - rate) if rate < 1 else 0.0


@reference("dropout_forward", outputs=2)
def dropout_forward_reference(x, key, step, rate):
    """``y = mask x / (1 - rate)``, mask (uint8) 0 with probability ``rate``: inverted dropout."""
    mask = random_words(x.size, key, step).reshape(x.shape) >= drop_below(rate)
    return np.where(mask, x, 0) * kept_times(rate), mask.astype(np.uint8)


@reference("dropout_backward")
def dropout_backward_reference(dy, mask, rate):
    """``dx = mask dy / (1 - rate)``."""
    return np.where(mask, dy, 0) * kept_times(rate)


@kernel
def _drop(task, x, stream, limit, scale, y, mask):
    first = task * BLOCKS
    p, q, m = at(x, 4 * first), at(y, 4 * first), at(mask, 4 * first)
    zero = x.dtype.type(0)
    for i in range(min(BLOCKS, x.size // 4 - first)):
        a, b, c, d = philox_block(np.uint64(first + i), stream)
        k = 4 * i
        q[k], m[k] = p[k] * scale if a >= limit else zero, a >= limit
        q[k + 1], m[k + 1] = p[k + 1] * scale if b >= limit else zero, b >= limit
        q[k + 2], m[k + 2] = p[k + 2] * scale if c >= limit else zero, c >= limit
        q[k + 3], m[k + 3] = p[k + 3] * scale if d >= limit else zero, d >= limit


@kernel
def _drop_rest(task, x, stream, limit, scale, y, mask):
    """The last one to three elements. Separate, because a second call in `_drop` made `_drop` four times slower."""
    block = x.size // 4
    words = philox_block(np.uint64(block), stream)
    for k in range(4 * block, x.size):
        mask[k] = words[k - 4 * block] >= limit
        y[k] = x[k] * scale if mask[k] else x.dtype.type(0)


@kernel
def _mask(task, dy, mask, scale, dx):
    start, count = 4 * task * BLOCKS, min(4 * BLOCKS, dy.size - 4 * task * BLOCKS)
    p, m, q = at(dy, start), at(mask, start), at(dx, start)
    zero = dy.dtype.type(0)
    for k in range(count):
        q[k] = p[k] * scale if m[k] != 0 else zero


@twin("dropout_forward")
def dropout_forward(x, key, step, rate, y, mask):
    limit, scale = np.uint64(drop_below(rate)), x.dtype.type(kept_times(rate))
    arguments = x.reshape(-1), stream_of(key, step), limit, scale, y.reshape(-1), mask.reshape(-1)
    tasks = -(-(x.size // 4) // BLOCKS)
    launch(_drop, tasks, *arguments, serial=tasks <= 2)
    if x.size % 4:
        launch(_drop_rest, 1, *arguments, serial=True)


@twin("dropout_backward")
def dropout_backward(dy, mask, rate, dx):
    if dx.size:
        tasks = -(-dy.size // (4 * BLOCKS))
        scale = dy.dtype.type(kept_times(rate))
        launch(_mask, tasks, dy.reshape(-1), mask.reshape(-1), scale, dx.reshape(-1), serial=tasks <= 2)

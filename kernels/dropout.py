"""Dropout with a counter-based generator: the mask is a function of (key, step, index).

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011) turns a
128-bit counter and a 64-bit key into four 32-bit words. Element ``i`` of a mask takes word ``i % 4`` of
counter ``(i // 4, step)``, each 64 bits wide: the same mask on every backend and for any number of threads,
and an exact resume from ``step`` alone.
"""

from __future__ import annotations

import numpy as np

from .addresses import at
from .jit import jit, kernel
from .launching import launch
from .registry import reference, twin

MULTIPLY_A, MULTIPLY_B = 0xD2511F53, 0xCD9E8D57
WEYL_A, WEYL_B = 0x9E3779B9, 0xBB67AE85  # added to the key in each round: the golden ratio, sqrt(3) - 1
ROUNDS = 10
WORD = 0xFFFFFFFF

BLOCKS = 4_096  # of four elements each, per task; up to two tasks stay on one thread


def philox(counter, key):
    """Four output words (uint64 below 2^32) from four counter words (arrays or numbers) and two key words."""
    a, b, c, d = (np.asarray(word, np.uint64) for word in counter)
    for i in range(ROUNDS):
        k0, k1 = (key[0] + i * WEYL_A) & WORD, (key[1] + i * WEYL_B) & WORD
        p, q = a * np.uint64(MULTIPLY_A), c * np.uint64(MULTIPLY_B)
        a, b, c, d = (q >> 32) ^ b ^ k0, q & WORD, (p >> 32) ^ d ^ k1, p & WORD
    return a, b, c, d


def random_words(size, key, step):
    """``size`` random 32-bit words of the stream ``(key, step)``."""
    block = np.arange(-(-size // 4), dtype=np.uint64)
    words = philox((block & WORD, block >> 32, step & WORD, step >> 32), (key & WORD, key >> 32))
    return np.stack(np.broadcast_arrays(*words), axis=-1).reshape(-1)[:size].astype(np.uint32)


def drop_below(rate: float) -> int:
    """Elements whose word is below this are dropped: a fraction ``rate`` of the 2^32 words."""
    return min(round(rate * 2**32), WORD)


@reference("dropout_forward", outputs=2)
def dropout_forward_reference(x, key, step, rate):
    """``y = mask x / (1 - rate)``, mask (uint8) 0 with probability ``rate``: inverted dropout."""
    mask = random_words(x.size, key, step).reshape(x.shape) >= drop_below(rate)
    return np.where(mask, x * (1 / (1 - rate)), 0), mask.astype(np.uint8)


@reference("dropout_backward")
def dropout_backward_reference(dy, mask, rate):
    """``dx = mask dy / (1 - rate)``."""
    return np.where(mask, dy * (1 / (1 - rate)), 0)


# Unsigned throughout: Numba treats a mix of unsigned and signed as signed, and a signed right shift copies the sign.
U_MULTIPLY_A, U_MULTIPLY_B = np.uint64(MULTIPLY_A), np.uint64(MULTIPLY_B)
U_WEYL_A, U_WEYL_B = np.uint64(WEYL_A), np.uint64(WEYL_B)
U_WORD, U_BITS = np.uint64(WORD), np.uint64(32)


@jit
def philox_block(block, stream):
    """The four words of one block of the stream (key low, key high, step low, step high)."""
    k0, k1, c, d = stream
    a, b = block & U_WORD, block >> U_BITS
    for _ in range(ROUNDS):
        p, q = a * U_MULTIPLY_A, c * U_MULTIPLY_B
        a, b, c, d = (q >> U_BITS) ^ b ^ k0, q & U_WORD, (p >> U_BITS) ^ d ^ k1, p & U_WORD
        k0, k1 = (k0 + U_WEYL_A) & U_WORD, (k1 + U_WEYL_B) & U_WORD
    return a, b, c, d


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
    stream = tuple(np.uint64(word) for word in (key & WORD, key >> 32, step & WORD, step >> 32))
    limit, scale = np.uint64(drop_below(rate)), x.dtype.type(1 / (1 - rate))
    arguments = x.reshape(-1), stream, limit, scale, y.reshape(-1), mask.reshape(-1)
    tasks = -(-(x.size // 4) // BLOCKS)
    launch(_drop, tasks, *arguments, serial=tasks <= 2)
    if x.size % 4:
        launch(_drop_rest, 1, *arguments, serial=True)


@twin("dropout_backward")
def dropout_backward(dy, mask, rate, dx):
    if dx.size:
        tasks = -(-dy.size // (4 * BLOCKS))
        scale = dy.dtype.type(1 / (1 - rate))
        launch(_mask, tasks, dy.reshape(-1), mask.reshape(-1), scale, dx.reshape(-1), serial=tasks <= 2)

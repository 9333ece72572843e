"""Dropout with a counter-based generator: the mask is a function of (key, step, index).

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011) turns a
128-bit counter and a 64-bit key into four 32-bit words. Element ``i`` of a mask takes word ``i % 4`` of
counter ``(i // 4, step)``, each 64 bits wide: the same mask on every backend and for any number of threads,
and an exact resume from ``step`` alone.
"""

from __future__ import annotations

import numpy as np

from .registry import reference

MULTIPLY_A, MULTIPLY_B = 0xD2511F53, 0xCD9E8D57
WEYL_A, WEYL_B = 0x9E3779B9, 0xBB67AE85  # added to the key in each round: the golden ratio, sqrt(3) - 1
ROUNDS = 10
WORD = 0xFFFFFFFF


def philox(counter, key):
    """Four output words (uint64 below 2^32) from four counter words, arrays or numbers, and two key words."""
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

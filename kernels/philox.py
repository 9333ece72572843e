"""Philox: a counter-based generator. Random bits are a function of (key, step, index).

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011) turns a
128-bit counter and a 64-bit key into four 32-bit words. Element ``i`` of a stream is word ``i % 4`` of
counter ``(i // 4, step)``, each 64 bits wide: the same bits on every backend and for any number of threads,
and an exact resume from ``step`` alone.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

MULTIPLY_A, MULTIPLY_B = 0xD2511F53, 0xCD9E8D57
WEYL_A, WEYL_B = 0x9E3779B9, 0xBB67AE85  # added to the key in each round: the golden ratio, sqrt(3) - 1
ROUNDS = 10
WORD = 0xFFFFFFFF


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


def stream_of(key, step):
    """A stream as `philox_block` takes it: key low, key high, step low, step high."""
    return tuple(np.uint64(word) for word in (key & WORD, key >> 32, step & WORD, step >> 32))


# Unsigned throughout: Numba treats a mix of unsigned and signed as signed, and a signed right shift copies the sign.
U_MULTIPLY_A, U_MULTIPLY_B = np.uint64(MULTIPLY_A), np.uint64(MULTIPLY_B)
U_WEYL_A, U_WEYL_B = np.uint64(WEYL_A), np.uint64(WEYL_B)
U_WORD, U_BITS = np.uint64(WORD), np.uint64(32)


@jit
def philox_block(block, stream):
    """The four words of one block of a stream, which `stream_of` returns."""
    k0, k1, c, d = stream
    a, b = block & U_WORD, block >> U_BITS
    for _ in range(ROUNDS):
        p, q = a * U_MULTIPLY_A, c * U_MULTIPLY_B
        a, b, c, d = (q >> U_BITS) ^ b ^ k0, q & U_WORD, (p >> U_BITS) ^ d ^ k1, p & U_WORD
        k0, k1 = (k0 + U_WEYL_A) & U_WORD, (k1 + U_WEYL_B) & U_WORD
    return a, b, c, d

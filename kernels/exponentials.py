"""The exponential function and its relatives: of float64 the C library's, of float32 polynomials.

The C library's functions are called number by number; a loop over polynomials is vectorized, and sigmoids take
an eighth of the time that they take with ``math.exp`` of float32. Errors of float32 are relative to the result: 2e-7
unless noted; a result below 1.7e-38 becomes 0. NaN stays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .addresses import like
from .jit import float32_version, intrinsic, jit

LOG2_E, LN_2 = 1.4426950408889634, 0.6931471805599453
LN_2_ABOVE = 0.693359375  # ln 2 in 10 bits: its multiples are exact
SQRT_HALF = 0.7071067811865476


@intrinsic
def power_of_two(typingctx: Any, biased: Any) -> Any:
    """``2^(biased - 127)`` as a float32: its bits are the exponent, shifted into place."""
    from llvmlite import ir
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(32)
        bits = builder.shl(arguments[0], ir.Constant(integer, 23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def multiply_add(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` of float32, rounded once; the compiler does not merge it with what is around it."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.FloatType()
        kind = ir.FunctionType(number, [number] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.f32"), arguments)

    return types.float32(*[types.float32] * 3), codegen


@float32_version(math.exp)
def exp(x):
    """``exp(x) = 2^n exp(r)``, error 1e-7; n is the integer nearest x / ln 2, r the rest, the polynomial Cephes's.

    n ln 2 is subtracted in two steps, as Cephes does: in doubles, a sigmoid takes twice as long.
    """
    low, high = np.float32(-126 * LN_2), np.float32(128 * LN_2)
    z = low if x < low else high if x > high else x
    number = z if z == z else np.float32(0)  # NaN must not become an integer; r keeps it
    n = np.floor(number * np.float32(LOG2_E) + np.float32(0.5))
    r = multiply_add(n, np.float32(LN_2_ABOVE - LN_2), multiply_add(n, np.float32(-LN_2_ABOVE), z))
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1)
    # 2^n as 2 * 2^(n - 1): there is no exponent for n = 128 alone. 126 = 127 - 1; at n = -126 the bits are those of 0.
    return (p + p) * power_of_two(np.int32(n) + np.int32(126))


@float32_version(math.expm1)
def expm1(x):
    """``exp(x) - 1`` for x <= 0; near 0 its Taylor series."""
    t = np.float32(1 / 5040) * x + np.float32(1 / 720)
    t = t * x + np.float32(1 / 120)
    t = t * x + np.float32(1 / 24)
    t = t * x + np.float32(1 / 6)
    t = t * x + np.float32(0.5)
    t = t * x * x + x
    return t if x > np.float32(-0.4) else exp(x) - np.float32(1)


@float32_version(math.log1p)
def log1p(x):
    """``log(1 + x)`` for x in [0, 1]: ``2 artanh(s)`` with ``s = x / (2 + x)``, which is at most 1/3."""
    s = x / (np.float32(2) + x)
    z = s * s
    p = np.float32(1 / 15) * z + np.float32(1 / 13)
    p = p * z + np.float32(1 / 11)
    p = p * z + np.float32(1 / 9)
    p = p * z + np.float32(1 / 7)
    p = p * z + np.float32(1 / 5)
    p = p * z + np.float32(1 / 3)
    return (s + s) * (p * z + np.float32(1))


@jit
def sigmoid(x):
    """``1 / (1 + exp(-x))``; exponents are never positive."""
    e, one = exp(-abs(x)), like(x, 1)
    return (e if x < 0 else one) / (one + e)


@float32_version(math.tanh)
def tanh(x):
    """tanh: ``(1 - e) / (1 + e)`` with ``e = exp(-2 |x|)``; near 0, where that loses digits, Cephes's polynomial."""
    a, z = abs(x), x * x
    p = np.float32(-5.70498872745e-3) * z + np.float32(2.06390887954e-2)
    p = p * z - np.float32(5.37397155531e-2)
    p = p * z + np.float32(1.33314422036e-1)
    p = p * z - np.float32(3.33332819422e-1)
    e = exp(-(a + a))
    far = (np.float32(1) - e) / (np.float32(1) + e)
    return p * z * x + x if a < np.float32(0.625) else -far if x < 0 else far


@float32_version(lambda x: math.erfc(-x / math.sqrt(2)) / 2)
def normal_cdf(x):
    """The standard normal distribution below x, ``erfc(-x / sqrt 2) / 2``; the error is 2e-7, in the tail 7e-6.

    The polynomial is `erfcc` of Press et al., Numerical Recipes in C, second edition, 6.2.
    """
    z = abs(x) * np.float32(SQRT_HALF)
    t = np.float32(1) / (np.float32(1) + np.float32(0.5) * z)
    p = np.float32(0.17087277) * t - np.float32(0.82215223)
    p = p * t + np.float32(1.48851587)
    p = p * t - np.float32(1.13520398)
    p = p * t + np.float32(0.27886807)
    p = p * t - np.float32(0.18628806)
    p = p * t + np.float32(0.09678418)
    p = p * t + np.float32(0.37409196)
    p = p * t + np.float32(1.00002368)
    p = p * t - np.float32(1.26551223)
    tail = np.float32(0.5) * t * exp(p - z * z)
    return tail if x < 0 else np.float32(1) - tail

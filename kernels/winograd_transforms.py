"""The matrices of Winograd's convolution, and the code that applies them to whole vectors of channels.

A tile of m x m outputs of a convolution with r x r filters needs t x t inputs, t = m + r - 1. With matrices A (t, m),
G (t, r) and B (t, t) that come from t - 1 points and infinity (Toom and Cook),

    Y = A' [(G w G') * (B' x B)] A          (* element by element)

takes t^2 multiplications instead of m^2 r^2: 36 instead of 144 for 4x4 outputs of 3x3 filters, 36 instead of 100 for
2x2 outputs of 5x5 ones. The formula is bilinear, so its two derivatives are the same products transposed:
dM = A dY A', dw = G' [V * dM] G, dx = B [U * dM] B'.

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from .jit import intrinsic
from .simd import Simd

# Of the commonly used points, these have the smallest rounding error (rms error in float32 over the output's standard
# deviation, 64 channels): F(4x4, 3x3) 7e-7 and F(2x2, 5x5) 8e-7; with 0, 1, -1, 2, -2 both 1.6e-6. Direct convolution:
# 4e-7.
POINTS = (Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2))


def matrices(m: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (t, m), G (t, r) and B (t, t) for m outputs and r taps, exact in float64 but for the divisions in G."""
    t = m + r - 1
    points = list(POINTS[: t - 1])

    def polynomial(roots: list[Fraction]) -> list[Fraction]:
        coefficients = [Fraction(1)]
        for root in roots:
            shifted, scaled = [Fraction(0), *coefficients], [*(-root * c for c in coefficients), Fraction(0)]
            coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
        return coefficients

    def powers(count: int) -> list[list[Fraction]]:
        at_infinity = [Fraction(int(k == count - 1)) for k in range(count)]
        return [*([p**k for k in range(count)] for p in points), at_infinity]

    others = [[q for q in points if q != p] for p in points]
    scale = [np.prod([p - q for q in rest], initial=Fraction(1)) for p, rest in zip(points, others, strict=True)]
    g = [[value / s for value in row] for row, s in zip(powers(r), [*scale, Fraction(1)], strict=True)]
    b = [[*polynomial(rest), Fraction(0)] for rest in others] + [polynomial(points)]
    return tuple(np.array(rows, dtype=np.float64) for rows in (powers(m), g, np.array(b).T))  # type: ignore[return-value]


def two_sided(matrix: np.ndarray, *, add: bool = False) -> Callable[..., Any]:
    """Code for ``target (+)= matrix source matrix'``, for every channel of a tile.

    Called as ``f(source, source_row, source_column, target, target_row, target_column, channels)``: addresses,
    strides in elements, and a number of contiguous channels that fills whole vectors. Zeros in the matrix cost
    nothing, ones no multiplication.
    """
    rows, columns = matrix.shape

    @intrinsic
    def apply(
        typingctx: Any, source: Any, s_row: Any, s_column: Any, target: Any, t_row: Any, t_column: Any, count: Any
    ) -> Any:
        from numba import types

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source, s_row, s_column, target, t_row, t_column, count = args
            simd = Simd(context, builder, signature.args[0].dtype)

            def line(base: Any, row: Any, i: int, column: Any, j: int, channel: Any) -> Any:
                offset = builder.add(builder.mul(row, simd.int(i)), builder.mul(column, simd.int(j)))
                return simd.address(base, builder.add(offset, channel))

            def combine(coefficients: np.ndarray, values: list[Any]) -> Any:
                # Ones first: they cost an addition, or nothing.
                terms = sorted(
                    ((c, v) for c, v in zip(coefficients, values, strict=True) if c and v is not None),
                    key=lambda term: term[0] != 1,
                )
                total = None
                for coefficient, value in terms:
                    if total is None:
                        total = value if coefficient == 1 else builder.fmul(value, simd.constant(coefficient))
                    elif coefficient == 1:
                        total = builder.fadd(total, value)
                    else:
                        total = simd.multiply_add(value, simd.constant(coefficient), total)
                return total

            with simd.loop(simd.int(0), count, simd.lanes) as channel:
                across = []
                for i in range(columns):
                    loaded = [simd.load(line(source, s_row, i, s_column, j, channel)) for j in range(columns)]
                    across.append([combine(matrix[j], loaded) for j in range(rows)])
                for j in range(rows):
                    down = [across[i][j] for i in range(columns)]
                    for i in range(rows):
                        total = combine(matrix[i], down)
                        pointer = line(target, t_row, i, t_column, j, channel)
                        if add:
                            total = builder.fadd(total, simd.load(pointer))
                        simd.store(total, pointer)
            return context.get_dummy_value()

        i = types.intp
        return types.void(source, i, i, target, i, i, i), codegen

    return apply

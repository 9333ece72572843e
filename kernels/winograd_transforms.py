"""The matrices of Winograd's convolution, and the code that applies them to whole vectors of channels.

A tile of m x m outputs of a convolution with r x r filters needs t x t inputs, t = m + r - 1. With matrices A (t, m),
G (t, r) and B (t, t) that come from t - 1 points and infinity (Toom and Cook),

    Y = A' [(G w G') * (B' x B)] A          (* element by element)

takes t^2 multiplications instead of m^2 r^2: 36 instead of 144 for 4x4 outputs of 3x3 filters, 36 instead of 100 for
2x2 outputs of 5x5 ones. The formula is bilinear, so its two derivatives are the same products transposed:
dM = A dY A', dw = G' [V * dM] G, dx = B [U * dM] B'.

A kernel needs six transforms of tiles. Between images and planes (one for each of the t x t points; V, M and U are
those of input, output and filters):

    INPUT     V = B' x B        OUTPUT     Y = A' M A
    D_OUTPUT  dM = A dY A'      D_INPUT    dx += B dV B', where tiles overlap
    FILTERS   U = G w G'        D_FILTERS  dw = G' dU G

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from .jit import intrinsic
from .simd import Simd

INPUT, OUTPUT, D_OUTPUT, D_INPUT, FILTERS, D_FILTERS = range(6)

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


def two_sided(
    simd: Simd, matrix: np.ndarray, source: tuple[Any, ...], target: tuple[Any, ...], count: Any, add: bool
) -> None:
    """Emit ``target (+)= matrix source matrix'`` for ``count`` channels of a tile, which fill whole vectors.

    ``source`` and ``target`` are an address and the distances of rows and columns, in elements. Zeros in the matrix
    cost nothing, ones no multiplication.
    """
    builder, (rows, columns) = simd.builder, matrix.shape

    def place(tile: tuple[Any, ...], i: int, j: int, channel: Any) -> Any:
        first, row, column = tile
        offset = builder.add(builder.mul(row, simd.int(i)), builder.mul(column, simd.int(j)))
        return simd.address(first, builder.add(offset, channel))

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
            loaded = [simd.load(place(source, i, j, channel)) for j in range(columns)]
            across.append([combine(matrix[j], loaded) for j in range(rows)])
        for j in range(rows):
            down = [across[i][j] for i in range(columns)]
            for i in range(rows):
                total, pointer = combine(matrix[i], down), place(target, i, j, channel)
                simd.store(builder.fadd(total, simd.load(pointer)) if add else total, pointer)


def transforms(m: int, r: int) -> Callable[..., Any]:
    """The code of all transforms of a tile, for m outputs and r taps along each axis.

    Called as ``f(kind, image, row, column, planes, plane, channels)``: which transform; the address of the tile in the
    image and the distances of rows and columns; the address of its channels in the first of the t x t planes and the
    distance of planes; the number of channels. A filter bank is an image of one tile.
    """
    a, g, b = matrices(m, r)
    to_planes = {INPUT: b.T, D_OUTPUT: a, FILTERS: g}
    to_image = {OUTPUT: a.T, D_INPUT: b, D_FILTERS: g.T}

    @intrinsic
    def transform(
        typingctx: Any, kind: Any, image: Any, row: Any, column: Any, planes: Any, plane: Any, channels: Any
    ) -> Any:
        from numba import types

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind, image, row, column, planes, plane, channels = args
            simd = Simd(context, builder, signature.args[1].dtype)
            in_image, in_planes = (image, row, column), (planes, builder.mul(plane, simd.int(m + r - 1)), plane)
            for number, matrix in {**to_planes, **to_image}.items():
                ways = (in_image, in_planes) if number in to_planes else (in_planes, in_image)
                with builder.if_then(builder.icmp_signed("==", kind, simd.int(number))):
                    two_sided(simd, matrix, *ways, channels, add=number == D_INPUT)
            return context.get_dummy_value()

        i = types.intp
        return types.void(i, image, i, i, planes, i, i), codegen

    return transform

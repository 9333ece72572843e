"""The matrix product by hand: one register tile, written once, used by dense and convolution alike.

``C[i, j] (+)= sum_p A[i, p] B[p, j]``. A tile of ``rows x vectors`` accumulators stays in registers for the whole
sum; per ``p`` it loads a few contiguous vectors of B, broadcasts one number of A per row, and does one fused
multiply-add per accumulator::

    for p in range(k):
        for i in range(rows):
            c[i] += a[i, p] * b[p, :]          # c[i] and b[p, :] are SIMD vectors

Nothing is packed: A may have any two strides (its transpose is free), rows of B and C must be contiguous but may lie
any distance apart, so a tile reads a convolution's input in place. Measured on one Zen 4 core, float32: 105 to 113
GFLOP/s on the tutorials' shapes, where OpenBLAS reaches 85 to 105. One thread computes an element of C from start to
finish, in the order of p: the same bits for any number of threads, and no second thread pool.

The scheme is that of Goto and van de Geijn, ACM TOMS 34(3), 2008, without its packing, which does not pay at these
sizes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .addresses import at, item_bytes, shift
from .exported import exported
from .jit import host_registers, host_vector_bytes, intrinsic, jit
from .simd import Simd

ZERO, ACCUMULATE, BIAS = 0, 1, 2  # what a tile's accumulators start from: 0, C itself, or a row of biases

STRIP_BYTES = 2 * host_vector_bytes()
# Registers: 32 with AVX-512 or NEON, 16 with AVX2. Of these, 2 x rows hold sums, 2 hold B, 1 holds A. Shorter tiles
# take the rest of the rows; 7 is there because images of 7 x 7 and 14 x 14 have a multiple of 7 pixels.
TILE_ROWS = (14, 8, 7, 4, 2, 1) if host_registers() >= 32 else (6, 4, 2, 1)
# How many of the tallest tiles give way to shorter ones, by the number of rows left over: the fewest for which the rest
# is tiles of 8 and at most one of 7, since a tile of 4 or 2 rows takes almost as long as one of 7. GIVEN_UP[4] is 2: 32
# rows, 14 + 14 + 4, are taken as 4 x 8 instead, 8% faster.
TALLEST = TILE_ROWS[0]
GIVEN_UP = tuple(
    min(k for k in range(8) if (TALLEST * k + left) % 8 in (0, 7)) if TALLEST == 14 else 0 for left in range(TALLEST)
)


@intrinsic
def _strip(
    typingctx: Any,
    a: Any,
    a_row: Any,
    a_column: Any,
    b: Any,
    b_row: Any,
    c: Any,
    c_row: Any,
    bias: Any,
    m: Any,
    n: Any,
    k: Any,
    start: Any,
    relu: Any,
    tall: Any,
) -> Any:
    """``n`` columns of C, at most two vectors wide: tiles down the rows, the tallest for the first ``tall`` rows, then
    the tallest that fits each time.
    """
    from numba import types

    index = types.intp
    signature = types.void(a, a_row, a_column, b, b_row, c, c_row, bias, index, index, index, index, index, index)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        simd = Simd(context, builder, signature.args[0].dtype)
        a, a_row, a_column, b, b_row, c, c_row, bias, m, n, k, start, relu, tall = args

        def is_table(stride_or_table: Any) -> bool:
            return isinstance(stride_or_table.type, simd.ir.PointerType)

        def place(stride_or_table: Any, position: Any) -> Any:
            if is_table(stride_or_table):
                return builder.load(builder.gep(stride_or_table, [position]))
            return builder.mul(stride_or_table, position)

        def equal(x: Any, value: int) -> Any:
            return builder.icmp_signed("==", x, simd.int(value))

        def tile(i: Any, rows: int, masks: list[Any]) -> None:
            vectors = range(len(masks))

            def c_at(row: int, v: int) -> Any:
                line = simd.address(c, c_row, builder.add(i, simd.int(row)))
                return simd.address(line, simd.int(v * simd.lanes))

            def each() -> Any:
                return ((row, v) for row in range(rows) for v in vectors)

            sums = {rv: simd.variable(simd.vector) for rv in each()}
            with builder.if_else(equal(start, ACCUMULATE)) as (accumulate, other):
                with accumulate:
                    for row, v in each():
                        builder.store(simd.load(c_at(row, v), masks[v]), sums[row, v])
                with other, builder.if_else(equal(start, BIAS)) as (with_bias, without):
                    with with_bias:
                        for v in vectors:
                            line = simd.load(simd.address(bias, simd.int(v * simd.lanes)), masks[v])
                            for row in range(rows):
                                builder.store(line, sums[row, v])
                    with without:
                        for row, v in each():
                            builder.store(simd.constant(0.0), sums[row, v])

            # Opaque: if LLVM knows that they lie one row apart, it computes each from the one before by an addition. A
            # chain of 14 dependent additions takes twice as long as the 14 multiply-adds of a narrow strip.
            places = [place(a_row, builder.add(i, simd.int(row))) for row in range(rows)]
            lines = [simd.opaque(simd.address(a, here)) for here in places]
            following = simd.variable(simd.index)
            builder.store(place(a_column, simd.int(0)), following)
            with simd.loop(simd.int(0), k) as p:
                along = builder.load(following) if is_table(a_column) else place(a_column, p)
                # One term ahead: when LLVM has to wait for an offset it loads all of A's numbers first, for which
                # there are not enough registers (more than twice the time).
                last = builder.sub(k, simd.int(1))
                ahead = builder.select(builder.icmp_signed("<", p, last), builder.add(p, simd.int(1)), last)
                builder.store(place(a_column, ahead), following)
                b_line = simd.address(b, p, b_row)
                bs = [simd.load(simd.address(b_line, simd.int(v * simd.lanes)), masks[v]) for v in vectors]
                for row in range(rows):
                    number = simd.broadcast(simd.address(lines[row], along))
                    for v in vectors:
                        total = simd.multiply_add(number, bs[v], builder.load(sums[row, v]))
                        builder.store(total, sums[row, v])

            for row, v in each():
                total = builder.load(sums[row, v])
                simd.store(builder.select(rectify, simd.positive_part(total), total), c_at(row, v), masks[v])

        def down_the_rows(masks: list[Any]) -> None:
            for i, rows in simd.pieces([(rows, tall if rows == TALLEST else m) for rows in TILE_ROWS]):
                tile(i, rows, masks)

        rectify = builder.icmp_signed("!=", relu, simd.int(0))
        full = builder.icmp_signed("==", n, simd.int(2 * simd.lanes))
        narrow = builder.icmp_signed("<=", n, simd.int(simd.lanes))
        with builder.if_else(full) as (two_vectors, partial):
            with two_vectors:
                down_the_rows([None, None])
            with partial, builder.if_else(narrow) as (one, two):
                with one:
                    down_the_rows([simd.first(n)])
                with two:
                    down_the_rows([None, simd.first(builder.sub(n, simd.int(simd.lanes)))])
        return context.get_dummy_value()

    return signature, codegen


@jit
def _strips(a, a_row, a_column, b, b_row, c, c_row, bias, m, n, k, start, relu):
    width = STRIP_BYTES // item_bytes(a)
    tallest = m // TALLEST - GIVEN_UP[m % TALLEST]
    tall = TALLEST * (tallest if tallest >= 0 else m // TALLEST)
    for j in range(0, n, width):
        _strip(
            a, a_row, a_column, shift(b, j), b_row, shift(c, j), c_row, shift(bias, j),
            m, min(width, n - j), k, start, relu, tall,
        )  # fmt: skip


@exported("piipipipiiiii")
def _gemm(a, a_row, a_column, b, b_row, c, c_row, bias, m, n, k, start, relu):
    _strips(a, a_row, a_column, b, b_row, c, c_row, bias, m, n, k, start, relu)


@exported("pttpipipiiiii")
def _gemm_at(a, rows, columns, b, b_row, c, c_row, bias, m, n, k, start, relu):
    _strips(a, rows, columns, b, b_row, c, c_row, bias, m, n, k, start, relu)


class Matrix(NamedTuple):
    """Where a matrix lies: the address of its first element, and its strides, in elements."""

    first: Any
    row: Any
    column: Any


@jit
def matrix(array, first, row, column=1):
    """The matrix that begins at element ``first`` of an array; only that of a first operand may have a ``column``."""
    return Matrix(at(array, first), row, column)


@jit
def gemm(a, b, c, m, n, k, start=ZERO, bias=None, relu=False):
    """``C = relu?(start + A B)``: A is (m, k), B is (k, n), C is (m, n), all of them made by `matrix`.

    ``start`` is ZERO, ACCUMULATE or BIAS, which begins with the row of numbers at the address ``bias``.
    """
    row = c.first if bias is None else bias
    _gemm(a.first, a.row, a.column, b.first, b.row, c.first, c.row, row, m, n, k, start, relu)


@jit
def gemm_at(a, b, c, m, n, k, start=ZERO, bias=None, relu=False):
    """`gemm` with ``A[i, p] = array[first + rows[i] + columns[p]]``, the matrix of a convolution's windows, never
    materialized: ``matrix(array, first, rows, columns)``.

    ``rows`` and ``columns`` are addresses of tables of int64; swapped, they give the transpose.
    """
    row = c.first if bias is None else bias
    _gemm_at(a.first, a.row, a.column, b.first, b.row, c.first, c.row, row, m, n, k, start, relu)

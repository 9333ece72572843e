"""Products that skip terms that are 0: four fifths of a digit's pixels are, and half of a shirt's.

A tile of ``C = A B`` has five rows (three where the machine has 16 vector registers, not 32) and visits only those p
for which at least one of its five numbers of A is not 0. They are found 64 at a time, as the bits of a word::

    word = bits(A[i : i + 5, p : p + 64] != 0)  # or over the rows
    while word:
        k = p + lowest bit of word
        for r in range(5):
            c[r] += A[i + r, k] * B[k, :]  # c[r] and B[k, :] are vectors in registers
        word &= word - 1

Tiles with few rows skip the most and, when they are this wide, still compute more than they load. Of a batch's products
with the weights, 41% remain on MNIST and 82% on Fashion-MNIST; of the gradient's, for which the five are adjacent
pixels, 31 and 66%. On one core this takes, of the time of the whole product::

                               product   gradient
    784 x 200, 100 digits         0.41       0.30
    784 x 128, 64 pieces          0.79       0.64

The other terms are added in the usual order and ``s + 0 * b`` is ``s``, so no bit changes as long as B is finite; where
it is not, no term is skipped. This is checked every time. Whether searching for zeros pays at all is decided once per
launch from Python, by the first rows of A: a recorded step (scratchnet/recording.py) keeps the decision made for its
first batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .addresses import LINE_BYTES, at, item_bytes, like, prefetch, shift
from .exported import exported
from .gemm import BIAS, ZERO
from .jit import host_registers, host_vector_bytes, intrinsic, jit, kernel
from .launching import launch
from .scratch import scratch
from .simd import Simd

ROWS = WIDEST = 5 if host_registers() >= 32 else 3  # of a tile: its rows, and the most vectors in a row
NARROWEST = (WIDEST + 1) // 2  # columns are cut evenly, and no strip is narrower than this
STRIPS = 4  # in a task: B's columns stay in the core's second-level cache, and few rows of C are enough work
TILES = 8  # one below the other in a gradient's task; each column of A that it reads has a bit in a word
WORD = 64  # bits in a word
LOOKED = 8192  # numbers of B that a task looks through
SAMPLE, RARE = 20, 0.9  # rows of A that decide whether it pays; it does up to this share of blocks not all 0
VECTOR_BYTES = host_vector_bytes()
BLOCK = (1 << ROWS) - 1  # the bits of a tile's rows
FIRST_OF_BLOCKS = sum(1 << k for k in range(0, WORD // ROWS * ROWS, ROWS))
WIDE = 256  # with fewer inputs, looking does not pay


@intrinsic
def _nonzero(typingctx: Any, pointer: Any, stride: Any, rows: Any, count: Any) -> Any:
    """A word whose bit k is set if column k of ``count`` (64 at most) has a nonzero number in one of the rows."""
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        simd = Simd(context, builder, signature.args[0].dtype)
        pointer, stride, rows, count = args
        word = simd.variable(simd.index)
        builder.store(simd.int(0), word)
        for first in range(0, WORD, simd.lanes):
            columns = builder.sub(count, simd.int(first))
            with builder.if_then(builder.icmp_signed(">", columns, simd.int(0))):
                mask, some = simd.first(columns), simd.variable(simd.vector)
                builder.store(simd.constant(0.0), some)
                with simd.loop(simd.int(0), rows) as row:
                    line = simd.address(simd.address(pointer, row, stride), simd.int(first))
                    builder.store(simd.either(builder.load(some), simd.load(line, mask)), some)
                bits = builder.bitcast(simd.nonzero(builder.load(some)), simd.ir.IntType(simd.lanes))
                here = builder.shl(builder.zext(bits, simd.index), simd.int(first))
                builder.store(builder.or_(builder.load(word), here), word)
        return builder.load(word)

    return types.int64(pointer, types.intp, types.intp, types.intp), codegen


@intrinsic
def _ones(typingctx: Any, word: Any) -> Any:
    """How many bits of a word are set."""
    return word(word), lambda context, builder, signature, args: builder.ctpop(args[0])


@intrinsic
def _down_the_rows(
    typingctx: Any, a: Any, a_row: Any, a_column: Any, b: Any, b_row: Any, c: Any, c_row: Any, bias: Any,
    words: Any, count: Any, rows: Any, columns: Any, start: Any, relu: Any,
) -> Any:  # fmt: skip
    """``columns`` of C, NARROWEST to WIDEST vectors, in tiles down the rows, each with ``count`` words. Where a tile
    lacks rows, the last one is computed several times.
    """
    from numba import types

    i = types.intp
    signature = types.void(a, i, i, b, i, c, i, bias, words, i, i, i, i, i)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        simd = Simd(context, builder, signature.args[0].dtype)
        a, a_row, a_column, b, b_row, c, c_row, bias, words, count, rows, columns, start, relu = args
        last = builder.sub(rows, simd.int(1))
        biased = builder.icmp_signed("==", start, simd.int(BIAS))
        rectify = builder.icmp_signed("!=", relu, simd.int(0))

        def down_the_rows(vectors: int) -> None:
            rest = simd.first(builder.sub(columns, simd.int((vectors - 1) * simd.lanes)))

            def part(line: Any, v: int) -> tuple[Any, Any]:
                return simd.address(line, simd.int(v * simd.lanes)), rest if v == vectors - 1 else None

            starts = [simd.variable(simd.vector) for _ in range(vectors)]
            for first in starts:
                builder.store(simd.constant(0.0), first)
            with builder.if_then(biased):
                for v, first in enumerate(starts):
                    builder.store(simd.load(*part(bias, v)), first)
            sums = [[simd.variable(simd.vector) for _ in range(vectors)] for _ in range(ROWS)]
            with simd.loop(simd.int(0), simd.ceiling(rows, ROWS)) as group:
                wanted = [builder.add(builder.mul(group, simd.int(ROWS)), simd.int(r)) for r in range(ROWS)]
                here = [builder.select(builder.icmp_signed("<", i, last), i, last) for i in wanted]
                lines = [simd.opaque(simd.address(a, a_row, i)) for i in here]
                for row in sums:
                    for total, first in zip(row, starts, strict=True):
                        builder.store(builder.load(first), total)
                own = builder.mul(group, count)
                with simd.loop(simd.int(0), count) as w:
                    word = builder.load(builder.gep(words, [builder.add(own, w)]))
                    with simd.bits(word) as bit:
                        p = builder.add(builder.mul(w, simd.int(WORD)), bit)
                        numbers = [simd.broadcast(simd.address(line, p, a_column)) for line in lines]
                        for v in range(vectors):
                            vector = simd.load(*part(simd.address(b, p, b_row), v))
                            for number, row in zip(numbers, sums, strict=True):
                                builder.store(simd.multiply_add(number, vector, builder.load(row[v])), row[v])
                for i, row in zip(here, sums, strict=True):
                    for v, total in enumerate(map(builder.load, row)):
                        total = builder.select(rectify, simd.positive_part(total), total)
                        simd.store(total, *part(simd.address(c, c_row, i), v))

        for vectors in range(NARROWEST, WIDEST + 1):
            needed = simd.ceiling(columns, simd.lanes)
            with builder.if_then(builder.icmp_signed("==", needed, simd.int(vectors))):
                down_the_rows(vectors)
        return context.get_dummy_value()

    return signature, codegen


@exported("piipipiptiiiii")
def _strip(a, a_row, a_column, b, b_row, c, c_row, bias, words, count, rows, columns, start, relu):
    """`gemm` over those p whose bits are set in ``count`` words."""
    _down_the_rows(a, a_row, a_column, b, b_row, c, c_row, bias, words, count, rows, columns, start, relu)


@jit
def _abreast(outputs, itemsize):
    """How many tasks lie side by side."""
    most = WIDEST * STRIPS * VECTOR_BYTES // itemsize
    return (outputs + most - 1) // most


@jit
def _strips(part, outputs, a, a_row, a_column, b, b_row, c, c_row, bias, words, count, rows, start, relu):
    """Part of the ``outputs`` columns of C = A B, cut evenly into strips."""
    lanes = VECTOR_BYTES // item_bytes(b)
    vectors, parts = (outputs + lanes - 1) // lanes, _abreast(outputs, item_bytes(b))
    strips = (vectors + WIDEST - 1) // WIDEST
    first, end = part * strips // parts, (part + 1) * strips // parts
    following = first * vectors // strips * lanes
    for strip in range(first, end):
        j, following = following, min((strip + 1) * vectors // strips * lanes, outputs)
        _strip(
            a, a_row, a_column, shift(b, j), b_row, shift(c, j), c_row, shift(bias, j), words, count,
            rows, following - j, start, relu,
        )  # fmt: skip


@jit
def zero_if_finite(numbers, count):
    """0, or NaN if one of the numbers is NaN or infinite."""
    total = zero = like(numbers, 0)
    for k in range(count):
        total += numbers[k] * zero
    return total


@jit
def _finite(checks):
    clean = True
    for k in range(checks.size):
        clean &= checks[k] == 0
    return clean


@jit
def _all(count):
    """A word with ``count`` bits set."""
    return np.int64(-1 if count == WORD else (1 << count) - 1)


@kernel
def _look(task, b, checks):
    checks[task] = zero_if_finite(at(b, task * LOOKED), min(LOOKED, b.size - task * LOOKED))


@kernel
def _multiply(task, x, w, b, relu, checks, words, sums):
    parts, n, outputs = sums.shape
    inputs, groups, abreast = x.shape[1], (n + ROWS - 1) // ROWS, _abreast(outputs, x.itemsize)
    part, beside, group = task // (groups * abreast), task // groups % abreast, task % groups
    i, end = group * n // groups, (group + 1) * n // groups
    p, terms = part * inputs // parts, (part + 1) * inputs // parts - part * inputs // parts
    used, count, finite = at(words, task * words.shape[1]), 0, _finite(checks)
    for first in range(0, terms, WORD):
        here = min(WORD, terms - first)
        used[count] = _nonzero(at(x, i * inputs + p + first), inputs, end - i, here) if finite else _all(here)
        count += 1
    for row in range(end, min(end + ROWS, n)):
        for k in range(p, p + terms, LINE_BYTES // x.itemsize):
            prefetch(at(x, row * inputs + k))
    _strips(
        beside, outputs, at(x, i * inputs + p), inputs, 1, at(w, p * outputs), outputs,
        at(sums, (part * n + i) * outputs), outputs, at(b, 0), used, count,
        end - i, BIAS if b.size and part == 0 else ZERO, relu,
    )  # fmt: skip


@kernel
def _gradient(task, x, dz, checks, bits, words, dw):
    (n, inputs), outputs = x.shape, dw.shape[1]
    tiles = (inputs + ROWS - 1) // ROWS
    below = (tiles + TILES - 1) // TILES
    beside, top, bottom = task // below, task % below * tiles // below, (task % below + 1) * tiles // below
    i, columns = top * ROWS, min(bottom * ROWS, inputs) - top * ROWS
    used = at(bits, task * n)
    for row in range(n):
        used[row] = _nonzero(at(x, row * inputs + i), inputs, 1, columns)
    count, finite = (n + WORD - 1) // WORD, _finite(checks)
    some = at(words, task * TILES * count)
    for tile in range(bottom - top):
        for w in range(count):
            here = min(WORD, n - w * WORD)
            word = np.int64(0) if finite else _all(here)
            for k in range(here):
                word |= np.int64((used[w * WORD + k] >> (tile * ROWS)) & BLOCK != 0) << k
            some[tile * count + w] = word
    _strips(
        beside, outputs, at(x, i), 1, inputs, at(dz, 0), dz.shape[1], at(dw, i * outputs), outputs, at(dw, 0),
        some, count, columns, ZERO, False,
    )  # fmt: skip


@jit
def _share(x, rows, columns):
    """The share of blocks of ``rows`` x ``columns`` numbers (one of them is 1) at the head of x that are not all 0."""
    (n, inputs), wide, found = x.shape, WORD // columns * columns, 0
    down = min(SAMPLE, n) // rows
    for i in range(down):
        for j in range(0, inputs, wide):
            word = _nonzero(at(x, i * rows * inputs + j), inputs, rows, min(wide, inputs - j))
            some = word
            for k in range(1, columns):
                some |= word >> k
            found += _ones(some & (FIRST_OF_BLOCKS if columns > 1 else -1))
    return found * columns / (down * inputs)


def _pays(x, rows, columns, outputs):
    large = x.shape[0] >= ROWS and x.shape[1] >= WIDE and outputs * x.itemsize > (NARROWEST - 1) * VECTOR_BYTES
    return large and _share(x, rows, columns) <= RARE


def multiply_pays(x, outputs):
    """Whether enough columns seem to be 0 in ROWS rows of x."""
    return _pays(x, ROWS, 1, outputs)


def gradient_pays(x, outputs):
    """Whether ROWS neighbors in a row of x seem to be all 0 often enough."""
    return _pays(x, 1, ROWS, outputs)


def multiply(x, w, b, relu, sums):
    """Launch ``sums[k] = relu?(x w + b)``, summed over part k of the columns of x; b is added in part 0."""
    (parts, n, _), inputs = sums.shape, x.shape[1]
    tasks = parts * _abreast(w.shape[1], w.itemsize) * -(-n // ROWS)
    checks = scratch("zeros.checks", (-(-w.size // LOOKED),), w.dtype)
    words = scratch("zeros.words", (tasks, inputs // WORD + 1), np.int64)
    launch(_look, checks.size, w, checks)
    launch(_multiply, tasks, x, w, b, relu, checks, words, sums)


def gradient(x, dz, checks, dw):
    """Launch ``dw = x' dz``; anything but zeros in ``checks`` means that dz is not finite."""
    n, inputs = x.shape
    tasks = _abreast(dw.shape[1], dw.itemsize) * -(-inputs // (ROWS * TILES))
    bits = scratch("zeros.bits", (tasks, n), np.int64)
    words = scratch("zeros.tiles", (tasks, TILES, -(-n // WORD)), np.int64)
    launch(_gradient, tasks, x, dz, checks, bits, words, dw)

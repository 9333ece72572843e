"""A few vector instructions for kernels that the compiler does not vectorize well enough by itself.

Such a kernel is a function marked ``@intrinsic`` (kernels/jit.py): called with Numba's context and builder, it *emits*
code. So a Python ``for`` in it is an unrolled loop, and `Simd.loop` is a loop in the emitted code. One `Simd` value
holds ``lanes`` numbers, enough to fill a register of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .jit import host_vector_bytes


class Simd:
    """Emits vector code for numbers of one Numba float type."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        from llvmlite import ir
        from numba.core import cgutils

        self.ir, self.cgutils, self.builder = ir, cgutils, builder
        self.bytes = dtype.bitwidth // 8
        self.lanes = host_vector_bytes() // self.bytes
        self.number = context.get_value_type(dtype)
        self.vector = ir.VectorType(self.number, self.lanes)
        self.index = ir.IntType(64)
        self.suffix = f"v{self.lanes}f{dtype.bitwidth}"

    def int(self, value: int) -> Any:
        """A constant index."""
        return self.ir.Constant(self.index, value)

    def ceiling(self, value: Any, divisor: int) -> Any:
        """``value / divisor``, rounded up."""
        return self.builder.sdiv(self.builder.add(value, self.int(divisor - 1)), self.int(divisor))

    def constant(self, value: float) -> Any:
        """A vector with the same constant in every lane."""
        return self.ir.Constant(self.vector, [value] * self.lanes)

    def address(self, pointer: Any, *offset: Any) -> Any:
        """``pointer`` plus the product of the offsets."""
        total = offset[0]
        for factor in offset[1:]:
            total = self.builder.mul(total, factor)
        return self.builder.gep(pointer, [total])

    def _splat(self, value: Any, vector: Any) -> Any:
        ir, undefined = self.ir, self.ir.Constant(vector, self.ir.Undefined)
        zero = ir.Constant(ir.IntType(32), 0)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(self.builder.insert_element(undefined, value, zero), undefined, lanes)

    def first(self, count: Any) -> Any:
        """A mask of the first ``count`` lanes."""
        vector = self.ir.VectorType(self.index, self.lanes)
        lanes = self.ir.Constant(vector, list(range(self.lanes)))
        return self.builder.icmp_signed("<", lanes, self._splat(count, vector))

    def _call(self, name: str, result: Any, *args: Any) -> Any:
        signature = self.ir.FunctionType(result, [arg.type for arg in args])
        function = self.cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.builder.call(function, args)

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """Load the vector at an address; lanes outside the mask are 0 and their memory is not touched."""
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            return self.builder.load(pointer, align=self.bytes)
        align = self.ir.Constant(self.ir.IntType(32), self.bytes)
        name = f"llvm.masked.load.{self.suffix}.p0"
        return self._call(name, self.vector, pointer, align, mask, self.constant(0.0))

    def store(self, value: Any, pointer: Any, mask: Any = None) -> None:
        """Store a vector at an address; memory outside the mask is not touched."""
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            self.builder.store(value, pointer, align=self.bytes)
            return
        align = self.ir.Constant(self.ir.IntType(32), self.bytes)
        self._call(f"llvm.masked.store.{self.suffix}.p0", self.ir.VoidType(), value, pointer, align, mask)

    def opaque(self, pointer: Any) -> Any:
        """The same address, but how it was computed is hidden from the optimizer."""
        kind = pointer.type
        same = self.ir.InlineAsm(self.ir.FunctionType(kind, [kind]), "", "=r,0", side_effect=False)
        return self.builder.call(same, [pointer])

    def broadcast(self, pointer: Any) -> Any:
        """The number at an address in every lane."""
        return self._splat(self.builder.load(pointer), self.vector)

    def pick(self, a: Any, b: Any, places: list[int]) -> Any:
        """A vector of lanes from two others: place k is lane k of ``a``, place ``lanes + k`` is lane k of ``b``."""
        integers = self.ir.VectorType(self.ir.IntType(32), self.lanes)
        return self.builder.shuffle_vector(a, b, self.ir.Constant(integers, places))

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """``a * b + c``, rounded once."""
        return self._call(f"llvm.fma.{self.suffix}", self.vector, a, b, c)

    def positive_part(self, value: Any) -> Any:
        """``max(value, 0)``; NaN stays NaN."""
        negative = self.builder.fcmp_ordered("<", value, self.constant(0.0))
        return self.builder.select(negative, self.constant(0.0), value)

    def either(self, a: Any, b: Any) -> Any:
        """The bitwise or of ``a`` and ``b``."""
        integers = self.ir.VectorType(self.ir.IntType(8 * self.bytes), self.lanes)
        one, other = (self.builder.bitcast(value, integers) for value in (a, b))
        return self.builder.bitcast(self.builder.or_(one, other), self.vector)

    def nonzero(self, value: Any) -> Any:
        """A mask of the lanes in which any bit is set: those that are not 0, or are -0."""
        integers = self.ir.VectorType(self.ir.IntType(8 * self.bytes), self.lanes)
        zero = self.ir.Constant(integers, [0] * self.lanes)
        return self.builder.icmp_signed("!=", self.builder.bitcast(value, integers), zero)

    def variable(self, kind: Any) -> Any:
        """A local variable (a register, once the optimizer has seen it)."""
        return self.cgutils.alloca_once(self.builder, kind)

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1) -> Iterator[Any]:
        """``for index in range(start, stop, step)``, without an incomplete last step."""
        builder, counter = self.builder, self.variable(self.index)
        builder.store(start, counter)
        head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
        builder.branch(head)
        builder.position_at_end(head)
        following = builder.add(builder.load(counter), self.int(step))
        builder.cbranch(builder.icmp_signed("<=", following, stop), body, done)
        builder.position_at_end(body)
        yield builder.load(counter)
        builder.store(builder.add(builder.load(counter), self.int(step)), counter)
        builder.branch(head)
        builder.position_at_end(done)

    def pieces(self, sizes: list[tuple[int, Any]]) -> Iterator[tuple[Any, int]]:
        """``(start, size)`` of each piece, of the first size while it fits before its stop, then of the next size."""
        done = self.int(0)
        for size, stop in sizes:
            end = self.variable(self.index)
            self.builder.store(done, end)
            with self.loop(done, stop, size) as start:
                yield start, size
                self.builder.store(self.builder.add(start, self.int(size)), end)
            done = self.builder.load(end)

    @contextmanager
    def bits(self, word: Any) -> Iterator[Any]:
        """``for place in places of the bits that are set in word``, lowest first."""
        builder, rest = self.builder, self.variable(self.index)
        builder.store(word, rest)
        head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(builder.icmp_signed("!=", builder.load(rest), self.int(0)), body, done)
        builder.position_at_end(body)
        yield builder.cttz(builder.load(rest), self.ir.Constant(self.ir.IntType(1), 1))
        builder.store(builder.and_(builder.load(rest), builder.sub(builder.load(rest), self.int(1))), rest)
        builder.branch(head)
        builder.position_at_end(done)

"""Addresses inside Numba kernels: an index not known to be positive keeps a loop from being vectorized."""

from __future__ import annotations

from typing import Any

from .jit import intrinsic, jit

LINE_BYTES = 64  # of a cache line


@intrinsic
def at(typingctx: Any, array: Any, index: Any) -> Any:
    """The address of element ``index`` (counted in memory order) of an array."""
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return types.CPointer(array.dtype)(array, types.intp), codegen


@intrinsic
def address_of(typingctx: Any, array: Any) -> Any:
    """The address of an array's first element as an integer."""
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, context.get_value_type(types.intp))

    return types.intp(array), codegen


@intrinsic
def in_type_of(typingctx: Any, array: Any, numbers: Any) -> Any:
    """A tuple of numbers, converted to an array's type: a single double would make a loop compute in doubles."""
    from numba import types

    same = types.UniTuple(array.dtype, len(numbers))

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = [builder.extract_value(args[1], k) for k in range(len(numbers))]
        cast = [context.cast(builder, value, kind, array.dtype) for value, kind in zip(values, numbers, strict=True)]
        return context.make_tuple(builder, same, cast)

    return same(array, numbers), codegen


@intrinsic
def like(typingctx: Any, model: Any, value: Any) -> Any:
    """A value, converted to the type of another, or of what an address points to."""
    kind = getattr(model, "dtype", model)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[1], signature.args[1], kind)

    return kind(model, value), codegen


@jit(exact=True)
def minus(a, b):
    """``a - b``, rounded by itself. Otherwise fast-math may turn ``x + (a - b)`` into ``(x + a) - b``, which loses the
    digits of a small difference of large numbers.

    (It may still turn ``c - minus(a, b)`` into ``c + (b - a)`` and then reorder: write ``c + minus(b, a)``.)
    """
    return a - b


@intrinsic
def shift(typingctx: Any, pointer: Any, count: Any) -> Any:
    """The address ``count`` elements after ``pointer``."""
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.intp), codegen


@intrinsic
def item_bytes(typingctx: Any, pointer: Any) -> Any:
    """The size of what an address points to, as a constant."""
    from numba import types

    size = pointer.dtype.bitwidth // 8

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, size)

    return types.intp(pointer), codegen


@intrinsic
def prefetch(typingctx: Any, pointer: Any) -> Any:
    """Prefetch the cache line at an address: it arrives while other work is done."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.bitcast(args[0], byte), *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(pointer), codegen

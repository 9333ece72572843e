"""Frames: the arguments of a launch, laid out in memory so that all kernels can be called alike, by address.

A frame has 8 bytes for a number, and for an array its address, shape and strides. Writing another address or number
into the frame changes what the launch computes with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .jit import OPTIONS, intrinsic, jit, prange, written_for
from .kernel_cache import caching_in


def _slots(builder: Any, memory: Any) -> Iterator[Any]:
    """The addresses of a frame's slots, one after the other."""
    from llvmlite import ir

    word = ir.IntType(64)
    slots = builder.bitcast(memory, word.as_pointer())
    number = 0
    while True:
        yield builder.gep(slots, [ir.Constant(word, number)])
        number += 1


@intrinsic
def _arguments(typingctx: Any, frame: Any) -> Any:
    """The arguments stored in a frame, as a tuple."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.np.arrayobj import populate_array

    kinds, word = frame.dtype, ir.IntType(64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        slots = _slots(builder, args[0])

        def value(kind: Any) -> Any:
            if isinstance(kind, types.BaseTuple):
                return context.make_tuple(builder, kind, [value(inner) for inner in kind])
            if not isinstance(kind, types.Array):
                place = builder.bitcast(next(slots), context.get_data_type(kind).as_pointer())
                return context.data_model_manager[kind].from_data(builder, builder.load(place))
            number = context.get_data_type(kind.dtype)
            data = builder.inttoptr(builder.load(next(slots)), number.as_pointer())
            shape, strides = ([builder.load(next(slots)) for _ in range(kind.ndim)] for _ in range(2))
            array = context.make_array(kind)(context, builder)
            populate_array(
                array, data=data, shape=cgutils.pack_array(builder, shape, ty=word),
                strides=cgutils.pack_array(builder, strides, ty=word),
                itemsize=context.get_constant(types.intp, context.get_abi_sizeof(number)), meminfo=None,
            )  # fmt: skip
            return array._getvalue()

        return value(kinds)

    return kinds(frame), codegen


@intrinsic
def frame_of(typingctx: Any, arguments: Any) -> Any:
    """The address of a frame with these arguments; the frame lives as long as the calling function."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils

    word = ir.IntType(64)

    def size(kind: Any) -> int:
        if isinstance(kind, types.BaseTuple):
            return sum(size(inner) for inner in kind)
        return 1 + 2 * kind.ndim if isinstance(kind, types.Array) else 1

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = cgutils.alloca_once(builder, ir.ArrayType(word, size(arguments)))
        slots = _slots(builder, memory)

        def put(kind: Any, value: Any) -> None:
            if isinstance(kind, types.BaseTuple):
                for k, inner in enumerate(kind):
                    put(inner, builder.extract_value(value, k))
            elif isinstance(kind, types.Array):
                array = context.make_array(kind)(context, builder, value)
                builder.store(builder.ptrtoint(array.data, word), next(slots))
                for numbers in (array.shape, array.strides):
                    for number in cgutils.unpack_tuple(builder, numbers, kind.ndim):
                        builder.store(number, next(slots))
            else:
                data = context.data_model_manager[kind].as_data(builder, value)
                builder.store(data, builder.bitcast(next(slots), data.type.as_pointer()))

        put(arguments, args[0])
        return builder.ptrtoint(memory, word)

    return types.intp(arguments), codegen


def slots_of(value: Any) -> list[int]:
    """What a frame stores for a value."""
    if isinstance(value, np.ndarray):
        return [address(value), *value.shape, *value.strides]
    if isinstance(value, tuple):
        return [slot for inner in value for slot in slots_of(inner)]
    number = np.asarray(value)
    return [int.from_bytes(number.tobytes().ljust(8, b"\0"), "little", signed=True)]


def address(array: np.ndarray) -> int:
    """The address of an array's first number."""
    return int(array.__array_interface__["data"][0])


_FRAMED = """
def NAME(task, frame):
    KERNEL(task, *arguments(frame))
"""


def framed(kernel: Any, arguments: tuple[Any, ...]) -> int:
    """The address of a kernel as a function of a task and a frame, for arguments of these types."""
    import numba
    from numba import types

    kinds = [numba.typeof(value) for value in arguments]
    for k, kind in enumerate(kinds):  # a kernel reads an array from its address on
        if any(getattr(part, "layout", "C") != "C" for part in getattr(kind, "types", [kind])):
            raise TypeError(f"{kernel.__name__}: argument {k}: expected an array that is contiguous, got {kind}")
    frame = types.CPointer(types.Tuple(kinds))
    if frame not in kernel.framed:
        run_tasks(0, 0, 0, True)  # starts Numba's threads: a kernel that reads thread numbers is linked to them
        function, folder = written_for(kernel, "framed", _FRAMED, arguments=_arguments), kernel.cache_folder
        with caching_in(folder):
            compile_ = numba.cfunc(types.void(types.intp, frame), cache=folder is not None, **OPTIONS)
            kernel.framed[frame] = compile_(function)
    return int(kernel.framed[frame].address)


@intrinsic
def call(typingctx: Any, function: Any, task: Any, frame: Any) -> Any:
    """Call a function of a task and a frame by its address."""
    from llvmlite import ir
    from numba import types

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 2)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [args[1], args[2]])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), codegen


@jit(parallel=True)
def run_tasks(function, frame, tasks, serial):
    """Call a kernel for every task."""
    if serial:
        for task in range(tasks):
            call(function, task, frame)
    else:
        for task in prange(tasks):
            call(function, task, frame)

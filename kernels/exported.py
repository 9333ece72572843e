"""Helpers that are compiled once, for all kernels that call them: the matrix product, for one.

Numba recompiles an ordinary helper inside every kernel, and twice inside a parallel one: the matrix product alone cost
the first run of a convolutional network 20 s. An exported one is called through a slot of memory that has its address.
A slot begins with a function that compiles the real one, puts it into the slot and calls it. That is Python called from
compiled code: an exception cannot pass, and must neither get lost nor leave a result that was never computed. So the
function tries again without the cache, and what has to be raised waits until the kernel has returned (`raise_late`).
"""

from __future__ import annotations

import functools
import inspect
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .jit import OPTIONS, marked
from .kernel_cache import caching_in

F = TypeVar("F", bound=Callable[..., Any])

late: list[BaseException] = []  # what is to be raised when the kernel has returned
_slots: list[Any] = []  # the addresses that exported helpers are called through, kept alive


def raise_late() -> None:
    """Raise what could not be raised from inside a kernel; ``late`` says whether there is anything."""
    first = late[0]
    late.clear()
    raise first


def exported(arguments: str) -> Callable[[F], F]:
    """Mark a helper on addresses and integers.

    ``arguments`` has a letter for each: ``p`` the address of a float (all of one dtype), ``t`` the address of an int64,
    ``i`` an integer.
    """

    def mark(function: F) -> F:
        marked.append((function, functools.partial(_export, arguments=arguments)))
        return function

    return mark


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Within the block Ctrl-C is only noted: raised in one of LLVM's calls of Python, it would get lost."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: late.append(KeyboardInterrupt()))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _compiled(signature: Any, function: Callable[..., Any], folder: Path | None) -> Any:
    """The helper for these types; None if it cannot be compiled, which is then raised late."""
    for where in (folder, None):
        try:
            with caching_in(where):
                return sys.modules["numba"].cfunc(signature, cache=where is not None, **OPTIONS)(function)
        except Exception as error:
            failure: BaseException = error
        except BaseException as interruption:  # of a signal handler
            late.append(interruption)
            failure = interruption
    late.append(failure)
    return None


def _export(function: Callable[..., Any], folder: Path | None, arguments: str) -> Any:
    """An intrinsic that calls ``function`` through a slot, by the dtype of its first address."""
    import ctypes

    from llvmlite import binding, ir
    from numba.core import cgutils

    numba = sys.modules["numba"]
    types = numba.types
    name = f"scratchnet_{function.__module__}_{function.__name__}".replace(".", "_")

    def signature(dtype: Any) -> Any:
        kinds = {"p": types.CPointer(dtype), "t": types.CPointer(types.int64), "i": types.intp}
        return types.void(*(kinds[letter] for letter in arguments))

    def prepare(dtype: Any) -> None:
        slot = ctypes.c_void_p()
        prototype = ctypes.CFUNCTYPE(
            None, *(ctypes.c_ssize_t if letter == "i" else ctypes.c_void_p for letter in arguments)
        )

        @prototype
        def first_call(*values: int) -> None:
            with ctrl_c_waits(), compiling:
                if slot.value == beginning and (real := _compiled(signature(dtype), function, folder)) is not None:
                    slot.value = real.address
                    _slots.append(real)
            if slot.value != beginning:
                prototype(slot.value)(*values)

        slot.value = beginning = ctypes.cast(first_call, ctypes.c_void_p).value
        compiling = threading.RLock()
        _slots.extend([slot, first_call])
        binding.add_symbol(f"{name}_{dtype}", ctypes.addressof(slot))

    for dtype in (types.float32, types.float64):
        prepare(dtype)

    def call(typingctx: Any, *given: Any) -> Any:
        dtype = given[0].dtype

        def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            function_type = ir.FunctionType(ir.VoidType(), [context.get_value_type(arg) for arg in sig.args])
            symbol, module = f"{name}_{dtype}", builder.module
            slot = module.globals.get(symbol) or cgutils.add_global_variable(module, function_type.as_pointer(), symbol)
            builder.call(builder.load(slot), values)
            return context.get_dummy_value()

        return signature(dtype), codegen

    # Numba would pack *given into a tuple; show it the same number of named parameters instead.
    names = ["typingctx", *(f"argument{i}" for i in range(len(arguments)))]
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )
    return numba.extending.intrinsic(call)

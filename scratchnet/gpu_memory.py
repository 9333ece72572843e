"""GPU memory: how much is in use, and which batch size would have fit when there was not enough."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .backend import get_backend
from .custom import ours
from .errors import BackendError
from .kernels import cuda

if TYPE_CHECKING:
    from .model import Sequential

GIB = 2**30


def device_memory() -> dict[str, int] | None:
    """Bytes of GPU memory: ``total``, ``free`` for anyone, ``used`` by our arrays; None on a CPU."""
    return cuda.driver().memory() if get_backend() == "cupy" else None


def said(memory: dict[str, int]) -> str:
    """What `device_memory` found, in words."""
    used = f"{memory['used'] / 2**20:,.1f} MiB" if memory["used"] < GIB else f"{memory['used'] / GIB:,.2f} GiB"
    return f"{used} in use, {memory['free'] / GIB:.1f} of {memory['total'] / GIB:.1f} GiB free"


@contextmanager
def explained(model: Sequential, batch_size: int, run: Callable[[int], Any]) -> Iterator[None]:
    """Within the block, when GPU memory runs out, the error names the batch size that would fit.

    Parameters
    ----------
    model : Sequential
    batch_size : int
        That of the block.
    run : callable
        ``run(n)`` allocates all memory that a batch of n samples needs.

    Raises
    ------
    BackendError
        In place of the allocator's error.
    """
    try:
        yield
    except MemoryError as error:
        if get_backend() != "cupy":
            raise
        traceback.clear_frames(error.__traceback__)  # their variables hold on to arrays
    else:
        return
    needs = [_need(model, run, n) for n in (1, 2)]
    _release(model)
    memory = cuda.driver().memory()
    per_sample = max(needs[1] - needs[0], 1)
    room = (memory["free"] - (needs[0] - per_sample - memory["used"])) // per_sample
    # That the arrays fit says nothing if CUDA itself ran out, for a graph or a module: then try a smaller batch.
    fits = _largest(model, run, min(room, batch_size * 9 // 10))
    needed, free, total = per_sample * batch_size / GIB, memory["free"] / GIB, memory["total"] / GIB
    raise BackendError(
        f"the GPU's memory is too small for batch_size={batch_size}, which takes {needed:.2f} GiB; "
        f"{free:.2f} of {total:.2f} GiB are free: "
        + (f"batch_size={fits} would fit" if fits else "not even one sample fits")
    )


def _need(model: Sequential, run: Callable[[int], Any], n: int) -> int:
    """Bytes in use when all memory for a batch of n samples is allocated."""
    _release(model)
    with cuda.silent(), model.reusing_buffers():
        run(n)
    return cuda.driver().memory()["used"]


def _largest(model: Sequential, run: Callable[[int], Any], guess: int) -> int:
    """The guess, or the next smaller batch that really fits: partial sums do not grow in proportion to the batch."""
    while guess > 0:
        try:
            _need(model, run, guess)
        except MemoryError:
            guess = guess * 9 // 10
        else:
            break
    _release(model)
    return max(guess, 0)


def _release(model: Sequential) -> None:
    """Free the memory of all buffers; they are allocated again when needed."""
    for layer in filter(lambda one: ours(type(one)), model.walk()[1:]):  # they hold on to what they computed last
        for name, value in vars(layer).items():
            if cuda.driver().is_array(value):
                setattr(layer, name, None)
    model.buffers.clear()
    cuda.forget_scratch()
    cuda.driver().release()

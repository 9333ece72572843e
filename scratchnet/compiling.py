"""Watching kernels being compiled: the first run of a kernel takes seconds, and a waiting user wants to know why."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from .backend import get_backend
from .kernels import cuda, registry

KERNELS = registry.__name__.rpartition(".")[0]
# CuPy does not tell whether it compiled a kernel or found it in its folder: finding takes milliseconds, NVRTC a second.
LOADED_SECONDS = 0.1


@dataclass
class Compilation:
    """What was compiled inside a `watch` block: names of the kernels, and seconds in all."""

    kernels: list[str] = field(default_factory=list)
    seconds: float = 0.0


@contextmanager
def watch(report: Callable[[str], None]) -> Iterator[Compilation]:
    """Call ``report(kernel)`` for every kernel that is compiled within the block; one from a cache is not reported.

    Numba reports a kernel when compilation begins; on a GPU it is known only when the kernel is ready. NumPy compiles
    nothing.
    """
    done = Compilation()
    watcher = {"numba": _numba, "cupy": _cupy}.get(get_backend())
    with watcher(report, done) if watcher else nullcontext():
        yield done


@contextmanager
def announced(wanted: bool) -> Iterator[Compilation]:
    """`watch`, with one line on stderr when the first kernel is compiled; if it is not wanted, nothing is watched."""

    def told(kernel: str) -> None:
        if len(done.kernels) == 1:
            print("compiling kernels (first run only) ...", file=sys.stderr, flush=True)

    with watch(told) if wanted else nullcontext(Compilation()) as done:
        yield done


@contextmanager
def _cupy(report: Callable[[str], None], done: Compilation) -> Iterator[None]:
    def told(kernel: str, seconds: float) -> None:
        if seconds > LOADED_SECONDS:
            done.kernels.append(kernel)
            done.seconds += seconds
            report(kernel)

    with cuda.loading(told):
        yield


@contextmanager
def _numba(report: Callable[[str], None], done: Compilation) -> Iterator[None]:
    from numba.core import event

    class Listener(event.Listener):
        depth, since = 0, 0.0

        def on_start(self, event: event.Event) -> None:
            if self.depth == 0:
                self.since = time.perf_counter()
            self.depth += 1
            function = event.data["dispatcher"].py_func
            family = function.__module__.rpartition(".")
            if family[0] == KERNELS:  # not Numba's own helpers
                name = f"{family[2]}: {function.__name__.strip('_')}"
                done.kernels.append(name)
                report(name)

        def on_end(self, event: event.Event) -> None:
            self.depth -= 1
            if self.depth == 0:
                done.seconds += time.perf_counter() - self.since

    with event.install_listener("numba:compile", Listener()):
        yield

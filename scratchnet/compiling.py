"""Watching Numba compile: the first run of a kernel takes seconds, and whoever waits wants to know why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .backend import get_backend
from .kernels import registry

KERNELS = registry.__name__.rpartition(".")[0]


@dataclass
class Compilation:
    """What was compiled inside a `watch` block: names of the kernels, and seconds in all."""

    kernels: list[str] = field(default_factory=list)
    seconds: float = 0.0


@contextmanager
def watch(report: Callable[[str], None]) -> Iterator[Compilation]:
    """Call ``report(kernel)`` whenever Numba begins to compile a kernel; one loaded from the cache is not reported.

    Other backends compile nothing that takes time.
    """
    done = Compilation()
    if get_backend() != "numba":
        yield done
        return
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
        yield done

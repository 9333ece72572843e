"""Time by the GPU's own events."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from scratchnet.kernels import cuda


class Stopwatch:
    """Seconds between two places in the stream of launches; by the host's clock where CuPy does not run (in tests)."""

    def __init__(self) -> None:
        self.events: Any = getattr(cuda.driver().xp, "cuda", None)

    def start(self) -> None:
        if self.events is None:
            self.began = perf_counter()
        else:
            self.first, self.last = self.events.Event(), self.events.Event()
            self.first.record()

    def seconds(self) -> float:
        """Wait for what was launched, and tell how long it took."""
        if self.events is None:
            return perf_counter() - self.began
        self.last.record()
        self.last.synchronize()
        return float(self.events.get_elapsed_time(self.first, self.last)) / 1e3

"""One framework in a process of its own, answering JSON lines.

Started as ``python -m benchmarks.worker MODULE VARIANT THREADS FOLDER DEVICE PRECISION``. Device ``host`` is the
CPU with the adapters of the GPU, for their tests.

Each request is ``{"do": command, ...}`` on stdin; each answer is one JSON object on what was stdout, with ``error`` in
it when the command failed. Whatever a framework prints goes to stderr. The worker exits when its stdin closes.
"""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from . import data, limits
from .frameworks import make
from .gpu import adapters
from .networks import Network, initial_weights


def peak_memory() -> int:
    """Largest resident set of this process so far, in bytes (VmHWM: unlike ru_maxrss it starts afresh at exec)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


class Worker:
    """The commands. Arguments and answers are plain JSON."""

    def __init__(
        self, module: str, variant: str, threads: int, folder: Path, device: str = "cpu", precision: str = "float32"
    ) -> None:
        self.module, self.variant, self.threads, self.folder = module, variant, threads, folder
        self.device, self.precision = device, precision
        self.cursor = 0

    def start(self) -> dict[str, Any]:
        """Import the framework."""
        if self.device == "cpu":
            self.adapter = make(self.module, self.variant, self.threads)
        else:
            device = "cpu" if self.device == "host" else self.device
            self.adapter = adapters.make(self.module, self.variant, self.threads, device, self.precision)
        return {}

    def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        """What a function of gpu/measuring.py finds on the GPU, with this adapter."""
        from .gpu import measuring

        found: dict[str, Any] = getattr(measuring, function)(self.adapter, **arguments)
        return found

    def build(self, network: dict[str, Any], dropout: bool = True) -> dict[str, Any]:
        """Make the network from the common initial weights."""
        self.network = Network.from_json(network)
        built = self.network if dropout else self.network.without_dropout()
        self.adapter.build(built, initial_weights(built))
        self.cursor = 0
        return {}

    def load(self, steps: int | None = None) -> dict[str, Any]:
        """Put an epoch's batches into memory."""
        self.adapter.load(*data.epoch(self.folder, self.network, steps))
        return {"batches": len(self.adapter.batches)}

    def losses(self, steps: int) -> dict[str, Any]:
        """The first losses from the initial weights."""
        return {"losses": self.adapter.losses(steps)}

    def time(self, steps: int) -> dict[str, Any]:
        """Seconds for ``steps`` training steps, after a few that are not counted: the process has just been asleep."""
        self._run(max(2, steps // 20))
        seconds, loss = self._run(steps)
        return {"seconds": seconds, "loss": loss}

    def _run(self, steps: int) -> tuple[float, float]:
        seconds, loss = 0.0, math.nan
        while steps:
            count = min(steps, len(self.adapter.batches) - self.cursor)
            taken, loss = self.adapter.run(self.cursor, count)
            self.cursor = (self.cursor + count) % len(self.adapter.batches)
            seconds += taken
            steps -= count
        return seconds, loss

    def load_rows(self, split: str, rows: int) -> dict[str, Any]:
        """The first rows of a split as arrays in memory, for ``fit`` or ``predict``."""
        images = data.read(self.folder, self.network.data, f"x_{split}")[:rows]
        self.x = data.pixels(images, self.network.shape)
        self.y = data.read(self.folder, self.network.data, f"y_{split}")[:rows].astype(np.int64)
        return {"rows": len(self.x)}

    def fit(self, rows: int) -> dict[str, Any]:
        """Seconds for one epoch over the first ``rows`` of the rows in memory, metrics included."""
        began = perf_counter()
        loss, accuracy = self.adapter.fit(self.x[:rows], self.y[:rows], self.network.batch)
        return {"seconds": perf_counter() - began, "loss": loss, "accuracy": accuracy}

    def predict(self, batch: int, keep: int = 0) -> dict[str, Any]:
        """Seconds for the outputs of all rows in memory; the first ``keep`` outputs come back."""
        began = perf_counter()
        outputs = self.adapter.predict(self.x, batch)
        return {"seconds": perf_counter() - began, "outputs": outputs[:keep].astype(float).tolist()}

    def tutorial(self, network: dict[str, Any], rows: int) -> dict[str, Any]:
        """A tutorial from its files to its test accuracy, one epoch, as a script does it; and its peak memory."""
        self.start()
        imported = peak_memory()
        self.build(network)
        arrays = {split: data.read(self.folder, self.network.data, split, mapped=False) for split in data.SPLITS}
        x = self.adapter.images(arrays["x_train"][:rows], self.network.shape)
        self.adapter.fit(x, arrays["y_train"][:rows].astype(np.int64), self.network.batch)
        x_test = self.adapter.images(arrays["x_test"], self.network.shape)
        outputs = self.adapter.predict(x_test, self.network.batch)
        accuracy = float((outputs.argmax(1) == arrays["y_test"]).mean())
        return {"accuracy": accuracy, "bytes": peak_memory(), "after_import": imported}

    def limits(self, seconds: float) -> dict[str, Any]:
        """What the machine can do at best with this process's threads."""
        return limits.measure(self.threads, seconds)

    def kernels(self, seconds: float) -> dict[str, Any]:
        """Every op that one training step calls, timed by itself."""
        from .opcalls import time_ops

        return {"ops": time_ops(self.adapter, seconds)}


def main() -> None:
    module, variant, threads, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    device, precision = sys.argv[5:7]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Pools are sized by the cores that a process may use: this limits even a framework that has no switch for it.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    worker = Worker(module, variant, threads, folder, device, precision)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            traceback.print_exc()
            said = str(error).strip().splitlines()
            answer = {"error": f"{type(error).__name__}: {said[0] if said else ''}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()

"""A second process that compiles the kernels of a step from its end, while this one compiles them from its beginning.

Numba compiles one function at a time, however many cores there are. The two processes meet in the middle: what one has
compiled, the other finds in the cache. On two cores the first run of `quickstart` waits 8 s for its kernels instead of
15, and finishes after 15 s instead of 24.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from .backend import set_backend, threads
from .checkpoint import load_model
from .errors import ScratchnetError
from .kernels.kernel_cache import kept
from .kernels.launching import Launch, launch, noting
from .model import Sequential

# With this process's path: a checkout in the working directory may be another package, with its own cache.
PROGRAM = f"""
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from {__name__} import main
main(*sys.argv[2:])
"""
TWIN = "twin.safetensors"


class Helper:
    """Compiles what a model's step needs, from `start` to the end of the block.

    Parameters
    ----------
    twin : Sequential
        Compiled.
    batch : int
    targets : array
        As the loss takes them; only shape and dtype matter.
    """

    def __init__(self, twin: Sequential, batch: int, targets: Any) -> None:
        self.twin, self.settings = twin, [str(batch), targets.dtype.str, *map(str, targets.shape[1:])]
        self.begun = False
        self.process: subprocess.Popen[bytes] | None = None
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Helper:
        return self

    def start(self) -> None:
        """Begin, once, if there are a second core and a cache; otherwise this process compiles everything itself."""
        if self.begun or threads() == 1 or not kept():
            return
        self.begun = True
        with contextlib.suppress(OSError, ScratchnetError):
            self.folder = tempfile.TemporaryDirectory(prefix="scratchnet-")
            self.twin.save(Path(self.folder.name) / TWIN)
            command = [sys.executable, "-c", PROGRAM, json.dumps(sys.path), self.folder.name, *self.settings]
            self.process = subprocess.Popen(  # in its own session: Ctrl-C goes to this process, which ends the other
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        if self.folder is not None:
            self.folder.cleanup()


def launches_of(model: Sequential, batch: int, targets: np.ndarray) -> list[Launch]:
    """The launches of a model's step, without running them."""
    trainer = model.trainer()
    x = np.zeros((batch, *model.input_shape), model.dtype)
    with trainer.running(), noting(silent=True) as launches:
        trainer.step(x, targets, trainer.weights(batch))
    return launches


def _end_with_the_other(folder: str) -> None:
    """Wait until the process that holds the other end of standard input has ended, however it did; then clear up."""
    os.read(0, 1)  # nothing is ever written: this returns when the pipe is closed
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main(folder: str, batch: str, dtype: str, *shape: str) -> None:
    """The second process."""
    threading.Thread(target=_end_with_the_other, args=(folder,), daemon=True).start()
    set_backend("numba")
    targets = np.zeros((int(batch), *map(int, shape)), dtype)
    for one in reversed(launches_of(load_model(Path(folder) / TWIN), int(batch), targets)):
        launch(one.kernel, 0, *one.arguments)  # with no tasks: compiled or found in the cache, but not run

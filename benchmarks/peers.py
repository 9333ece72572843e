"""The parent's hold on a worker: start it, ask it something, put it to sleep."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .frameworks import Framework

TIMEOUT = 1800.0


class PeerError(RuntimeError):
    """A worker that failed, died or did not answer; one line that says which and why."""


CPU_ONLY = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
# Nobody takes all of the GPU's memory for itself: the others sleep with theirs.
ON_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def environment(threads: int, extra: Mapping[str, str] | None = None, device: str = "cpu") -> dict[str, str]:
    """What every worker runs under: the same number of threads for every pool, quiet logs; no GPU unless it is timed.

    OMP_WAIT_POLICY is left alone: each framework keeps the one that its users get.
    """
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    settings = dict.fromkeys(pools, str(threads)) | {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
    return {**os.environ, **settings, **(ON_GPU if device == "cuda" else CPU_ONLY), **(extra or {})}


class Peer:
    """One worker process, killed when the ``with`` block ends.

    Between its turns it is stopped with SIGSTOP: whatever its idle threads do, they do not do it on the cores that
    another framework is being timed on. A parent that dies leaves no stopped workers behind: the system sends SIGHUP
    and SIGCONT to a process group that is orphaned with stopped members (POSIX), and that ends them.
    """

    def __init__(
        self, framework: Framework, threads: int, folder: Path, extra: Mapping[str, str] | None = None,
        device: str = "cpu", precision: str = "float32",
    ) -> None:  # fmt: skip
        self.name = framework.name
        self.log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed by close)
        command = [sys.executable, "-m", "benchmarks.worker", framework.module, framework.variant]
        command += [str(threads), str(folder), device, precision]
        self.process = subprocess.Popen(
            command,
            cwd=Path(__file__).parent.parent,
            env=environment(threads, extra, device),
            text=True,
            process_group=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )

    def ask(self, command: str, timeout: float = TIMEOUT, **arguments: Any) -> dict[str, Any]:
        """Send one command and wait for its answer.

        Raises
        ------
        PeerError
            The command failed, the process died, or nothing came within ``timeout`` seconds.
        """
        requests, answers = self.process.stdin, self.process.stdout
        assert requests is not None
        assert answers is not None
        try:
            requests.write(json.dumps({"do": command, **arguments}) + "\n")
            requests.flush()
        except BrokenPipeError:
            raise PeerError(f"{self.name}: the process is gone: {self._last_words()}") from None
        if not select.select([answers], [], [], timeout)[0]:
            raise PeerError(f"{self.name}: no answer to {command!r} within {timeout:g} s")
        line = answers.readline()
        if not line:
            raise PeerError(f"{self.name}: the process ended with {self.process.wait()}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self.name}: {command}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        self.log.seek(0)
        lines = [line for line in self.log.read().splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it said nothing"

    def sleep(self) -> None:
        """Stop the process, its threads and its children."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, all its threads, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with suppress(BrokenPipeError):  # a request that the dead process has not read
                    pipe.close()
        self.log.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

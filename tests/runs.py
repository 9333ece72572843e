"""Training runs as processes: to their end, stopped on the way at random moments, or watched while they write."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

TRAINEE = [sys.executable, str(Path(__file__).parent / "trainee.py")]
CLI = [sys.executable, "-c", "import sys, scratchnet_train; sys.exit(scratchnet_train.main())"]  # as scratchnet-train
LEFT = ("result.json", "log.csv", "best.safetensors")  # what the trainee leaves
TRACED = "trace=openat,fsync,rename,renameat,renameat2,write,pwrite64,writev"


def finished(*command: Any) -> tuple[int, str]:
    """Run a command to its end; its exit code and what it said on standard error."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def outcome(folder: Path, names: tuple[str, ...] = LEFT) -> dict[str, bytes]:
    """What two runs must have in common to the bit."""
    return {name: (folder / name).read_bytes() for name in names}


def stopped_until_done(
    command: list[Any], random: np.random.Generator, most: int, number: int, longest: float, after: str = "training\n"
) -> int:
    """Start a command again and again, stopping it ``most`` times at random moments, until it ends by itself.

    A moment is up to ``longest`` seconds after the process has printed ``after`` (or after its start, where that is
    empty). Every stop must come within 5 s, with the exit code that belongs to the signal. Returns how many there were.
    """
    stops = 0
    while True:
        with subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            began = not after or process.stdout.readline() == after
            if began and stops < most:
                time.sleep(random.uniform(0, longest))
                process.send_signal(number)
            since = time.perf_counter()
            _, said = process.communicate(timeout=300)
            seconds = time.perf_counter() - since
        assert "Traceback" not in said, said
        if process.returncode == 0:
            return stops
        assert process.returncode in (-number, 128 + number), f"exit code {process.returncode}: {said}"
        assert number == signal.SIGKILL or seconds < 5, f"took {seconds:.1f} s to stop"
        stops += 1


def order_on_disk(log: str, folder: Path, names: str) -> int:
    """Read a log of ``strace -f -y``: how many files of these names (a pattern) were put in place under a folder.

    Each must have been written under another name in its folder, fsynced, renamed, and then its folder fsynced.
    """
    where = re.escape(str(folder.resolve())) + r"(?:/[\w-]+)?"
    renames, written, synced, waiting = 0, set(), set(), ""
    for line in log.splitlines():
        if found := re.search(rf"write\w*\(\d+<({where}/[^>]+)>", line):
            written.add(found[1])
            synced.discard(found[1])
        elif found := re.search(rf"fsync\(\d+<({where}(?:/[^>]+)?)>\) += 0", line):
            synced.add(found[1])
            waiting = "" if waiting == found[1] else waiting
        elif found := re.search(r'rename\w*\((?:AT_FDCWD\S*, )?"([^"]+)", (?:AT_FDCWD\S*, )?"([^"]+)".* = 0', line):
            source, target = (str(Path(name).resolve()) for name in found.groups())
            if re.fullmatch(rf"{where}/(?:{names})", target):
                assert not waiting, f"the folder was not fsynced before: {line}"
                assert source.endswith(".part"), line
                assert Path(source).parent == Path(target).parent, line
                assert source in written, line
                assert source in synced, f"renamed before it was on disk: {line}"
                waiting = str(Path(target).parent)
                renames += 1
        elif re.search(rf'openat\([^"]*"{where}/(?:{names})", O_(?:WRONLY|RDWR)', line):
            raise AssertionError(f"written in place: {line}")
    assert not waiting, f"the folder was not fsynced: {waiting}"
    return renames

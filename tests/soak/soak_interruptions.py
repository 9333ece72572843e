"""Runs that are killed, stopped, or lose their disk, and then go on."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import runs
from soak_common import Context, Figure, Tally
from soak_runs import Runs, whole_files

MOST = {"write": 500, "fsync": 40, "rename": 20}  # how often a run of the trainee does it, at least
FAULTY = """
import sys
sys.path[:0] = [{tests!r}]
import faults
from scratchnet import cli
with faults.injected(sys.argv[1]) as fault:
    code = cli.main(sys.argv[2:])
print("struck" if fault.struck else "complete")
sys.exit(code)
"""


def _stopped_once(
    command: list[Any], folder: Path, random: np.random.Generator, number: int, longest: float,
    after: str = "training\n",
) -> None:  # fmt: skip
    """Stop a run once at a random moment and resume it; if it had ended before that moment, start again."""
    while not runs.stopped_until_done(command, random, 1, number, longest, after):
        shutil.rmtree(folder)


def kills_training(context: Context) -> Iterator[Figure]:
    """kill -9 at random moments of a training; each run is then resumed to its end."""
    these = Runs(context)
    for kind, count in ((("trainee", "numpy"), 60), (("trainee", "numba"), 40)):
        tally = Tally()
        for number in tally.numbers(context.count(count)):
            with tally.trial(f"{kind} {number}"):
                folder = context.folder / "run"
                command = these.trainee(folder, kind[1])
                longest = 0.4 if kind[1] == "numpy" else 1.0
                _stopped_once(command, folder, context.random(number), signal.SIGKILL, longest)
                these.check(kind, folder)
            shutil.rmtree(folder, ignore_errors=True)
        yield tally.figure(f"kill -9 while training, {kind[1]}: the same bits", "{good} of {trials} ends, {bad} lost")


def kills_saving(context: Context) -> Iterator[Figure]:
    """kill -9 at every kind of moment of a save."""
    these, tally = Runs(context), Tally()
    for number in tally.numbers(context.count(50)):
        random = context.random(1000 + number)
        kind = ("write", "fsync", "rename")[number % 3]
        fault = f"{kind}:{random.integers(1, MOST[kind])}:kill-"
        fault += ["before", "after"][number // 3 % 2]
        with tally.trial(fault):
            folder = context.folder / "run"
            command = these.trainee(folder, "numpy")
            assert runs.finished(*command, "--fault", fault)[0] == -signal.SIGKILL
            assert runs.finished(*command)[0] == 0
            these.check(("trainee", "numpy"), folder)
            assert not list(folder.glob("checkpoint*.part"))
        shutil.rmtree(folder, ignore_errors=True)
    text = "{good} of {trials} ends, {bad} lost"
    yield tally.figure("kill -9 inside a write, around an fsync or a rename: the same bits", text)


def kills_command(context: Context) -> Iterator[Figure]:
    """kill -9 of the command line at any moment."""
    these, tally, folder = Runs(context), Tally(), context.folder / "run"
    assert runs.finished(*these.command_line(folder))[0] == 0
    these.check(("command",), folder)
    shutil.rmtree(folder)
    for number in tally.numbers(context.count(50)):
        with tally.trial(f"command line {number}"):
            command, random = these.command_line(folder), context.random(2000 + number)
            _stopped_once(command, folder, random, signal.SIGKILL, these.seconds(("command",)), after="")
            these.check(("command",), folder)
        shutil.rmtree(folder, ignore_errors=True)
    text = "{good} of {trials} ends, {bad} lost"
    yield tally.figure("kill -9 of scratchnet-train at any moment: the same bits", text)


def signals(context: Context) -> Iterator[Figure]:
    """SIGINT and SIGTERM at random moments: half of them while training, half at any moment of the command line."""
    these = Runs(context)
    for name in ("SIGINT", "SIGTERM"):
        tally, number = Tally(), getattr(signal, name)
        for trial in tally.numbers(context.count(50)):
            random, folder = context.random(int(number) * 1000 + trial), context.folder / "run"
            with tally.trial(f"{name} {trial}"):
                if trial % 2:
                    _stopped_once(these.trainee(folder, "numpy"), folder, random, number, 0.4)
                    these.check(("trainee", "numpy"), folder)
                else:
                    _stopped_once(these.command_line(folder), folder, random, number, 3.0, after="")
                    these.check(("command",), folder)
            shutil.rmtree(folder, ignore_errors=True)
        yield tally.figure(f"{name}: stops within 5 s, exit {128 + number}, then the same bits")


def failing_once(context: Context) -> Iterator[Figure]:
    """The N-th write, fsync or rename of a run of scratchnet-train fails, for N = 1, 2, ... until it completes."""
    yield _failing(context, "once")


def failing_on(context: Context) -> Iterator[Figure]:
    """That and all later ones."""
    yield _failing(context, "forever")


def _failing(context: Context, how: str) -> Figure:
    these = Runs(context)
    code = FAULTY.format(tests=str(Path(runs.__file__).parent))
    tally, step = Tally(), max(1, round(1 / context.scale))
    number, done = 1, False
    while not done and tally.trials < 2000:
        number = 1 + step * tally.trials  # one that was not counted is tried again
        folder = context.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        options = these.command_line(folder, "--epochs", 2)[len(runs.CLI) :]
        with tally.trial(f"any:{number}:{how}"):
            result = subprocess.run(
                [sys.executable, "-c", code, f"any:{number}:{how}", *map(str, options)],
                capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            done = result.stdout.endswith("complete\n")
            assert "Traceback" not in result.stderr, result.stderr
            assert (result.returncode == 0) == done, f"exit code {result.returncode}"
            if not done:
                assert result.stderr.count("\n") == 1, result.stderr
                assert re.search("No space left on device|Input/output error", result.stderr), result.stderr
                whole_files(folder)
                assert runs.finished(*these.command_line(folder, "--epochs", 2))[0] == 0
            these.check(("command", "--epochs", "2"), folder)
    text = f"N = 1 to {number}: {{bad}} damaged or lost, {{good}} went on to the same bits"
    return tally.figure(f"the N-th write, fsync or rename fails {how}", text)


def order(context: Context) -> Iterator[Figure]:
    """What strace sees of the files that a run puts in place."""
    these, tally, count = Runs(context), Tally(), 0
    strace = shutil.which("strace")
    if strace is None:
        yield Figure("temporary file, fsync, rename, fsync of the folder", "not tried: strace is not installed", True)
        return
    for name, command, names in (
        ("trainee", these.trainee(context.folder / "a", "numpy"), r"(?:checkpoint-[ab]|best)\.safetensors"),
        ("command", these.command_line(context.folder / "b"), r"[\w-]+\.(?:safetensors|toml|json|jsonl|csv|txt|png)"),
    ):
        with tally.trial(name):
            log = context.folder / "log"
            words = [strace, "-f", "-y", "-e", runs.TRACED, "-o", log, *command]
            assert runs.finished(*words)[0] == 0
            count += runs.order_on_disk(log.read_text(), Path(command[-1] if name == "command" else command[3]), names)
    yield tally.figure("temporary file, fsync, rename, fsync of the folder", f"{count} files, {{bad}} out of order")

"""Disks that are full or read-only, and folders that go away, under a run of scratchnet-train."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import runs
from soak_common import Context, Figure, Tally
from soak_runs import Runs, whole_files

from scratchnet import checkpoint


def disks(context: Context) -> Iterator[Figure]:
    """A full disk, one that becomes read-only, and a folder that is deleted, each under a run of scratchnet-train."""
    these = Runs(context)
    assert runs.finished(*these.command_line(context.folder / "first"))[0] == 0
    these.check(("command",), context.folder / "first")
    mounted = context.folder / "mounted"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "soak", mounted], capture_output=True).returncode:
        yield Figure("full and read-only disks", "not tried: mounting is not allowed here", True)
    else:
        try:
            yield _too_small(these, mounted, context)
            yield _while_running(these, mounted, "fills up while a run goes on", _fill, _empty, context.count(4))
            yield _while_running(these, mounted, "becomes read-only while a run goes on", _read_only, _writable, 2)
            yield _read_only_from_the_start(these, mounted)
        finally:
            subprocess.run(["umount", mounted], check=True)
    yield _deleted(these, context)


def _mount_again(mounted: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", mounted], check=True, capture_output=True)


def _fill(mounted: Path) -> None:
    with open(mounted / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


def _empty(mounted: Path) -> None:
    (mounted / "filler").unlink()


def _read_only(mounted: Path) -> None:
    _mount_again(mounted, "ro")


def _writable(mounted: Path) -> None:
    _mount_again(mounted, "rw")


def _one_line(result: subprocess.CompletedProcess[str], codes: tuple[int, ...]) -> str:
    assert result.returncode in codes, f"exit code {result.returncode}: {result.stderr}"
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("scratchnet-train: "), result.stderr
    return result.stderr


def _run(command: list[Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)


def _too_small(these: Runs, mounted: Path, context: Context) -> Figure:
    """Disks of all sizes, until one is large enough."""
    tally, folder, before = Tally(), mounted / "run", 0
    for size in range(64, 3000, max(64, round(64 / context.scale))):
        _mount_again(mounted, f"size={size}k")
        result = _run(these.command_line(folder))
        if result.returncode == 0:
            break
        with tally.trial(f"{size} kB"):
            said = _one_line(result, (1, 2))
            assert "No space left on device" in said or "the disk has" in said, said
            whole_files(folder)
            before += not any((folder / "checkpoints" / name).exists() for name in checkpoint.NAMES)
            _mount_again(mounted, "size=64m")
            if folder.exists():
                assert runs.finished(*these.command_line(folder))[0] == 0
                these.check(("command",), folder)
        shutil.rmtree(folder, ignore_errors=True)
    _mount_again(mounted, "size=64m")
    shutil.rmtree(folder, ignore_errors=True)
    text = f"64 to {size} kB: {{good}} of {{trials}} said so and went on later, {before} of them before training"
    return tally.figure("a disk that is too small", text)


def _while_running(
    these: Runs, mounted: Path, what: str, spoil: Callable[[Path], None], mend: Callable[[Path], None], count: int
) -> Figure:
    tally, folder = Tally(), mounted / "run"
    for number in range(count):
        with tally.trial(f"{what} {number}"):
            process = _begun(these, folder, number)
            spoil(mounted)
            process.communicate(timeout=60)
            assert process.returncode == 1, f"exit code {process.returncode}"
            whole_files(folder)
            mend(mounted)
            assert runs.finished(*these.command_line(folder))[0] == 0
            these.check(("command",), folder)
        shutil.rmtree(folder, ignore_errors=True)
    return tally.figure(f"a disk that {what}", "{good} of {trials}: exit 1, the last checkpoint whole, same bits later")


def _begun(these: Runs, folder: Path, number: int = 0, *more: Any) -> subprocess.Popen[str]:
    """A run that has ended an epoch (and a bit)."""
    command = [str(word) for word in these.command_line(folder, *more) if word != "-q"]
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "epoch":
            break
    time.sleep(0.02 * number)
    return process


def _read_only_from_the_start(these: Runs, mounted: Path) -> Figure:
    tally = Tally()
    _read_only(mounted)
    with tally.trial("read-only"):
        assert "Read-only file system" in _one_line(_run(these.command_line(mounted / "new")), (2,))
    _writable(mounted)
    return tally.figure("a read-only folder is said before training", "{good} of {trials}: exit 2, one line")


def _deleted(these: Runs, context: Context) -> Figure:
    tally = Tally()
    for number in range(context.count(4)):
        folder, moved = context.folder / "run", context.folder / "moved"
        with tally.trial(f"moved away {number}"):
            process = _begun(these, folder, number)
            os.rename(folder, moved)
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1, f"exit code {process.returncode}"
            assert "Traceback" not in said
            assert "No such file or directory" in said, said
            whole_files(moved)
            assert not folder.exists()
            assert runs.finished(*these.command_line(moved))[0] == 0
            these.check(("command",), moved)
        shutil.rmtree(moved, ignore_errors=True)
        with tally.trial(f"deleted {number}"):
            process = _begun(these, folder, number, "--epochs", 100)  # it must not end before the folder is gone
            while folder.exists() and process.poll() is None:  # it may write a file while they are removed
                shutil.rmtree(folder, ignore_errors=True)
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1, f"exit code {process.returncode}"
            assert "Traceback" not in said
        shutil.rmtree(folder, ignore_errors=True)
    return tally.figure("a folder that is deleted or moved under a run", "{good} of {trials}: exit 1, said so")

"""A second process compiles from the end of a step; the first finds its kernels in the cache, and does without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import compile_ahead
from scratchnet import layers as L  # noqa: N812

TRAINS = """
import json, sys
import numpy as np
import scratchnet as sn
from scratchnet.compiling import watch

model = sn.load_model(sys.argv[1])
with watch(lambda kernel: None) as done:
    for _ in range(3):
        model.train_on_batch(np.random.default_rng(0).random((8, 6, 6, 1)), np.arange(8) % 3)
print(json.dumps(done.kernels))
"""


@pytest.fixture
def twin() -> sn.Sequential:
    model = sn.Sequential(
        [
            L.Input((6, 6, 1)),
            L.Conv2D(4, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Dropout(0.5),
            L.Flatten(),
            L.Dense(3),
        ]
    )
    model.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wherever the tests run."""
    monkeypatch.setattr(compile_ahead, "threads", lambda: 2)
    with sn.use_backend("numba"):
        yield


def test_what_the_second_process_compiles_the_first_finds(twin: sn.Sequential, tmp_path: Path) -> None:
    path, environment = tmp_path / compile_ahead.TWIN, {**os.environ, "SCRATCHNET_CACHE": str(tmp_path / "cache")}
    twin.save(path)

    def run(*command: str) -> str:
        with subprocess.Popen(
            [sys.executable, *command], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.wait(timeout=300) == 0  # standard input stays open until then
            assert process.stdout is not None
            return process.stdout.read()

    assert run("-c", compile_ahead.PROGRAM, json.dumps(sys.path), str(tmp_path), "8", "<i4") == ""
    compiled = json.loads(run("-c", TRAINS, str(path)))
    # The product is compiled when it is called.
    assert {name.partition(":")[0] for name in compiled} <= {"program", "gemm"}


def test_launches_of_a_step_are_noted_and_not_run(twin: sn.Sequential) -> None:
    before = twin.get_weights()
    launches = compile_ahead.launches_of(twin, 8, np.zeros(8, np.int32))
    names = [launch.kernel.py_func.__name__ for launch in launches]
    assert names[0] == "_forward"
    assert names[-1] == "_adam"
    assert {"_drop", "_sparse", "_max_backward"} <= set(names)
    for one, other in zip(before, twin.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_begins_once_and_ends_with_the_block(twin: sn.Sequential) -> None:
    with compile_ahead.Helper(twin, 8, np.zeros(8, np.int32)) as helper:
        helper.start()
        process, folder = helper.process, helper.folder
        helper.start()
        assert helper.process is process
        assert process is not None
        assert os.listdir(folder.name) == ["twin.safetensors"]
    assert process.poll() is not None
    assert not Path(folder.name).exists()


BEGINS = """
import sys, time
import numpy as np
import scratchnet as sn
from scratchnet import compile_ahead

compile_ahead.threads = lambda: 2
sn.set_backend("numba")
with compile_ahead.Helper(sn.load_model(sys.argv[1]), 8, np.zeros(8, np.int32)) as helper:
    helper.start()
    print(helper.process.pid, flush=True)
    time.sleep(float(sys.argv[2]))
    print("compiling", flush=True)
    time.sleep(600)
"""


def runs(number: int) -> bool:
    """Whether a process does; one that has ended waits as a zombie where nobody asks for its exit code."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("number", "seconds"), [(signal.SIGKILL, 0.0), (signal.SIGHUP, 3.0)])
def test_it_ends_with_a_process_that_is_killed(
    twin: sn.Sequential, tmp_path: Path, number: signal.Signals, seconds: float
) -> None:
    """It compiled on for half a minute, and its folder stayed for good."""
    twin.save(tmp_path / "model.safetensors")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "SCRATCHNET_CACHE": str(tmp_path / "cache"), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", BEGINS, str(tmp_path / "model.safetensors"), str(seconds)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        helper = int(process.stdout.readline())
        assert process.stdout.readline() == "compiling\n"
        assert len(os.listdir(temporary)) == 1
        process.send_signal(number)
    end = time.monotonic() + 15
    while runs(helper) and time.monotonic() < end:
        time.sleep(0.05)
    assert not runs(helper)
    assert os.listdir(temporary) == []


def test_it_imports_what_this_process_has_imported(
    twin: sn.Sequential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a checkout of another version it compiled for that one."""
    (tmp_path / "scratchnet").mkdir()
    (tmp_path / "scratchnet" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with compile_ahead.Helper(twin, 8, np.zeros(8, np.int32)) as helper:
        helper.start()
        assert helper.process is not None
        assert helper.process.wait(timeout=300) == 0


@pytest.mark.parametrize("case", ["one core", "no cache", "no second process", "no room", "never started"])
def test_without_it(case: str, twin: sn.Sequential, monkeypatch: pytest.MonkeyPatch) -> None:
    if case == "one core":
        monkeypatch.setattr(compile_ahead, "threads", lambda: 1)
    elif case == "no cache":
        monkeypatch.setattr(compile_ahead, "kept", lambda: False)
    elif case == "no second process":
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
    elif case == "no room":
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with compile_ahead.Helper(twin, 8, np.zeros(8, np.int32)) as helper:
        if case != "never started":
            helper.start()
        assert helper.process is None

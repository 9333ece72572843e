"""What happens where compiled code calls Python for the first time, and that kept machine code is whole or not used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scratchnet.kernels import exported, kernel_cache

import scratchnet as sn

PROGRAM = """
import hashlib, os, signal, sys, threading, time
import numpy as np
import scratchnet as sn
from scratchnet import layers as L

def interrupt():
    main = threading.main_thread().ident
    while True:
        frame = sys._current_frames().get(main)
        while frame and frame.f_code.co_name != "first_call":
            frame = frame.f_back
        if frame:
            return os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.0002)

sn.utils.set_random_seed(0)
rng = np.random.default_rng(0)
x, y = rng.random((64, 64), dtype="f"), rng.integers(0, 10, 64)
model = sn.Sequential([L.Dense(128, activation="relu", input_shape=(64,)), L.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
before = model.get_weights()
if sys.argv[1] == "interrupt":
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        model.train_on_batch(x, y)
    except KeyboardInterrupt:
        print("interrupted", all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())))
model.train_on_batch(x, y)
print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""


ADD = """
import numpy as np, scratchnet as sn
sn.set_backend("numba")
y = np.empty(5)
sn.backend.ops.add(np.arange(5.0), np.ones(5), y)
print(y.tolist() == [1, 2, 3, 4, 5])
"""


def run(program: str, how: str = "", **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, how],
        capture_output=True, text=True, env={**os.environ, **environment}, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_ctrl_c_in_the_first_call_of_a_helper_is_raised_and_changes_nothing() -> None:
    """It was dropped, the product never computed, and training went on with what was in its memory."""
    (right,) = run(PROGRAM)
    assert run(PROGRAM, "interrupt") == ["interrupted", "True", right]


def test_damaged_files_of_the_cache_are_compiled_again(tmp_path: Path) -> None:
    """A changed bit in machine code ended the program, or made it compute something else."""
    assert run(ADD, SCRATCHNET_CACHE=str(tmp_path)) == ["True"]
    files = sorted(tmp_path.rglob("*.nb?"))
    assert len(files) >= 6
    for number, file in enumerate(files):
        content = bytearray(file.read_bytes())
        if number % 3 == 0:
            content[len(content) * 2 // 3] ^= 4
        file.write_bytes([bytes(content), bytes(len(content)), content[:100]][number % 3])
    assert run(ADD, SCRATCHNET_CACHE=str(tmp_path)) == ["True"]


class Cfunc:
    """Stands for `numba.cfunc`: fails some times, then returns something with an address."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures, self.cached = list(failures), []

    def __call__(self, signature: Any, cache: bool, **options: Any) -> Any:
        self.cached.append(cache)
        if self.failures:
            raise self.failures.pop(0)
        return lambda function: "compiled"


@pytest.mark.parametrize(
    ("failures", "result", "raised"),
    [
        ([], "compiled", None),
        ([OSError("disk full")], "compiled", None),
        ([KeyboardInterrupt()], "compiled", KeyboardInterrupt),
        ([MemoryError(), MemoryError("none left")], None, MemoryError),
    ],
    ids=["well", "no room in the cache", "interrupted", "cannot be compiled"],
)
def test_a_helper_that_fails_to_compile(
    failures: list[BaseException], result: Any, raised: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import numba

    with sn.use_backend("numba"):
        pass
    cfunc = Cfunc(*failures)
    monkeypatch.setattr(numba, "cfunc", cfunc)
    assert exported._compiled(None, lambda: None, tmp_path) == result
    assert cfunc.cached == [True, False][: len(cfunc.cached)]
    if raised is None:
        assert exported.late == []
    else:
        with pytest.raises(raised):
            exported.raise_late()
        assert exported.late == []


def testctrl_c_waits_for_a_helper_and_comes_then() -> None:
    with exported.ctrl_c_waits():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        exported.raise_late()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_launch_raises_what_came_during_it() -> None:
    with sn.use_backend("numba"):
        y = np.empty(3)
        exported.late.append(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            sn.backend.ops.add(np.ones(3), np.ones(3), y)
        assert y.tolist() == [2, 2, 2]


def test_a_disk_that_fills_up_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = kernel_cache._own_files()(str(tmp_path), "one", "stamp")
    files.save("key", {"code": 1})
    assert files.load("key") == {"code": 1}
    assert files.load("other") is None

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_open_for_write", full)
    files.save("other", {"code": 2})
    assert files.load("other") is None
    monkeypatch.undo()
    (data,) = tmp_path.glob("*.nbc")
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    assert files.load("key") is None
    (index,) = tmp_path.glob("*.nbi")
    index.unlink()
    index.mkdir()
    assert files.load("key") is None
    files.save("key", {"code": 3})

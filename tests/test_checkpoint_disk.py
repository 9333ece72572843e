"""Saving on disks that are full or fail, and the order in which things get there."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys

import faults
import pytest
import runs
import trainee
from checkpoints import X, Y, tiny

import scratchnet as sn
from scratchnet import checkpoint


@pytest.fixture(autouse=True)
def _numpy_backend():
    with sn.use_backend("numpy"):
        yield


def test_a_failing_disk_never_damages_what_was_there(tmp_path):
    model, path = tiny(), tmp_path / "model.safetensors"
    for how in ("once", "forever"):
        for number in range(1, 200):
            model.save(path)
            before, old = path.read_bytes(), model.get_weights()[0].copy()
            model.fit(X, Y, epochs=1, verbose=0)
            with faults.injected(f"any:{number}:{how}") as fault:
                said = problem(model, path)
            if not fault.struck:
                break
            assert re.fullmatch(
                r".*/model\.safetensors: cannot be written: (No space left on device|Input/output error)", said
            )
            after = path.read_bytes()
            weights = sn.load_model(path).get_weights()[0]
            assert after == before or not (weights == old).all()  # the fsync of the folder comes after the rename
            assert os.listdir(tmp_path) == ["model.safetensors"]
        assert number > 10


def problem(model, path):
    """What a model that cannot be saved says."""
    try:
        model.save(path)
    except checkpoint.SaveError as error:
        return str(error)
    return ""


def test_a_full_disk(tmp_path):
    """A real one: the system refuses to let a file grow beyond a limit."""
    code = (
        "import resource, sys, scratchnet as sn\n"
        "sn.set_backend('numpy')\n"
        "model = sn.Sequential([sn.layers.Dense(300, input_shape=(300,))])\n"
        "model.save(sys.argv[1])\n"
        "before = open(sys.argv[1], 'rb').read()\n"
        "for limit in (0, 1, 4096, 200000, len(before) - 1):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))\n"
        "    try:\n"
        "        model.save(sys.argv[1])\n"
        "    except sn.checkpoint.SaveError as error:\n"
        "        print(error)\n"
        "    assert open(sys.argv[1], 'rb').read() == before\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "m.safetensors"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{tmp_path / 'm.safetensors'}: cannot be written: File too large"] * 5
    assert os.listdir(tmp_path) == ["m.safetensors"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_the_order_on_disk(tmp_path):
    """A temporary file in the same folder, fsync, rename, fsync of the folder, as the system sees it."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log, data = tmp_path / "log", trainee.write_data(tmp_path / "digits.npz")
    done = subprocess.run(
        [strace, "-f", "-y", "-e", runs.TRACED, "-o", log, *runs.TRAINEE, data, tmp_path / "run", "--epochs", "2"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip("this machine does not allow a process to be traced")
    assert done.returncode == 0, done.stderr
    # Three checkpoints (before the first epoch and after each), and two epochs that were the best so far.
    assert runs.order_on_disk(log.read_text(), tmp_path / "run", r"(?:checkpoint-[ab]|best)\.safetensors") == 5

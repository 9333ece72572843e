"""``scratchnet-train --backend cupy`` on the emulated GPU: from its command line to its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulation import build
from emulation.device import Driver, backend

from scratchnet import compiling, gpu_memory
from scratchnet.cli import main

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")
RECIPE = """
[recipe]
name = "small"
title = "One layer for the digits"

[data]
dataset = "digits"
validation = 1000
shape = [8, 8, 1]

[[layers]]
type = "Flatten"

[[layers]]
type = "Dense"
units = 10

[training]
loss = { name = "sparse_categorical_crossentropy", from_logits = true }
optimizer = { name = "adam" }
batch_size = 16
steps = 5
seed = 0
"""


@pytest.fixture
def gpu() -> Iterator[Driver]:
    with backend() as driver:
        yield driver


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def test_a_run_on_a_gpu_leaves_what_one_on_a_cpu_does(
    recipe: Path, tmp_path: Path, gpu: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("numba", "cupy"):
        assert main([str(recipe), "--backend", name, "--out", str(tmp_path / name)]) == 0
        written = capsys.readouterr()
        assert written.err == ""
        assert ("GPU memory: " in written.out) == (name == "cupy")
    assert gpu.replays > 0
    cpu, found = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("numba", "cupy"))
    assert found["backend"] == "cupy"
    assert found["test"]["loss"] == pytest.approx(cpu["test"]["loss"], rel=1e-5)
    assert found["test"]["errors"] == cpu["test"]["errors"]
    files = [
        {str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*")} for name in ("numba", "cupy")
    ]
    assert files[0] == files[1]
    machine = json.loads((tmp_path / "cupy" / "environment.json").read_text())["machine"]
    assert (machine["gpu"], machine["gpu_memory_bytes"]) == ("an emulated GPU", 2**34)
    assert "an emulated GPU, 16.0 GiB" in (tmp_path / "cupy" / "report.html").read_text()
    memory = found["device_memory"]
    assert 4 * 650 * 4 < memory["used"] < memory["total"] == 2**34  # weights, gradients, two moments
    assert re.search(
        r"GPU memory   [\d.]+ MiB in use, 16\.0 of 16\.0 GiB free\n", (tmp_path / "cupy" / "report.txt").read_text()
    )
    assert "device_memory" not in cpu
    machine = json.loads((tmp_path / "numba" / "environment.json").read_text())["machine"]
    assert (machine["gpu"], machine["gpu_memory_bytes"]) == (None, None)


@pytest.mark.parametrize(("seconds", "compiled"), [(-1.0, True), (1e9, False)])
def test_whoever_waits_for_the_compiler_is_told(
    seconds: float, compiled: bool, recipe: Path, tmp_path: Path, gpu: Driver, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(compiling, "LOADED_SECONDS", seconds)
    assert main([str(recipe), "--backend", "cupy", "--out", str(tmp_path / "run")]) == 0
    written = capsys.readouterr().out
    assert written.startswith("compiling kernels (first run only) ...\ncompiled ") == compiled
    assert ("compil" in written) == compiled
    spent = json.loads((tmp_path / "run" / "results.json").read_text())["seconds"]["compiling"]
    assert (spent > 0) == compiled


def test_a_dry_run_on_a_gpu_says_what_its_memory_has_room_for(
    recipe: Path, gpu: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recipe), "--backend", "cupy", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["device_memory"]["used"] >= found["bytes"]["parameters"]
    assert main([str(recipe), "--backend", "cupy", "--dry-run"]) == 0
    assert re.search(r"^GPU        [\d.]+ MiB in use, 16\.0 of 16\.0 GiB free$", capsys.readouterr().out, re.MULTILINE)
    assert main([str(recipe), "--backend", "numba", "--dry-run"]) == 0
    assert "GPU " not in capsys.readouterr().out


def test_memory_is_said_in_the_unit_that_fits() -> None:
    memory = {"total": 140 * 2**30, "free": 100 * 2**30, "used": 3 * 2**20 + 2**19}
    assert gpu_memory.said(memory) == "3.5 MiB in use, 100.0 of 140.0 GiB free"
    assert gpu_memory.said({**memory, "used": 40 * 2**30}) == "40.00 GiB in use, 100.0 of 140.0 GiB free"

"""``scratchnet-train --backend cupy`` on the emulated GPU: from its command line to its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulation import build
from emulation.device import Driver, backend

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
        assert capsys.readouterr().err == ""
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
    machine = json.loads((tmp_path / "numba" / "environment.json").read_text())["machine"]
    assert (machine["gpu"], machine["gpu_memory_bytes"]) == (None, None)

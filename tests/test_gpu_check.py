"""The script that checks a GPU, tried without one; and what the GPU's launches refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from emulation import build
from emulation.device import backend
from scratchnet.kernels import cuda

import scratchnet as sn
from benchmarks import gpu_check
from benchmarks.gpu import command
from benchmarks.gpu.training import TRAININGS
from benchmarks.gpu_check import Step

ROOT = Path(__file__).resolve().parents[1]


def python(body: str) -> tuple[str, ...]:
    return (sys.executable, "-c", body)


LONG = "import subprocess; print('begun', flush=True); subprocess.run(['sleep', '50'])"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LONG}"
TIDY = """
import signal, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    print("begun", flush=True)
    time.sleep(50)
except KeyboardInterrupt:
    print("written down")
"""
STEPS = [
    Step("good", python("print('a'); print('the last line')"), 30),
    Step("bad", python("raise SystemExit('it broke')"), 30),
    Step("tool", python("pass"), 30, needs="no-such-program"),
]


def test_steps_fail_alone_and_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = gpu_check.check(STEPS, tmp_path, "", emulated=False)
    assert [one.verdict for one in outcomes] == ["ok", "FAILED", "left out"]
    assert [one.said for one in outcomes] == ["the last line", "it broke", "no-such-program is not installed"]
    assert (tmp_path / "01-good.log").read_text() == "a\nthe last line\n"
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(("body", "said"), [(LONG, "begun"), (DEAF, "begun"), (TIDY, "written down")])
def test_a_step_whose_time_is_over_may_write_down_what_it_has(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check, "GRACE", 2.0)
    outcome = gpu_check.run(Step("long", python(body), 0), 1.5, tmp_path / "log", emulated=False)
    assert (outcome.verdict, outcome.said) == ("TIME OUT", f"after 2 s: {said}")
    assert outcome.seconds < 20


def test_a_step_has_its_share_and_what_others_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []

    def run(step: Step, limit: float, *_: Any) -> gpu_check.Outcome:
        limits.append(round(limit))
        return gpu_check.Outcome(step.name, "ok", 0.0, "")

    monkeypatch.setattr(gpu_check, "run", run)
    monkeypatch.setattr(gpu_check, "TOTAL", 100.0)
    gpu_check.check([Step("a", (), 50), Step("b", (), 30), Step("c", (), 0)], tmp_path, "", emulated=False)
    assert limits == [70, 100, 100]


def test_the_shares_of_all_steps_are_ten_minutes(tmp_path: Path) -> None:
    assert sum(step.share for step in gpu_check.steps(tmp_path)) <= gpu_check.TOTAL
    assert gpu_check.TOTAL + gpu_check.GRACE <= 600


def test_the_benchmark_is_one_that_can_be_asked_for(tmp_path: Path) -> None:
    asked = {}
    for step in gpu_check.steps(tmp_path):
        if step.name.startswith("benchmark"):
            options = command.parse(step.command[5:])
            (part,) = options.parts
            asked[part] = options
            assert not {"torch.compile", "tf.function"} & {*(one.name for one in options.present), *options.left_out}
    assert set(asked) == set(command.PARTS)
    assert len({options.json for options in asked.values()}) == len(asked)
    assert set(asked["train"].trainings) == set(TRAININGS)


def test_the_ten_minutes_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "TOTAL", gpu_check.LEAST - 1)
    (outcome,) = gpu_check.check(STEPS[:1], tmp_path, "", emulated=False)
    assert (outcome.verdict, outcome.said) == ("left out", "the ten minutes are over")


def test_tests_that_all_skip_show_nothing(tmp_path: Path) -> None:
    if not gpu_check.missing_gpu():
        pytest.skip("there is a GPU: these tests run")
    step = Step("skipped", (*gpu_check.tests("twin_equals and add"), "-rs"), 120)
    outcome = gpu_check.run(step, step.share, tmp_path / "log", emulated=False)
    assert outcome.verdict == "FAILED"
    assert "skipped" in outcome.said
    assert "no GPU: the cupy backend needs" in (tmp_path / "log").read_text()


@pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")
@pytest.mark.parametrize(
    ("word", "verdicts", "said"),
    [
        ("capture of", ["ok"], "the bits of the eager product"),
        ("every kernel", ["ok"], "passed"),
        ("tensor cores", ["ok"], "passed"),
        ("captured steps", ["ok"], "passed"),
        ("gradients", ["ok"], "passed"),
        ("check", ["left out"] * 3, "no GPU: the cupy backend needs"),
    ],
)
def test_the_script_runs_on_the_emulated_gpu(word: str, verdicts: list[str], said: str, tmp_path: Path) -> None:
    command = ["benchmarks.gpu_check", "--emulated", "--only", word, "--results", str(tmp_path)]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=hidden, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = json.loads((tmp_path / "summary.json").read_text())["steps"]
    assert [step["verdict"] for step in steps] == verdicts
    assert all(said in step["said"] for step in steps)
    assert len(done.stdout.splitlines()) == len(verdicts) + 1


def test_every_part_of_the_issue_has_a_step(tmp_path: Path) -> None:
    names = " ".join(step.name for step in gpu_check.steps(tmp_path))
    for word in ("capture", "compile", "reference", "tensor cores", "ten times", "gradients", "memory", "memcheck",
                 "racecheck", "initcheck", "of the step", "whole trainings", "of kernels"):  # fmt: skip
        assert word in names


@pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")
def test_arrays_that_kernels_cannot_count_are_refused() -> None:
    """Positions are taken apart with 31 bits; an H200 has room for more numbers than that in one array."""
    huge = SimpleNamespace(size=2**31, itemsize=4, nbytes=2**33, shape=(2**15, 256, 256, 1), dtype="f4")
    with backend() as driver:
        kept: Any = driver.is_array
        driver.is_array = lambda value: value is huge or kept(value)  # type: ignore[method-assign]
        with pytest.raises(sn.errors.BackendError, match=r"more than 2147483647 numbers.*smaller batch_size"):
            cuda.launch("padding", "place", 1, 32, huge, 1, 1, 0, 0, *[cuda.divider(3)] * 3, 1, huge, dtype="f4")

"""``python -m benchmarks --device gpu`` where there is no GPU: everything but the device, and the peers on the CPU."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulation import build
from emulation.device import backend

import scratchnet as sn
from benchmarks import agreement
from benchmarks.frameworks import scratchnet as on_cpu
from benchmarks.gpu import command, measuring, report, targets
from benchmarks.gpu.adapters import make
from benchmarks.gpu.training import TRAININGS, train
from benchmarks.networks import Network, conv, dense, initial_weights, pool
from scratchnet import recipes

ROOT = Path(__file__).resolve().parents[1]
SMALL = Network(
    "small", "mnist", 640, 16, 4, (8, 8, 1), (conv(4, 3), pool("same"), {"kind": "flatten"}, dense(10, relu=False))
)


def small_batches(steps: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    n = steps * SMALL.batch
    return rng.random((n, *SMALL.shape), dtype=np.float32), rng.integers(0, 10, n)


# Targets --------------------------------------------------------------------------------------------------------------


def test_steps_are_held_against_the_fastest_peer_and_against_eager() -> None:
    times = {"scratchnet": [1e-5, 1e-5], "torch": [9e-5, 9e-5], "torch.graph": [1.4e-5, 1.4e-5], "jax": [4e-5, 4e-5]}
    fastest, eager = targets.steps("tf32", "fashion-dnn", times)
    assert "over the fastest peer (torch.graph)" in fastest.what
    assert (fastest.figure, fastest.wanted, fastest.met) == (pytest.approx(1.4), 1.5, False)
    assert (eager.figure, eager.wanted, eager.met) == (pytest.approx(9), 8, True)
    fastest, eager = targets.steps("float32", "fashion-cnn-same", times)
    assert (fastest.wanted, fastest.met, eager.wanted, eager.met) == (1.2, True, 4, True)
    for missing in ({}, {"torch": [1.0]}, {"scratchnet": [1.0]}):
        assert [target.met for target in targets.steps("tf32", "fashion-dnn", missing)] == [None, None]


def test_trainings_are_held_to_seconds_accuracy_and_bits() -> None:
    runs = [{"seconds": 0.5, "accuracy": 0.886, "bits": "ab"}, {"seconds": 0.7, "accuracy": 0.881, "bits": "ab"}]
    assert [target.met for target in targets.trainings("fashion-dnn", runs)] == [False, True, True]
    runs[1] |= {"seconds": 0.55, "accuracy": 0.6, "bits": "cd"}
    assert [target.met for target in targets.trainings("fashion-dnn", runs)] == [True, False, False]
    assert [target.met for target in targets.trainings("fashion-dnn", [])] == [None, None, None]


def test_large_kernels_are_held_against_copying_or_the_peak() -> None:
    copy = {str(2**20): 4e12, str(2**22): 2e12}
    add = {"op": "add", "shapes": "", "flops": 0.0, "bytes": 2**22, "seconds": 4e-6}
    assert targets.of_limit(add, copy, None) == pytest.approx(2**22 / 2e12 / 4e-6)
    assert targets.of_limit({**add, "bytes": 2**20}, copy, None) is None
    product = {"op": "dense_forward", "shapes": "", "flops": 2e9, "bytes": 2**22, "seconds": 1e-4}
    assert targets.of_limit(product, copy, 4e13) == pytest.approx(0.5)
    assert targets.of_limit(product, copy, None) is None
    assert targets.of_limit({**product, "flops": 9e8}, copy, 4e13) is None
    ops = [{**add, "of_limit": 0.9}, {**product, "of_limit": 0.69}, {**add, "of_limit": None}]
    assert [target.met for target in targets.kernels("tf32", "small (16)", ops)] == [True, False]


def test_report_shows_every_figure_and_what_was_not_measured() -> None:
    times = {"scratchnet": [1e-5] * 3, "torch": [9e-5] * 3}
    runs = [{"seconds": 0.5, "whole": 0.6, "accuracy": 0.9, "steps": 7, "bits": "ab"}]
    op = {"op": "add", "shapes": "3x4", "flops": 0.0, "bytes": 2**22, "seconds": 4e-6, "of_limit": 0.5}
    product = {"op": "dense_forward", "shapes": "5x6", "flops": 2e9, "seconds": 2e-5, "cublaslt": 3e-5, "tried": 7}
    found = [*targets.steps("tf32", "fashion-dnn", times), *targets.trainings("fashion-dnn", runs)]
    result = {
        "command": "it", "settings": {}, "versions": {"torch": "2.11"}, "left_out": {"jax": "jax is not installed"},
        "gpu": {"name": "H200", "memory_gib": 139.8, "capability": 9.0, "driver": 13000, "runtime": 13020, "cupy": ""},
        "machine": {"cpu": "EPYC", "cores": 16, "python": "3.11", "commit": "abc", "when": "now"},
        "limits": {"copy": {str(2**20): 4e12}, "products": {"tf32": {"cuBLAS": 4e14}}},
        "parts": {
            "step": [{"network": "fashion-dnn", "batch": 64, "precision": "tf32", "times": times,
                      "refused": {"jax": "sees no GPU"}}],
            "train": [{"recipe": "fashion-dnn", "precision": "tf32", "runs": runs}],
            "kernels": [{"network": "fashion-dnn (64)", "precision": "tf32", "ops": [op]}],
            "products": [{"network": "fashion-dnn (64)", "precision": "tf32", "products": [product]}],
        },
        "failures": {"kernels": "broke"},
        "targets": [json.loads(json.dumps(target.to_json())) for target in found],
    }  # fmt: skip
    text = report.render(result)
    for expected in (
        "H200, 140 GiB", "jax is left out: jax is not installed", "10.0 [10.0, 10.0]", "NOT TIMED: jax: sees no GPU",
        "400.0 TFLOP/s", "kernels: broke", "4 met, 0 MISSED, 1 not measured", "50%", "cuBLASLt, us", "1.50",
    ):  # fmt: skip
        assert expected in text
    assert "9x" in text
    assert ">= 8x" in text
    assert "<= 0.6s" in text


def test_a_run_that_was_stopped_shows_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"seconds": 0.5, "whole": 0.6, "accuracy": 0.9, "steps": 7, "bits": "ab"}])

    class Worker:
        def __enter__(self) -> Worker:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def ask(self, command: str, **_: Any) -> dict[str, Any]:
            if (answer := next(answers, None)) is None:
                raise KeyboardInterrupt
            return answer

    gpu = {"name": "H200", "memory_gib": 1, "capability": 9, "driver": 13000, "runtime": 13000, "cupy": ""}
    run = command.Run(command.parse(["--frameworks", "scratchnet", "--trainings", "fashion-dnn"]), gpu, tmp_path)
    monkeypatch.setattr(run, "worker", lambda *_: Worker())
    for part in (run.train, run.kernels):
        run.result["parts"][part.__name__] = []
        with pytest.raises(KeyboardInterrupt):
            part()
    assert "fashion-dnn, tf32, run 1" in report.render(run.result)


def test_every_training_is_a_recipe() -> None:
    assert set(TRAININGS) < set(recipes.names())
    assert recipes.load("fashion-cnn-dropout").content.training.steps == TRAININGS["fashion-cnn-dropout"]["steps"]
    assert recipes.load("fashion-dnn").content.training.epochs == TRAININGS["fashion-dnn"]["epochs"]


# The command ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--parts", "fit"], "unknown part 'fit'; known: step, train, kernels, products"),
        (["--networks", "lenet"], "unknown network 'lenet'; known: fashion-dnn"),
        (["--trainings", "mnist-mlp"], "unknown training 'mnist-mlp'; known: fashion-dnn"),
        (["--precisions", "fp8"], "unknown precision 'fp8'; known: float32, tf32"),
        (["--frameworks", "caffe"], "unknown framework 'caffe'; known: scratchnet, torch"),
        (["--rounds", "0"], "expected a number of at least 1, got 0"),
    ],
)
def test_wrong_arguments_get_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.parse(arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("words", [["benchmarks", "--device", "gpu"], ["benchmarks.gpu_check"]])
def test_without_a_gpu_one_line_says_so(words: list[str]) -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=hidden, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "the cupy backend needs" in done.stderr


# The adapters ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def gpu() -> Iterator[Any]:
    if build.compiler() is None:
        pytest.skip("needs g++ to build the kernels for the CPU")
    with backend() as driver:
        yield driver


def test_captured_steps_compute_what_the_cpu_computes(gpu: Any) -> None:
    x, y = small_batches(6)
    adapter = make("scratchnet", "", 1, "cpu", "float32")
    adapter.build(SMALL, initial_weights(SMALL))
    adapter.load(x, y)
    losses = adapter.losses(6)
    assert gpu.replays == 6
    with sn.use_backend("numpy"):
        plain = on_cpu.make("", 1)
        plain.build(SMALL, initial_weights(SMALL))
        plain.load(x, y)
        np.testing.assert_allclose(losses, plain.losses(6), rtol=1e-5)
    adapter.build(SMALL, initial_weights(SMALL))  # anew, with the rows that are loaded
    assert adapter.losses(2) == losses[:2]
    adapter.build(SMALL, initial_weights(SMALL))
    seconds, mean = adapter.run(0, 6)
    assert seconds > 0
    assert mean == pytest.approx(np.mean(losses), rel=1e-6)


def test_kernels_of_a_step_are_timed_one_by_one(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "CALLS", 2)
    adapter = make("scratchnet", "", 1, "cpu", "float32")
    adapter.build(SMALL, initial_weights(SMALL))
    adapter.load(*small_batches(1))
    gather, *ops = measuring.kernels(adapter)["ops"]
    assert (gather["op"], gather["bytes"]) == ("gather", 16 * (2 * 64 * 4 + 8))  # rows read and written, their numbers
    assert [op["op"] for op in ops] == [
        "conv2d_forward", "max_pool_forward", "dense_forward", "sparse_softmax_cross_entropy", "dense_backward",
        "max_pool_backward", "conv2d_backward", "adam",
    ]  # fmt: skip
    assert all(op["seconds"] > 0 and op["bytes"] > 0 for op in ops)
    assert ops[0]["flops"] == 2 * 16 * 8 * 8 * 9 * 4
    assert measuring.own_peak(adapter, side=32)["flops"] > 0


def test_a_whole_training_is_timed_tested_and_repeated_to_the_bit() -> None:
    with sn.use_backend("numpy"):
        one, other = (train("quickstart", epochs=1) for _ in range(2))
        few = train("quickstart", steps=3)
    assert 0 < one["seconds"] <= one["whole"]
    assert one["accuracy"] > 0.5
    assert one["bits"] == other["bits"] != few["bits"]
    assert few["steps"] == 3


PEERS = {"torch.graph": "torch", "jax": "jax"}  # the graph's step is the eager one, with its batch copied


def test_peers_of_the_gpu_agree_on_the_cpu(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their very workers, with the code that runs on a GPU, up to the device."""
    present = [name for name, module in PEERS.items() if importlib.util.find_spec(module)]
    if not present:
        pytest.skip("needs a peer: pip install -e '.[benchmark]'")
    monkeypatch.setenv("SCRATCHNET_DATA", str(data_dir))
    arguments = ["--networks", "fashion-keras", "--precisions", "float32", "--steps", "4", "--rounds", "1", "--quick"]
    options = command.parse([*arguments, "--parts", "step", "--frameworks", ",".join(present)])
    run = command.Run(options, {}, tmp_path, device="host")
    run.go()
    (outcome,) = run.result["parts"]["step"]
    assert outcome["refused"] == {}
    assert set(outcome["times"]) == set(present)
    assert set(outcome["agreement"]) == set(present)
    assert run.result["failures"] == {}
    assert [target["met"] for target in run.result["targets"]] == [None, None]  # scratchnet was not among them


def test_a_peer_without_a_gpu_is_left_out_by_name(tmp_path: Path) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax: pip install -e '.[benchmark]'")
    options = command.parse(["--frameworks", "jax"])
    run = command.Run(options, {}, tmp_path, device="cuda")
    with pytest.raises(command.PeerError, match=r"jax: start: RuntimeError: jax .* sees no GPU"):
        run.worker("jax", "float32")


def test_tf32_is_compared_with_a_wider_tolerance() -> None:
    assert (agreement.tolerances(SMALL, 3, "tf32") > agreement.tolerances(SMALL, 3)).sum() == 1

"""The benchmark harness: its statistics, its check that peers compute the same thing, its processes, its command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from benchmarks import agreement, data, frameworks, limits, networks, report, stats, tables
from benchmarks.__main__ import parse
from benchmarks.busy import Hog
from benchmarks.frameworks import FRAMEWORKS, Framework
from benchmarks.frameworks.scratchnet import ScratchnetStep
from benchmarks.machine import Meter
from benchmarks.networks import NETWORKS, Network, dense, dropout
from benchmarks.opcalls import time_ops
from benchmarks.peers import Peer, PeerError
from benchmarks.rounds import Field, Settings
from benchmarks.step import measure_network

ROOT = Path(__file__).resolve().parents[1]
OURS = FRAMEWORKS["scratchnet"]
SMALL = Network("small", "mnist", 640, 32, 4, (784,), (dense(16), dense(10, relu=False)))


@pytest.fixture(scope="module")
def folder(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real images, laid down for workers that run on the numpy backend: these tests are not about kernels."""
    laid_down = tmp_path_factory.mktemp("benchmarks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCRATCHNET_DATA", str(data_dir))
        patch.setenv("SCRATCHNET_BACKEND", "numpy")
        data.lay_down(laid_down, ["mnist"])
        yield laid_down


def settings(folder: Path, *others: str, rounds: int = 2) -> Settings:
    """Scratchnet and further columns that are scratchnet under another name."""
    chosen = (OURS, *(Framework(name, "scratchnet", "", "") for name in others))
    return Settings((SMALL,), chosen, rounds, 4, 1, True, folder)


# Statistics ---------------------------------------------------------------------------------------------------------


def test_summary_is_median_and_quartiles() -> None:
    assert stats.summarize([5.0, 1.0, 2.0, 3.0, 4.0]) == stats.Summary(3.0, 2.0, 4.0, 5)
    with pytest.raises(ValueError, match="no times"):
        stats.summarize([])


def test_ratio_pairs_the_rounds() -> None:
    """A machine that slows down tenfold during the run hits both alike: the ratio stays 2, and its interval narrow."""
    drift = np.geomspace(1, 10, 12)
    found = stats.ratio(2 * drift, drift)
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))
    with pytest.raises(ValueError, match="3 times of the peer, 2 of ours"):
        stats.ratio([1, 2, 3], [1, 2])


def test_interval_covers_the_true_ratio() -> None:
    """95% intervals from 15 noisy rounds each hold the truth about that often."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        found = stats.ratio(3 * rng.lognormal(0, 0.2, 15), rng.lognormal(0, 0.2, 15), resamples=400)
        held += found.low <= 3 <= found.high
    assert 175 <= held <= 199


# Networks -----------------------------------------------------------------------------------------------------------


def test_networks_are_the_tutorials() -> None:
    counts = {name: sum(w.size for w in networks.initial_weights(network)) for name, network in NETWORKS.items()}
    assert counts == {
        "fashion-dnn": 118_282,
        "mnist-mlp": 159_010,
        "fashion-keras": 101_770,
        "fashion-cnn-same": 356_234,
        "fashion-cnn-dropout": 1_447_946,
    }
    for network in NETWORKS.values():
        assert Network.from_json(json.loads(json.dumps(network.to_json()))) == network
    sizes = [out for layer, _, out in networks.walk(NETWORKS["fashion-cnn-same"]) if layer["kind"] == "pool"]
    assert sizes == [(14, 14, 32), (7, 7, 64), (4, 4, 128)]


def test_step_flops() -> None:
    """784-16-10: forward and filter gradient of both products, the input gradient of the second only."""
    assert networks.step_flops(SMALL) == 32 * (2 * 2 * 784 * 16 + 3 * 2 * 16 * 10)


def test_initial_weights_follow_their_recipe() -> None:
    normal = networks.initial_weights(NETWORKS["mnist-mlp"])
    assert np.abs(normal[0]).max() <= 0.02
    assert normal[0].std() == pytest.approx(0.0088, rel=0.01)  # a normal cut at two sigma
    same = networks.initial_weights(NETWORKS["fashion-cnn-same"])
    assert np.abs(same[0]).max() == pytest.approx((6 / (9 * 33)) ** 0.5, rel=0.02)
    assert 0.9 * (3 / 32) ** 0.5 < np.abs(same[1]).max() <= (3 / 32) ** 0.5


def test_images_are_resampled() -> None:
    image = np.arange(28 * 28, dtype=np.uint8).reshape(1, 28, 28)
    assert np.array_equal(data.pixels(image, (28, 28, 1))[0, :, :, 0], image[0] / np.float32(255))
    assert np.array_equal(data.pixels(image, (14 * 14,)).reshape(14, 14), image[0, ::2, ::2] / np.float32(255))
    assert np.array_equal(data.pixels(image, (56, 56, 1))[0, ::2, 1::2, 0], image[0] / np.float32(255))


# Agreement ----------------------------------------------------------------------------------------------------------


def test_losses_that_agree_are_accepted_and_others_refused_with_the_step() -> None:
    limit = agreement.tolerances(SMALL, 3)
    losses = {"a": [2.3, 2.0, 1.8], "b": [2.3001, 2.001, 1.799], "c": [2.3, 2.0, 1.9], "d": [2.3, float("nan"), 1.8]}
    verdicts = agreement.compare_losses(losses, limit)
    assert verdicts["a"].ok
    assert verdicts["b"].ok
    assert "loss at step 3 is 1.9, the median of the frameworks 1.8" in verdicts["c"].reason
    assert "loss at step 2 is nan" in verdicts["d"].reason


def test_the_first_step_is_held_to_more() -> None:
    limit = agreement.tolerances(NETWORKS["fashion-cnn-same"], 2)
    verdicts = agreement.compare_losses({"a": [2.3, 2.0], "b": [2.3, 2.01], "c": [2.301, 2.0]}, limit)
    assert [verdicts[name].ok for name in "abc"] == [True, True, False]


def test_of_two_that_differ_both_are_refused() -> None:
    verdicts = agreement.compare_losses({"a": [2.3], "b": [2.4]}, agreement.tolerances(SMALL, 1))
    assert not verdicts["a"].ok
    assert not verdicts["b"].ok


def test_predictions_are_compared() -> None:
    outputs = {"a": [[1.0, -2.0]], "b": [[1.0, -2.0]], "c": [[1.0, -1.9]]}
    verdicts = agreement.compare_predictions(outputs)
    assert [verdicts[name].ok for name in "abc"] == [True, True, False]


# Names and tables ---------------------------------------------------------------------------------------------------


def test_frameworks_that_are_not_installed_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FRAMEWORKS, "elsewhere", Framework("elsewhere", "no_such_framework", "", ""))
    present, missing = frameworks.choose(["scratchnet", "elsewhere"])
    assert [framework.name for framework in present] == ["scratchnet"]
    assert missing == {"elsewhere": "no_such_framework is not installed"}
    with pytest.raises(ValueError, match=r"unknown framework 'caffe'; known: scratchnet, tf\.function"):
        frameworks.choose(["caffe"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--parts", "step,speed"], "unknown part 'speed'; known: step, fit"),
        (["--networks", "lenet"], "unknown network 'lenet'; known: fashion-dnn"),
        (["--frameworks", "caffe"], "unknown framework 'caffe'"),
        (["--rounds", "0"], "expected a number of at least 1, got 0"),
        (["--threads", "4096"], "--threads 4096: this process may use"),
    ],
)
def test_wrong_arguments_get_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_table_is_aligned() -> None:
    assert tables.table(["network", "ms"], [["dnn", "0.3"], ["a longer one", "12.5"]]).splitlines() == [
        "network         ms",
        "------------  ----",
        "dnn            0.3",
        "a longer one  12.5",
    ]
    assert [tables.number(value) for value in (0.01234, 1.5, 32.04, 1234.5)] == ["0.0123", "1.50", "32.0", "1234"]


def test_ratios_and_remarks_are_reported() -> None:
    result: dict[str, Any] = {
        "network": "small",
        "batch": 32,
        "times": {"scratchnet": [0.001, 0.001], "torch": [0.004, 0.004], "torch.compile": [0.003, 0.003]},
        "agreement": {"torch": {"worst": 2e-6}},
        "refused": {"jax": "loss at step 1 is 3"},
        "busy": {"warning": "the machine was busy"},
    }
    text = "\n".join(report.timed([result], {"small": 0.0005}))
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][-1] == "floor"
    assert lines[2][-1] == "0.500"
    assert lines[5] == [
        "small",
        "(32)",
        "4.00",
        "[4.00,",
        "4.00]",
        "3.00",
        "[3.00,",
        "3.00]",
        "3.00",
        "[3.00,",
        "3.00]",
    ]
    assert "small: NOT TIMED: jax: loss at step 1 is 3" in text
    assert "small: WARNING: the machine was busy" in text
    slower = {**result, "times": {"scratchnet": [0.0011, 0.0011]}}
    assert report.fit_over_step({"step": [result], "fit": [slower]}) == [
        "small: scratchnet's fit takes +10% over its bare step"
    ]


def test_limit_is_the_longer_of_arithmetic_and_copying() -> None:
    known = {"sgemm": 100.0, "copy": {"1024": 40.0, "4096": 10.0}}
    assert limits.least_seconds(known, 1e9, 1024) == pytest.approx(0.01)
    assert limits.least_seconds(known, 0, 2048) == pytest.approx(2048 / 25e9)
    assert limits.least_seconds(known, 0, 10**6) == pytest.approx(1e6 / 10e9)


# Processes ----------------------------------------------------------------------------------------------------------


def test_worker_trains_and_survives_a_failing_command(folder: Path) -> None:
    with Peer(OURS, 1, folder) as peer:
        peer.ask("start")
        peer.ask("build", network=SMALL.to_json())
        assert peer.ask("load", steps=8) == {"batches": 8}
        first = peer.ask("losses", steps=3)["losses"]
        assert first[0] == pytest.approx(2.3, abs=0.3)
        timed = peer.ask("time", steps=20)  # more than the eight batches: it starts over
        assert timed["seconds"] > 0
        assert timed["loss"] < first[0]
        with pytest.raises(PeerError, match="scratchnet: build: KeyError: 'shape'"):
            peer.ask("build", network={"name": "nothing"})
        with pytest.raises(PeerError, match="no_such_command"):
            peer.ask("no_such_command")
        peer.ask("build", network=SMALL.to_json())
        peer.ask("load", steps=3)
        assert peer.ask("losses", steps=3)["losses"] == first  # the same weights and batches once more
        peer.ask("load_rows", split="train", rows=100)
        assert 0 < peer.ask("fit", rows=100)["accuracy"] < 1
        outputs = peer.ask("predict", batch=32, keep=5)["outputs"]
        assert np.shape(outputs) == (5, 10)
        trained = peer.ask("tutorial", network=SMALL.to_json(), rows=640)
        assert trained["accuracy"] > 0.3  # 20 steps
        assert 20e6 < trained["after_import"] < trained["bytes"] < 2e9


def test_sleeping_peer_uses_no_time_and_wakes(folder: Path) -> None:
    with Peer(OURS, 1, folder) as peer:
        peer.ask("start")
        peer.sleep()
        before = peer.cpu_seconds()
        with pytest.raises(PeerError, match=r"no answer to 'limits' within 0\.3 s"):
            peer.ask("limits", timeout=0.3, seconds=0.001)
        assert peer.cpu_seconds() == before
        peer.wake()
        assert peer.process.stdout is not None
        assert json.loads(peer.process.stdout.readline())["sgemm"] > 0


def test_dead_worker_is_reported(folder: Path) -> None:
    with Peer(Framework("absent", "no_such_adapter", "", ""), 1, folder) as peer:
        with pytest.raises(PeerError, match=r"absent: start: ModuleNotFoundError: .*no_such_adapter"):
            peer.ask("start")
        os.kill(peer.process.pid, signal.SIGKILL)
        with pytest.raises(PeerError, match="absent: the process"):
            peer.ask("start")


def test_frameworks_take_turns_and_who_computes_something_else_is_not_timed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wider = replace(SMALL, layers=(dense(17), dense(10, relu=False))).to_json()
    honest = Field.ask

    def ask(self: Field, name: str, command: str, **arguments: Any) -> dict[str, Any] | None:
        if name == "impostor" and command == "build":
            arguments["network"] = wider
        return honest(self, name, command, **arguments)

    monkeypatch.setattr(Field, "ask", ask)
    outcome = measure_network(settings(folder, "twin", "impostor"), SMALL)
    assert list(outcome.times) == ["scratchnet", "twin"]
    assert all(len(times) == 2 and min(times) > 0 for times in outcome.times.values())
    assert outcome.agreement["twin"].worst == 0
    assert "loss at step 1 is" in outcome.refused["impostor"]
    assert outcome.notes["last_loss"]["scratchnet"] == outcome.notes["last_loss"]["twin"]


def test_who_does_not_drop_out_is_not_timed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = replace(SMALL, layers=(dense(16), dropout(0.5), dense(10, relu=False)))
    honest = Field.ask

    def ask(self: Field, name: str, command: str, **arguments: Any) -> dict[str, Any] | None:
        if name == "idler" and command == "build":
            arguments["dropout"] = False
        return honest(self, name, command, **arguments)

    monkeypatch.setattr(Field, "ask", ask)
    with Field(settings(folder, "idler"), network) as field:
        field.check_losses()
        assert list(field.peers) == ["scratchnet"]
    assert "the same with dropout as without" in field.outcome.refused["idler"]


def test_others_on_the_machine_are_noticed(folder: Path) -> None:
    assert not Meter(seconds=10, others=0.01).warning()
    meter = Meter()
    with Hog() as hog, Peer(OURS, 1, folder) as peer:
        hog.wake()
        with meter.watch(peer):
            time.sleep(0.5)
    assert meter.others > 0.2
    assert "the machine was busy: others used" in meter.warning()


# The command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(data_dir: Path, tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """A short run of the real command, on the backend that needs no compiling, and its environment."""
    parts = ["--parts", "step,predict,kernels", "--networks", "fashion-keras", "--frameworks", "scratchnet"]
    files = ["--json", str(tmp_path / "out.json"), "--pictures", str(tmp_path / "pictures")]
    return [sys.executable, "-m", "benchmarks", "--quick", *parts, *files], {
        **os.environ,
        "SCRATCHNET_DATA": str(data_dir),
        "SCRATCHNET_BACKEND": "numpy",
    }


def test_command_measures_reports_and_draws(quick: tuple[list[str], dict[str, str]], tmp_path: Path) -> None:
    command, environment = quick
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    for expected in ("Fair by construction", "== step ==", "fashion-keras (32)", "== kernels ==", "dense_backward"):
        assert expected in done.stdout
    result = json.loads((tmp_path / "out.json").read_text())
    assert len(result["parts"]["step"][0]["times"]["scratchnet"]) == 3
    ops = result["parts"]["kernels"][0]["ops"]
    assert [op["op"] for op in ops].count("dense_forward") == 2
    assert all(op["seconds"] > 0 and op["of_limit"] > 0 for op in ops)
    first = next(op for op in ops if op["op"] == "dense_forward")
    assert first["flops"] == 2 * 32 * 784 * 128
    assert first["bytes"] == 4 * (32 * 784 + 784 * 128 + 128 + 32 * 128)
    for name in ("step", "predict", "kernels-fashion-keras"):
        assert (tmp_path / "pictures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_interrupted_command_reports_what_it_has(quick: tuple[list[str], dict[str, str]], tmp_path: Path) -> None:
    command, environment = quick
    process = subprocess.Popen(
        [*command, "--rounds", "1000"],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "round 2/1000" in line:
            break
    process.terminate()  # handled as Ctrl-C is, which a shell turns off for what it starts in the background
    shown, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in said
    assert "Fair by construction" in shown
    assert json.loads((tmp_path / "out.json").read_text())["parts"] == {}


def test_ops_of_a_step_that_is_replayed_are_found_all_the_same() -> None:
    network = networks.NETWORKS["fashion-keras"]
    x = np.random.default_rng(0).random((2 * network.batch, *network.shape), dtype=np.float32)
    with sn.use_backend("numba"):
        adapter = ScratchnetStep()
        adapter.build(network, networks.initial_weights(network))
        adapter.load(x, np.zeros(len(x), np.int64))
        adapter.run(0, 2)
        found = [row["op"] for row in time_ops(adapter, 0.001)]
    dense = ["dense_forward"] * 2, ["dense_backward"] * 2
    assert found == [*dense[0], "sparse_softmax_cross_entropy", *dense[1], "adam"]

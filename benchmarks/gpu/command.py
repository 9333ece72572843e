"""``python -m benchmarks --device gpu``: the command line, the parts in turn, the table and the JSON file."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scratchnet.kernels import cuda

import scratchnet as sn
from scratchnet import environment
from scratchnet.errors import BackendError, ScratchnetError

from .. import data, machine, step
from ..arguments import names, positive, refuse_unknown
from ..frameworks import Framework, choose, version
from ..networks import NETWORKS, Network
from ..peers import Peer, PeerError
from ..rounds import Settings, say
from . import report, targets
from .adapters import FRAMEWORKS
from .training import TRAININGS

PARTS = ("step", "train", "kernels", "products")
PRECISIONS = ("float32", "tf32")
STEPS = {"dense": 4096, "cnn": 512}  # in a turn: a tenth of a second of the fastest, and whole graphs of 32
LARGE_BATCH = 1024  # for measuring the kernels a second time, with large ones
QUICK = 8  # times fewer steps


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line behind ``--device gpu``; a wrong name ends the program with one line listing the right ones."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks --device gpu",
        description="Times scratchnet and its peers side by side on a GPU, and says which targets are met.",
    )

    def listing(option: str, known: Sequence[str], what: str) -> None:
        says = f"of {', '.join(known)} ({what})"
        parser.add_argument(option, type=names, default=list(known), metavar="A,B", help=says)

    listing("--parts", PARTS, "all")
    listing("--networks", tuple(NETWORKS), "all")
    listing("--trainings", tuple(TRAININGS), "all")
    listing("--precisions", PRECISIONS, "both; whole trainings take the last")
    parser.add_argument("--frameworks", type=names, metavar="A,B", help=f"of {', '.join(FRAMEWORKS)} (all)")
    parser.add_argument("--rounds", type=positive, default=12, help="interleaved rounds (12)")
    parser.add_argument("--steps", type=positive, help="training steps in a turn (4096 dense, 512 convolutional)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--quick", action="store_true", help="few rounds of few steps: does it run? Not for figures")
    options = parser.parse_args(arguments)
    refuse_unknown(parser, "part", options.parts, PARTS)
    refuse_unknown(parser, "network", options.networks, tuple(NETWORKS))
    refuse_unknown(parser, "training", options.trainings, tuple(TRAININGS))
    refuse_unknown(parser, "precision", options.precisions, PRECISIONS)
    try:
        options.present, options.left_out = choose(options.frameworks, FRAMEWORKS)
    except ValueError as error:
        parser.error(str(error))
    return options


def describe_gpu() -> dict[str, Any]:
    """The GPU and what drives it.

    Raises
    ------
    BackendError
        If there is none that works: in one line.
    """
    with sn.use_backend("cupy"):
        cupy = cuda.driver().xp
        properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        return {
            "name": environment.machine()["gpu"],
            "memory_gib": properties["totalGlobalMem"] / 2**30,
            "processors": properties["multiProcessorCount"],
            "capability": cuda.driver().compute_capability / 10,
            "driver": cupy.cuda.runtime.driverGetVersion(),
            "runtime": cupy.cuda.runtime.runtimeGetVersion(),
            "cupy": cupy.__version__,
        }


class Run:
    """The parts of one command; what they find goes into ``result``."""

    def __init__(self, options: argparse.Namespace, gpu: dict[str, Any], folder: Path, device: str = "cuda") -> None:
        self.options = options
        networks = tuple(NETWORKS[name] for name in dict.fromkeys(options.networks))
        rounds = min(options.rounds, 3) if options.quick else options.rounds
        frameworks = tuple(options.present)
        self.settings = Settings(networks, frameworks, rounds, None, machine.cores(), options.quick, folder, device)
        self.result: dict[str, Any] = {
            "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
            "gpu": gpu,
            "machine": machine.describe(),
            "settings": {"rounds": rounds, "quick": options.quick},
            "versions": {framework.name: version(framework.module) for framework in frameworks},
            "left_out": dict(options.left_out),
            "limits": {},
            "parts": {},
            "targets": [],
            "failures": {},
        }

    def go(self) -> None:
        """All parts; one that fails is noted, and the others continue."""
        parts: dict[str, Callable[[], None]] = {part: getattr(self, part) for part in PARTS}
        data.lay_down(self.settings.folder, (network.data for network in self.settings.networks))
        for name in PARTS:
            if name in self.options.parts:
                say(name)
                self.result["parts"][name] = []
                try:
                    parts[name]()
                except (PeerError, ScratchnetError, OSError) as error:
                    say(f"  {error}")
                    self.result["failures"][name] = str(error)

    def aim(self, found: list[targets.Target]) -> None:
        """Note targets next to their figures."""
        self.result["targets"] += [target.to_json() for target in found]

    def steps_of(self, network: Network) -> int:
        """Training steps of one turn."""
        steps = STEPS["cnn" if network.is_cnn else "dense"]
        return int(self.options.steps or (steps // QUICK if self.options.quick else steps))

    def step(self) -> None:
        """The training step, in every precision."""
        for precision in self.options.precisions:
            for network in self.settings.networks:
                settings = replace(self.settings, precision=precision, steps=self.steps_of(network))
                outcome = step.measure_network(settings, network).to_json()
                self.result["parts"]["step"].append({**outcome, "precision": precision})
                self.aim(targets.steps(precision, network.name, outcome["times"]))

    def worker(self, name: str, precision: str) -> Peer:
        """A started worker of one framework."""
        peer = Peer(
            FRAMEWORKS[name], self.settings.threads, self.settings.folder, device=self.settings.device,
            precision=precision,
        )  # fmt: skip
        try:
            peer.ask("start")
        except PeerError:
            peer.close()
            raise
        return peer

    def train(self) -> None:
        """Whole trainings, each twice with the same seed and in its own process."""
        precision = self.options.precisions[-1]
        for name in dict.fromkeys(self.options.trainings):
            wanted, runs = TRAININGS[name], list[dict[str, Any]]()
            self.result["parts"]["train"].append({"recipe": name, "precision": precision, "runs": runs})
            length = {key: wanted[key] for key in ("epochs", "steps") if key in wanted}
            if self.options.quick:
                length = {"steps": 50}
            for _ in range(2):
                with self.worker("scratchnet", precision) as peer:
                    runs.append(peer.ask("call", function="training", recipe=name, precision=precision, **length))
                say(f"  {name}: {runs[-1]['seconds']:.3f} s, test accuracy {runs[-1]['accuracy']:.4f}")
            found = targets.trainings(name, runs)
            self.aim(found[2:] if self.options.quick else found)

    def kernels(self) -> None:
        """Every kernel of a training step, at the tutorial's batch and a large one."""
        limits = self.result["limits"]
        with self.worker("scratchnet", "float32") as peer:
            limits.update(peer.ask("call", function="limits"))
        limits["products"] = {precision: self.product_rates(precision) for precision in self.options.precisions}
        for precision in self.options.precisions:
            peak = limits["products"][precision].get("cuBLAS")
            for network in self.settings.networks:
                for one in (network, network.with_batch(LARGE_BATCH)):
                    with self.worker("scratchnet", precision) as peer:
                        peer.ask("build", network=one.to_json())
                        peer.ask("load", steps=1)
                        ops = peer.ask("call", function="kernels")["ops"]
                    for op in ops:
                        op["of_limit"] = targets.of_limit(op, limits["copy"], peak)
                    found = {"network": f"{network.name} ({one.batch})", "precision": precision, "ops": ops}
                    self.result["parts"]["kernels"].append(found)
                    self.aim(targets.kernels(precision, found["network"], ops))

    def products(self) -> None:
        """Every matrix product of a training step, ours and the one of cuBLASLt."""
        for precision in self.options.precisions:
            for network in self.settings.networks:
                with self.worker("scratchnet", precision) as peer:
                    peer.ask("build", network=network.to_json())
                    peer.ask("load", steps=1)
                    found = peer.ask("call", function="products")["products"]
                named = {"network": f"{network.name} ({network.batch})", "precision": precision, "products": found}
                self.result["parts"]["products"].append(named)

    def product_rates(self, precision: str) -> dict[str, float]:
        """FLOP/s of a large product: cuBLAS's if PyTorch is available, and ours."""
        rates: dict[str, float] = {}
        present: dict[str, Framework] = {framework.name: framework for framework in self.settings.frameworks}
        if "torch" in present:
            try:
                with self.worker("torch", precision) as peer:
                    rates["cuBLAS"] = peer.ask("call", function="peak", seconds=0.5)["flops"]
            except PeerError as error:
                say(f"  {error}")
        with self.worker("scratchnet", precision) as peer:
            peer.ask("build", network=NETWORKS["fashion-dnn"].to_json())
            rates["scratchnet"] = peer.ask("call", function="own_peak")["flops"]
        return rates


def main(arguments: Sequence[str]) -> int:
    """The program; returns its exit status: 2 without a GPU. What was measured is shown in any case."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        gpu = describe_gpu()
    except BackendError as error:
        print(f"benchmarks --device gpu: {error}", file=sys.stderr)
        return 2
    status = 0
    with tempfile.TemporaryDirectory(prefix="scratchnet-benchmarks-") as folder:
        run = Run(options, gpu, Path(folder))
        try:
            run.go()
            status = 1 if run.result["failures"] else 0
        except KeyboardInterrupt:
            say("stopped")
            status = 130
        except (PeerError, ScratchnetError) as error:
            say(str(error))
            status = 1
    if options.json:
        options.json.write_text(json.dumps(run.result, indent=1) + "\n")
    print(report.render(run.result))
    return status

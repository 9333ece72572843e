"""``python -m benchmarks.gpu_check``: everything that a machine with a GPU has to show, in one run of ten minutes.

Each step is a process of its own with a share of the time; one that fails does not stop the rest, and time that one
leaves is the next one's. The benchmark is a short one: two networks, few rounds, no peer that compiles for long. What a
step prints goes into a log file; on the terminal stands a line for each, a summary at the end, and all of it in a JSON
file. ``--emulated`` runs what can be run without a GPU on the emulated one of the tests, to try the script itself, and
reports every other step as left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from scratchnet.errors import BackendError

ROOT = Path(__file__).resolve().parents[1]
TOTAL = 590.0  # seconds: a run must be over within ten minutes
LEAST = 5.0  # seconds that must be left for a step to be begun
GRACE = 10.0  # seconds that a step has to write down what it found, once its time is over


@dataclass(frozen=True)
class Step:
    """A command, the seconds that those before it must leave it, and whether it can be tried on the emulated GPU."""

    name: str
    command: tuple[str, ...]
    share: float
    emulated: bool = False
    needs: str = ""  # a program that must be installed


@dataclass(frozen=True)
class Outcome:
    """What came of a step: ``ok``, ``FAILED``, ``TIME OUT`` or ``left out``, and the line that says most."""

    name: str
    verdict: str
    seconds: float
    said: str


def tests(pattern: str, *files: str) -> tuple[str, ...]:
    """pytest on GPU tests, in one process."""
    chosen = ["-k", pattern] if pattern else []
    names = [str(ROOT / "tests" / file) for file in files or ("test_gpu.py",)]
    return (sys.executable, "-m", "pytest", "-n", "0", "--tb=short", "-p", "no:cacheprovider", *chosen, *names)


def probe(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "benchmarks.gpu.probes", name)


def sanitizer(tool: str) -> tuple[str, ...]:
    """compute-sanitizer over every kernel at small shapes."""
    # What CUDA's libraries ask the driver for in vain, an older driver's missing entry points say, is not our error.
    quiet = ("--report-api-errors", "no") if tool == "memcheck" else ()
    return ("compute-sanitizer", "--tool", tool, *quiet, "--error-exitcode", "9", *probe("kernels"))


def benchmark(part: str, results: Path, *words: str) -> tuple[str, ...]:
    """One part of the benchmark; its figures go into a file of their own."""
    files = ("--parts", part, "--json", str(results / f"benchmark-{part}.json"))
    return (sys.executable, "-m", "benchmarks", "--device", "gpu", *files, *words)


def steps(results: Path, emulated: bool = False) -> list[Step]:
    """All steps in their order: the probe of capture first, figures when everything is known to be right."""

    def pick(real: str, small: str) -> tuple[str, ...]:
        return tests(small if emulated else real)

    same = "captured_steps or graphs_of_many or follows"
    # Nobody who compiles for long: torch.compile does it twice in every worker.
    few = ("--networks", "fashion-keras,fashion-cnn-same", "--frameworks", "scratchnet,torch,torch.graph,jax")
    turns = ("--rounds", "3", "--steps", "512")
    trainings = ("--trainings", "fashion-dnn,fashion-keras,fashion-cnn-dropout,fashion-cnn-same")  # the longest last
    ours = ("--networks", "fashion-cnn-same", "--frameworks")
    every = ("--networks", "fashion-dnn,fashion-cnn-same,fashion-cnn-dropout", "--frameworks")
    return [
        Step("capture of the matrix product", probe("capture"), 20, emulated=True),
        Step("environment", probe("environment"), 10),
        Step("compile every source", probe("compile"), 80),
        Step("every kernel against its reference", pick("twin_equals", "twin_equals and small"), 40, emulated=True),
        Step("tensor cores against float64", pick("tile or tensor_cores", "tensor_cores"), 20, emulated=True),
        Step("captured steps have the bits of eager ones", pick(same, "captured_steps and nadam"), 25, emulated=True),
        Step("ten times the same bits", tests("ten_times_the_same_bits and not graphs"), 20),
        Step("gradients by finite differences", pick("gradients", "every_loss"), 35, emulated=True),
        Step("out of memory", tests("full_gpu"), 15),
        Step("memcheck", sanitizer("memcheck"), 45, needs="compute-sanitizer"),
        Step("benchmark of the step", benchmark("step", results, *few, *turns), 95),
        Step("benchmark of whole trainings", benchmark("train", results, *trainings, *ours, "scratchnet"), 100),
        Step("benchmark of kernels", benchmark("kernels", results, *ours, "scratchnet,torch"), 55),
        Step("benchmark of products against cuBLASLt", benchmark("products", results, *every, "scratchnet"), 30),
        Step("initcheck", sanitizer("initcheck"), 0, needs="compute-sanitizer"),
        Step("racecheck", sanitizer("racecheck"), 0, needs="compute-sanitizer"),
    ]


def run(step: Step, limit: float, log: Path, emulated: bool) -> Outcome:
    """Run one step, all its processes ended at the limit: first asked to, since a benchmark then shows what it has."""
    environment = {**os.environ, **({"SCRATCHNET_GPU": "emulated"} if emulated else {})}
    began = perf_counter()
    with log.open("w") as out:
        process = subprocess.Popen(
            step.command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, process_group=0
        )
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                end(process)
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = lines[-1][:160] if lines else "it said nothing"
    taken = perf_counter() - began
    if code is None:
        return Outcome(step.name, "TIME OUT", taken, f"after {limit:.0f} s: {said}")
    shown = not ("pytest" in step.command and " passed" not in said)  # tests that were all skipped show nothing
    return Outcome(step.name, "ok" if code == 0 and shown else "FAILED", taken, said)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group, with time for what it has to write."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):  # nobody of the group is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def check(all_steps: Sequence[Step], results: Path, reason: str, emulated: bool) -> list[Outcome]:
    """Run the steps; ``reason`` says why those that need hardware are left out, if they are."""
    began, outcomes = perf_counter(), list[Outcome]()
    for number, step in enumerate(all_steps, 1):
        left = TOTAL - (perf_counter() - began) - sum(later.share for later in all_steps[number:])
        log = results / f"{number:02d}-{step.name.replace(' ', '-').replace(',', '')}.log"
        if reason and not (emulated and step.emulated):
            outcome = Outcome(step.name, "left out", 0.0, f"no GPU: {reason.partition(': pip')[0]}")
        elif step.needs and shutil.which(step.needs) is None:
            outcome = Outcome(step.name, "left out", 0.0, f"{step.needs} is not installed")
        elif left < LEAST:
            outcome = Outcome(step.name, "left out", 0.0, "the ten minutes are over")
        else:
            outcome = run(step, left, log, emulated)
        outcomes.append(outcome)
        print(f"{outcome.verdict:9}{outcome.seconds:6.1f} s  {outcome.name}: {outcome.said}", flush=True)
    return outcomes


def missing_gpu() -> str:
    """Why there is no GPU to check, in one line; empty where there is one."""
    import scratchnet as sn

    try:
        with sn.use_backend("cupy"):
            return ""
    except BackendError as error:
        return str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program: 0 where every step was ok or left out for want of a tool, 1 where one failed, 2 without a GPU."""
    says = (__doc__ or "").split("\n\n")[1]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=says)
    default = Path("runs", "gpu-check")
    parser.add_argument("--results", type=Path, default=default, metavar="DIR", help=f"logs and JSON ({default})")
    parser.add_argument("--emulated", action="store_true", help="try the script where there is no GPU")
    parser.add_argument("--only", metavar="WORD", help="steps with this word in their name")
    options = parser.parse_args(arguments)
    reason = missing_gpu()
    if reason and not options.emulated:
        print(f"gpu_check: {reason}", file=sys.stderr)
        return 2
    options.results.mkdir(parents=True, exist_ok=True)
    results = options.results.resolve()
    chosen = [step for step in steps(results, options.emulated) if (options.only or "") in step.name]
    outcomes = check(chosen, results, reason, options.emulated)
    verdicts = [one.verdict for one in outcomes]
    count = {verdict: verdicts.count(verdict) for verdict in ("ok", "FAILED", "TIME OUT", "left out")}
    print(", ".join(f"{number} {verdict}" for verdict, number in count.items()) + f"; logs in {options.results}")
    summary = {"no_gpu": reason, "emulated": options.emulated, "steps": [asdict(one) for one in outcomes]}
    (results / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return 1 if count["FAILED"] + count["TIME OUT"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks``: read the command line, run the parts, show what was found."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scratchnet.errors import ScratchnetError

from . import busy, data, fit, kernels, memory, pictures, predict, report, scaling, startup, step
from .arguments import names, positive, refuse_unknown
from .frameworks import choose, version
from .machine import cores, describe
from .networks import NETWORKS, Network, step_flops
from .peers import PeerError
from .rounds import Outcome, Settings, say

PARTS = ("step", "fit", "predict", "startup", "memory", "kernels", "scaling", "busy")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; a wrong name ends the program with one line that lists the right ones."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Times scratchnet, TensorFlow, PyTorch and JAX side by side on the five tutorials' networks. "
        "Everything takes about two hours on two cores; --parts step takes ten minutes.",
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="gpu: other parts and targets, see --device gpu --help"
    )
    parser.add_argument("--parts", type=names, default=list(PARTS), metavar="A,B", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument(
        "--networks",
        type=names,
        default=list(NETWORKS),
        metavar="A,B",
        help=f"of {', '.join(NETWORKS)} (all)",
    )
    parser.add_argument(
        "--frameworks",
        type=names,
        metavar="A,B",
        help="scratchnet, tensorflow (tf.function, keras.fit), torch, torch.compile, jax, tf.xla (all but tf.xla)",
    )
    parser.add_argument("--rounds", type=positive, help="interleaved rounds (12; 3 with --quick)")
    parser.add_argument("--steps", type=positive, help="training steps in a turn (400 dense, 20 convolutional)")
    parser.add_argument("--threads", type=positive, default=cores(), help="for every framework (all cores)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw it")
    parser.add_argument("--quick", action="store_true", help="few rounds of few steps: does it run? Not for figures")
    options = parser.parse_args(arguments)
    refuse_unknown(parser, "part", options.parts, PARTS)
    refuse_unknown(parser, "network", options.networks, tuple(NETWORKS))
    if options.threads > cores():
        parser.error(f"--threads {options.threads}: this process may use {cores()} cores")
    try:
        options.present, options.left_out = choose(options.frameworks)
    except ValueError as error:
        parser.error(str(error))
    if not options.present:
        parser.error("; ".join(f"{name}: {why}" for name, why in options.left_out.items()))
    return options


def prepare(options: argparse.Namespace, folder: Path) -> tuple[Settings, dict[str, Any]]:
    """The settings of the parts, and the result as it is before the first of them."""
    rounds = options.rounds or (3 if options.quick else 12)
    chosen: tuple[Network, ...] = tuple(NETWORKS[name] for name in dict.fromkeys(options.networks))
    settings = Settings(chosen, tuple(options.present), rounds, options.steps, options.threads, options.quick, folder)
    result: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "machine": describe(),
        "settings": {
            "rounds": rounds,
            "steps": options.steps,
            "threads": options.threads,
            "quick": options.quick,
        },
        "versions": {framework.name: version(framework.module) for framework in options.present},
        "left_out": options.left_out,
        "parts": {},
    }
    for name, why in options.left_out.items():
        say(f"{name} is left out: {why}")
    data.lay_down(folder, (network.data for network in chosen))
    say("the machine's limits")
    result["limits"] = kernels.machine_limits(settings)
    sgemm = result["limits"][str(options.threads)]["sgemm"]
    result["floors"] = {network.name: step_flops(network) / (sgemm * 1e9) for network in chosen}
    return settings, result


def measure(part: str, settings: Settings, result: dict[str, Any]) -> list[dict[str, Any]]:
    """What one part found, as plain JSON."""
    if part == "kernels":
        return kernels.measure(settings, result["limits"])
    lists: dict[str, Callable[[Settings], list[Any]]] = {
        "step": step.measure,
        "fit": fit.measure,
        "predict": predict.measure,
        "startup": startup.measure,
        "memory": memory.measure,
        "scaling": scaling.measure,
        "busy": busy.measure,
    }
    return [found.to_json() if isinstance(found, Outcome) else found for found in lists[part](settings)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit status. What was measured before an interruption is still shown and written."""
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--device", default="cpu")
    device, rest = first.parse_known_args(arguments)
    if device.device == "gpu":
        from .gpu import command

        return command.main(rest)
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's stop is as orderly as Ctrl-C
    status, result = 0, None
    try:
        with tempfile.TemporaryDirectory(prefix="scratchnet-benchmarks-") as folder:
            settings, result = prepare(options, Path(folder))
            for part in PARTS:
                if part in options.parts:
                    result["parts"][part] = measure(part, settings, result)
    except KeyboardInterrupt:
        say("stopped")
        status = 130
    except (PeerError, ScratchnetError) as error:
        say(str(error))
        status = 1
    if result is not None:
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
        print(report.render(result))
        if options.pictures:
            say("pictures: " + ", ".join(str(path) for path in pictures.draw(result["parts"], options.pictures)))
    return status


if __name__ == "__main__":
    sys.exit(main())

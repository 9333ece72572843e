"""The table of a GPU run, made from the same plain dict that goes into the JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..tables import cells, number, remarks, spread, table
from .adapters import FRAMEWORKS

NOTE = (
    "Fair by construction: the same initial weights and batches for everybody, all of them in the GPU's memory; a "
    "process for each framework, stopped while the others run; they take turns in random order; nobody is timed whose "
    "losses disagree. Times are those between two events of the device around all steps of a turn, but JAX's and "
    "TensorFlow's, which are the host's around the same; compilation and capture are over before. Shown: median "
    "[quartiles]."
)
VERDICTS = {True: "met", False: "MISSED", None: "not measured"}


def heading(result: Mapping[str, Any]) -> str:
    """The machine and what was compared."""
    gpu, machine = result["gpu"], result["machine"]
    lines = [
        f"{gpu['name']}, {gpu['memory_gib']:.0f} GiB, compute capability {gpu['capability']}, driver for CUDA "
        f"{gpu['driver']}, CuPy {gpu['cupy']} for CUDA {gpu['runtime']}",
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, "
        f"commit {machine['commit'] or 'unknown'}, {machine['when']}",
        f"command: {result['command']}",
        NOTE,
        *(f"{name} {version}: {FRAMEWORKS[name].says}" for name, version in result["versions"].items()),
        *(f"{name} is left out: {why}" for name, why in result["left_out"].items()),
    ]
    return "\n".join(lines)


def step_tables(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Microseconds of a training step, one table per precision."""
    blocks = []
    for precision in dict.fromkeys(result["precision"] for result in results):
        own = [result for result in results if result["precision"] == precision]
        names = [name for name in FRAMEWORKS if any(name in result["times"] for result in own)]
        rows = [
            [f"{r['network']} ({r['batch']})", *cells(names, r["times"], lambda times: spread(times, 1e6))] for r in own
        ]
        blocks.append(table([f"us per step, {precision}", *names], rows))
        blocks += remarks([dict(result) for result in own])
    return blocks


def training_table(results: Sequence[Mapping[str, Any]]) -> str:
    """A row per whole training."""
    rows = [
        [
            f"{result['recipe']}, {result['precision']}, run {i + 1}", f"{run['seconds']:.3f}", f"{run['whole']:.3f}",
            f"{run['accuracy']:.4f}", str(run["steps"]), run["bits"],
        ]
        for result in results
        for i, run in enumerate(result["runs"])
    ]  # fmt: skip
    return table(["training", "seconds", "with upload", "test accuracy", "steps", "bits"], rows)


def kernel_tables(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row per op call, a table per network and precision."""
    blocks = []
    for result in results:
        rows = []
        for op in result["ops"]:
            share = "-" if op["of_limit"] is None else f"{op['of_limit']:.0%}"
            rate = number(op["flops"] / op["seconds"] / 1e12) if op["flops"] else "-"
            copied = number(op["bytes"] / op["seconds"] / 1e9)
            rows.append([op["op"], op["shapes"], number(op["seconds"] * 1e6), rate, copied, share])
        headers = [f"{result['network']}, {result['precision']}", "shapes", "us", "TFLOP/s", "GB/s", "of limit"]
        blocks.append(table(headers, rows))
    return blocks


def product_tables(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row per op call with products, ours next to cuBLASLt's."""
    blocks = []
    for result in results:
        rows = [
            [
                one["op"], one["shapes"], number(one["seconds"] * 1e6), number(one["cublaslt"] * 1e6),
                f"{one['cublaslt'] / one['seconds']:.2f}", number(one["flops"] / one["seconds"] / 1e12),
                str(one["tried"]),
            ]
            for one in result["products"]
        ]  # fmt: skip
        headers = [f"{result['network']}, {result['precision']}", "shapes", "ours, us", "cuBLASLt, us", "theirs/ours",
                   "our TFLOP/s", "its ways"]  # fmt: skip
        blocks.append(table(headers, rows))
    return blocks


def limits_table(limits: Mapping[str, Any]) -> str:
    """Copy bandwidth by size, and the products' rates, as far as they were measured."""
    rows = [
        [f"copy, {int(size) / 2**20:.0f} MiB touched", f"{rate / 1e9:.0f} GB/s"]
        for size, rate in limits.get("copy", {}).items()
    ]
    for precision, found in limits.get("products", {}).items():
        for who, rate in found.items():
            rows.append([f"product 8192^3, {precision}, {who}", f"{rate / 1e12:.1f} TFLOP/s"])
    return table(["measured limits", ""], rows)


def shown(target: Mapping[str, Any], key: str) -> str:
    """A figure of a target with its unit."""
    value = target[key]
    return "-" if value is None else f"{value:.3g}{target['unit']}"


def target_table(targets: Sequence[Mapping[str, Any]]) -> str:
    """Every target next to its figure."""
    rows = [
        [
            target["what"],
            shown(target, "figure"),
            f"{'>=' if target['at_least'] else '<='} {shown(target, 'wanted')}",
            VERDICTS[target["met"]],
        ]
        for target in targets
    ]
    count = {verdict: sum(VERDICTS[t["met"]] == verdict for t in targets) for verdict in VERDICTS.values()}
    return table(["target", "measured", "wanted", ""], rows) + "\n" + ", ".join(f"{n} {v}" for v, n in count.items())


def render(result: Mapping[str, Any]) -> str:
    """The whole report as text."""
    parts, blocks = result["parts"], [heading(result)]
    if "step" in parts:
        blocks += ["== step ==", *step_tables(parts["step"])]
    if "train" in parts:
        blocks += ["== train ==", training_table(parts["train"])]
    if "kernels" in parts:
        blocks += ["== kernels ==", limits_table(result["limits"]), *kernel_tables(parts["kernels"])]
    if "products" in parts:
        blocks += ["== products ==", *product_tables(parts["products"])]
    blocks += [f"{part}: {why}" for part, why in result["failures"].items()]
    if result["targets"]:
        blocks += ["== targets ==", target_table(result["targets"])]
    return "\n\n".join(blocks)

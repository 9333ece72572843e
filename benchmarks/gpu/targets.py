"""The targets for one H200, and whether a measurement reaches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..limits import least_seconds
from ..networks import NETWORKS
from ..stats import ratio
from .adapters import EAGER, PEERS
from .training import TRAININGS

OURS = "scratchnet"
OVER_FASTEST = {"dense": 1.5, "cnn": 1.2}
OVER_EAGER = {"dense": 8.0, "cnn": 4.0}
LARGE_BYTES, LARGE_FLOPS = 2**20, 1e9
OF_COPY, OF_PEAK = 0.8, 0.7


@dataclass(frozen=True)
class Target:
    """One line of the table: a figure and its target; ``met`` is None if it was not measured."""

    what: str
    figure: float | None
    wanted: float
    at_least: bool = True
    unit: str = ""

    @property
    def met(self) -> bool | None:
        if self.figure is None:
            return None
        return self.figure >= self.wanted if self.at_least else self.figure <= self.wanted

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}


def steps(precision: str, network: str, times: Mapping[str, Sequence[float]]) -> list[Target]:
    """The training step against the fastest peer, and against PyTorch eager."""
    kind = "cnn" if NETWORKS[network].is_cnn else "dense"
    ours = times.get(OURS)
    ratios = {name: ratio(times[name], ours).value for name in PEERS if name in times} if ours else {}
    fastest = min(ratios, key=lambda name: ratios[name], default=None)
    over = f"over the fastest peer{f' ({fastest})' if fastest else ''}"
    return [
        Target(f"{network} step, {precision}, {over}", ratios.get(fastest or ""), OVER_FASTEST[kind], unit="x"),
        Target(f"{network} step, {precision}, over {EAGER} eager", ratios.get(EAGER), OVER_EAGER[kind], unit="x"),
    ]


def trainings(name: str, runs: Sequence[Mapping[str, Any]]) -> list[Target]:
    """Seconds and accuracy of a whole training (the median and the lowest of its runs), and its bits.

    Every run of a pair has the same seed.
    """
    wanted = TRAININGS[name]
    seconds, accuracy, same = None, None, None
    if runs:
        ordered = sorted(run["seconds"] for run in runs)
        seconds, accuracy = ordered[len(ordered) // 2], min(run["accuracy"] for run in runs)
    if len(runs) > 1:
        same = float(len({run["bits"] for run in runs}) == 1)
    return [
        Target(f"{name}: seconds of training", seconds, wanted["seconds"], at_least=False, unit="s"),
        Target(f"{name}: test accuracy", accuracy, wanted["accuracy"]),
        Target(f"{name}: same seed twice, identical bits", same, 1.0),
    ]


def of_limit(op: Mapping[str, Any], copy: Mapping[str, float], peak: float | None) -> float | None:
    """The share of its limit that a large kernel reaches: a product of the peak, another of a copy of as many bytes.

    None for small ones, and for products where no peak was measured.
    """
    if op["flops"] > LARGE_FLOPS:
        return None if peak is None else float(op["flops"] / op["seconds"] / peak)
    if op["flops"] or op["bytes"] <= LARGE_BYTES:
        return None
    limits = {"copy": {size: rate / 1e9 for size, rate in copy.items()}, "sgemm": float("inf")}
    return least_seconds(limits, 0, op["bytes"]) / float(op["seconds"])


def kernels(precision: str, network: str, ops: Sequence[Mapping[str, Any]]) -> list[Target]:
    """Every large kernel of a step."""
    return [
        Target(
            f"{network}, {precision}: {op['op']} {op['shapes']}, of {'peak' if op['flops'] else 'copy bandwidth'}",
            op["of_limit"],
            OF_PEAK if op["flops"] else OF_COPY,
        )
        for op in ops
        if op["of_limit"] is not None
    ]

"""Which chart is drawn of what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .charts import Point, Series, bars, curves, dots
from .stats import ratio, summarize
from .tables import FASTER, OURS, Result, columns, label, ratios

TITLES = {"step": "training step", "fit": "fit, per step", "predict": "predict"}


def exactly(value: float) -> Point:
    """A value without an interval."""
    return value, value, value


def quartiles(times: Sequence[float], unit: float = 1e3) -> Point:
    """Median and quartiles in units of 1/unit seconds."""
    found = summarize(times)
    return found.median * unit, found.low * unit, found.high * unit


def series(rows: Sequence[dict[str, Any]], names: Sequence[str], point: Callable[[Any], Point]) -> Series:
    """For each name what ``point`` makes of its entry in each row; None where it has none."""
    return {name: [point(row[name]) if name in row else None for row in rows] for name in names}


def timed(part: str, results: Sequence[Result], folder: Path) -> list[Path]:
    """Times, and how much faster scratchnet is."""
    groups = [label(result) for result in results]
    paths = [folder / f"{part}.png"]
    found = series([result["times"] for result in results], columns(results), quartiles)
    dots(paths[0], TITLES[part], "ms", groups, found)
    rows = [ratios(result) for result in results]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != FASTER]
    if names:
        paths.append(folder / f"{part}-ratio.png")
        found = series(rows, names, lambda one: (one.value, one.low, one.high))
        bars(paths[-1], TITLES[part], "times as long as scratchnet", groups, found, line=1)
    return paths


def startup(results: Sequence[Result], folder: Path) -> list[Path]:
    paths = []
    for result in results:
        paths.append(folder / f"startup-{result['network']}.png")
        keys = {"import": "import", "cold": "first step, cold", "warm": "first step, warm"}
        found: Series = {name: [quartiles(row[key], 1) for key in keys] for name, row in result["times"].items()}
        bars(paths[-1], f"start-up, {result['network']}", "s", list(keys.values()), found)
    return paths


def memory(results: Sequence[Result], folder: Path) -> list[Path]:
    path = folder / "memory.png"
    rows = [result["memory"] for result in results]
    found = series(rows, columns(results, "memory"), lambda one: exactly(one["bytes"] / 2**20))
    bars(path, "peak memory of a tutorial", "MiB", [result["network"] for result in results], found)
    return [path]


def kernels(results: Sequence[Result], folder: Path) -> list[Path]:
    paths = []
    for result in results:
        if result["ops"]:
            paths.append(folder / f"kernels-{result['network']}.png")
            groups = [f"{op['op']} {op['shapes']}" for op in result["ops"]]
            found: Series = {OURS: [exactly(100 * op["of_limit"]) for op in result["ops"]]}
            bars(paths[-1], result["network"], "% of the machine's limit", groups, found, line=100)
    return paths


def scaling(results: Sequence[Result], folder: Path) -> list[Path]:
    paths = []
    for result in results:
        outcomes, what = result["outcomes"], result["what"]
        paths.append(folder / f"scaling-{result['network']}-{what}.png")
        found = series([outcome["times"] for outcome in outcomes], columns(outcomes), quartiles)
        curves(paths[-1], result["network"], "ms per training step", what, result["values"], found)
    return paths


def busy(results: Sequence[Result], folder: Path) -> list[Path]:
    path = folder / "busy.png"

    def slower(result: Result, name: str) -> Point | None:
        disturbed = result["notes"]["busy"].get(name)
        if name not in result["times"] or not disturbed:
            return None
        found = ratio(disturbed, result["times"][name])
        return found.value, found.low, found.high

    found: Series = {name: [slower(result, name) for result in results] for name in columns(results)}
    groups = [label(result) for result in results]
    bars(path, "one core kept busy", "times as long as on the idle machine", groups, found, line=1)
    return [path]


def draw(parts: dict[str, list[Result]], folder: Path) -> list[Path]:
    """One PNG or more for each part that was run; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    others = {"startup": startup, "memory": memory, "kernels": kernels, "scaling": scaling, "busy": busy}
    paths = []
    for part, results in parts.items():
        if results:
            paths += others[part](results, folder) if part in others else timed(part, results, folder)
    return paths

"""Aligned tables of plain text, and the pieces that the report and the pictures both read out of the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .frameworks import FRAMEWORKS
from .stats import Ratio, ratio, summarize

OURS = "scratchnet"
FASTER = "PyTorch, faster"
Result = dict[str, Any]


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, the first to the left and the others to the right, with a rule under the headers."""
    cells = [list(headers), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]

    def line(row: list[str]) -> str:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *rest]).rstrip()

    return "\n".join([line(cells[0]), "  ".join("-" * width for width in widths), *map(line, cells[1:])])


def number(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def spread(times: Sequence[float], unit: float = 1e3) -> str:
    """Median and quartiles, ``1.20 [1.10, 1.30]``, in units of 1/unit seconds."""
    found = summarize(times)
    return f"{number(found.median * unit)} [{number(found.low * unit)}, {number(found.high * unit)}]"


def interval(found: Ratio) -> str:
    """``4.10 [3.90, 4.30]``."""
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def cells(names: Iterable[str], found: dict[str, Any], show: Callable[[Any], str]) -> list[str]:
    """A cell for each name: what ``show`` makes of the name's entry, or a dash where it has none."""
    return [show(found[name]) if name in found else "-" for name in names]


def columns(results: Sequence[Result], key: str = "times") -> list[str]:
    """The frameworks that any of the results has, in the usual order."""
    return [name for name in FRAMEWORKS if any(name in result[key] for result in results)]


def label(result: Result) -> str:
    """The network, with its batch size where the part trains."""
    return f"{result['network']} ({result['batch']})" if "batch" in result else str(result["network"])


def ratios(result: Result) -> dict[str, Ratio]:
    """Each peer's time over scratchnet's; also PyTorch's faster way, where both were timed."""
    times = result["times"]
    if OURS not in times:
        return {}
    found = {name: ratio(times[name], times[OURS]) for name in FRAMEWORKS if name in times and name != OURS}
    if "torch" in found and "torch.compile" in found:
        found[FASTER] = min(found["torch"], found["torch.compile"], key=lambda one: one.value)
    return found


def remarks(results: Sequence[Result]) -> list[str]:
    """Who was not timed and why, how well the rest agreed, and where the machine was busy."""
    lines = []
    for result in results:
        if agreed := result.get("agreement"):
            worst = ", ".join(f"{name} {verdict['worst']:.0e}" for name, verdict in agreed.items())
            lines.append(f"{result['network']}: same thing computed, largest relative difference: {worst}")
        lines += [f"{result['network']}: NOT TIMED: {name}: {why}" for name, why in result.get("refused", {}).items()]
        if warning := result.get("busy", {}).get("warning"):
            lines.append(f"{result['network']}: WARNING: {warning}")
    return lines

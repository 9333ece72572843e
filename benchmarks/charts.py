"""Three kinds of chart, in colors that the color-blind can tell apart; each framework has a marker and a hatch too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .frameworks import FRAMEWORKS

# Okabe and Ito: Color Universal Design, 2008.
PALETTE = ("#D55E00", "#0072B2", "#56B4E9", "#999999", "#009E73", "#000000", "#CC79A7")
COLORS = dict(zip(FRAMEWORKS, PALETTE, strict=True))
MARKERS = dict(zip(FRAMEWORKS, "osD^vP*", strict=True))
HATCHES = dict(zip(FRAMEWORKS, ("", "//", "\\\\", "++", "..", "xx", "oo"), strict=True))
OTHER = "#0072B2"

Point = tuple[float, float, float]  # value, and the low and the high end of its interval
Series = dict[str, Sequence[Point | None]]  # by framework, one for each group


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Any]:
    """Axes to draw on; written as PNG at the end of the block."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    yield axes
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _groups(axes: Any, groups: Sequence[str], legend: bool) -> None:
    axes.set(yticks=range(len(groups)), yticklabels=groups)
    axes.invert_yaxis()
    if legend:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _placed(series: Series) -> Iterator[tuple[str, list[float], list[Point]]]:
    """For each name its points that exist and where they go, so that the names of a group lie side by side."""
    for slot, (name, points) in enumerate(series.items()):
        kept = [(group, point) for group, point in enumerate(points) if point is not None]
        offset = 0.8 * ((slot + 0.5) / len(series) - 0.5)
        yield name, [group + offset for group, _ in kept], [point for _, point in kept]


def _errors(points: Sequence[Point]) -> list[list[float]] | None:
    if all(low == value == high for value, low, high in points):
        return None
    return [[value - low for value, low, _ in points], [high - value for value, _, high in points]]


def dots(path: Path, title: str, unit: str, groups: Sequence[str], series: Series) -> None:
    """A dot with its interval for each group and name, on a logarithmic axis."""
    with picture(path, 8, 1.2 + 0.9 * len(groups)) as axes:
        for name, places, points in _placed(series):
            values = [value for value, _, _ in points]
            style = {"fmt": MARKERS.get(name, "o"), "color": COLORS.get(name, OTHER), "capsize": 3}
            axes.errorbar(values, places, xerr=_errors(points), label=name, **style)
        axes.set(xscale="log", xlabel=unit, title=title)
        axes.grid(axis="x", alpha=0.3)
        _groups(axes, groups, legend=True)


def bars(path: Path, title: str, unit: str, groups: Sequence[str], series: Series, line: float | None = None) -> None:
    """A bar with its interval for each group and name, and a dashed line where 1 or 100% is."""
    with picture(path, 8, 1.2 + 0.22 * len(groups) * (len(series) + 1)) as axes:
        for name, places, points in _placed(series):
            values = [value for value, _, _ in points]
            style = {"color": COLORS.get(name, OTHER), "hatch": HATCHES.get(name, ""), "edgecolor": "white"}
            height = 0.8 / len(series)
            axes.barh(places, values, height, label=name, xerr=_errors(points), error_kw={"capsize": 2}, **style)
        if line is not None:
            axes.axvline(line, color="black", linestyle="--", linewidth=1)
        axes.set(xlabel=unit, title=title)
        _groups(axes, groups, legend=len(series) > 1)


def curves(path: Path, title: str, unit: str, what: str, values: Sequence[float], series: Series) -> None:
    """A line for each name over the values of one thing, both axes logarithmic."""
    with picture(path, 7, 4.5) as axes:
        for name, points in series.items():
            kept = [(value, point) for value, point in zip(values, points, strict=True) if point is not None]
            style = {"marker": MARKERS.get(name, "o"), "color": COLORS.get(name, OTHER)}
            axes.plot([value for value, _ in kept], [point[0] for _, point in kept], label=name, **style)
        axes.set(xscale="log", yscale="log", xlabel=what, ylabel=unit, title=title)
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.xaxis.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.legend()

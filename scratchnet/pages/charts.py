"""Line charts as places in an SVG picture: the template draws them, and their words stay words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

WIDTH, HEIGHT = 440, 270
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 46
MOST_POINTS = 400  # of a line: more than the picture has columns
MARKED = 30  # lines of up to so many points show each of them
Item = TypeVar("Item")
MARKERS = ("circle", "square", "triangle", "diamond", "cross")


@dataclass(frozen=True)
class Series:
    """One line: its name, its points ``(x, y)`` with y a finite number, and which of the styles it has."""

    name: str
    points: Sequence[tuple[float, float]]
    style: int = 0


@dataclass(frozen=True)
class Line:
    """A series in the picture's own units."""

    name: str
    style: int
    marker: str
    path: str
    marks: list[str]


@dataclass(frozen=True)
class Chart:
    """What the template draws, and what it says to those who do not see it."""

    key: str
    title: str
    x_label: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    description: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    names: list[str] = field(default_factory=list)


def line_chart(key: str, title: str, x_label: str, series: Iterable[Series], percent: bool = False) -> Chart | None:
    """A chart of all series that have points; None where none has.

    Parameters
    ----------
    key : str
        Unique in the page.
    percent : bool
        Whether the values are shares, to be shown as percentages.
    """
    shown = [one for one in series if one.points]
    if not shown:
        return None
    xs = [x for one in shown for x, _ in one.points]
    ys = [y for one in shown for _, y in one.points]
    x_ticks, (x_low, x_high) = _axis(min(xs), max(xs), 6, whole=True)
    y_ticks, (y_low, y_high) = _axis(min(ys), max(ys), 5, whole=False)
    if percent and max(ys) <= 1.0 < y_high:  # no axis goes on above 100%
        y_ticks, y_high = [tick for tick in y_ticks if tick <= 1.0 + 1e-9], 1.0

    def across(x: float) -> float:
        return round(LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    lines = []
    for one in shown:
        places = [(across(x), up(y)) for x, y in thinned(one.points)]
        marker = MARKERS[one.style % len(MARKERS)]
        marks = [_mark(marker, x, y) for x, y in places] if len(places) <= MARKED else []
        lines.append(Line(one.name, one.style, marker, "M" + " L".join(f"{x} {y}" for x, y in places), marks))
    digits = max(0, _digits(y_ticks) - 2) if percent else _digits(y_ticks)
    return Chart(
        key, title, x_label, lines,
        x_ticks=[(across(x), f"{x:,.0f}") for x in x_ticks],
        y_ticks=[(up(y), f"{y:.{digits}%}" if percent else f"{y:.{digits}f}") for y in y_ticks],
        description=" ".join(_in_words(one, x_label, percent) for one in shown),
    )  # fmt: skip


def thinned(points: Sequence[Item], most: int = MOST_POINTS) -> list[Item]:
    """At most about so many of the points, evenly taken, the last one among them."""
    step = max(1, -(-len(points) // most))
    return [point for index, point in enumerate(points) if index % step == 0 or index == len(points) - 1]


def legend_mark(style: int) -> str:
    """The path of a style's marker in the middle of a 28 x 12 picture."""
    return _mark(MARKERS[style % len(MARKERS)], 14, 6)


def _axis(low: float, high: float, count: int, whole: bool) -> tuple[list[float], tuple[float, float]]:
    """Round numbers from below ``low`` to above ``high``, and the extent that they span."""
    from matplotlib.ticker import MaxNLocator

    if low == high:
        pad = 0.5 if whole else abs(low) * 0.1 or 0.1
        low, high = low - pad, high + pad
    ticks = [float(tick) for tick in MaxNLocator(count, integer=whole).tick_values(low, high)]
    if whole:
        return [tick for tick in ticks if low <= tick <= high and tick == round(tick)], (low, high)
    return ticks, (ticks[0], ticks[-1])


def _digits(ticks: Sequence[float]) -> int:
    """So many decimals that no tick is rounded."""
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    return next((n for n in range(9) if all(abs(round(tick, n) - tick) < step / 1000 for tick in ticks)), 9)


def _mark(marker: str, x: float, y: float) -> str:
    match marker:
        case "circle":
            return f"M{x - 3:.1f} {y:.1f}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z"
        case "square":
            return f"M{x - 2.7:.1f} {y - 2.7:.1f}h5.4v5.4h-5.4z"
        case "triangle":
            return f"M{x:.1f} {y - 3.6:.1f}l3.5 6h-7z"
        case "diamond":
            return f"M{x:.1f} {y - 3.9:.1f}l3.9 3.9l-3.9 3.9l-3.9 -3.9z"
        case _:
            return f"M{x - 1:.1f} {y - 3.5:.1f}h2v2.5h2.5v2h-2.5v2.5h-2v-2.5h-2.5v-2h2.5z"


def _in_words(series: Series, x_label: str, percent: bool) -> str:
    def said(value: float) -> str:
        return f"{value:.2%}" if percent else f"{value:.4f}"

    (first, begin), (last, end) = series.points[0], series.points[-1]
    if first == last:
        return f"{series.name}: {said(end)} at {x_label} {last:,.0f}."
    x_best, best = (max if percent else min)(series.points, key=lambda point: point[1])
    extreme = f"{'highest' if percent else 'lowest'} {said(best)} at {x_label} {x_best:,.0f}"
    return f"{series.name}: from {said(begin)} at {x_label} {first:,.0f} to {said(end)} at {last:,.0f}, {extreme}."

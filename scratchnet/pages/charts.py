"""Line charts as coordinates in an SVG picture: the template draws them, and their text stays text."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

WIDTH, HEIGHT, LOW = 440, 270, 170  # LOW: the height if there are only single points
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 46
MOST_POINTS = 400  # of a line: more than the picture has columns
MARKED = 30  # lines of up to this many points mark each of them
Item = TypeVar("Item")
MARKERS = ("circle", "square", "triangle", "diamond", "cross")


@dataclass(frozen=True)
class Series:
    """One line: its name, its points ``(x, y)`` with y a finite number, and its style."""

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
    value: tuple[float, float, str, str] | None = None  # of a single point: where, on which side, what


@dataclass(frozen=True)
class Chart:
    """What the template draws, with a description for those who cannot see it."""

    key: str
    title: str
    x_label: str
    below: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    description: str
    height: int
    bottom: int
    width: int = WIDTH
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP


def line_chart(key: str, title: str, x_label: str, series: Iterable[Series], percent: bool = False) -> Chart | None:
    """A chart of all series that have points; None if none has.

    If all points have the same x, the chart is low, and the points of one or two lines are labeled next to them.

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
    single = min(xs) == max(xs)
    height = LOW if single else HEIGHT
    if percent and max(ys) <= 1.0 < y_high:  # no axis goes on above 100%
        y_ticks, y_high = [tick for tick in y_ticks if tick <= 1.0 + 1e-9], 1.0

    def across(x: float) -> float:
        return round(LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def up(y: float) -> float:
        return round(height - BOTTOM - (y - y_low) / (y_high - y_low) * (height - TOP - BOTTOM), 1)

    lines = []
    for index, one in enumerate(shown):
        places = [(across(x), up(y)) for x, y in thinned(one.points)]
        marker = MARKERS[one.style % len(MARKERS)]
        marks = [_mark(marker, x, y) for x, y in places] if len(places) <= MARKED else []
        path = "M" + " L".join(f"{x} {y}" for x, y in places)
        value = None
        if single and len(shown) < 3:
            (x, y), side, anchor = places[-1], (10, -10)[index], ("start", "end")[index]
            value = x + side, y + 4, anchor, f"{one.name} {_said(one.points[-1][1], percent)}"
        lines.append(Line(one.name, one.style, marker, path, marks, value))
    digits = max(0, _digits(y_ticks) - 2) if percent else _digits(y_ticks)
    return Chart(
        key, title, x_label, f"{x_label} {xs[0]:,.0f}, the only one" if single else x_label, lines,
        x_ticks=[] if single else [(across(x), f"{x:,.0f}") for x in x_ticks],
        y_ticks=[(up(y), f"{y:.{digits}%}" if percent else f"{y:.{digits}f}") for y in y_ticks],
        description=" ".join(_in_words(one, x_label, percent) for one in shown),
        height=height, bottom=height - BOTTOM,
    )  # fmt: skip


def thinned(points: Sequence[Item], most: int = MOST_POINTS) -> list[Item]:
    """At most about ``most`` of the points, evenly spaced and including the last."""
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
    """Enough decimals that no tick is rounded."""
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    return next((n for n in range(9) if all(abs(round(tick, n) - tick) < step / 1000 for tick in ticks)), 9)


def _mark(marker: str, x: float, y: float) -> str:
    match marker:
        case "circle":
            return f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z"
        case "square":
            return f"M{x - 3.1:.1f} {y - 3.1:.1f}h6.2v6.2h-6.2z"
        case "triangle":
            return f"M{x:.1f} {y - 4.2:.1f}l4 7h-8z"
        case "diamond":
            return f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"
        case _:
            return f"M{x - 4.5:.1f} {y:.1f}h9M{x:.1f} {y - 4.5:.1f}v9"


def _said(value: float, percent: bool) -> str:
    return f"{value:.2%}" if percent else f"{value:.4f}"


def _in_words(series: Series, x_label: str, percent: bool) -> str:
    (first, begin), (last, end) = series.points[0], series.points[-1]
    at_last = _said(end, percent)
    if first == last:
        return f"{series.name}: {at_last} at {x_label} {last:,.0f}."
    x_best, best = (max if percent else min)(series.points, key=lambda point: point[1])
    extreme = f"{'highest' if percent else 'lowest'} {_said(best, percent)} at {x_label} {x_best:,.0f}"
    begun = f"from {_said(begin, percent)} at {x_label} {first:,.0f}"
    return f"{series.name}: {begun} to {at_last} at {last:,.0f}, {extreme}."

"""Is ``backward`` the derivative of ``forward``? Central differences in double precision answer that.

For a number t moved along one element of an array, or along a random direction of unit length, the slope of the loss
``L`` is ``D(h) = (L(t + h) - L(t - h)) / 2h`` with an error of O(h^2); that of ``(4 D(h/2) - D(h)) / 3`` is O(h^4).
If ``D(h)`` and ``D(h/2)`` disagree, a smaller step is tried; if none helps, or if the slopes to the left and to the
right differ at every scale, t is at a kink (ReLU's 0) or a tie (two equal maxima): there is no derivative to compare
with, and the element is left out and counted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .backend import array_module
from .checks import whole
from .gradient_probes import LayerProbe, LossProbe, habits, require_checkable, size_of

SMOOTH, KINKED = 1e-6, 1e-5  # largest relative error allowed: in general, and where kinks nearby blur the differences
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # relative to the size of the array's elements
TINY = 1e-200  # below any slope that matters; for a constant function, 0 is compared with 0 relative to this
TOO_MANY, LEFT_OUT = 0.25, "TOO MANY LEFT OUT"  # of an array's elements


@dataclass(frozen=True)
class Row:
    """What the check found for one array."""

    name: str
    shape: tuple[int, ...]
    checked: str
    left_out: int
    max_relative_error: float
    tolerance: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the gradient of this array is right."""
        return not self.note and self.max_relative_error <= self.tolerance


@dataclass
class Report:
    """What `check_gradients` found; ``print(report)`` shows it as a table."""

    subject: str
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    moved: bool = False

    @property
    def max_relative_error(self) -> float:
        """The largest of all rows."""
        return max((row.max_relative_error for row in self.rows), default=0.0)

    @property
    def ok(self) -> bool:
        """Whether every gradient is right and no other problem was found."""
        return not self.problems and all(row.ok for row in self.rows)

    def __str__(self) -> str:
        lines = [("array", "shape", "checked", "left out", "max rel. error", "verdict")]
        for row in self.rows:
            verdict = "ok" if row.ok else row.note or f"WRONG (over {row.tolerance:.0e})"
            error = f"{row.max_relative_error:.1e}"
            lines.append((row.name, str(row.shape), row.checked, str(row.left_out), error, verdict))
        widths = [max(len(line[i]) for line in lines) for i in range(6)]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        if self.moved:
            table.append("at a point 1% away: the given one stands on kinks or ties")
        table += [f"PROBLEM: {problem}" for problem in self.problems]
        return "\n".join([f"{self.subject}: gradients {'ok' if self.ok else 'WRONG'}", *table])

    __repr__ = __str__


def _slope(
    probe: Any, move: Callable[[float], None], base: np.ndarray, claim: float, step: float
) -> tuple[float, float, bool, bool]:
    """``(slope, floor, sharp, kinked)``: the derivative along one line, and what a relative error is relative to.

    ``floor`` is the rounding error of a slope of zero, over the tolerance; ``sharp`` says that D(h) and D(h/2) agree to
    a quarter of the smooth tolerance for some h, ``kinked`` that they do not even agree to the kinked one.
    """
    best: tuple[float, float, float, float] | None = None
    noise = 20 * np.finfo(np.float64).eps * float(np.linalg.norm(base)) / SMOOTH
    for h in (step * s for s in STEPS):
        slopes, bends = [], []
        for width in (h, h / 2):
            move(width)
            above = probe.terms()
            move(-width)
            below = probe.terms()
            slopes.append(float((above - below).sum()) / (2 * width))
            bends.append(abs(float((above + below - 2 * base).sum())) / width)
        move(0.0)
        floor = max(claim, noise / h, TINY)
        size = max(abs(slopes[0]), abs(slopes[1]), floor)
        disagreement = abs(slopes[0] - slopes[1]) / size
        if best is None or not disagreement >= best[0]:
            kink = bends[1] / size if bends[1] > 0.75 * bends[0] else 0.0
            best = disagreement, (4 * slopes[1] - slopes[0]) / 3, floor, kink
        if disagreement < SMOOTH / 4:
            break
    assert best is not None
    disagreement, slope, floor, kink = best
    kinked = not disagreement < KINKED / 4 or kink > KINKED
    return slope, floor, disagreement < SMOOTH / 4, kinked


def _lines(array: Any, rng: np.random.Generator, max_elements: int, projections: int) -> Iterator[tuple[Any, Any]]:
    """What to move along: ``(move, direction)``, where ``direction`` picks the claimed slope out of a gradient."""
    start = array.copy()
    for i in range(array.size if array.size <= max_elements else projections):
        direction = np.zeros(array.size)
        if array.size <= max_elements:
            direction[i] = 1.0
        else:
            direction[:] = rng.standard_normal(array.size)
            direction /= np.linalg.norm(direction)
        direction = direction.reshape(array.shape)
        yield functools.partial(_move, array, start, array_module().asarray(direction)), direction


def _move(array: Any, start: Any, along: Any, t: float) -> None:
    array[...] = start + t * along if t else start


def _check_array(name: str, probe: Any, claimed: Any, max_elements: int, projections: int) -> Row:
    array = probe.arrays[name]
    shape, every = tuple(array.shape), array.size <= max_elements
    checked = f"all {array.size}" if every else f"{projections} directions"
    if claimed is None or tuple(claimed.shape) != shape:
        given = "none" if claimed is None else claimed.shape
        return Row(name, shape, checked, 0, np.inf, SMOOTH, f"WRONG (gradient of shape {given})")
    if not np.isfinite(claimed).all():
        return Row(name, shape, checked, 0, np.inf, SMOOTH, "WRONG (gradient is not finite)")
    base, worst, left_out, tolerance = probe.terms(), 0.0, 0, SMOOTH
    lines = list(_lines(array, probe.rng, max_elements, projections))
    claims = [float((claimed * direction).sum()) for _, direction in lines]
    floor = 1e-3 * max((abs(claim) for claim in claims), default=0.0)
    for (move, _), claim in zip(lines, claims, strict=True):
        slope, least, sharp, kinked = _slope(probe, move, base, floor, size_of(array))
        left_out += kinked
        tolerance = tolerance if sharp or kinked else KINKED
        if left_out > TOO_MANY * len(lines):
            return Row(name, shape, checked, left_out, worst, tolerance, LEFT_OUT)
        if not kinked:
            worst = max(worst, abs(claim - slope) / max(abs(claim), abs(slope), least))
    return Row(name, shape, checked, left_out, worst, tolerance)


def check_gradients(
    subject: Any,
    x: Any,
    y: Any = None,
    training: bool = True,
    *,
    max_elements: int = 64,
    projections: int = 12,
    seed: int = 0,
) -> Report:
    """Compare the gradients of a layer, model or loss with finite differences in double precision.

    A copy is checked, in float64, on the current backend; the object itself does not change. The loss is that of the
    compiled model if ``y`` is given, else ``sum(forward(x) * r)`` with fixed random numbers r. All parameters are
    checked and, without ``y``, the input, unless it holds integers.

    Parameters
    ----------
    subject : Layer, Sequential or Loss
        For a loss, ``x`` are predictions and ``y`` the targets.
    x : array
        A small batch.
    y : array, optional
        Targets, for a compiled model.
    training : bool
        The mode of `forward`; with ``y`` always True.
    max_elements, projections : int
        Arrays of up to ``max_elements`` are checked element by element, larger ones along ``projections`` random
        directions.
    seed : int
        Of the random numbers.

    Returns
    -------
    Report
        ``.ok``, ``.max_relative_error``, ``.rows`` (one per array), ``.problems``; printing it shows a table. Errors
        are relative to the larger of the two slopes, and at least to a thousandth of the array's largest. The limit is
        1e-6, or 1e-5 where kinks nearby blur the differences.

    Raises
    ------
    GradientError
        If ``subject`` is none of these, ``x`` is not a batch of numbers, or the output is not finite at this point.
    ConfigError
        If ``seed``, ``max_elements`` or ``projections`` is not a whole number.
    """
    whole("seed", seed, 0)
    whole("max_elements", max_elements, 0)
    whole("projections", projections)
    require_checkable(subject, x, y)
    report = Report("nothing")
    for moved in (False, True):
        report = Report(getattr(subject, "name", None) or type(subject).__name__, moved=moved)
        if hasattr(subject, "prepare_targets"):
            probe: Any = LossProbe(subject, x, y, seed, moved)
        else:
            probe = LayerProbe(subject, x, y, training, seed, moved)
            if y is None:
                report.problems += habits(probe)
        claimed = probe.gradients()
        for name in probe.arrays:
            report.rows.append(_check_array(name, probe, claimed.get(name), max_elements, projections))
            if report.rows[-1].note == LEFT_OUT and not moved:
                break
        else:
            break
    return report

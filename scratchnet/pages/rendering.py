"""From a template and its values to the text of a page."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
GENERATOR = "scratchnet"  # in every page's head: identifies our pages, which may be replaced


def render(template: str, **values: Any) -> str:
    """The page made from a template of this package and the values, all of which are escaped."""
    return _environment().get_template(template).render(generator=GENERATOR, **values)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        percent=percent, number=number, seconds=seconds, millis=millis, shape=shape, cell=cell, breakable=breakable
    )
    return environment


def breakable(name: str) -> Markup:
    """A name that may break onto another line after each ``_``, and within ``CamelCase`` before a capital."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"_|(?<=[a-z])(?=[A-Z])", r"\g<0><wbr>", str(escape(name))))


def percent(share: float | None, digits: int = 2) -> str:
    """``0.98607`` as ``98.61%``; a dash for None."""
    return "–" if share is None else f"{share:.{digits}%}"


def number(value: float | None, digits: int = 4) -> str:
    """Whole numbers with thousands separated, others with a few digits; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def cell(value: float | None, name: str) -> str:
    """A metric by the name of its column."""
    if name.endswith("accuracy"):
        return percent(value)
    return f"{value:.3g}" if name == "learning_rate" and value is not None else number(value)


def seconds(value: float | None) -> str:
    """``93.2`` as ``1 min 33 s``, ``7.31`` as ``7.3 s``; a dash for None."""
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def millis(value: float) -> str:
    """Seconds as milliseconds with three significant digits."""
    thousandths = value * 1000
    return f"{thousandths:.{1 if thousandths >= 10 else 2 if thousandths >= 1 else 3}f}"


def shape(extents: Any) -> str:
    """``(28, 28, 1)`` as ``28 × 28 × 1``."""
    return " × ".join(f"{extent:,}" if isinstance(extent, int) else str(extent) for extent in extents)

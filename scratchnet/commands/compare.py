"""``scratchnet-train compare RUN RUN ...``: finished runs side by side, on the terminal and as a web page."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .options import option

if TYPE_CHECKING:
    from ..run_records import Record


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Folders of finished runs, two or more.")],
    out: Annotated[Path, option(
        "--out", metavar="FILE", help="The page to write; compare.html when left out.",
    )] = Path("compare.html"),
    as_json: Annotated[bool, option("--json", help="One JSON object per line, for programs.")] = False,
) -> int:  # fmt: skip
    """Put runs side by side: what differs, accuracies, curves over each other, F1 of every class, times.

    Writes one self-contained page and prints a table.
    """
    if len(runs) < 2:
        raise ConfigError(f"expected the folders of two or more runs, got {len(runs)}")
    if len({path.resolve() for path in runs}) < len(runs):
        raise ConfigError("expected different runs, got one of them twice")
    from .. import run_records
    from ..pages import compare_page, files

    files.check_place(out)
    records = [run_records.read(path) for path in runs]
    files.write(out, compare_page.page(records))
    show(records, as_json)
    print(json.dumps({"event": "page", "out": str(out)}) if as_json else f"page: {out}")
    return 0


def show(records: Sequence[Record], as_json: bool) -> None:
    """Print what the runs have come to: a table, or JSON lines."""
    from .. import run_records

    names, differing = run_records.labels(records), run_records.differing(run_records.settings(records))
    if as_json:
        for index, (name, record) in enumerate(zip(names, records, strict=True)):
            settings = {key: values[index] for key, values in differing.items()}
            print(json.dumps({"event": "run", "name": name, **_figures(record), "differs": settings}))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    best = max(record.results.test.accuracy for record in records)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", overflow="fold")
    for header in ("test accuracy", "loss", "validation", "training", "parameters", "steps", "time", "images/s"):
        table.add_column(header, justify="right")
    for name, record in zip(names, records, strict=True):
        r = record.results
        mark = " *" if r.test.accuracy == best else "  "
        table.add_row(
            escape(name), f"{r.test.accuracy:.2%}{mark}", _or_dash(r.test.loss, ".4f"),
            _or_dash(r.validation.get("accuracy"), ".2%"), _or_dash(r.train.get("accuracy"), ".2%"),
            f"{r.parameters:,}", f"{r.steps:,}", f"{r.seconds.get('training', 0.0):.1f} s",
            f"{r.images_per_second:,.0f}",
        )  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(table)
    if differing:
        console.print()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for header in ("what differs", *names):
            table.add_column(escape(header), overflow="fold")
        for key, values in differing.items():
            table.add_row(key, *map(escape, values))
        console.print(table)


def _figures(record: Record) -> dict[str, Any]:
    r = record.results
    return {
        "path": str(record.path),
        "recipe": r.recipe,
        "parameters": r.parameters,
        "epochs": r.epochs,
        "steps": r.steps,
        "train": r.train,
        "validation": r.validation,
        "test": r.test.model_dump(),
        "f1": dict(zip(r.class_names, r.classes["f1"], strict=True)),
        "seconds": r.seconds,
        "images_per_second": r.images_per_second,
    }


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)

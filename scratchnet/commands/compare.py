"""``scratchnet-train compare RUN RUN ...``: finished runs side by side, on the terminal and as a web page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..datasets.files import shown
from ..errors import ConfigError
from .options import folder, option

if TYPE_CHECKING:
    from ..run_records import Record

HELP = {
    "compare": "Put runs side by side: what differs, accuracies, curves over each other, F1 of every class, times.\n\n"
    "Writes one self-contained page and prints a table."
}


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of finished runs, two or more.")],
    out: Annotated[Path, option(
        "--out", metavar="FILE", parser=folder, help="The page to write; compare.html when left out.",
    )] = Path("compare.html"),
    as_json: Annotated[bool, option("--json", help="One JSON object per line, for programs.")] = False,
) -> int:  # fmt: skip
    """Write the page and print the table."""
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
    print(json.dumps({"event": "page", "out": str(out)}) if as_json else f"page: {shown(out)}")
    return 0


def show(records: Sequence[Record], as_json: bool) -> None:
    """Print the results of the runs: a table, or JSON lines."""
    from .. import run_records

    names, differing = run_records.labels(records), run_records.differing(run_records.settings(records))
    if as_json:
        for index, (name, record) in enumerate(zip(names, records, strict=True)):
            settings = {key: values[index] for key, values in differing.items()}
            print(json.dumps({"event": "run", "name": name, **_figures(record), "differs": settings}))
        return
    from .tables import Column
    from .tables import show as table

    best = run_records.best(records)
    headers = ("test accuracy", "loss", "validation", "training", "parameters", "steps", "time", "images/s")
    rows = []
    for name, record in zip(names, records, strict=True):
        r = record.results
        mark = " *" if r.test.accuracy == best else "  "
        rows.append([
            name, f"{r.test.accuracy:.2%}{mark}", _or_dash(r.test.loss, ".4f"),
            _or_dash(r.validation.get("accuracy"), ".2%"), _or_dash(r.train.get("accuracy"), ".2%"),
            f"{r.parameters:,}", f"{r.steps:,}", f"{r.seconds.get('training', 0.0):.1f} s",
            f"{r.images_per_second:,.0f}",
        ])  # fmt: skip
    table([Column("run"), *(Column(header, number=True) for header in headers)], rows)
    if best is None:
        print("(no best one: they were tested on different data)")
    if differing:
        print()
        columns = [Column("what differs"), *(Column(name, wraps=True) for name in names)]
        table(columns, [[key, *values] for key, values in differing.items()])


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

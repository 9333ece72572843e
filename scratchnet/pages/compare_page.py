"""Several finished runs side by side on one page, and the ladder explained with them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import run_records
from ..run_records import Record
from .charts import Chart, Series, legend_mark, line_chart
from .rendering import render
from .report_page import points

if TYPE_CHECKING:
    from ..ladder import Rung

PANELS = (
    ("loss", "Training loss"), ("accuracy", "Training accuracy"), ("val_loss", "Validation loss"),
    ("val_accuracy", "Validation accuracy"),
)  # fmt: skip


def page(records: Sequence[Record]) -> str:
    """The page that compares runs."""
    return render("compare.html", **_values(records))


def ladder_page(records: Sequence[Record], rungs: Sequence[Rung], scale: float) -> str:
    """The same, preceded by the story of the ladder."""
    accuracies = [record.results.test.accuracy for record in records]
    gains = [None, *(after - before for before, after in itertools.pairwise(accuracies))]
    steps = list(zip(rungs, accuracies, gains, strict=True))
    return render("ladder.html", rungs=steps, scale=scale, **_values(records))


def charts(records: Sequence[Record], names: Sequence[str]) -> list[Chart]:
    """Every metric of all runs, overlaid: by step if their batches are equally large, else by epoch."""
    sizes = {record.recipe.content.training.batch_size for record in records}
    across = "step" if len(sizes) == 1 else "epoch"
    found = []
    for key, title in PANELS:
        lines = [
            Series(name, points(record.rows, key, across), index)
            for index, (name, record) in enumerate(zip(names, records, strict=True))
        ]
        found.append(line_chart(key.replace("_", "-"), title, across, lines, percent=key.endswith("accuracy")))
    return [chart for chart in found if chart is not None]


def _values(records: Sequence[Record]) -> dict[str, Any]:
    names = run_records.labels(records)
    every = run_records.settings(records)
    return {
        "names": names,
        "records": records,
        "best": run_records.best(records),
        "same_data": len({run_records.data_of(record) for record in records}) == 1,
        "differing": run_records.differing(every),
        "same": {key: values[0] for key, values in every.items() if len(set(values)) == 1 and values[0] != "–"},
        "charts": charts(records, names),
        "legend": [(name, index, legend_mark(index)) for index, name in enumerate(names)],
        "classes": scores_by_data(records, names),
        "version": records[0].scratchnet_version,
    }


Scores = tuple[str, list[float | None], float | None]


def scores_by_data(records: Sequence[Record], names: Sequence[str]) -> list[tuple[str, list[str], list[Scores]]]:
    """For each data set its name, the runs that were tested on it, and the scores of its classes."""
    groups: dict[Any, list[tuple[str, Record]]] = {}
    for name, record in zip(names, records, strict=True):
        groups.setdefault(run_records.data_of(record), []).append((name, record))
    return [
        (str(data[0]), [name for name, _ in group], scores_by_class([record for _, record in group]))
        for data, group in groups.items()
    ]


def scores_by_class(records: Sequence[Record]) -> list[Scores]:
    """F1 of every class in each run, and the best of them if they differ; None if a run has no such class."""
    found = []
    for name in dict.fromkeys(name for record in records for name in record.results.class_names):
        scores = [
            record.results.classes["f1"][record.results.class_names.index(name)]
            if name in record.results.class_names else None
            for record in records
        ]  # fmt: skip
        known = [score for score in scores if score is not None]
        found.append((name, scores, max(known) if len(set(known)) > 1 else None))
    return found

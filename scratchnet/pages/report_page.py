"""``report.html``: everything about one finished run on one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import plots, recipes, report, run_report
from ..datasets.catalog import BUILT_IN
from ..datasets.labels import class_numbers
from ..errors import RecipeError
from ..model import Sequential
from ..recipes.recipe import Recipe, RecipeData
from . import examples, inside, measures, network
from .charts import Chart, Series, legend_mark, line_chart, thinned
from .rendering import render

MOST_CELLS = 40  # classes up to which the confusion matrix is a table of numbers
SHOWN_LARGE = ("parameters", "test")  # of the facts
PRIVATE = ("SCRATCHNET_DATA", "SCRATCHNET_CACHE", "SCRATCHNET_MIRRORS")  # say where things are, and change no number
MOST_EPOCHS = 100  # rows of the table of epochs


def page(
    recipe: Recipe, model: Sequential, data: RecipeData, results: dict[str, Any], rows: Sequence[dict[str, Any]],
    scores: np.ndarray, environment: Mapping[str, Any],
) -> str:  # fmt: skip
    """The page of a finished run.

    Parameters
    ----------
    results : dict
        What ``results.json`` holds.
    rows : list of dict
        The metrics of every epoch.
    scores : ndarray, shape (test samples, classes)
        The predicted probabilities.
    environment : dict
        What ``environment.json`` holds.
    """
    names, matrix = results["class_names"], np.array(results["confusion_matrix"])
    x, labels = data.test[0], class_numbers(data.test[1])
    image_shape = inside.image_shape(x[:1])
    layers = network.rows(model)
    times, batch = measures.layer_times(model, recipe, data)
    checked, check_note = measures.gradient_check(model, recipe, data, scores, labels)
    drawn, height = network.drawing(model.input_shape, layers)
    right = examples.correct(x, labels, scores, names) if image_shape else []
    shown = right[0].row if right else 0
    activations = inside.activations(model, recipe, x[shown : shown + 1]) if image_shape else []
    return render(
        "report.html",
        recipe=recipe.content,
        results=results,
        facts=[fact for fact in run_report.facts(recipe, data, results) if fact[0] not in SHOWN_LARGE],
        sizes=data.sizes,
        layers=layers,
        drawn=drawn,
        drawing_height=height,
        charts=charts(rows),
        legend=[("training", 0, legend_mark(0))] + [("validation", 1, legend_mark(1))] * bool(results["validation"]),
        epochs=thinned(rows, MOST_EPOCHS),
        confusion=confusion(matrix) if len(matrix) <= MOST_CELLS else None,
        mistakes=[(names[i], names[j], count) for i, j, count in report.most_confused(matrix, 10)],
        names=names,
        sideways=max(map(len, names)) > 3,
        right=right,
        wrong=examples.misclassified(x, labels, scores, names) if image_shape else [],
        filters=inside.filters(model, image_shape) if image_shape else None,
        activations=activations,
        outputs=outputs(activations, names, scores[shown]),
        logits=bool(getattr(model.loss, "from_logits", False)),
        gray=bool(image_shape) and plots.as_images(x[:1]).ndim == 3,
        example=right[0] if right else None,
        check=checked,
        check_note=check_note,
        verdict=measures.verdict,
        times=times,
        slowest=max(max(row.forward, row.backward or 0.0) for row in times),
        batch=batch,
        environment=environment,
        settings={name: value for name, value in environment["settings"].items() if name not in PRIVATE},
        command=command(recipe, str(results["backend"])),
        toml=recipe.as_toml(),
    )


def charts(rows: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Loss and accuracy per epoch on the training and the validation samples; the learning rate where it changes."""
    found = [
        line_chart(name, name.capitalize(), "epoch", [
            Series("training", points(rows, name), 0), Series("validation", points(rows, f"val_{name}"), 1),
        ], percent=name == "accuracy")
        for name in ("loss", "accuracy")
    ]  # fmt: skip
    rates = points(rows, "learning_rate")
    if len({rate for _, rate in rates}) > 1:
        found.append(line_chart("rate", "Learning rate", "epoch", [Series("learning rate", rates, 0)]))
    return [chart for chart in found if chart is not None]


def points(rows: Sequence[Mapping[str, Any]], name: str, across: str = "epoch") -> list[tuple[float, float]]:
    """A column of the metrics over another one, without what is no finite number."""
    pairs = [(row.get(across), row.get(name)) for row in rows]
    return [(float(x), float(y)) for x, y in pairs if x is not None and y is not None and math.isfinite(y)]


def outputs(
    activations: Sequence[inside.Activation], names: Sequence[str], chances: np.ndarray
) -> list[tuple[str, float, float]]:
    """Name, value of the last layer and probability of each class; none where a table of them would be too long."""
    values = activations[-1].values if activations else ()
    if len(values) != len(names) or len(names) > MOST_CELLS:
        return []
    return [(name, value, float(chance)) for name, value, chance in zip(names, values, chances, strict=True)]


def confusion(matrix: np.ndarray) -> list[list[tuple[int, int]]]:
    """Counts with the depth of their color in percent: the square root of their share, so that rare mistakes show."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    depths = np.ceil(100 * np.sqrt(shares)).astype(int)
    return [[(int(n), int(d)) for n, d in zip(*row, strict=True)] for row in zip(matrix, depths, strict=True)]


def command(recipe: Recipe, backend: str) -> str:
    """The command that trains the same again: the recipe by its name where options say all, else from its file."""
    words = ["scratchnet-train", "recipe.toml"]
    options = _options(recipe)
    if options is not None:
        words = ["scratchnet-train", recipe.name, *options]
    return " ".join([*words, "--backend", backend])


def _options(recipe: Recipe) -> list[str] | None:
    """The options that make this recipe of the one that comes with scratchnet under its name; None where none do."""
    if recipe.content.data.dataset not in BUILT_IN or recipe.name not in recipes.names():
        return None
    given = recipe.content.training
    changes = {"steps": given.steps} if given.steps is not None else {"epochs": given.epochs}
    changes |= {"batch_size": given.batch_size, "seed": given.seed}
    try:
        base = recipes.load(recipe.name)
        if base.replace(**changes).content != recipe.content:
            return None
    except RecipeError:
        return None
    before = base.content.training
    changed = [name for name, value in changes.items() if getattr(before, name) != value or name == "seed"]
    return [word for name in changed for word in (f"--{name.replace('_', '-')}", str(changes[name]))]

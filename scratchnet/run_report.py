"""What a finished run writes for people: ``report.txt`` and the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import gpu_memory, plots, report, summary
from .errors import ShapeError
from .model import Sequential
from .recipes import words
from .recipes.recipe import Recipe, RecipeData
from .run_folder import RunFolder


def text(recipe: Recipe, model: Sequential, data: RecipeData, results: dict[str, Any]) -> str:
    """The whole report."""
    matrix = np.array(results["confusion_matrix"])
    names = results["class_names"]
    parts = [
        f"{recipe.name}: {recipe.content.recipe.title}",
        "\n".join(f"{name:<12} {value}" for name, value in facts(recipe, data, results)),
        "\n".join(summary.lines(model)),
        "Test set, class by class\n\n" + report.report_of_matrix(matrix, names),
        "Confusion matrix: rows are the true classes, columns the predicted ones\n\n"
        + report.confusion_table(matrix, names),
    ]
    if mistakes := report.most_confused(matrix):
        lines = [f"{names[i]} taken for {names[j]}: {count}" for i, j, count in mistakes]
        parts.append("Most frequent mistakes\n\n" + "\n".join(lines))
    if recipe.content.expect.evidence:
        parts.append(f"What the recipe says\n\n{recipe.content.expect.evidence.strip()}")
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def facts(recipe: Recipe, data: RecipeData, results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The results in a few lines: ``(name, value)``."""
    training, expect, seconds = recipe.content.training, recipe.content.expect, results["seconds"]
    train, validation, test = data.sizes
    held_out = f", {validation:,} for validation" if validation else ""
    yield "data", f"{recipe.content.data.dataset}: {train:,} training{held_out}, {test:,} test samples"
    yield "parameters", f"{results['parameters']:,}"
    yield "optimizer", describe_table(training.optimizer)
    yield "loss", describe_table(training.loss)
    yield (
        "training",
        f"{results['steps']:,} steps of {training.batch_size}, {words.epochs(results['epochs'])}, seed {training.seed}",
    )
    for part in ("train", "validation", "test"):
        if results[part]:
            yield part, f"accuracy {results[part]['accuracy']:.2%}, loss {results[part]['loss']:.4f}"
    if expect.accuracy is not None:
        yield "expected", f"test accuracy about {expect.accuracy:.1%} with the recipe's own settings"
    if expect.text:
        yield "the tutorial has", expect.text
    yield "backend", results["backend"]
    if "device_memory" in results:
        yield "GPU memory", gpu_memory.said(results["device_memory"])
    yield (
        "time",
        (
            f"{seconds['training']:.1f} s training ({results['images_per_second']:,.0f} images/s), "
            f"{seconds['start_up']:.1f} s before it (compiling {seconds['compiling']:.1f} s), "
            f"{seconds.get('testing', 0.0):.1f} s testing"
        ),
    )


def describe_table(table: dict[str, Any]) -> str:
    """``{name = "adam", learning_rate = 0.001}`` as ``adam, learning_rate 0.001``; a table in it in parentheses."""
    words = []
    for key, value in table.items():
        said = f"({describe_table(value)})" if isinstance(value, dict) else str(value)
        words.append(said if key == "name" else f"{key} {said}")
    return ", ".join(words)


def draw_curves(folder: RunFolder, recipe: Recipe, curves: dict[str, list[float]]) -> None:
    """Loss and accuracy per epoch."""
    figure = plots.plot_history(curves, title=f"{recipe.name}: {recipe.content.recipe.title}")
    folder.write("curves.png", plots.png(figure))


def draw(
    folder: RunFolder, recipe: Recipe, data: RecipeData, curves: dict[str, list[float]], scores: np.ndarray,
    matrix: np.ndarray,
) -> list[str]:  # fmt: skip
    """Draw all pictures, those of samples only if the samples are images; returns the names of the files."""
    names, (x, y), (x_train, y_train) = data.names_for(len(matrix)), data.test, data.train
    draw_curves(folder, recipe, curves)
    figure = plots.plot_confusion_matrix(matrix, names, title=f"{recipe.name}: test set")
    folder.write("confusion.png", plots.png(figure))
    try:
        plots.as_images(x[:1])
    except ShapeError:
        return ["confusion.png", "curves.png"]
    figure = plots.plot_samples(x_train, y_train, names, title=f"{recipe.content.data.dataset}: training samples")
    folder.write("samples.png", plots.png(figure))
    for which in ("correct", "misclassified"):
        folder.write(f"{which}.png", plots.png(plots.plot_predictions(x, y, scores, names, which)))
    return ["confusion.png", "correct.png", "curves.png", "misclassified.png", "samples.png"]

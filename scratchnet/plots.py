"""Pictures for lectures and reports: samples, curves, predictions, the confusion matrix, filters.

Every function returns a matplotlib ``Figure`` and saves it if a path is given. Figures are made through matplotlib's
object interface: no window opens, and a notebook's choice of backend is not changed. Colors are Okabe and Ito's, which
color-blind readers can tell apart; lines also differ in style, so they survive a black-and-white printer.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .backend import to_numpy
from .datasets.files import shown, write_atomically
from .datasets.labels import class_numbers
from .errors import ConfigError, DataError, ShapeError
from .report import confusion_matrix, names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILION = "#0072B2", "#D55E00"
DARK_GREEN, DARK_VERMILION = "#00694D", "#A84300"  # for text: contrast of more than 5 to 1 on white
DPI = 150


def plot_samples(
    x: Any, y: Any = None, class_names: Sequence[str] | None = None, path: Any = None, rows: int = 5, columns: int = 5,
    title: str | None = None,
) -> Figure:  # fmt: skip
    """The first ``rows * columns`` samples, each under the name of its class.

    Parameters
    ----------
    x : array or Pixels, shape (n, h, w), (n, h, w, 1), (n, h, w, 3) or (n, h * h)
    y : array-like of class numbers or one-hot rows, optional
    class_names : sequence of str, optional
    path : path-like, optional
        Where to save the picture.

    Raises
    ------
    ShapeError
        If the samples are not images.
    """
    images = as_images(x[: rows * columns])
    labels = None if y is None else class_numbers(np.asarray(y[: rows * columns]))
    names = None if labels is None else names_of(int(labels.max()) + 1, class_names)
    captions = [""] * len(images) if labels is None or names is None else [names[label] for label in labels]
    return _grid(images, captions, rows, columns, title, path)


def plot_predictions(
    x: Any, y_true: Any, y_pred: Any, class_names: Sequence[str] | None = None, which: str = "misclassified",
    path: Any = None, rows: int = 3, columns: int = 3, title: str | None = None,
) -> Figure:  # fmt: skip
    """The first samples that were classified correctly, or wrongly, with the true and the predicted class.

    Parameters
    ----------
    x : array or Pixels
        Images as for `plot_samples`.
    y_true : array-like of class numbers or one-hot rows
    y_pred : array-like, shape (n,) or (n, classes)
        Class numbers, or probabilities: then the predicted class is shown with its probability.
    which : {"correct", "misclassified"}

    Raises
    ------
    ConfigError
        If ``which`` is something else.
    """
    if which not in ("correct", "misclassified"):
        raise ConfigError(f"which: expected 'correct' or 'misclassified', got {which!r}")
    scores, true = to_numpy(y_pred), class_numbers(np.asarray(y_true))
    predicted = class_numbers(scores)
    if not len(x) == len(true) == len(predicted):
        raise ShapeError(
            f"expected equally many, got {len(x)} samples, {len(true)} labels, {len(predicted)} predictions"
        )
    chosen = np.flatnonzero((predicted == true) == (which == "correct"))[: rows * columns]
    names = names_of(int(max(true.max(), predicted.max())) + 1, class_names)
    captions = []
    for row in chosen:
        sure = f" ({scores[row, predicted[row]]:.0%})" if scores.ndim == 2 and scores.shape[1] > 1 else ""
        captions.append(f"true: {names[true[row]]}\npredicted: {names[predicted[row]]}{sure}")
    title = title or f"{which.capitalize()} test examples"
    images = as_images(x[chosen]) if len(chosen) else np.zeros((0, 1, 1))
    return _grid(
        images, captions, rows, columns, title, path, color=DARK_GREEN if which == "correct" else DARK_VERMILION
    )


def plot_history(history: Any, path: Any = None, title: str | None = None) -> Figure:
    """Loss and accuracy per epoch, on the training and the validation samples.

    Parameters
    ----------
    history : History or dict of str to list
        What ``fit`` returns: ``loss``, ``accuracy`` and, where there was validation, ``val_loss``, ``val_accuracy``.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator

    curves: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    panels = [name for name in ("loss", "accuracy") if len(curves.get(name, ()))]
    if not panels:
        raise DataError("plot_history: expected a history with at least one epoch of 'loss', got none")
    figure = _figure(5.2 * len(panels), 3.9)
    for index, name in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), index + 1)
        epochs = np.arange(1, len(curves[name]) + 1)
        marker, single = "o" if len(epochs) <= 30 else None, len(epochs) == 1
        size = 8.0 if single else 3.5
        axes.plot(epochs, curves[name], color=BLUE, marker=marker, markersize=size, label="training")
        if len(validation := curves.get(f"val_{name}", ())):
            axes.plot(
                epochs[: len(validation)], validation, "--", color=VERMILION, marker="s" if marker else None,
                markersize=size, label="validation",
            )  # fmt: skip
        axes.set_xlabel("one epoch: a point each" if single else "epoch")
        axes.set_title(name.capitalize())
        axes.xaxis.set_major_locator(FixedLocator([1]) if single else MaxNLocator(integer=True))
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    return _finish(figure, title, path)


def plot_confusion_matrix(
    matrix: Any = None, class_names: Sequence[str] | None = None, path: Any = None, *, y_true: Any = None,
    y_pred: Any = None, title: str | None = None,
) -> Figure:  # fmt: skip
    """How often each class was predicted as each other: counts, shaded by their share of the true class.

    Parameters
    ----------
    matrix : ndarray of int, shape (classes, classes), optional
        From `scratchnet.report.confusion_matrix`; instead, ``y_true`` and ``y_pred`` may be given.
    """
    if matrix is None:
        matrix = confusion_matrix(y_true, y_pred, None if class_names is None else len(class_names))
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"plot_confusion_matrix: expected a square matrix, got shape {matrix.shape}")
    names = names_of(len(matrix), class_names)[: len(matrix)]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = max(4.5, 0.62 * len(matrix) + 1.6)
    figure = _figure(size + 0.6, size)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    slanted: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 3 else {}
    )
    axes.set_xticks(range(len(names)), names, **slanted)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(matrix) <= 30:
        for (i, j), count in np.ndenumerate(matrix):
            color = "white" if shares[i, j] > 0.55 else "0.15" if count else "0.75"
            axes.text(j, i, str(count), ha="center", va="center", color=color, fontsize=8)
    bar = figure.colorbar(image, fraction=0.046, pad=0.03, format=lambda share, _: f"{share:.0%}")
    bar.set_label("share of the true class")
    axes.set_title(title or "Confusion matrix", fontsize=11)
    return _finish(figure, None, path)


def plot_filters(source: Any, path: Any = None, columns: int = 8, most: int = 64, title: str | None = None) -> Figure:
    """The weights of a layer as pictures: a convolution's filters, or what each unit of a dense layer looks at.

    Parameters
    ----------
    source : layer or array
        A built layer with a ``kernel``, or its array: (kh, kw, in, out), of which input channel 0 is shown, or
        (h * h, units). Orange is positive, purple negative; each filter has its own scale.
    most : int
        How many to show.

    Raises
    ------
    ShapeError
        If the weights cannot be shown as images.
    """
    kernel = to_numpy(source.params["kernel"]) if hasattr(source, "params") else np.asarray(source)
    if kernel.ndim == 4:
        filters = np.moveaxis(kernel[:, :, 0, :], -1, 0)
    elif kernel.ndim == 2 and math.isqrt(kernel.shape[0]) ** 2 == kernel.shape[0]:
        side = math.isqrt(kernel.shape[0])
        filters = kernel.T.reshape(-1, side, side)
    else:
        raise ShapeError(f"plot_filters: expected weights (kh, kw, in, out) or (h * h, units), got {kernel.shape}")
    filters = filters[:most]
    scales = np.maximum(np.abs(filters).max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    columns = min(columns, len(filters))
    rows = -(-len(filters) // columns)
    size = 0.9 if kernel.ndim == 4 else 1.1
    return _grid(
        filters / scales,
        [""] * len(filters),
        rows,
        columns,
        title or "Filters",
        path,
        cmap="PuOr_r",
        limit=1.0,
        cell=size,
    )


def as_images(x: Any) -> np.ndarray:
    """Samples as (n, h, w) or (n, h, w, 3) floats from 0 to 1, for showing.

    Raises
    ------
    ShapeError
        If they are not images.
    """
    images = np.asarray(x, dtype=np.float32)
    if images.ndim == 2 and math.isqrt(images.shape[1]) ** 2 == images.shape[1]:
        side = math.isqrt(images.shape[1])
        images = images.reshape(-1, side, side)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
        raise ShapeError(f"expected images (n, h, w), (n, h, w, 1 or 3) or (n, h * h), got {images.shape}")
    low, high = float(images.min(initial=0.0)), float(images.max(initial=0.0))
    return (images - low) / (high - low or 1.0)


def _figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def _grid(
    images: np.ndarray, captions: Sequence[str], rows: int, columns: int, title: str | None, path: Any,
    color: str = "black", cmap: str = "gray_r", limit: float | None = None, cell: float | None = None,
) -> Figure:  # fmt: skip
    """Images in rows and columns, each under its caption.

    All of them are in one Axes, measured in inches: with one Axes each, 25 images took 0.35 s instead of 0.08 s.
    """
    from matplotlib.patches import Rectangle

    lines = max((caption.count("\n") + 1 for caption in captions if caption), default=0)
    cell = cell or (1.35 if lines < 2 else 1.9)
    above, line, gap = 0.4 if title else 0.0, cell + 0.16 * lines, 0.12
    width, height = cell * columns, line * rows + above
    figure = _figure(width, height, layout=None)
    axes: Axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    across, down = np.array(images.shape[2:0:-1]) * (cell - gap) / max(images.shape[1:3])
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        center, top = (place % columns + 0.5) * cell, above + (place // columns + 1) * line - cell + gap / 2
        axes.imshow(
            image, cmap, vmin=0.0 if limit is None else -limit, vmax=limit or 1.0, interpolation="nearest",
            aspect="auto", extent=(center - across / 2, center + across / 2, top + down, top),
        )  # fmt: skip
        axes.add_patch(Rectangle((center - across / 2, top), across, down, fill=False, edgecolor="0.8"))
        axes.text(center, top - 0.04, caption, color=color, fontsize=8, ha="center", va="bottom")
    if not len(images):
        figure.text(0.5, 0.5, "there are none", ha="center", va="center")
    return _finish(figure, title, path)


def _finish(figure: Figure, title: str | None, path: Any) -> Figure:
    if title:
        figure.suptitle(title, fontsize=11)
    if path is not None:
        save(figure, path)
    return figure


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, all of it or nothing.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    try:
        write_atomically(Path(path), png(figure))
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be written: {error.strerror or shown(error)}") from error

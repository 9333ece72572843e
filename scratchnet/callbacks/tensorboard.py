"""TensorBoard: event files that TensorBoard shows, written with tensorboardX; no TensorFlow."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backend import to_numpy
from ..checks import file_path, flag, is_whole, whole
from ..errors import ConfigError, DependencyError, ShapeError
from ..keras_defaults import TENSORBOARD, take
from ..layers.base import Layer
from .base import Callback, Logs


class TensorBoard(Callback):
    """Write a fit into a folder for ``tensorboard --logdir FOLDER``.

    ``train`` and ``validation`` hold the scalars of every epoch (``epoch_loss``, ``epoch_accuracy`` ...,
    ``epoch_learning_rate``); ``train`` also the histograms (``dense/kernel``, ``dense/kernel/gradient``: of the
    epoch's last step), the graph, the misclassified examples, and the hyperparameters with the final metrics.

    Parameters
    ----------
    log_dir : path-like
    histogram_freq : int
        Histograms of weights and gradients every ``histogram_freq`` epochs; 0 for none.
    write_graph : bool
    update_freq : "epoch" or int
        An integer n: also ``batch_loss`` and the metrics, running means of the epoch, every n steps.
    images : (x, y), optional
        Samples (n, h, w), (n, h, w, 1) or (n, h, w, 3) with class numbers: after each epoch, a grid of the first
        ``grid * grid`` that are misclassified, and a table of their classes.
    class_names : sequence of str, optional
    grid : int
    hparams : dict, optional
        More hyperparameters, besides the optimizer's, the loss and the batch size.

    Raises
    ------
    DependencyError
        When training begins, if tensorboardX is not installed.
    ConfigError
        If an argument is invalid, or the folder cannot be written.
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] = "logs", histogram_freq: int = 0, write_graph: bool = True,
        update_freq: str | int = "epoch", images: Any = None, class_names: Any = None, grid: int = 5,
        hparams: dict[str, Any] | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        take(self, unknown, TENSORBOARD)
        super().__init__(**unknown)
        whole("TensorBoard: histogram_freq", histogram_freq, 0)
        whole("TensorBoard: grid", grid)
        if not (isinstance(update_freq, str) and update_freq == "epoch") and not is_whole(update_freq):
            expected = "expected 'epoch' or a positive integer"
            raise ConfigError(f"TensorBoard: update_freq: {expected}, got {update_freq!r:.80}")
        if images is not None and not (isinstance(images, tuple | list) and len(images) == 2):
            raise ConfigError(f"TensorBoard: images: expected (x, y), got {images!r:.80}")
        if hparams is not None and not isinstance(hparams, dict):
            raise ConfigError(f"TensorBoard: hparams: expected a dict of names and values, got {hparams!r:.80}")
        self.log_dir = file_path(self, "log_dir", log_dir)
        self.histogram_freq, self.write_graph = histogram_freq, flag(self, "write_graph", write_graph)
        self.images: Any = images
        self.update_freq, self.class_names, self.grid = update_freq, class_names, grid
        self.hparams = dict(hparams or {})
        self.reads_logs = update_freq != "epoch"
        self._writers: dict[str, Any] = {}
        self._last: Logs = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._last = {}
        train = self._writer("train")
        if self.write_graph:
            from .tensorboard_graph import graph_event

            train._get_file_writer().add_event(graph_event(self.model))
            train.flush()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(self.model.optimizer.iterations)
        if self.update_freq != "epoch" and step % int(self.update_freq) == 0:
            for name, value in _scalars(logs):
                self._writer("train").add_scalar(f"batch_{name}", value, step)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._last = dict(logs or {})
        for name, value in _scalars(self._last):
            run = "validation" if name.startswith("val_") else "train"
            self._writer(run).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if "learning_rate" not in self._last:
            self._writer("train").add_scalar("epoch_learning_rate", self.model.optimizer.learning_rate, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._histograms(self.model, "", epoch)
        if self.images is not None:
            self._misclassified(epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        fit = {name: value for name, value in self.params.items() if name != "verbose"}
        settings = {
            "optimizer": type(optimizer).__name__, **{f"optimizer_{k}": v for k, v in optimizer.config().items()},
            "loss": self.model.loss.name, **fit, **self.hparams,
        }  # fmt: skip
        given = {key: value for key, value in settings.items() if value is not None}
        plain = {k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in given.items()}
        final = {f"final_{name}": value for name, value in _scalars(self._last)}
        self._writer("train").add_hparams(plain, final, name="hparams")
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            try:
                from tensorboardX import SummaryWriter
            except ImportError as error:
                message = f"TensorBoard needs tensorboardX ({error}): pip install 'scratchnet[interop]'"
                raise DependencyError(message) from error
            try:
                self._writers[run] = SummaryWriter(os.path.join(self.log_dir, run))
            except OSError as error:
                raise ConfigError(f"TensorBoard: {self.log_dir}: cannot be written: {error.strerror}") from error
        return self._writers[run]

    def _histograms(self, layer: Layer, path: str, epoch: int) -> None:
        writer = self._writer("train")
        for name, array in {**layer.params, **layer.state}.items():
            writer.add_histogram(f"{path}{name}", to_numpy(array).ravel(), epoch)
        for name, array in layer.grads.items():
            writer.add_histogram(f"{path}{name}/gradient", to_numpy(array).ravel(), epoch)
        for inner in layer.sublayers():
            self._histograms(inner, f"{path}{inner.name or type(inner).__name__}/", epoch)

    def _misclassified(self, epoch: int) -> None:
        x, y = self.images
        true, predicted = np.asarray(y).reshape(-1), self.model.predict_classes(x)
        wrong = np.flatnonzero(predicted != true)[: self.grid**2]
        writer = self._writer("train")
        names = self.class_names or [str(number) for number in range(int(max(true.max(), predicted.max())) + 1)]
        table = ["| place | sample | true | predicted |", "|---|---|---|---|"]
        for place, i in enumerate(wrong):
            table.append(f"| {place + 1} | {i} | {names[int(true[i])]} | {names[int(predicted[i])]} |")
        writer.add_text("misclassified", "\n".join(table), epoch)
        if len(wrong):
            writer.add_image("misclassified", tiled(np.asarray(x)[wrong], self.grid), epoch, dataformats="HWC")


def _scalars(logs: Logs) -> Iterator[tuple[str, float]]:
    """The numbers of the logs by name; those of a metric that is several are ``name/0``, ``name/1`` ..."""
    for name, value in logs.items():
        if isinstance(value, list):
            yield from ((f"{name}/{index}", float(one)) for index, one in enumerate(value))
        else:
            yield name, float(value)


def tiled(images: np.ndarray, columns: int) -> np.ndarray:
    """Images (n, h, w), (n, h, w, 1) or (n, h, w, 3) side by side with a border of one pixel, as bytes (h, w, 3).

    Raises
    ------
    ShapeError
        If they are not images.
    """
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ShapeError(f"TensorBoard: images: expected shape (n, h, w), (n, h, w, 1 or 3), got {images.shape}")
    low, high = float(images.min()), float(images.max())
    pixels = (255 * (images.astype(np.float64) - low) / max(high - low, 1e-12)).astype(np.uint8)
    n, h, w, _ = pixels.shape
    sheet = np.full((math.ceil(n / columns) * (h + 1) + 1, columns * (w + 1) + 1, 3), 128, np.uint8)
    for i, image in enumerate(pixels):
        top, left = i // columns * (h + 1) + 1, i % columns * (w + 1) + 1
        sheet[top : top + h, left : left + w] = image
    return sheet

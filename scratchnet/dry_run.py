"""What a training run would take, without doing it: the network, sizes, memory and time, measured on a few real steps.

A twin of the model takes the steps, as it does to compile kernels before every run; nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import backend, compiling, summary, utils
from .callbacks import Callback
from .console import Reporter
from .datasets.download import mirrors_of
from .datasets.pixels import Pixels
from .errors import ConfigError
from .gpu_memory import device_memory, said
from .model import Sequential
from .recipes import sources
from .recipes.recipe import Recipe, RecipeData
from .run_folder import RECIPE

FEW_SECONDS, FEW_STEPS = 2.0, 200
"""The measured steps end with whichever comes first."""


class _Clock(Callback):
    """Records the seconds of every step; stops when there are enough."""

    reads_logs = False

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.last = self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now
        if len(self.seconds) >= FEW_STEPS or (len(self.seconds) >= 3 and now - self.began > FEW_SECONDS):
            self.model.stop_training = True


def dry_run(
    recipe: Recipe,
    out: str | os.PathLike[str] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    backend_name: str = "auto",
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Measure what `run.train` would need.

    Returns
    -------
    dict
        ``recipe``, ``backend``, ``network`` (lines of the summary), ``parameters``, ``sizes``, ``steps``, ``bytes``
        (``data``, ``parameters``, ``gradients``, ``optimizer``, ``buffers``) and ``seconds`` (``step``, ``epoch``,
        ``total``); on a GPU also ``device_memory``, see `gpu_memory.device_memory`. If the data are missing also
        ``absent``: ``dataset`` and ``mirrors``, from which a run would download it; noise takes its place.

    Raises
    ------
    ScratchnetError
        As `run.train` would.
    """
    if out is not None and os.path.lexists(os.path.join(out, RECIPE)):
        raise ConfigError(f"output folder {os.fspath(out)}: holds a run already: choose another folder")
    backend.set_backend(backend_name)
    training, absent = recipe.content.training, sources.absent(recipe.content.data, data_dir)
    data = recipe.load_data(data_dir) if absent is None else recipe.arranged(sources.stand_in(absent))
    utils.set_random_seed(training.seed)
    twin = recipe.make_model(tuple(data.train[0].shape[1:]))
    recipe.check_fit(twin, data)
    count, batch = len(data.train[0]), training.batch_size
    per_epoch = max(1, count // batch if training.drop_last else -(-count // batch))
    steps = training.steps or per_epoch * (training.epochs or 1)
    step, testing = _measure(twin, recipe, data, reporter or Reporter())
    held_out = testing * data.sizes[1]
    epochs = -(-steps // per_epoch)
    memory = device_memory()
    return {
        "recipe": recipe.name,
        "backend": backend.get_backend(),
        "network": list(summary.lines(twin)),
        "parameters": twin.count_params(),
        "sizes": dict(zip(("train", "validation", "test"), data.sizes, strict=True)),
        "sample": list(twin.input_shape),
        "batch_size": batch,
        "steps_per_epoch": per_epoch,
        "steps": steps,
        "bytes": _bytes(twin, data),
        "seconds": {
            "step": step,
            "epoch": step * per_epoch + held_out,
            "total": step * steps + held_out * epochs + testing * data.sizes[2],
        },
        **({"device_memory": memory} if memory else {}),
        **({"absent": {"dataset": absent.name, "mirrors": mirrors_of(absent)}} if absent else {}),
    }


def _measure(twin: Sequential, recipe: Recipe, data: RecipeData, reporter: Reporter) -> tuple[float, float]:
    """Seconds of a training step, and of testing one sample. The kernels are compiled before the clock starts."""
    training, (x, y), (x_test, y_test) = recipe.content.training, data.train, data.test
    rows = min(len(x), training.batch_size * FEW_STEPS)
    fit: dict[str, Any] = {"batch_size": training.batch_size, "verbose": 0, "shuffle": training.shuffle}
    with compiling.watch(reporter.compiling) as kernels, np.errstate(all="ignore"):
        first = min(rows, training.batch_size)
        twin.fit(x[:first], y[:first], epochs=2, **fit)
        twin.evaluate(x_test[:257], y_test[:257], verbose=0)
    reporter.compiled(kernels)
    clock = _Clock()
    with np.errstate(all="ignore"):
        twin.fit(x[:rows], y[:rows], epochs=FEW_STEPS, callbacks=[clock], **fit)
    began = time.perf_counter()
    some = min(len(x_test), 2048)
    twin.evaluate(x_test[:some], y_test[:some], verbose=0)
    return float(np.median(clock.seconds)), (time.perf_counter() - began) / some


def _bytes(twin: Sequential, data: RecipeData) -> dict[str, int]:
    """The sizes of the existing arrays, after steps and tests have used them."""
    arrays = [part for pair in (data.train, data.validation, data.test) if pair is not None for part in pair]
    return {
        "data": sum((one.array if isinstance(one, Pixels) else one).nbytes for one in arrays),
        "parameters": twin.flat_params.nbytes
        + sum(array.nbytes for layer in twin.walk() for array in layer.state.values()),
        "gradients": twin.flat_grads.nbytes,
        "optimizer": sum(slot.nbytes for slot in twin.optimizer.slots.values()),
        "buffers": twin.buffers.nbytes,
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What `dry_run` found, for people."""
    sizes, need, seconds = found["sizes"], found["bytes"], found["seconds"]
    yield f"{found['recipe']}: a dry run; nothing is trained or written"
    yield from found["network"]
    shape = " x ".join(map(str, found["sample"]))
    counts = f"{sizes['train']:,} training, {sizes['validation']:,} validation, {sizes['test']:,} test"
    yield f"data       {counts} samples of {shape}"
    if "absent" in found:
        yield f"           {found['absent']['dataset']} is not here: noise of the same size has been measured instead;"
        yield f"           a training would download it from {' or '.join(found['absent']['mirrors'])}"
    yield f"training   {found['steps']:,} steps of {found['batch_size']}, {found['steps_per_epoch']:,} an epoch"
    parts = ", ".join(f"{name} {_megabytes(size)}" for name, size in need.items())
    yield f"memory     {_megabytes(sum(need.values()))}: {parts}"
    yield "           (the arrays that a few real steps and tests have used; Python and its libraries come on top)"
    if "device_memory" in found:
        yield f"GPU        {said(found['device_memory'])}"
    if found["backend"] == "numpy":
        yield "           (NumPy's formulas make their own arrays besides, which come and go with each step)"
    yield (
        f"time       about {_clock(seconds['total'])}: {seconds['step'] * 1000:.2f} ms a step, "
        f"{_clock(seconds['epoch'])} an epoch on {found['backend']}"
    )
    yield "           (the middle one of the steps just made; pictures and report come on top)"


def line(found: dict[str, Any]) -> str:
    """The same in one line."""
    memory, seconds = _megabytes(sum(found["bytes"].values())), _clock(found["seconds"]["total"])
    return f"{found['recipe']}: {found['parameters']:,} parameters, {memory}, about {seconds} on {found['backend']}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{seconds / 60:.1f} min"

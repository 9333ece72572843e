"""A run: train a recipe, test it, and leave a folder that documents it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import backend, checkpoint, compile_ahead, compiling, environment, report, run_records, run_report, utils
from .callbacks import TrainingCheckpoint
from .console import Reporter
from .datasets.catalog import BUILT_IN
from .datasets.files import shown
from .errors import ConfigError
from .gpu_memory import device_memory
from .model import Sequential
from .pages import report_page
from .recipes.recipe import Recipe, RecipeData
from .run_callbacks import Recorder, Stopper
from .run_folder import ENVIRONMENT, MODEL, RECIPE, REPORT, RESULTS, RunFolder, default_path
from .signals import Stop
from .training import Progress


def train(
    recipe: Recipe,
    out: str | os.PathLike[str] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    backend_name: str = "auto",
    resume: bool = False,
    checkpoint_every: int | None = None,
    reporter: Reporter | None = None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Train a recipe, test it, and leave a folder.

    Parameters
    ----------
    recipe : Recipe
    out : path-like, optional
        The folder; ``runs/NAME-DATE-TIME`` when left out.
    data_dir : path-like, optional
        Where the data files are.
    backend_name : {"auto", "numpy", "numba", "cupy"}
    resume : bool
        Resume the run that ``out`` holds, or start one if it holds none.
    checkpoint_every : int, optional
        Save every this many steps, in addition to after every epoch.
    reporter : Reporter, optional
        Notified of what happens.
    stop : Stop, optional
        Requests an early end.

    Returns
    -------
    dict
        What ``results.json`` holds. ``finished`` is False when the run was stopped.

    Raises
    ------
    ScratchnetError
        For anything that is wrong with the recipe, the data, the backend or the folder.
    """
    run = _Run(recipe, out, data_dir, backend_name, resume, checkpoint_every, reporter or Reporter(), stop or Stop())
    try:
        return run.go()
    finally:
        run.folder.release()


class _Run:
    """One run, step by step."""

    def __init__(
        self, recipe: Recipe, out: Any, data_dir: Any, backend_name: str, resume: bool, checkpoint_every: int | None,
        reporter: Reporter, stop: Stop,
    ) -> None:  # fmt: skip
        self.began = time.perf_counter()
        self.recipe, self.reporter, self.stop = recipe, reporter, stop
        self.training = recipe.content.training
        self.checkpoint_every = checkpoint_every
        backend.set_backend(backend_name)
        if resume and out is None:
            raise ConfigError("--resume: needs the folder of the run to go on with (--out DIR)")
        path = default_path(recipe.name, time.strftime("%Y%m%d-%H%M%S")) if out is None else Path(out)
        self.folder = RunFolder(path, resume)
        self.resumed = resume and self.folder.holds_run
        self.checkpoints = path / "checkpoints"
        try:
            if self.resumed:
                before = run_records.environment_of(path)
                self.folder.refuse_changed(parse(recipe), before.get("backend"), backend.get_backend())
            elif any(os.path.lexists(self.checkpoints / name) for name in checkpoint.NAMES):
                raise ConfigError(
                    f"output folder {shown(path)}: holds checkpoints, and no {RECIPE} that says of what: delete "
                    f"{shown(self.checkpoints)}, or choose another folder"
                )
            self.data: RecipeData = recipe.load_data(data_dir)
            built_in = recipe.content.data.dataset in BUILT_IN  # those have been checked already
            self.own_data = {} if built_in else {"data_sha256": self.data.sha256()}
            if self.resumed:
                had, got = before.get("data_sha256"), self.own_data.get("data_sha256")
                self.folder.refuse_other_data(recipe.content.data.dataset, had, got)
                self.folder.refuse_shorter(self.training, self.steps_per_epoch)
            self.kernels = self._warm_up()
            utils.set_random_seed(self.training.seed)
            self.model = self._make_model()
        except BaseException:
            self.folder.forget()
            raise

    def go(self) -> dict[str, Any]:
        """Train and test."""
        progress = checkpoint.resume(self.checkpoints, self.model, self.reporter.warn) if self.resumed else None
        planned = self.training.steps or self.epochs * self.steps_per_epoch
        if self.resumed and int(self.model.optimizer.iterations) < planned:
            self.folder.withdraw_results()  # before the recipe becomes one of a longer run
        self.environment = {"seed": self.training.seed, **environment.describe(), **self.own_data}
        self.folder.write_json(ENVIRONMENT, self.environment)  # before the recipe, by which a run is known
        self.folder.write(RECIPE, self.recipe.as_toml())
        self.reporter.started(self.model, self.recipe, self.data, self.folder.path, self.resumed)
        start_up = time.perf_counter() - self.began
        recorder = Recorder(self.folder, self.reporter, self.steps_per_epoch, self.epochs)
        began = time.perf_counter()
        self.stop.patient = True
        with np.errstate(all="ignore"):  # the model itself names the step and the layer where numbers go wrong
            self._fit(recorder, progress)
        training = time.perf_counter() - began
        self.seconds = {"start_up": start_up, "compiling": self.kernels.seconds, "training": training}
        self.model.save(self.folder.path / MODEL)
        self.stop.patient = False
        if self.stop.number:
            return self._stopped(recorder)
        return self._finished(recorder)

    # Before training ------------------------------------------------------------------------------------------------

    @property
    def steps_per_epoch(self) -> int:
        """Steps needed to see every training sample once."""
        count, batch = len(self.data.train[0]), self.training.batch_size
        return max(1, count // batch if self.training.drop_last else -(-count // batch))

    @property
    def epochs(self) -> int:
        """Epochs to train, the last of which may be incomplete (``steps``)."""
        if self.training.steps is not None:
            return -(-self.training.steps // self.steps_per_epoch)
        return self.training.epochs or 1

    def _make_model(self) -> Sequential:
        model = self.recipe.make_model(tuple(self.data.train[0].shape[1:]))
        self.recipe.check_fit(model, self.data)
        return model

    def _warm_up(self) -> compiling.Compilation:
        """Compile every kernel that training and testing will need, with a twin of the model on a few samples.

        So compile time never counts as training time, and the model itself is not touched. A short batch is included
        because small arrays take another path through the kernels.
        """
        kernels = compiling.Compilation() if backend.get_backend() == "numpy" else self._compile()
        self.reporter.compiled(kernels)
        return kernels

    def _compile(self) -> compiling.Compilation:
        twin, batch = self._make_model(), min(self.training.batch_size, len(self.data.train[0]))
        targets = twin.loss.prepare_targets(self.data.train[1][:batch], twin.output_shape)
        with compile_ahead.Helper(twin, batch, targets) as helper:

            def told(kernel: str) -> None:
                helper.start()  # at the first kernel that is not in the cache
                self.reporter.compiling(kernel)

            with compiling.watch(told) as kernels:
                self._train_briefly(twin, batch)
        return kernels

    def _train_briefly(self, twin: Sequential, batch: int) -> None:
        x, y = self.data.train
        rows = min(batch + len(x) % batch, len(x))
        x_test, y_test = (part[: 256 + len(part) % 256] for part in self.data.test)
        twin.fit(x[:rows], y[:rows], batch_size=batch, epochs=2, validation_data=(x_test[:1], y_test[:1]), verbose=0)
        twin.evaluate(x_test, y_test, verbose=0)
        twin.predict(x_test)

    # Training -------------------------------------------------------------------------------------------------------

    def _fit(self, recorder: Recorder, progress: Progress | None) -> None:
        x, y = self.data.train
        steps = self.training.steps
        # A run whose number of steps ended inside an epoch has no step left: fit then only restores its state.
        done = progress is not None and steps is not None and int(self.model.optimizer.iterations) >= steps
        callbacks = [recorder, Stopper(self.stop, steps), TrainingCheckpoint(self.checkpoints, self.checkpoint_every)]
        try:
            self.model.fit(
                x, y, batch_size=self.training.batch_size, epochs=progress.epoch if done and progress else self.epochs,
                verbose=0, callbacks=callbacks, validation_data=self.data.validation, shuffle=self.training.shuffle,
                drop_last=self.training.drop_last, progress=progress,
            )  # fmt: skip
            self._end_within_an_epoch(recorder)
        finally:
            self.reporter.ended()

    def _end_within_an_epoch(self, recorder: Recorder) -> None:
        """If the number of steps is not a whole number of epochs, the incomplete last one counts as one."""
        progress = self.model.progress
        if progress is None or not progress.step or self.stop.number:
            return
        logs = self.model.trainer().results(progress.samples)
        if self.data.validation is not None:
            held_out = self.model.evaluate(*self.data.validation, verbose=0, return_dict=True)
            logs.update({f"val_{name}": value for name, value in held_out.items()})
        recorder.on_epoch_end(progress.epoch, logs)

    # After training -------------------------------------------------------------------------------------------------

    def _stopped(self, recorder: Recorder) -> dict[str, Any]:
        results = {**self._facts(recorder), "finished": False, "stopped_by": self.stop.number}
        self.folder.write_json(RESULTS, results)
        if recorder.rows:
            run_report.draw_curves(self.folder, self.recipe, recorder.curves)
        self.reporter.stopped(results, self.folder.path)
        return results

    def _finished(self, recorder: Recorder) -> dict[str, Any]:
        x, y = self.data.test
        with self._timed("testing", "testing the network"):
            test = self.model.evaluate(x, y, verbose=0, return_dict=True)
            scores = probabilities(self.model, self.model.predict(x))
        names = self.data.names_for(scores.shape[-1])
        matrix = report.confusion_matrix(y, scores, len(names))
        results = {
            **self._facts(recorder),
            "finished": True,
            "test": {**test, "samples": len(x), "errors": int(matrix.sum() - np.trace(matrix))},
            "class_names": list(names),
            "classes": {key: values.tolist() for key, values in report.class_figures(matrix).items()},
            "confusion_matrix": matrix.tolist(),
        }
        self.folder.write("report.txt", run_report.text(self.recipe, self.model, self.data, results))
        with self._timed("pictures", "drawing the pictures"):
            results["pictures"] = run_report.draw(self.folder, self.recipe, self.data, recorder.curves, scores, matrix)
        with self._timed("report", f"writing {REPORT}"):
            page = report_page.page(
                self.recipe, self.model, self.data, results, recorder.rows, scores, self.environment
            )
            self.folder.write(REPORT, page)
        results["seconds"] = self._seconds()
        self.folder.write_json(RESULTS, results)
        self.reporter.finished(results, self.recipe, self.folder.path)
        return results

    @contextlib.contextmanager
    def _timed(self, part: str, said: str) -> Iterator[None]:
        self.reporter.working(said)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.reporter.ended()
        self.seconds[part] = time.perf_counter() - began

    def _seconds(self) -> dict[str, float]:
        return {**self.seconds, "total": time.perf_counter() - self.began}

    def _facts(self, recorder: Recorder) -> dict[str, Any]:
        last = recorder.rows[-1] if recorder.rows else {}
        memory = device_memory()
        return {
            "recipe": self.recipe.name,
            "seed": self.training.seed,
            "backend": backend.get_backend(),
            "parameters": self.model.count_params(),
            "epochs": len(recorder.rows),
            "steps": int(self.model.optimizer.iterations),
            "train": {key: last[key] for key in ("loss", "accuracy") if key in last},
            "validation": {key: last[f"val_{key}"] for key in ("loss", "accuracy") if f"val_{key}" in last},
            "resumed": self.resumed,
            "input": self.data.described(),
            "seconds": self._seconds(),
            "images_per_second": recorder.images / recorder.seconds if recorder.seconds else 0.0,
            **({"device_memory": memory} if memory else {}),
        }


def parse(recipe: Recipe) -> dict[str, Any]:
    """The resolved recipe, as written to its file in the run's folder."""
    import tomllib

    return tomllib.loads(recipe.as_toml())


def probabilities(model: Sequential, outputs: np.ndarray) -> np.ndarray:
    """A model's predictions as probabilities: the softmax of its outputs if they are logits."""
    if not getattr(model.loss, "from_logits", False):
        return outputs
    shifted = np.exp(outputs.astype(np.float64) - outputs.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))

"""What a run says while it runs: a live bar on a terminal, a line per epoch elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import gpu_memory, process, summary
from .datasets.files import shown
from .recipes import words

if TYPE_CHECKING:
    from .compiling import Compilation
    from .model import Sequential
    from .recipes.recipe import Recipe, RecipeData

REDRAW_SECONDS = 0.2


class Reporter:
    """Is told what happens in a run; this one says nothing.

    Attributes
    ----------
    command : sequence of str
        The command line that began the run, without an output folder; empty where none did.
    """

    command: Sequence[str] = ()

    def goes_on(self, out: Path) -> str:
        """The command line that goes on with the run in a folder."""
        return shown(shlex.join([*self.command, "--out", str(out), "--resume"]))

    def warn(self, text: str) -> None:
        """Something is not as it should be, and the run goes on."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def compiling(self, kernel: str) -> None:
        """A kernel is being compiled, or on a GPU has been: more are to be expected."""

    def compiled(self, done: Compilation) -> None:
        """All kernels that training needs are there."""

    def started(self, model: Sequential, recipe: Recipe, data: RecipeData, out: Path, resumed: bool) -> None:
        """Training is about to begin."""

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """An epoch begins (counted from 0)."""

    def due(self) -> bool:
        """Whether `step` is wanted now."""
        return False

    def step(self, step: int, means: dict[str, float], images_per_second: float) -> None:
        """A step of the epoch is done."""

    def epoch(self, row: dict[str, Any], epochs: int, seconds: float, images_per_second: float) -> None:
        """An epoch is done."""

    def working(self, at: str) -> None:
        """What is being done now that training is over."""

    def ended(self) -> None:
        """Training, or what was being done after it, is done, or something went wrong."""

    def stopped(self, results: dict[str, Any], out: Path) -> None:
        """The run was stopped by a signal and saved."""

    def finished(self, results: dict[str, Any], recipe: Recipe, out: Path) -> None:
        """The run is complete."""


def _figures(values: dict[str, Any]) -> str:
    shown = []
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        if name in values:
            value = values[name]
            shown.append(f"{name} {value:.2%}" if "accuracy" in name else f"{name} {value:.4f}")
    return "  ".join(shown)


class Quiet(Reporter):
    """One line at the end."""

    def say(self, text: str = "") -> None:
        """Print a line at once, also into a pipe."""
        print(text, flush=True)

    def stopped(self, results: dict[str, Any], out: Path) -> None:
        self.say(f"stopped after step {results['steps']:,}; everything so far is in {shown(out)}")
        if self.command:
            self.say(f"to go on: {self.goes_on(out)}")

    def finished(self, results: dict[str, Any], recipe: Recipe, out: Path) -> None:
        test = results["test"]
        figures = f"test accuracy {test['accuracy']:.2%}, test loss {test['loss']:.4f}"
        self.say(f"{recipe.name}: {figures}, saved in {shown(out)}")


class Lines(Quiet):
    """Plain lines: what the network is, one line per epoch, what came out."""

    def __init__(self) -> None:
        self._compiling = False
        self._called = process.began()

    def compiling(self, kernel: str) -> None:
        if not self._compiling:
            self.say("compiling kernels (first run only) ...")
        self._compiling = True

    def compiled(self, done: Compilation) -> None:
        if done.kernels:
            self.say(f"compiled {len(done.kernels)} kernels in {done.seconds:.1f} s; the next run finds them ready")

    def started(self, model: Sequential, recipe: Recipe, data: RecipeData, out: Path, resumed: bool) -> None:
        train, validation, test = data.sizes
        section = recipe.content.recipe
        self.say(f"{recipe.name}: {section.title}")
        sizes = f"{train:,} training, {validation:,} validation, {test:,} test samples"
        self.say(f"data: {recipe.content.data.dataset}, {sizes}")
        for line in summary.lines(model):
            self.say(line)
        end = f" (going on with the run there, to {words.length(recipe.content.training)})" if resumed else ""
        self.say(f"output: {shown(out)}{end}")
        self.say()

    def epoch(self, row: dict[str, Any], epochs: int, seconds: float, images_per_second: float) -> None:
        number = f"{row['epoch']:>{len(str(epochs))}}/{epochs}"
        speed = f"{images_per_second:,.0f} images/s"
        self.say(f"epoch {number}  step {row['step']:,}  {_figures(row)}  {_duration(seconds)}  {speed}")

    def finished(self, results: dict[str, Any], recipe: Recipe, out: Path) -> None:
        test, seconds, expect = results["test"], results["seconds"], recipe.content.expect
        self.say()
        wrong = f"{test['errors']:,} of {test['samples']:,} wrong"
        self.say(f"test accuracy {test['accuracy']:.2%} ({wrong}), loss {test['loss']:.4f}")
        if expect.text or expect.accuracy is not None:
            hopes = [f"about {expect.accuracy:.1%}"] if expect.accuracy is not None else []
            hopes += [f"the tutorial has {expect.text}"] if expect.text else []
            self.say(f"expected with the recipe's own settings: {'; '.join(hopes)}")
        speed = f"{results['images_per_second']:,.0f} images/s"
        spent = {"training": f"{_duration(seconds['training'])} at {speed}"}
        if not results["images_per_second"]:
            spent = {"nothing left to": "train"}
        spent |= {part: _duration(seconds[part]) for part in ("testing", "pictures", "report")}
        parts = ", ".join(f"{part} {took}" for part, took in spent.items())
        self.say(f"time: {parts}; {time.perf_counter() - self._called:.1f} s in all")
        if "device_memory" in results:
            self.say(f"GPU memory: {gpu_memory.said(results['device_memory'])}")
        files = ["report.html", "report.txt", "model.safetensors", "metrics.csv and .jsonl", *results["pictures"]]
        self.say(f"in {shown(out)}: {', '.join(files)}")


class Live(Lines):
    """Lines, and below them a bar: epoch, step, loss, accuracy, images per second, time left."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console

        self.console = Console(highlight=False)
        self._bar: Any = None
        self._task: Any = None
        self._drawn = 0.0
        self._began: tuple[float, int] | None = None  # when, and at which step of all

    def say(self, text: str = "") -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def _show(self, columns: list[Any], auto_refresh: bool, **task: Any) -> None:
        from rich.progress import Progress

        self._hide()
        self._bar = Progress(*columns, console=self.console, transient=True, auto_refresh=auto_refresh)
        self._bar.start()
        self._task = self._bar.add_task("", **task)

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def compiling(self, kernel: str) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

        if self._bar is None:
            text = TextColumn("compiling kernels (first run only): {task.fields[count]}, {task.fields[kernel]}")
            columns = [BarColumn(20), TimeElapsedColumn(), text]
            self._show(columns, auto_refresh=True, total=None, count=0, kernel="")
        self._bar.update(self._task, count=self._bar.tasks[0].fields["count"] + 1, kernel=kernel)

    def compiled(self, done: Compilation) -> None:
        self._hide()
        super().compiled(done)

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        from rich.progress import BarColumn, TextColumn

        self._done, self._all, self._steps = epoch * steps, epochs * steps, steps
        self._began = self._began or (time.perf_counter(), self._done)
        if self._bar is None:
            columns = [TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[figures]}")]
            self._show(columns, auto_refresh=False, total=steps, figures="")
        self._bar.update(self._task, description=f"epoch {epoch + 1}/{epochs}", completed=0, figures="")

    def due(self) -> bool:
        return self._bar is not None and time.perf_counter() - self._drawn >= REDRAW_SECONDS

    def step(self, step: int, means: dict[str, float], images_per_second: float) -> None:
        self._drawn = time.perf_counter()
        left = ""
        if self._began is not None and self._done + step > self._began[1]:
            pace = (self._drawn - self._began[0]) / (self._done + step - self._began[1])
            left = f"  {_clock(pace * (self._all - self._done - step))} left"
        figures = f"step {step}/{self._steps}  {_figures(means)}  {images_per_second:,.0f} images/s{left}"
        self._bar.update(self._task, completed=step, figures=figures, refresh=True)

    def working(self, at: str) -> None:
        from rich.progress import TextColumn, TimeElapsedColumn

        self._show([TextColumn(f"{at} ..."), TimeElapsedColumn()], auto_refresh=True, total=None)

    def ended(self) -> None:
        self._hide()


class JsonLines(Reporter):
    """One JSON object per line on standard output, each with an ``event``."""

    def _say(self, event: str, **fields: Any) -> None:
        print(json.dumps({"event": event, **fields}), flush=True)

    def compiled(self, done: Compilation) -> None:
        self._say("compiled", kernels=len(done.kernels), seconds=done.seconds)

    def started(self, model: Sequential, recipe: Recipe, data: RecipeData, out: Path, resumed: bool) -> None:
        train, validation, test = data.sizes
        self._say(
            "start", recipe=recipe.name, parameters=model.count_params(), train=train, validation=validation, test=test,
            seed=recipe.content.training.seed, out=str(out), resumed=resumed,
        )  # fmt: skip

    def epoch(self, row: dict[str, Any], epochs: int, seconds: float, images_per_second: float) -> None:
        self._say("epoch", **row, epochs=epochs, seconds=seconds, images_per_second=images_per_second)

    def stopped(self, results: dict[str, Any], out: Path) -> None:
        self._say("stopped", **results, out=str(out), **({"goes_on": self.goes_on(out)} if self.command else {}))

    def finished(self, results: dict[str, Any], recipe: Recipe, out: Path) -> None:
        self._say("end", **results, out=str(out))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _clock(seconds: float) -> str:
    whole = int(seconds + 0.5)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"

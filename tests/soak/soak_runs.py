"""The runs that the parts interrupt, and what they must leave."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import runs
import trainee
from soak_common import Context

from scratchnet import recipes, safetensors_io

LEFT = ("metrics.csv", "metrics.jsonl", "model.safetensors")  # of the command line, to the bit


class Runs:
    """The two kinds of runs that are interrupted, and what they leave when uninterrupted."""

    def __init__(self, context: Context) -> None:
        self.folder = context.folder
        self.data = trainee.write_data(self.folder / "digits.npz")
        self.recipe = write_recipe(self.folder / "soak.toml")
        self.whole: dict[tuple[str, ...], Any] = {}

    def trainee(self, folder: Path, backend: str) -> list[Any]:
        """The command of the trainee (see trainee.py): every kind of state in one small network."""
        return [*runs.TRAINEE, self.data, folder, "--backend", backend, "--every", 4]

    def command_line(self, folder: Path, *more: Any) -> list[Any]:
        """``scratchnet-train`` with a recipe that has dropout, batch normalization and a schedule."""
        options = ["--backend", "numpy", "--checkpoint-every", 7, "--resume", "-q", "--out", folder]
        return [*runs.CLI, self.recipe, *options, *more]

    def check(self, kind: tuple[str, ...], folder: Path) -> None:
        """Raise AssertionError unless a run ended with the bits of one that was left alone."""
        make = self.trainee if kind[0] == "trainee" else self.command_line
        names = runs.LEFT if kind[0] == "trainee" else LEFT
        if kind not in self.whole:
            alone = self.folder / "-".join(("alone", *kind))
            began = time.perf_counter()
            assert runs.finished(*make(alone, *kind[1:]))[0] == 0
            self.whole[kind] = runs.outcome(alone, names), time.perf_counter() - began
        left = runs.outcome(folder, names)
        for name, content in self.whole[kind][0].items():
            assert left[name] == content, f"{name} differs"

    def seconds(self, kind: tuple[str, ...]) -> float:
        """How long such a run takes."""
        return float(self.whole[kind][1])


def write_recipe(path: Path) -> Path:
    """The quickstart with dropout, batch normalization and a schedule, for four epochs."""
    text = (Path(recipes.__file__).parent / "quickstart.toml").read_text()
    text = text[: text.index("[expect]")]
    flatten = '[[layers]]\ntype = "Flatten"\n'
    text = text.replace(flatten, '[[layers]]\ntype = "BatchNormalization"\n\n' + flatten)
    text = text.replace(flatten, f'{flatten}\n[[layers]]\ntype = "Dropout"\nrate = 0.3\n')
    rate = '{ name = "CosineDecay", initial_learning_rate = 0.002, decay_steps = 200 }'
    text = text.replace("learning_rate = 0.002", f"learning_rate = {rate}").replace("epochs = 20", "epochs = 4")
    text = text.replace('name = "quickstart"', 'name = "soak"').replace("filters = 32", "filters = 8")
    path.write_text(text.replace("filters = 64", "filters = 16"))
    return path


def whole_files(folder: Path) -> None:
    """Every model file that is there must be whole."""
    for path in folder.rglob("*.safetensors"):
        safetensors_io.read(path)

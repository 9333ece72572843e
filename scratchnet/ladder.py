"""How a tutorial improved: the same images, and one improvement in every rung.

The last rung is the recipe ``fashion-cnn-dropout``; the others are that recipe without the later improvements. The
tutorial gives neither its early layouts nor the rate of its gradient descent: here both are those of the TensorFlow
tutorial on which it builds, two convolutions before the dense layers and a rate of 0.001.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import recipes, run
from .console import Reporter
from .errors import ConfigError
from .recipes import toml
from .recipes.recipe import Recipe
from .run_folder import RECIPE as RECIPE_FILE
from .run_folder import REPORT
from .run_records import results_of
from .signals import Stop

RECIPE = "fashion-cnn-dropout"


@dataclass(frozen=True)
class Rung:
    """One step: what changes from the rung before, and the tutorial's accuracy for it."""

    name: str
    title: str
    story: str
    text: str
    optimizer: str = "adam"
    blocks: int = 3
    steps: int = 1500
    dropout: bool = True


RUNGS = (
    Rung(
        "1-gradient-descent", "Plain gradient descent",
        "Two convolutions with max-pooling, a dense layer of 1,024, dropout 0.4 before the output. The weights follow "
        "the gradient at a rate of 0.001 for 1,000 steps of 100 images.",
        "29%", optimizer="sgd", blocks=2, steps=1000, dropout=False,
    ),
    Rung(
        "2-adam", "Adam instead of gradient descent",
        "The same network and the same rate. Adam divides every weight's step by the usual size of its gradient, so "
        "that no direction has to wait for the steepest one.",
        "69%", blocks=2, steps=1000, dropout=False,
    ),
    Rung(
        "3-deeper", "One more convolution and pooling",
        "A third convolution of 128 filters sees larger parts of the image; its pooling leaves the dense layer 1,152 "
        "numbers instead of 3,136.",
        "73%", steps=1000, dropout=False,
    ),
    Rung(
        "4-longer", "1,500 steps instead of 1,000", "The same network, trained half as long again.",
        "82%", dropout=False,
    ),
    Rung(
        "5-dropout", "Dropout after the second and third pooling",
        "A quarter of the numbers is left out at random in training, so that no filter can rely on a single other one.",
        "89 to 90%",
    ),
)  # fmt: skip


def recipe_of(rung: Rung, seed: int = 0, scale: float = 1.0) -> Recipe:
    """The recipe of a rung.

    Parameters
    ----------
    scale : float
        The fraction of the steps to train, at least one step.
    """
    base = recipes.load(RECIPE)
    content = base.as_dict()
    layers, blocks, inside = [], 0, True
    for layer in content["layers"]:
        inside = inside and layer["type"] != "Flatten"
        blocks += layer["type"] == "Conv2D"
        if inside and (blocks > rung.blocks or (layer["type"] == "Dropout" and not rung.dropout)):
            continue
        layers.append(layer)
    content["layers"] = layers
    content["recipe"] = {"name": f"ladder-{rung.name}", "title": rung.title, "source": base.content.recipe.source}
    content["expect"] = {"text": rung.text}
    content["training"]["optimizer"] = {"name": rung.optimizer, "learning_rate": 0.001}
    changed = Recipe(content, "", base.where, base.folder)
    return changed.replace(steps=max(1, round(rung.steps * scale)), seed=seed)


def climb(
    out: Path, *, seed: int = 0, scale: float = 1.0, data_dir: str | os.PathLike[str] | None = None,
    backend_name: str = "auto", stop: Stop | None = None, reporter: Callable[[], Reporter] = Reporter,
    began: Callable[[int, Rung], None] = lambda number, rung: None,
) -> list[Path] | None:  # fmt: skip
    """Train all rungs, each into its own folder in ``out``; finished ones are kept, an interrupted one is resumed.

    Parameters
    ----------
    reporter : callable
        Makes the reporter of a rung.
    began : callable
        Called with the number of a rung (from 1) and the rung before it is trained.

    Returns
    -------
    list of Path or None
        The folders; None if a signal stopped the training early.

    Raises
    ------
    ScratchnetError
        As `scratchnet.run.train`; also if ``out`` holds a ladder that was trained for longer than requested.
    """
    stop = stop or Stop()
    wanted = [(rung, recipe_of(rung, seed, scale), out / rung.name) for rung in RUNGS]
    for _, recipe, path in wanted:
        _refuse_longer(path, recipe.content.training.steps or 0)
    for number, (rung, recipe, path) in enumerate(wanted, 1):
        if _is_finished(path, recipe):
            continue
        began(number, rung)
        results = run.train(
            recipe, path, data_dir=data_dir, backend_name=backend_name, resume=True, stop=stop, reporter=reporter()
        )
        if not results["finished"]:
            return None
    return [path for _, _, path in wanted]


def _refuse_longer(path: Path, steps: int) -> None:
    done = results_of(path).get("steps")
    if isinstance(done, int) and done > steps:
        raise ConfigError(f"{path}: holds a rung of {done:,} steps, and {steps:,} are asked for: choose another folder")


def _is_finished(path: Path, recipe: Recipe) -> bool:
    if not results_of(path).get("finished") or not (path / REPORT).exists():
        return False
    return toml.read(path / RECIPE_FILE)[0] == run.parse(recipe)

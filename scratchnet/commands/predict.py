"""``scratchnet-train predict RUN PICTURE ...``: which class a trained network sees in the user's own pictures."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import CheckpointError, DataError, ScratchnetError
from .options import option

TOP = 3
HELP = {
    "predict": "Name the class of your own pictures, with its probability, and say what was done to them.\n\n"
    "They are made to resemble the training data: turned upright, inverted if dark on light, cut out and centered as "
    "MNIST was. An unreadable picture is reported on standard error; the others are answered, and the exit code "
    "is 2."
}


def predict(
    run: Annotated[Path, typer.Argument(
        metavar="RUN", help="The folder of a run, or a model file (.safetensors, .keras)."
    )],
    pictures: Annotated[list[Path], typer.Argument(
        metavar="PICTURE", help="PNG, JPEG, GIF, BMP, TIFF, WebP, PPM; any size and color, dark on light too."
    )],
    dataset: Annotated[str | None, option(
        "--dataset", metavar="NAME", help="What a model file without its run's folder was trained on: mnist, "
        "fashion_mnist, digits."
    )] = None,
    as_json: Annotated[bool, option("--json", help="One JSON object per picture, for programs.")] = False,
) -> int:  # fmt: skip
    """Answer for every picture."""
    from .. import backend

    backend.set_backend("numpy")  # for a few pictures, loading kernels would take longer
    network = _Network(run, dataset)
    failed = 0
    for picture in pictures:
        try:
            answer = network.answer(picture)
        except ScratchnetError as error:
            failed += 1
            if as_json:
                print(json.dumps({"picture": str(picture), "error": str(error)}), flush=True)
            print(f"scratchnet-train: {error}", file=sys.stderr, flush=True)
            continue
        print(json.dumps(answer) if as_json else _lines(answer), flush=True)
    return 2 if failed else 0


@dataclass
class _Network:
    run: Path
    dataset: str | None

    def __post_init__(self) -> None:
        from .. import datasets
        from ..datasets.catalog import BUILT_IN, module_name
        from ..datasets.files import shown
        from ..model import load_model
        from ..own_picture import Samples, picture_shape
        from ..run_folder import MODEL

        path = self.run / MODEL if self.run.is_dir() else self.run
        if self.run.is_dir() and not path.exists():
            raise CheckpointError(f"{shown(self.run)}: expected the folder of a run, there is no {MODEL} in it")
        self.dataset = self.dataset and module_name(self.dataset)
        if self.dataset is not None and self.dataset not in BUILT_IN:
            raise DataError(f"--dataset: expected one of {', '.join(BUILT_IN)}, got {shown(repr(self.dataset))}")
        self.model = load_model(path)
        name, looks = _about(path.parent) if path.name == MODEL and self.dataset is None else (self.dataset or "", {})
        shape = picture_shape(looks.get("shape") or self.model.input_shape)
        if shape is None or math.prod(shape) != math.prod(self.model.input_shape) or len(self.model.output_shape) != 1:
            what = f"from samples of shape {self.model.input_shape} to {self.model.output_shape}"
            raise DataError(f"{shown(self.run)}: expected a network from pictures to classes, this one goes {what}")
        names, scale = looks.get("class_names") or [], looks.get("scale") or 1 / 255
        if name in BUILT_IN:
            module = getattr(datasets, name)
            names, scale = module.CLASS_NAMES, module.scale
        self.samples = Samples(shape, scale, name, looks.get("background"))
        self.names = [*names, *map(str, range(len(names), self.model.output_shape[0]))]

    def answer(self, picture: Path) -> dict[str, Any]:
        """The classes of a picture, the most probable first."""
        from ..own_picture import prepare
        from ..run import probabilities

        sample, done = prepare(picture, self.samples)
        outputs = self.model.predict(sample.reshape(1, *self.model.input_shape))
        chances = probabilities(self.model, outputs)[0]
        best = chances.argsort()[::-1][:TOP]
        top = [{"class": self.names[i], "label": int(i), "probability": float(chances[i])} for i in best]
        return {"picture": str(picture), **top[0], "top": top, "done": done}


def _lines(answer: dict[str, Any]) -> str:
    from ..datasets.files import shown

    first, *others = [f"{shown(one['class'])} ({one['probability']:.1%})" for one in answer["top"]]
    then = f"; then {', '.join(others)}" if others else ""
    return f"{shown(answer['picture'])}: {first}{then}\n    done to it: {'; '.join(answer['done'])}"


def _about(folder: Path) -> tuple[str, dict[str, Any]]:
    """The data set of the run in a folder, and what its samples look like, as far as its files tell."""
    from ..recipes import toml
    from ..run_folder import RECIPE, RESULTS

    if not (folder / RECIPE).exists():
        return "", {}
    data = toml.read(folder / RECIPE)[0].get("data")
    name = data.get("dataset") if isinstance(data, dict) else None
    try:
        looks = json.loads((folder / RESULTS).read_bytes())["input"]
        shape, scale, background = [int(side) for side in looks["shape"]], float(looks["scale"]), looks["background"]
        names = [str(one) for one in looks["class_names"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # an older run, or one stopped at once
        return str(name), {}
    background = background if isinstance(background, int | float) else None
    return str(name), {"shape": shape, "scale": scale, "background": background, "class_names": names}

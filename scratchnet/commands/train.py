"""``scratchnet-train [RECIPE]``: train a network, and leave a folder that says everything about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..recipes import MOST_BATCH, MOST_EPOCHS, MOST_STEPS
from ..signals import Stop, exit_code
from .options import count_to, folder, option, rate, recipe_names, reporter_for, require_data_dir, seed_number

HELP = {
    "train": "Train a network on real data and leave a folder with the model, curves, pictures and a report.\n\n"
    "Without RECIPE it trains a small network on handwritten digits, offline, in less than a minute."
}


def _first_words(incomplete: str) -> list[str]:
    """What the first word may become: a recipe, or another command."""
    from ..cli import COMMANDS

    return [*recipe_names(incomplete), *(name for name in COMMANDS if name.startswith(incomplete))]


def train(
    recipe: Annotated[str, typer.Argument(
        metavar="RECIPE", help="A name (scratchnet-train list prints them), or a TOML file of your own.",
        autocompletion=_first_words,
    )] = "quickstart",
    epochs: Annotated[int | None, option(
        "--epochs", metavar="N", parser=count_to(MOST_EPOCHS), help="Train so many epochs."
    )] = None,
    steps: Annotated[int | None, option(
        "--steps", metavar="N", parser=count_to(MOST_STEPS), help="Train so many steps (batches) instead."
    )] = None,
    batch_size: Annotated[int | None, option(
        "--batch-size", metavar="N", parser=count_to(MOST_BATCH), help="Samples per step."
    )] = None,
    learning_rate: Annotated[float | None, option(
        "--learning-rate", metavar="RATE", parser=rate, help="Learning rate of the optimizer."
    )] = None,
    optimizer: Annotated[str | None, option(
        "--optimizer", metavar="NAME", help="sgd, adam, nadam ...: with its own defaults, but for --learning-rate."
    )] = None,
    seed: Annotated[int | None, option(
        "--seed", metavar="N", parser=seed_number, help="Same seed, same numbers."
    )] = None,
    backend: Annotated[str, option(
        "--backend", metavar="NAME", help="numpy, numba, cupy, or auto (the fastest that there is)."
    )] = "auto",
    data_dir: Annotated[Path | None, option(
        "--data-dir", metavar="DIR", parser=folder, help="A folder that has mnist/ or fashion-mnist/ in it."
    )] = None,
    out: Annotated[Path | None, option(
        "--out", metavar="DIR", parser=folder, help="Where the results go; runs/RECIPE-DATE-TIME when left out."
    )] = None,
    resume: Annotated[bool, option(
        "--resume", help="Go on with the run in --out, or start where there is none."
    )] = False,
    checkpoint_every: Annotated[int | None, option(
        "--checkpoint-every", metavar="N", parser=count_to(MOST_STEPS),
        help="Save every N steps, besides after every epoch.",
    )] = None,
    only_measure: Annotated[bool, option(
        "--dry-run", help="Train, write and download nothing: print the network, sizes, memory and time."
    )] = False,
    as_json: Annotated[bool, option("--json", help="One JSON object per line, for programs.")] = False,
    quiet: Annotated[bool, option("--quiet", "-q", help="One line at the end.")] = False,
    version: Annotated[bool, option("--version", help="Print the version.")] = False,
) -> int:  # fmt: skip
    """Train a recipe, or print what that would take."""
    if version:
        from importlib.metadata import version as installed

        print(installed("scratchnet"))
        return 0
    if epochs is not None and steps is not None:
        raise ConfigError("expected --epochs or --steps, got both")
    if only_measure and resume:
        raise ConfigError("expected --dry-run or --resume, got both")
    require_data_dir(data_dir)
    given = {
        "epochs": epochs, "steps": steps, "batch-size": batch_size, "learning-rate": learning_rate,
        "optimizer": optimizer, "seed": seed, "backend": None if backend == "auto" else backend, "data-dir": data_dir,
        "checkpoint-every": checkpoint_every,
    }  # fmt: skip
    with Stop() as stop:
        from .. import recipes, run

        chosen = recipes.load(recipe)
        changes: dict[str, Any] = {
            key: value
            for key, value in {"epochs": epochs, "steps": steps, "batch_size": batch_size, "seed": seed}.items()
            if value is not None
        }
        if resume and out is not None and epochs is None and steps is None:
            changes |= _length(out)
        if optimizer is not None:
            changes["optimizer"] = {"name": optimizer}
        if learning_rate is not None:
            table = changes.get("optimizer", chosen.content.training.optimizer)
            changes["optimizer"] = {**table, "learning_rate": learning_rate}
        if only_measure:
            _dry_run(chosen.replace(**changes) if changes else chosen, out, data_dir, backend, as_json, quiet)
            return 0
        results = run.train(
            chosen.replace(**changes) if changes else chosen,
            out,
            data_dir=data_dir,
            backend_name=backend,
            resume=resume,
            checkpoint_every=checkpoint_every,
            reporter=reporter_for(as_json, quiet, _words(recipe, given)),
            stop=stop,
        )
    return 0 if results["finished"] else exit_code(results["stopped_by"])


def _length(out: Path) -> dict[str, int]:
    """How long the run in a folder was to be trained: so long the same command without a length goes on."""
    from ..run_folder import planned

    before = planned(out)
    lengths = {} if before is None else {"epochs": before.epochs, "steps": before.steps}
    return {name: count for name, count in lengths.items() if count is not None}


def _words(recipe: str, given: dict[str, Any]) -> list[str]:
    """The command line that trains this, without an output folder."""
    from ..cli import PROGRAM

    options = [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
    return [PROGRAM, recipe, *options]


def _dry_run(recipe: Any, out: Any, data_dir: Any, backend: str, as_json: bool, quiet: bool) -> None:
    from .. import console, dry_run

    speaker = reporter_for(as_json, quiet) if not as_json else console.Reporter()
    found = dry_run.dry_run(recipe, out, data_dir=data_dir, backend_name=backend, reporter=speaker)
    if as_json:
        print(json.dumps({"event": "dry-run", **found}))
    else:
        print(dry_run.line(found) if quiet else "\n".join(dry_run.lines(found)))

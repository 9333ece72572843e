"""The command line: ``scratchnet-train [RECIPE]``, ``scratchnet-train list``, ``scratchnet-train show RECIPE``.

The first word decides: one of `COMMANDS`, or else a recipe to train. Every refusal is one line on standard error.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import ConfigError, DataError, NumericsError, ScratchnetError
from .run_folder import FolderError
from .signals import Interrupted, Stop, exit_code

EPILOG = (
    "Exit codes: 0 fine; 1 the run could not be completed (a full disk, numbers that became NaN); 2 bad input: an "
    "option, a recipe, data, a folder that cannot be written; 130 and 143: stopped by Ctrl-C or SIGTERM, after "
    "finishing the step and saving everything so far (a second signal ends it at once)."
)


def _count(text: str) -> int:
    """A whole number from 1 up, as the parser of an option."""
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text)):
        raise typer.BadParameter(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) < 2**32):
        raise typer.BadParameter(f"expected a whole number from 0 to {2**32 - 1}, got {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise typer.BadParameter(f"expected a positive number, got {text!r}")
    return rate


def _option(*names: str, help: str, metavar: str | None = None, parser: Callable[[str], Any] | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, parser=parser, show_default=False)


def train(
    recipe: Annotated[str, typer.Argument(
        metavar="RECIPE", help="A name (scratchnet-train list prints them), or a TOML file of your own.",
    )] = "quickstart",
    epochs: Annotated[int | None, _option(
        "--epochs", metavar="N", parser=_count, help="Train so many epochs."
    )] = None,
    steps: Annotated[int | None, _option(
        "--steps", metavar="N", parser=_count, help="Train so many steps (batches) instead."
    )] = None,
    batch_size: Annotated[int | None, _option(
        "--batch-size", metavar="N", parser=_count, help="Samples per step."
    )] = None,
    learning_rate: Annotated[float | None, _option(
        "--learning-rate", metavar="RATE", parser=_rate, help="Learning rate of the optimizer."
    )] = None,
    optimizer: Annotated[str | None, _option(
        "--optimizer", metavar="NAME", help="sgd, adam, nadam ...: with its own defaults, but for --learning-rate."
    )] = None,
    seed: Annotated[int | None, _option(
        "--seed", metavar="N", parser=_seed, help="Same seed, same numbers."
    )] = None,
    backend: Annotated[str, _option(
        "--backend", metavar="NAME", help="numpy, numba, cupy, or auto (the fastest that there is)."
    )] = "auto",
    data_dir: Annotated[Path | None, _option(
        "--data-dir", metavar="DIR", help="A folder that has mnist/ or fashion-mnist/ in it."
    )] = None,
    out: Annotated[Path | None, _option(
        "--out", metavar="DIR", help="Where the results go; runs/RECIPE-DATE-TIME when left out."
    )] = None,
    resume: Annotated[bool, _option(
        "--resume", help="Go on with the run in --out, or start where there is none."
    )] = False,
    checkpoint_every: Annotated[int | None, _option(
        "--checkpoint-every", metavar="N", parser=_count, help="Save every N steps, besides after every epoch."
    )] = None,
    as_json: Annotated[bool, _option("--json", help="One JSON object per line, for programs.")] = False,
    quiet: Annotated[bool, _option("--quiet", "-q", help="One line at the end.")] = False,
    version: Annotated[bool, _option("--version", help="Print the version.")] = False,
) -> int:  # fmt: skip
    """Train a network on real data and leave a folder with the model, curves, pictures and a report.

    Without RECIPE it trains a small network on handwritten digits, offline, in less than a minute.

    Two more commands: scratchnet-train list prints all recipes, with what to expect of them; scratchnet-train show
    RECIPE prints one as TOML, to make your own from.
    """
    if version:
        from importlib.metadata import version as installed

        print(installed("scratchnet"))
        return 0
    if epochs is not None and steps is not None:
        raise ConfigError("expected --epochs or --steps, got both")
    if data_dir is not None and not data_dir.is_dir():
        raise DataError(f"--data-dir {data_dir}: no such folder")
    with Stop() as stop:
        from . import recipes, run

        chosen = recipes.load(recipe)
        changes: dict[str, Any] = {
            key: value
            for key, value in {"epochs": epochs, "steps": steps, "batch_size": batch_size, "seed": seed}.items()
            if value is not None
        }
        if optimizer is not None:
            changes["optimizer"] = {"name": optimizer}
        if learning_rate is not None:
            table = changes.get("optimizer", chosen.content.training.optimizer)
            changes["optimizer"] = {**table, "learning_rate": learning_rate}
        results = run.train(
            chosen.replace(**changes) if changes else chosen,
            out,
            data_dir=data_dir,
            backend_name=backend,
            resume=resume,
            checkpoint_every=checkpoint_every,
            reporter=_reporter(as_json, quiet),
            stop=stop,
        )
    return 0 if results["finished"] else exit_code(results["stopped_by"])


def list_recipes(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line, for programs.")] = False,
) -> int:
    """Print all recipes: network, parameters, data, training, and the test accuracy to expect."""
    from . import recipes

    rows = [_row(recipes.load(name).content) for name in recipes.names()]
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    headers = {"recipe": "recipe", "network": "network", "parameters": "parameters", "data": "data",
               "training": "training", "expected": "test accuracy", "text": "the text has"}  # fmt: skip
    for header in headers.values():
        table.add_column(header, justify="right" if header == "parameters" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{row[key]:,}" if key == "parameters" else str(row[key] or "") for key in headers))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)
    return 0


def show_recipe(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A name, or a TOML file.")],
) -> int:
    """Print a recipe as TOML with every default filled in: the beginning of one of your own."""
    from . import recipes

    print(recipes.load(recipe).as_toml(), end="")
    return 0


def _row(content: Any) -> dict[str, Any]:
    training, expect = content.training, content.expect
    length = f"{training.steps:,} steps" if training.steps else f"{training.epochs} epochs"
    return {
        "recipe": content.recipe.name,
        "title": content.recipe.title,
        "network": _network(content.layers),
        "parameters": expect.parameters,
        "data": content.data.dataset,
        "training": f"{training.optimizer['name']}, batch {training.batch_size}, {length}",
        "expected": None if expect.accuracy is None else f"{expect.accuracy:.1%}",
        "text": expect.text or None,
    }


def _network(layers: list[dict[str, Any]]) -> str:
    """``conv 3x3 32, max-pool, dense 128, dense 10``."""
    words = []
    for layer in layers:
        match layer["type"]:
            case "Conv2D":
                size = layer["kernel_size"]
                size = f"{size}x{size}" if isinstance(size, int) else "x".join(map(str, size))
                words.append(f"conv {size} {layer['filters']}")
            case "Dense":
                words.append(f"dense {layer['units']}")
            case "Dropout":
                words.append(f"dropout {layer['rate']}")
            case "MaxPooling2D" | "MaxPool2D":
                words.append("max-pool")
            case "Flatten":
                continue
            case other:
                words.append(other)
    return ", ".join(words)


def _reporter(as_json: bool, quiet: bool) -> Any:
    from . import console

    if as_json:
        return console.JsonLines()
    if quiet:
        return console.Quiet()
    return console.Live() if sys.stdout.isatty() else console.Lines()


COMMANDS: dict[str, Callable[..., int]] = {"list": list_recipes, "show": show_recipe}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    command = COMMANDS.get(words[0]) if words else None
    program = f"scratchnet-train {words[0]}" if command else "scratchnet-train"
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
    )
    app.command(epilog=None if command else EPILOG)(command or train)
    try:
        result = app(words[1:] if command else words, prog_name=program, standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except ScratchnetError as error:
        from .safetensors_io import SaveError

        return _refuse(str(error), 1 if isinstance(error, NumericsError | FolderError | SaveError) else 2)
    except Interrupted as signal:
        return _refuse("stopped; whatever was saved is whole", exit_code(signal.number))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except MemoryError:
        return _refuse("not enough memory: try a smaller network or --batch-size", 2)
    except OSError as error:
        return _refuse(str(error), 1)
    except Exception as error:  # the parser's own refusals, whichever copy of click typer brings along
        if not hasattr(error, "format_message"):
            raise
        return _refuse(error.format_message(), 2)


def _refuse(message: str, code: int) -> int:
    print(f"scratchnet-train: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code

"""The command line: ``scratchnet-train [RECIPE]``, ``scratchnet-train list``, ``scratchnet-train show RECIPE`` ...

The first word decides: one of `COMMANDS`, or else a recipe to train. Every error is one line on standard error.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from . import process
from .datasets.files import shown
from .errors import ConfigError, NumericsError, ScratchnetError
from .run_folder import FolderError
from .signals import Interrupted, exit_code

if TYPE_CHECKING:
    import typer

PROGRAM = "scratchnet-train"
COMMANDS = {
    "list": ("recipes:list_recipes", "prints all recipes, with what to expect of them"),
    "show": ("recipes:show_recipe", "prints one as TOML, a starting point for your own"),
    "compare": ("compare:compare", "puts finished runs side by side on one page"),
    "ladder": ("ladder:ladder", "replays how a tutorial got from 29% to 90%"),
    "predict": ("predict:predict", "classifies your own pictures"),
    "data": ("data:app", "(export, verify) makes and checks a bundle of the data for a classroom without internet"),
}
"""First words: where the command is (a function, or a Typer of several), and what it does."""
EPILOG = (
    "Exit codes: 0 fine; 1 the run could not be completed (a full disk, numbers that became NaN); 2 bad input: an "
    "option, a recipe, data, a folder that cannot be written or that another run is writing into; 130 and 143: "
    "stopped by Ctrl-C or SIGTERM, after finishing the step and saving everything so far (a second signal ends it at "
    "once). "
    "NO_COLOR=1 in the environment turns colors off."
)


PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn"}
"""Modules that pip knows under another name."""


def _app(first: str) -> typer.Typer:
    """The parser for a command line with this first word."""
    import typer

    from .commands.parsing import SETTINGS, Command

    app = typer.Typer(pretty_exceptions_enable=False, **SETTINGS)
    if first not in COMMANDS:
        from .commands import train

        others = "; ".join(f"{PROGRAM} {name} {does}" for name, (_, does) in COMMANDS.items())
        app.command(cls=Command, help=train.HELP["train"], epilog=f"More commands: {others}.\n\n{EPILOG}")(train.train)
        return app
    name, _, function = COMMANDS[first][0].partition(":")
    module = import_module(f".commands.{name}", __package__)
    command = getattr(module, function)
    app.callback()(lambda: None)  # a group, even with one command
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=first)
    else:
        app.command(first, cls=Command, help=module.HELP[function])(command)
    return app


def _first_word(arguments: list[str]) -> str:
    """The first word of the command line, or of the one that a shell wants completed (passed by its script)."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS")
    if line and f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE" in os.environ:
        arguments = line.split()[1:]
    return arguments[0] if arguments else ""


def _refuse_mistaken(words: list[str]) -> None:
    """Refuse a first word that was meant as a command: a misspelled one, or one that other programs have.

    Raises
    ------
    ConfigError
        Suggests what to write instead.
    """
    from .recipes import names

    first, *others = words or [""]
    if first in (*COMMANDS, *names()) or not first.isalpha() or os.path.lexists(first):
        return
    instead = {"train": [PROGRAM, *others], "help": [PROGRAM, *others[:1], "--help"]}.get(first)
    if instead is None and (close := get_close_matches(first, [*COMMANDS, *names()], n=1)) and close[0] in COMMANDS:
        instead = [PROGRAM, close[0], *others]
    if instead is not None:
        raise ConfigError(f"there is no command and no recipe {first!r}: did you mean {shown(shlex.join(instead))!r}?")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    if arguments is None:
        process.prepare()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _refuse_mistaken(words)
        result = _app(_first_word(words))(words, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except ScratchnetError as error:
        from .safetensors_io import SaveError

        return _refuse(str(error), 1 if isinstance(error, NumericsError | FolderError | SaveError) else 2)
    except Interrupted as signal:
        return _refuse("stopped; whatever was saved is whole", exit_code(signal.number))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of the output is gone
        process.end_output()
        return 1
    except MemoryError:
        return _refuse("not enough memory: try a smaller network or --batch-size", 2)
    except OSError as error:
        if process.place_is_gone():
            return _refuse("the working directory no longer exists: change to another one first (cd)", 2)
        if error.errno == errno.ENAMETOOLONG:
            return _refuse(f"{shown(error.filename)}: expected the name of a file or folder, this one is too long", 2)
        reason = None if error.filename else process.end_output()
        return _refuse(f"standard output: cannot be written: {reason}" if reason else str(error), 1)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module in ("", "scratchnet"):
            raise
        return _refuse(f"the package {module} is missing: pip install {PACKAGES.get(module, module)}", 1)
    except Exception as error:  # the parser's own errors, whichever copy of click typer ships
        if not hasattr(error, "format_message"):
            raise
        return _refuse(error.format_message(), 2)


def _refuse(message: str, code: int) -> int:
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code

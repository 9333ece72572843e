"""What the commands have in common: parsers of options, each with a refusal of one line, and the reporter."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from ..errors import DataError


def count_to(most: int) -> Callable[[str], int]:
    """The parser of an option that takes a whole number from 1 to ``most``."""

    def count(text: str) -> int:
        if not (text.isascii() and text.isdigit() and text.strip("0")):
            raise typer.BadParameter(f"expected a whole number of at least 1, got {text!r}")
        digits = text.lstrip("0")
        if len(digits) > len(str(most)) or int(digits) > most:
            raise typer.BadParameter(f"expected at most {most:,}, got {text if len(text) < 80 else text[:77] + '...'}")
        return int(digits)

    return count


def folder(text: str) -> Path:
    """A path, as the parser of an option; an empty one would be the current folder."""
    if not text:
        raise typer.BadParameter("expected a name, got none ('' would be the folder where you are: say . for that)")
    return Path(text)


def seed_number(text: str) -> int:
    """A seed, as the parser of an option."""
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) < 2**32):
        raise typer.BadParameter(f"expected a whole number from 0 to {2**32 - 1}, got {text!r}")
    return int(text)


def rate(text: str) -> float:
    """A finite number above 0, as the parser of an option."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise typer.BadParameter(f"expected a positive number, got {text!r}")
    return number


def require_data_dir(path: Path | None) -> None:
    """Refuse a ``--data-dir`` that is no folder.

    Raises
    ------
    DataError
        Naming it.
    """
    if path is None or path.is_dir():
        return
    if not path.exists():
        raise DataError(f"--data-dir {path}: no such folder")
    hint = "; unpack it first, and give the folder where its content is" if path.suffix.lower() == ".zip" else ""
    raise DataError(f"--data-dir {path}: expected a folder, this is a file{hint}")


def recipe_names(incomplete: str) -> list[str]:
    """The recipes that a shell may complete a word to."""
    from ..recipes import names

    return [name for name in names() if name.startswith(incomplete)]


def option(*names: str, help: str, metavar: str | None = None, parser: Callable[[str], Any] | None = None) -> Any:
    """An option that says nothing of its default."""
    return typer.Option(*names, help=help, metavar=metavar, parser=parser, show_default=False)


def reporter_for(as_json: bool, quiet: bool, command: Sequence[str] = ()) -> Any:
    """Who says what happens in a run, and how; and where it is stopped, which ``command`` goes on with it."""
    from .. import console

    if as_json:
        reporter: console.Reporter = console.JsonLines()
    elif quiet:
        reporter = console.Quiet()
    else:
        reporter = console.Live() if sys.stdout.isatty() else console.Lines()
    reporter.command = command
    return reporter

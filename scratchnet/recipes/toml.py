"""Well-behaved TOML: any file is read in bounded time or refused in one line, and keys know their lines."""

from __future__ import annotations

import math
import os
import re
import tomllib
from typing import Any

from ..datasets.files import open_regular, shown
from ..errors import DataError, RecipeError

MOST_BYTES = 1 << 18
# tomllib's time grows with the square of the number of parts of a dotted key: 16,000 parts took 4.2 s, 200 take 0.7 ms.
MOST_DOTS = 200

Path = tuple[str | int, ...]


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """The content of a TOML file as a dict, and its text.

    Raises
    ------
    RecipeError
        One line with the file and, if known, the line; whatever the file holds.
    """
    name = shown(path)
    try:
        file, size = open_regular(path)
        with file:
            raw = file.read(MOST_BYTES + 1)
    except (DataError, OSError) as error:
        raise RecipeError(shown(error)) from None
    if len(raw) > MOST_BYTES:
        raise RecipeError(f"{name}: expected a recipe of at most {MOST_BYTES:,} bytes, got {max(size, len(raw)):,}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{name}, line {line}: expected UTF-8 text, got byte {raw[error.start]:#04x}") from None
    for number, line_text in enumerate(text.split("\n"), 1):
        if line_text.count(".") > MOST_DOTS:
            raise RecipeError(f"{name}, line {number}: expected at most {MOST_DOTS} dots in a line")
    try:
        return tomllib.loads(text), text
    except RecursionError:
        raise RecipeError(f"{name}: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and int()'s error for a number of 5,000 digits
        raise RecipeError(f"{name}: not valid TOML: {shown(error)}") from None


_HEADER = re.compile(r"(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"([\w\-.\"' ]+?)\s*=")


def line_numbers(text: str) -> dict[Path, int]:
    """The line of every table header and key: ``("layers", 1, "units") -> 17``.

    Keys of inline tables are not listed: look up the longest known beginning of a path (`line_of`).
    """
    where: dict[Path, int] = {}
    table: Path = ()
    latest: dict[Path, int] = {}  # index of the last element of each array of tables
    fence = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if fence:
            fence = "" if fence in line else fence
            continue
        if header := _HEADER.fullmatch(line):
            table = ()
            for part in _parts(header[2]):
                table = (*table, part)
                if table in latest and not (header[1] == "[[" and len(table) == len(_parts(header[2]))):
                    table = (*table, latest[table])
            if header[1] == "[[":
                latest[table] = latest.get(table, -1) + 1
                table = (*table, latest[table])
            where.setdefault(table, number)
        elif key := _KEY.match(line):
            where.setdefault((*table, *_parts(key[1])), number)
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                fence = quotes
    return where


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def line_of(text: str, path: Path) -> int | None:
    """The line of a key, of the closest thing around it, or None."""
    where = line_numbers(text)
    for length in range(len(path), 0, -1):
        if path[:length] in where:
            return where[path[:length]]
    return None


def write(content: dict[str, Any]) -> str:
    """A dict of tables and lists of tables as TOML text, which `tomllib.loads` turns back into the same dict.

    Values two levels down are written inline. None is omitted: TOML cannot express it.
    """
    blocks: list[str] = []
    for name, value in content.items():
        if isinstance(value, list):
            blocks += [_block(f"[[{_key(name)}]]", element) for element in value]
        else:
            blocks.append(_block(f"[{_key(name)}]", value))
    return "\n".join(blocks)


def _block(header: str, table: dict[str, Any]) -> str:
    lines = [header, *(f"{_key(key)} = {_value(value)}" for key, value in table.items() if value is not None)]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{_escaped(name)}"'


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case float():
            return str(value)  # TOML also writes inf, -inf and nan
        case str():
            return _string(value)
        case list() | tuple():
            return "[" + ", ".join(_value(element) for element in value) + "]"
        case dict():
            inside = ", ".join(f"{_key(key)} = {_value(v)}" for key, v in value.items() if v is not None)
            return f"{{ {inside} }}" if inside else "{}"
        case _:
            raise RecipeError(f"expected text, numbers, true or false, lists and tables, got {shown(repr(value))}")


def _string(text: str) -> str:
    """A basic string; a multi-line one if the text has several lines."""
    if "\n" in text:
        return '"""\n' + "\n".join(map(_escaped, text.split("\n"))) + '"""'
    return f'"{_escaped(text)}"'


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\r": "\\r", "\n": "\\n"}


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\U{ord(c):08X}") for c in text)

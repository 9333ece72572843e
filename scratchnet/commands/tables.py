"""Tables on a terminal: if the columns do not fit side by side, rows become columns, or a few lines each."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

LEAST = 24
"""The smallest width of a wrapped column of text; numbers and names are never wrapped."""
GAP = 2
Row = Sequence[str]


@dataclass(frozen=True)
class Column:
    """A column: its header, whether its cells are numbers (aligned right), and whether they may be wrapped."""

    header: str
    number: bool = False
    wraps: bool = False


def show(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table; the first column names the rows. Into a file or a pipe it is 160 characters wide."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 160
    turned = [Column(columns[0].header), *(Column(row[0], number=True) for row in rows)]
    turned_rows = list(zip((one.header for one in columns[1:]), *(row[1:] for row in rows), strict=True))
    if widths := _widths(columns, rows, width):
        lines = _lines(columns, rows, widths)
    elif widths := _widths(turned, turned_rows, width):
        lines = _lines(turned, turned_rows, widths)
    else:
        lines = _blocks(columns, rows, width)
    print("\n".join(lines), flush=True)


def _widths(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int] | None:
    """Widths of the columns: spare room goes to those that want it, starting with the one that wants least."""
    natural = [max(map(cell_len, cells)) for cells in zip([one.header for one in columns], *rows, strict=True)]
    widths = [min(size, LEAST) if one.wraps else size for one, size in zip(columns, natural, strict=True)]
    spare = width - sum(widths) - GAP * (len(columns) - 1)
    if spare < 0:
        return None
    wishes = sorted((wish - size, index) for index, (wish, size) in enumerate(zip(natural, widths, strict=True)))
    for place, (wish, index) in enumerate(wishes):
        more = min(wish, spare // (len(wishes) - place))
        widths[index] += more
        spare -= more
    return widths


def _lines(columns: Sequence[Column], rows: Sequence[Row], widths: Sequence[int]) -> Iterator[str]:
    for row in [[one.header for one in columns], *rows]:
        cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            line = [
                _padded(cell[number] if number < len(cell) else "", width, column.number)
                for cell, width, column in zip(cells, widths, columns, strict=True)
            ]
            yield (" " * GAP).join(line).rstrip()


def _blocks(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[str]:
    label = max(cell_len(one.header) for one in columns[1:]) + GAP
    for row in rows:
        yield row[0]
        for column, cell in zip(columns[1:], row[1:], strict=True):
            if cell.strip():
                first, *others = _wrapped(cell.strip(), max(LEAST, width - label - GAP))
                yield " " * GAP + _padded(column.header, label, False) + first
                yield from (" " * (GAP + label) + other for other in others)


def _wrapped(text: str, width: int) -> list[str]:
    return [text] if cell_len(text) <= width else textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _padded(text: str, width: int, right: bool) -> str:
    room = " " * (width - cell_len(text))
    return room + text if right else text + room

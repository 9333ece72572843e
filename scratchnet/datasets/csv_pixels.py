"""Your own data: a CSV file with a picture in each line, a label and its pixels; nothing in it is trusted."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import numpy as np

from ..checks import refuse_beyond_memory
from ..errors import ConfigError, DataError
from .files import CHUNK, open_regular, shown
from .pictures import check_image_size
from .sources import Split
from .split import split_rows

MOST_LINE = 1 << 23
"""Bytes: two million pixels."""
MOST_CLASSES = 10_000
_LABEL_NAMES = ("label", "class", "target", "y")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_PIXEL, _LABEL = "a pixel from 0 to 255", f"a class number from 0 to {MOST_CLASSES - 1:,}"


def load_csv(
    path: str | os.PathLike[str],
    test_path: str | os.PathLike[str] | None = None,
    label_column: str | int | None = None,
    image_size: Any = None,
    test_split: float = 0.2,
    seed: int = 0,
) -> tuple[Split, Split]:
    """Pixels as text: a line for each picture, separated by commas, semicolons or tabs, with or without a header.

    Parameters
    ----------
    path : path-like
    test_path : path-like, optional
        A second file with the samples for testing.
    label_column : str or int, optional
        Name (if there is a header) or number of the column with the class numbers; by default the one called ``label``
        (or ``class``, ``target``, ``y``), else the first.
    image_size : int or (height, width), optional
        The pictures' shape; by default each picture stays a row of pixels.
    test_split : float
        Share of each class to use for testing, if there is no second file.
    seed : int
        Of the choice of test samples.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8 pixels (n, pixels) or (n, height, width); int64 class numbers (n,).

    Raises
    ------
    DataError
        One line that names the file, the line and the column: text, a number out of range, a row of another length.
    ConfigError
        If an argument is invalid.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = sn.datasets.load_csv("digits.csv", image_size=28)
    """
    size = check_image_size(image_size)
    if label_column is not None and (isinstance(label_column, bool) or not isinstance(label_column, str | int)):
        raise ConfigError(f"label_column: expected a column's name or number, got {label_column!r:.80}")
    parts = [_Table(file, label_column).read() for file in (path, test_path) if file is not None]
    for (x, _), file in zip(parts, (path, test_path), strict=False):
        pixels, wanted = x.shape[1], math.prod(size) if size else parts[0][0].shape[1]
        if pixels != wanted:
            why = f"for image_size {size}" if size else f"as in {shown(path)}"
            raise DataError(f"{shown(file)}: expected {wanted:,} pixels in a line {why}, got {pixels:,}")
    parts = [(x.reshape(len(x), *size) if size else x, y) for x, y in parts]
    if len(parts) == 2:
        return parts[0], parts[1]
    x, y = parts[0]
    testing = split_rows(y, test_split, seed, shown(path))
    return (x[~testing], y[~testing]), (x[testing], y[testing])


class _Table:
    """One file, read in pieces: anything but numbers never takes more memory than a piece."""

    def __init__(self, path: str | os.PathLike[str], label_column: str | int | None) -> None:
        self.path, self.name, self.label_column = path, shown(path), label_column
        self.separator, self.columns, self.label = ",", 0, 0
        self.header: list[str] | None = None

    def read(self) -> Split:
        """Pixels (n, columns - 1) and labels (n,)."""
        file, size = open_regular(self.path)
        with file:
            refuse_beyond_memory(size // 2, self.name)
            body, labels = bytearray(), bytearray()
            try:
                for numbers, lines in self._pieces(file):
                    rows = self._numbers(numbers, lines)
                    labels += rows[:, self.label].tobytes()
                    body += np.delete(rows, self.label, axis=1).astype(np.uint8).tobytes()
            except MemoryError:
                raise DataError(f"{self.name}: not enough memory for its content") from None
            except OSError as error:
                raise DataError(f"{self.name}: cannot be read: {error.strerror or shown(error)}") from error
        if not labels:
            raise DataError(f"{self.name}: expected a line of numbers for each picture, got none")
        return np.frombuffer(body, np.uint8).reshape(-1, self.columns - 1), np.frombuffer(labels, np.int64)

    def _pieces(self, file: BinaryIO) -> Iterator[tuple[list[int], list[str]]]:
        """Lines with their numbers, about a megabyte at a time, without empty ones."""
        numbers: list[int] = []
        lines: list[str] = []
        held, number = 0, 0
        while raw := file.readline(MOST_LINE + 1):
            number += 1
            if len(raw) > MOST_LINE:
                self._refuse(number, f"expected lines of at most {MOST_LINE:,} bytes")
            try:
                line = raw.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").decode().strip("\r\n")
            except UnicodeDecodeError:
                self._refuse(number, "expected numbers, got bytes that are no text")
            if not line.strip() or (not self.columns and self._begin(number, line)):
                continue
            numbers.append(number)
            lines.append(line)
            held += len(raw)
            if held > CHUNK:
                yield numbers, lines
                numbers, lines, held = [], [], 0
        if lines:
            yield numbers, lines

    def _begin(self, number: int, line: str) -> bool:
        """Learn the file's layout from the first line; returns whether it is a header."""
        self.separator = max(",;\t", key=line.count)
        cells = self._cells(line)
        self.columns = len(cells)
        if self.columns < 2:
            self._refuse(number, "expected a label and pixels, separated by commas, got one column")
        named = [i for i, cell in enumerate(cells) if cell.lower() in _LABEL_NAMES]
        if self.label_column is not None:
            named = [i for i, cell in enumerate(cells) if cell == self.label_column] or named
        texts = sum(not _is_number(cell) for cell in cells)
        if texts == len(cells) or (texts and named):
            self.header = cells
            self.label = named[0] if named else 0
        if isinstance(self.label_column, int):
            if not 0 <= self.label_column < self.columns:
                self._refuse(number, f"label_column: expected 0 to {self.columns - 1}, got {self.label_column}")
            self.label = self.label_column
        elif self.label_column is not None and (not self.header or cells[self.label] != self.label_column):
            has = ", ".join(shown(cell)[:40] for cell in self.header[:8]) if self.header else "no header"
            self._refuse(number, f"expected a column named {shown(repr(self.label_column))[:80]}, it has {has}")
        return self.header is not None

    def _cells(self, line: str) -> list[str]:
        return [cell.strip().strip('"').strip() for cell in line.split(self.separator)]

    def _numbers(self, numbers: list[int], lines: list[str]) -> np.ndarray:
        """The lines as int64 (n, columns), all in range."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # NumPy's, that 1.5 is not an integer
                rows = np.loadtxt(
                    lines, np.int64, comments=None, delimiter=self.separator, quotechar='"', ndmin=2, encoding="utf-8"
                )
        except (ValueError, Warning, OverflowError):
            rows = np.empty((0, 0), np.int64)
        most = np.full(self.columns, 255)
        most[self.label] = MOST_CLASSES - 1
        if rows.shape != (len(lines), self.columns) or ((rows < 0) | (rows > most)).any():
            for number, line in zip(numbers, lines, strict=True):
                self._check(number, self._cells(line))
            self._refuse(numbers[0], "expected plain numbers in this line and those after it")
        return rows

    def _check(self, number: int, cells: list[str]) -> None:
        """Refuse a line that is wrong, naming the column."""
        if len(cells) != self.columns:
            self._refuse(number, f"expected {self.columns:,} columns as in the first line, got {len(cells):,}")
        for column, cell in enumerate(cells):
            label = column == self.label
            if not _NUMBER.fullmatch(cell) or not 0 <= int(cell) < (MOST_CLASSES if label else 256):
                where = f"column {column + 1}"
                if self.header:
                    where += f" ({shown(self.header[column])[:40]})"
                got = shown(repr(cell[:40])) if cell else "nothing"
                self._refuse(number, f"{where}: expected {_LABEL if label else _PIXEL}, got {got}")

    def _refuse(self, number: int, message: str) -> NoReturn:
        raise DataError(f"{self.name}, line {number:,}: {message}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

"""CSVLogger."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

from ..checks import file_path, flag
from ..datasets.files import shown
from ..errors import ConfigError
from .base import Callback, Logs


class CSVLogger(Callback):
    """Write the logs of every epoch as a row of a CSV file.

    The columns are ``epoch`` and the names of the first epoch's logs in alphabetical order, with a ``val_`` column for
    each if no validation has been logged; what an epoch does not log is ``NA``. A resumed fit rewrites the rows after
    its checkpoint, so no epoch appears twice.

    Parameters
    ----------
    filename : path-like
    separator : str
        One character.
    append : bool
        Keep the file's content, and write a header only if it is empty.

    Raises
    ------
    ConfigError
        If the file cannot be written, or an argument is invalid.
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False, **unknown: Any
    ) -> None:
        super().__init__(**unknown)
        try:
            csv.writer(io.StringIO(), delimiter=separator)
        except (TypeError, ValueError):
            raise ConfigError(f"CSVLogger: separator: expected one character, got {separator!r:.80}") from None
        self.filename, self.separator = file_path(self, "filename", filename), separator
        self.append = flag(self, "append", append)
        self._start, self._text = 0, ""  # where our rows begin in the file, and the rows
        self._keys: list[str] | None = None
        self._begun = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._text, self._keys, self._begun = "", None, False
        self._write("")  # fail now, not after an epoch, if the file cannot be written
        self._start = os.path.getsize(self.filename) if self.append else 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if not self._begun:
            self._write(self._text, self._start)
            self._begun = True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        table = io.StringIO(newline="")
        writer = csv.writer(table, delimiter=self.separator)
        if self._keys is None:
            names = sorted(logs)
            validated = any(name.startswith("val_") for name in names)
            self._keys = names if validated else [*names, *(f"val_{name}" for name in names)]
            if self._start == 0:
                writer.writerow(["epoch", *self._keys])
        writer.writerow([epoch, *(_cell(logs.get(name, "NA")) for name in self._keys)])
        self._write(table.getvalue())
        self._text += table.getvalue()

    def _write(self, text: str, after: int | None = None) -> None:
        try:
            with open(self.filename, "a", newline="") as file:
                if after is not None:
                    file.truncate(min(after, os.path.getsize(self.filename)))
                file.write(text)
        except OSError as error:
            raise ConfigError(f"CSVLogger: {shown(self.filename)}: cannot be written: {error.strerror}") from error

    def state(self) -> dict[str, Any]:
        return {"start": self._start, "text": self._text, "keys": self._keys}

    def load_state(self, state: dict[str, Any]) -> None:
        self._start, self._text, self._keys = int(state["start"]), str(state["text"]), state["keys"]


def _cell(value: Any) -> Any:
    """A value as Keras writes it: a list in brackets, everything else unchanged."""
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0:
        return f'"[{", ".join(map(str, value))}]"'
    return value

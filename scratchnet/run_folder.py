"""The folder that a run leaves: every file is written under another name and renamed, so each is whole or absent."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .datasets.files import remove_leftovers, shown, write_atomically
from .errors import ConfigError, ScratchnetError
from .process import place_is_gone

if TYPE_CHECKING:
    from .recipes.schema import Training

RECIPE, MODEL, RESULTS = "recipe.toml", "model.safetensors", "results.json"
ENVIRONMENT, METRICS, REPORT = "environment.json", "metrics.jsonl", "report.html"
OF_FINISHED = ("test", "class_names", "classes", "confusion_matrix", "pictures")
"""What only a finished run has in ``results.json``."""
FILES_OF_FINISHED = (REPORT, "report.txt", "confusion.png", "correct.png", "misclassified.png")


class FolderError(ScratchnetError):
    """The folder of a run cannot be written (any more); the message says which file and why."""


class RunFolder:
    """A run's folder, locked until `release`, so that no two runs write into it.

    Parameters
    ----------
    path : Path
        Created if missing.
    resume : bool
        Whether to resume an existing run; otherwise one is refused, so that nothing is lost.

    Raises
    ------
    ConfigError
        If the folder cannot be made or written, another run is using it, or it holds a run and ``resume`` is False.
    """

    def __init__(self, path: Path, resume: bool = False) -> None:
        self.path = path
        self.created = not os.path.exists(path)  # False for a name that is too long, too: mkdir says so
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise _unwritable(path, error) from None
        self._lock = _locked(path)
        probe = path / f".probe-{secrets.token_hex(4)}"
        try:
            remove_leftovers(path)
            with open(probe, "xb") as file:
                file.write(b"\0" * 65536)
                file.flush()
                os.fsync(file.fileno())
            probe.unlink()
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                probe.unlink(missing_ok=True)
            self.release()
            raise _unwritable(path, error) from None
        if self.holds_run and not resume:
            self.release()
            raise ConfigError(
                f"output folder {shown(path)}: holds a run already: go on with it (--resume), or choose another folder"
            )

    @property
    def holds_run(self) -> bool:
        """Whether a run was started here."""
        return (self.path / RECIPE).exists()

    def release(self) -> None:
        """Let other runs use the folder; the system does so for a process that dies."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def forget(self) -> None:
        """Release the folder, and remove it if it was made for this run and is still empty."""
        if self.created:
            with contextlib.suppress(OSError):
                self.path.rmdir()
        self.release()

    def write(self, name: str, content: str | bytes) -> Path:
        """Write one file, whole or not at all.

        Raises
        ------
        FolderError
            If it cannot be written.
        """
        path = self.path / name
        try:
            write_atomically(path, content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise FolderError(f"{shown(path)}: cannot be written: {error.strerror or shown(error)}") from None
        return path

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file; NaN and infinities, which JSON lacks, become null."""
        text = json.dumps(_jsonable(content), indent=2, ensure_ascii=False) + "\n"
        self.write(name, text.encode(errors="backslashreplace"))  # what is not Unicode in a path becomes a JSON escape

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write ``metrics.csv`` and ``metrics.jsonl``, one row per epoch.

        They hold nothing that depends on the clock: two runs with the same seed write the same bytes.
        """
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write("metrics.csv", table.getvalue())
        self.write("metrics.jsonl", "".join(json.dumps(_jsonable(row)) + "\n" for row in rows))

    def withdraw_results(self) -> None:
        """Before more steps: take back what describes a finished run, so that it never lies beside a longer recipe.

        ``results.json`` is marked first, as that of a run that was stopped; ``predict`` reads what is left in it.

        Raises
        ------
        FolderError
            If a file cannot be written or removed.
        """
        try:
            results = json.loads((self.path / RESULTS).read_bytes())
        except (OSError, ValueError, RecursionError):  # none, or a damaged one, which passes for no finished run
            results = None
        if isinstance(results, dict) and results.get("finished"):
            kept = {name: value for name, value in results.items() if name not in OF_FINISHED}
            self.write_json(RESULTS, {**kept, "finished": False})
        for name in FILES_OF_FINISHED:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise FolderError(f"{shown(self.path / name)}: cannot be removed: {error.strerror}") from None

    def refuse_changed(self, settings: Mapping[str, Any], before: Any, backend: str) -> None:
        """Raise ConfigError if the run in this folder has another recipe, its length not counted, or another backend.

        ``before`` is the backend in its ``environment.json``; None if that is not known.
        """
        from .recipes import toml

        if difference := changed_settings(toml.read(self.path / RECIPE)[0], settings):
            raise ConfigError(f"--resume: {shown(self.path)} holds a run with other settings: {difference}")
        if before not in (None, backend):
            raise ConfigError(
                f"--resume: {shown(self.path)} holds a run on the {shown(before)} backend, got {backend}, whose "
                f"numbers differ in the last bits: go on with --backend {shown(before)}"
            )

    def refuse_other_data(self, data: str, before: Any, now: str | None) -> None:
        """Raise ConfigError if the user's samples had another SHA-256 when the run in this folder began."""
        if before not in (None, now):
            raise ConfigError(
                f"--resume: {shown(self.path)} holds a run on other samples: expected those of {shown(data)} to "
                f"have SHA-256 {shown(before)}, got {now}: bring back those of then, or choose another folder"
            )

    def refuse_shorter(self, training: Training, steps_per_epoch: int) -> None:
        """Raise ConfigError if the run in this folder was planned to be longer than ``training``, however far it got.

        A run that was stopped would otherwise pass for a shorter one that was completed.
        """
        from .recipes import words

        before = planned(self.path)
        if before is None:
            return
        old, new = (part.steps or (part.epochs or 1) * steps_per_epoch for part in (before, training))
        if new < old:
            alike = (before.steps is None) == (training.steps is None)
            had, got = (
                words.length(part) + ("" if alike or part.steps else f" ({count:,} steps)")
                for part, count in ((before, old), (training, new))
            )
            raise ConfigError(
                f"--resume: {shown(self.path)} holds a run of {had}: expected at least as many, got {got}"
            )


def _unwritable(folder: Path, error: Exception) -> ConfigError:
    reason = getattr(error, "strerror", None) or shown(error)
    reason = "it is a file, not a folder" if isinstance(error, FileExistsError) else reason
    reason = "the working directory no longer exists" if not folder.is_absolute() and place_is_gone() else reason
    return ConfigError(f"output folder {shown(folder)}: cannot be written: {reason}")


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None if the system or the disk has no such locks.

    The folder's own descriptor is locked: no file is left behind, and a process that is killed holds nothing.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(
            f"output folder {shown(folder)}: another training writes into it: "
            "wait for its end, or choose another folder"
        ) from None
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def planned(path: Path) -> Training | None:
    """The planned training of the run in a folder, with its length; None if there is none.

    Raises
    ------
    RecipeError
        If its recipe is damaged.
    """
    from . import recipes

    return recipes.load(path / RECIPE).content.training if os.path.exists(path / RECIPE) else None


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, Mapping):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    return value


def default_path(name: str, now: str, parent: Path = Path("runs")) -> Path:
    """``runs/NAME-DATE-TIME``, with a number appended if that is taken."""
    path = parent / f"{name}-{now}"
    number = 2
    while path.exists():
        path = parent / f"{name}-{now}-{number}"
        number += 1
    return path


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """How two recipes differ, apart from the length of training and the expected results; None if they do not.

    Epochs and steps may grow from one call to the next: the run continues to the new end. See
    `RunFolder.refuse_shorter`.
    """
    for section in dict.fromkeys([*before, *after]):
        if section in ("recipe", "expect"):
            continue
        old, new = before.get(section), after.get(section)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            for key in dict.fromkeys([*old, *new]):
                if key not in ("epochs", "steps") and old.get(key) != new.get(key):
                    return f"[{section}] {key} was {shown(old.get(key))}, is {shown(new.get(key))}"
        elif old != new:
            return f"{section} differ"
    return None

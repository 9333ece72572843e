"""Finished runs, read back from their folders: checked, since a folder may hold anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import recipes
from .datasets.files import open_regular, shown
from .errors import ConfigError, DataError
from .recipes import words
from .recipes.parts import snake
from .recipes.recipe import Recipe
from .run_folder import ENVIRONMENT, METRICS, RECIPE, RESULTS
from .run_report import describe_table

MOST_BYTES = 1 << 26
Figures = dict[str, float | None]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Tested(_Read):
    """How the trained network did on the test samples."""

    accuracy: float
    loss: float | None
    samples: int = Field(ge=1)
    errors: int = Field(ge=0)


class Results(_Read):
    """The parts of ``results.json`` that are read."""

    recipe: str
    seed: int
    backend: str
    parameters: int
    epochs: int
    steps: int
    train: Figures
    validation: Figures
    test: Tested
    class_names: list[str]
    classes: dict[str, list[float]]
    seconds: dict[str, float]
    images_per_second: float


@dataclass(frozen=True)
class Record:
    """A finished run."""

    path: Path
    recipe: Recipe
    results: Results
    rows: list[dict[str, Any]]
    environment: dict[str, Any]

    @property
    def scratchnet_version(self) -> str:
        """The version that trained it, if known."""
        return str(_table(self.environment.get("versions")).get("scratchnet", ""))

    @property
    def milliseconds_per_step(self) -> float | None:
        """Of training, validation not counted."""
        if not self.results.images_per_second:
            return None
        return 1000 * self.recipe.content.training.batch_size / self.results.images_per_second


def read(path: Path) -> Record:
    """The run in a folder.

    Raises
    ------
    ConfigError
        If there is none, or it is not finished.
    DataError
        If one of its files is damaged.
    RecipeError
        If its recipe is damaged.
    """
    where = shown(path)
    if not path.is_dir():
        raise ConfigError(f"{where}: {'no folder' if path.exists() else 'no such folder'}")
    if not (path / RECIPE).is_file():
        raise ConfigError(f"{where}: expected the folder of a run, and there is no {RECIPE} in it")
    finished = results_of(path).get("finished")
    if finished is not True:
        raise ConfigError(
            f"{where}: the run is not finished: go on with it (scratchnet-train ... --out {where} --resume)"
        )
    try:
        results = Results.model_validate(results_of(path))
        _check_lengths(results)
    except (ValidationError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{where}/{RESULTS}: damaged: {place}{': ' if place else ''}{shown(first['msg'])}") from None
    return Record(path, recipes.load(path / RECIPE), results, _rows(path / METRICS), _json(path / ENVIRONMENT))


def results_of(path: Path) -> dict[str, Any]:
    """``results.json`` of a folder, unchecked; empty if there is none.

    Raises
    ------
    DataError
        If it is damaged.
    """
    return _json(path / RESULTS) if (path / RESULTS).exists() else {}


def environment_of(path: Path) -> dict[str, Any]:
    """``environment.json`` of a folder, unchecked; empty if there is none. Raises DataError if it is damaged."""
    return _json(path / ENVIRONMENT) if (path / ENVIRONMENT).exists() else {}


def labels(records: Sequence[Record]) -> list[str]:
    """Short names of the runs: those of their folders, or whole paths if folder names repeat."""
    names = [shown(record.path.resolve().name) for record in records]
    return names if len(set(names)) == len(names) else [shown(record.path) for record in records]


def data_of(record: Record) -> tuple[Any, ...]:
    """An identifier of a run's test samples: the results of two runs are comparable if it is the same."""
    data = record.recipe.content.data
    return data.dataset, data.test_dataset, data.test_split, data.split_seed


def best(records: Sequence[Record]) -> float | None:
    """The best test accuracy of several runs; None if they were tested on different samples."""
    if len(records) < 2 or len({data_of(record) for record in records}) > 1:
        return None
    return max(record.results.test.accuracy for record in records)


def settings(records: Sequence[Record]) -> dict[str, list[str]]:
    """The settings of all runs by name, one value for each run; those that affect the numbers come first."""
    contents = [record.recipe.content for record in records]
    networks = [words.network(content.layers) for content in contents]
    exact = _networks(records)
    found = {
        "data": [content.data.dataset for content in contents],
        "validation samples": [f"{content.data.validation:,}" for content in contents],
        "network": networks if len(set(networks)) == len(set(exact)) else exact,
        "optimizer": _filled(
            [content.training.optimizer for content in contents], [record.recipe.make_optimizer() for record in records]
        ),
        "loss": _filled([content.training.loss for content in contents], [one.recipe.make_loss() for one in records]),
    }
    for key in ("batch_size", "epochs", "steps", "seed", "shuffle", "drop_last"):
        found[key.replace("_", " ")] = [_said(getattr(content.training, key)) for content in contents]
    found["backend"] = [record.results.backend for record in records]
    found["threads"] = [_said(record.environment.get("threads")) for record in records]
    machines = [_table(record.environment.get("machine")) for record in records]
    for key in ("system", "processor", "cores", "gpu"):
        found[key] = [_said(machine.get(key)) for machine in machines]
    versions = [_table(record.environment.get("versions")) for record in records]
    for key in dict.fromkeys(name for version in versions for name in version):
        found[f"{key} version"] = [_said(version.get(key)) for version in versions]
    found["commit"] = [_said(_table(record.environment.get("git_commit")).get("commit"))[:12] for record in records]
    return found


def _filled(tables: Sequence[dict[str, Any]], parts: Sequence[Any]) -> list[str]:
    """Tables in words; a key that another table sets is shown with its default, so the same part reads the same."""
    keys = dict.fromkeys(key for table in tables for key in table if key != "name")
    found = []
    for table, part in zip(tables, parts, strict=True):
        arguments = part.config()
        said = {
            key: table[key] if isinstance(table.get(key), dict) else arguments[key] for key in keys if key in arguments
        }
        found.append(describe_table({"name": snake(type(part).__name__), **said}))
    return found


def _networks(records: Sequence[Record]) -> list[str]:
    """The tables of the layers; the text is the same whether or not defaults are written out."""
    first: dict[str, str] = {}
    found = []
    for record in records:
        made = [(type(layer).__name__, layer.config()) for layer in record.recipe.make_layers()]
        tables = json.dumps(record.recipe.content.layers, sort_keys=True, default=str)
        found.append(first.setdefault(json.dumps(made, sort_keys=True, default=str), tables))
    return found


def differing(every: dict[str, list[str]]) -> dict[str, list[str]]:
    """The settings that differ between runs."""
    return {name: values for name, values in every.items() if len(set(values)) > 1}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(value: Any) -> str:
    return "–" if value is None else f"{value:,}" if type(value) is int else str(value)


def _check_lengths(results: Results) -> None:
    for key in ("precision", "recall", "f1", "support"):
        if len(results.classes.get(key, ())) != len(results.class_names):
            raise ValueError(f"expected classes.{key} with {len(results.class_names)} numbers")


def _read(path: Path) -> bytes:
    try:
        file, size = open_regular(path)
        with file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise DataError(f"{shown(path)}: expected at most {MOST_BYTES:,} bytes, got {max(size, len(raw)):,}")
    return raw


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{shown(path)}: damaged: not valid JSON") from None
    if not isinstance(content, dict):
        raise DataError(f"{shown(path)}: damaged: expected a table, got {type(content).__name__}")
    return content


def _rows(path: Path) -> list[dict[str, Any]]:
    """The metrics of every epoch, without values that are not finite numbers."""
    found = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise DataError(f"{shown(path)}, line {number}: damaged: expected a JSON object")
        found.append({key: value for key, value in row.items() if type(value) in (int, float) and abs(value) < 1e300})
    return found

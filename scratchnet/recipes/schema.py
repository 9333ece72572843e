"""What a recipe may contain: keys, types and ranges, checked by pydantic; every error names the key and its line."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from ..datasets.catalog import module_name
from ..datasets.files import shown
from ..errors import RecipeError
from ..names import closest
from . import MOST_BATCH, MOST_EPOCHS, MOST_STEPS
from .toml import Path, line_of


def _named(value: Any) -> dict[str, Any]:
    """``"adam"`` as ``{"name": "adam"}``."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return value
    raise ValueError('expected a name, or a table such as { name = "..." }')


Named = Annotated[dict[str, Any], BeforeValidator(_named)]


def _data_set(value: Any) -> Any:
    return module_name(value) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Side = Annotated[int, Field(ge=1, le=1 << 16)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class _Table(BaseModel):
    """A TOML table: no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class About(_Table):
    """``[recipe]``: what it is and where it comes from."""

    name: Name
    title: str = ""
    source: str = ""


class Data(_Table):
    """``[data]``: which samples, in which shape, and how many of them are held out for validation.

    The keys from ``test_dataset`` on are for a user's own data (datasets.py); None is the default of the reader.
    """

    dataset: Annotated[Text, BeforeValidator(_data_set)]
    validation: int = Field(default=0, ge=0)
    shape: list[Annotated[int, Field(ge=1)]] | None = Field(default=None, min_length=1, max_length=8)
    one_hot: bool = False
    test_dataset: Text | None = None
    image_size: Side | list[Side] | None = None
    color_mode: Literal["grayscale", "rgb"] | None = None
    label_column: Text | int | None = None
    test_split: float | None = Field(default=None, gt=0, lt=1)
    split_seed: int | None = Field(default=None, ge=0, lt=1 << 32)


class Training(_Table):
    """``[training]``: loss, optimizer, batches, and length."""

    loss: Named
    optimizer: Named
    batch_size: int = Field(default=32, ge=1, le=MOST_BATCH)
    epochs: int | None = Field(default=None, ge=1, le=MOST_EPOCHS)
    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    shuffle: bool = True
    drop_last: bool = False


class Expect(_Table):
    """``[expect]``: the number of parameters (checked), the accuracy, what the tutorial says, what was measured."""

    parameters: int | None = Field(default=None, ge=0)
    accuracy: float | None = Field(default=None, ge=0, le=1)
    text: str = ""
    evidence: str = ""


class Content(_Table):
    """A whole recipe."""

    recipe: About
    data: Data
    layers: list[dict[str, Any]] = Field(min_length=1, max_length=1000)
    training: Training
    expect: Expect = Expect()


_TABLES: dict[Path, type[_Table]] = {
    (): Content,
    ("recipe",): About,
    ("data",): Data,
    ("training",): Training,
    ("expect",): Expect,
}


def validate(content: dict[str, Any], text: str, where: str) -> Content:
    """The checked recipe.

    Parameters
    ----------
    content : dict
        What the TOML says.
    text : str
        The TOML itself, in which lines are looked up.
    where : str
        The file's name, for the message.

    Raises
    ------
    RecipeError
        For the first problem; misspelled keys come first.
    """
    try:
        recipe = Content.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
        first, more = problems[0], len(problems) - 1
        message = _explain(first["type"], first["msg"], first["loc"], first["input"])
        others = f" (and {more} more)" if more else ""
        raise refusal(where, text, first["loc"], message + others) from None
    if (recipe.training.epochs is None) == (recipe.training.steps is None):
        raise refusal(where, text, ("training",), "expected either epochs or steps")
    return recipe


def refusal(where: str, text: str, path: Path, message: str) -> RecipeError:
    """The error for the value at ``path``: ``FILE, line 12: [training] batch_size: expected ...``."""
    line = line_of(text, path)
    place = where if line is None else f"{where}, line {line}"
    label = describe(path)
    return RecipeError(f"{place}: {label}: {message}" if label else f"{place}: {message}")


def describe(path: Path) -> str:
    """A path in readable form: ``[training] batch_size``, ``layer 3, units``."""
    match path:
        case ():
            return ""
        case ("layers", int(index), *rest):
            return ", ".join([f"layer {index + 1}", *(_inside(rest))])
        case (str(table), *rest):
            return " ".join([f"[{shown(table)}]", *(_inside(rest))])
        case _:
            return shown(path)


def _inside(rest: list[str | int]) -> list[str]:
    words = "".join(f".{shown(part)}" if isinstance(part, str) else f"[{part + 1}]" for part in rest)
    return [words.removeprefix(".")] if words else []


def suggest(word: str, choices: list[str]) -> str:
    """`` (did you mean 'X'?)``, or the choices where none is close."""
    meant = closest(word, choices)
    return f"did you mean {meant!r}?" if meant else f"expected one of {', '.join(choices)}"


def _explain(kind: str, message: str, path: Path, given: Any) -> str:
    if kind == "extra_forbidden":
        known = list(_TABLES[path[:-1]].model_fields)
        return f"unknown key, {suggest(str(path[-1]), known)}"
    if kind == "missing":
        return "missing"
    expected = message.removeprefix("Value error, ").replace("Input should be", "expected")
    got = shown(repr(given))
    return f"{expected}, got {got if len(got) <= 80 else got[:77] + '...'}"

"""Recipes: one TOML file per tutorial, each with its evidence; ``load("fashion-keras")`` reads one."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RecipeError

if TYPE_CHECKING:
    from .recipe import Recipe

__all__ = ["load", "names"]

MOST_EPOCHS, MOST_STEPS, MOST_BATCH = 1_000_000, 1_000_000_000, 1 << 24
"""The most that a recipe, or an option in its place, may request."""
_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The recipes that come with scratchnet, the quickstart first."""
    return sorted((path.stem for path in _FOLDER.glob("*.toml")), key=lambda name: (name != "quickstart", name))


def load(recipe: str | os.PathLike[str]) -> Recipe:
    """A recipe by its name, or from a TOML file.

    Parameters
    ----------
    recipe : str or path-like
        One of `names`, or the path of a file: anything that ends in ``.toml`` or has a slash in it.

    Returns
    -------
    Recipe
        ``make_model()`` returns the network, built and compiled; ``load_data()`` the samples; ``content`` is what the
        file says.

    Raises
    ------
    RecipeError
        If there is no such recipe (suggesting one), or the file is wrong (naming the key and its line).

    Examples
    --------
    >>> from scratchnet import recipes
    >>> recipe = recipes.load("quickstart")
    >>> model, data = recipe.make_model(), recipe.load_data()
    >>> history = model.fit(*data.train, epochs=1, verbose=0)
    """
    from ..datasets.files import shown
    from .recipe import Recipe

    text = os.fsdecode(recipe)
    if text in names():
        return Recipe.from_file(_FOLDER / f"{text}.toml")
    if text.endswith(".toml") or os.sep in text or "/" in text or os.path.lexists(text):
        return Recipe.from_file(text)
    close = get_close_matches(text, names(), n=1)
    hint = (
        f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names())}, or give the path of a TOML file"
    )
    raise RecipeError(f"there is no recipe {shown(repr(text))}: {hint}")

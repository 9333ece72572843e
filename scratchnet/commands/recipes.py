"""``scratchnet-train list`` and ``scratchnet-train show RECIPE``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from .options import recipe_names

HELP = {
    "list_recipes": "Print all recipes: network, parameters, data, training, and the test accuracy to expect.",
    "show_recipe": "Print a recipe as TOML with every default filled in: the beginning of one of your own.",
}


def list_recipes(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line, for programs.")] = False,
) -> int:
    """Print a table of the recipes."""
    from .. import recipes

    rows = [_row(recipes.load(name).content) for name in recipes.names()]
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return 0
    from .tables import Column, show

    headers = {"recipe": "recipe", "network": "network", "parameters": "parameters", "data": "data",
               "training": "training", "expected": "test accuracy", "text": "the tutorial"}  # fmt: skip
    columns = [Column(text, key == "parameters", key in ("network", "training")) for key, text in headers.items()]
    show(columns, [[f"{row[key]:,}" if key == "parameters" else row[key] or "" for key in headers] for row in rows])
    return 0


def show_recipe(
    recipe: Annotated[str, typer.Argument(
        metavar="RECIPE", help="A name, or a TOML file.", autocompletion=recipe_names,
    )],
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, for programs.")] = False,
) -> int:  # fmt: skip
    """Print one recipe."""
    from .. import recipes

    chosen = recipes.load(recipe)
    print(json.dumps(chosen.as_dict()) if as_json else chosen.as_toml().rstrip("\n"))
    return 0


def _row(content: Any) -> dict[str, Any]:
    from ..recipes import words

    training, expect = content.training, content.expect
    return {
        "recipe": content.recipe.name,
        "title": content.recipe.title,
        "network": words.network(content.layers),
        "parameters": expect.parameters,
        "data": content.data.dataset,
        "training": f"{training.optimizer['name']}, batch {training.batch_size}, {words.length(training)}",
        "expected": None if expect.accuracy is None else f"{expect.accuracy:.1%}",
        "text": expect.text or None,
    }

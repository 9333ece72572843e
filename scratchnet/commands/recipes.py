"""``scratchnet-train list`` and ``scratchnet-train show RECIPE``."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from .options import recipe_names


def list_recipes(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line, for programs.")] = False,
) -> int:
    """Print all recipes: network, parameters, data, training, and the test accuracy to expect."""
    from .. import recipes

    rows = [_row(recipes.load(name).content) for name in recipes.names()]
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    headers = {"recipe": "recipe", "network": "network", "parameters": "parameters", "data": "data",
               "training": "training", "expected": "test accuracy", "text": "the text has"}  # fmt: skip
    for header in headers.values():
        table.add_column(header, justify="right" if header == "parameters" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{row[key]:,}" if key == "parameters" else str(row[key] or "") for key in headers))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)
    return 0


def show_recipe(
    recipe: Annotated[str, typer.Argument(
        metavar="RECIPE", help="A name, or a TOML file.", autocompletion=recipe_names,
    )],
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, for programs.")] = False,
) -> int:  # fmt: skip
    """Print a recipe as TOML with every default filled in: the beginning of one of your own."""
    from .. import recipes

    chosen = recipes.load(recipe)
    print(json.dumps(chosen.as_dict()) if as_json else chosen.as_toml().rstrip("\n"))
    return 0


def _row(content: Any) -> dict[str, Any]:
    from ..recipes import words

    training, expect = content.training, content.expect
    length = f"{training.steps:,} steps" if training.steps else f"{training.epochs} epochs"
    return {
        "recipe": content.recipe.name,
        "title": content.recipe.title,
        "network": words.network(content.layers),
        "parameters": expect.parameters,
        "data": content.data.dataset,
        "training": f"{training.optimizer['name']}, batch {training.batch_size}, {length}",
        "expected": None if expect.accuracy is None else f"{expect.accuracy:.1%}",
        "text": expect.text or None,
    }

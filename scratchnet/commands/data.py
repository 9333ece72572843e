"""``scratchnet-train data export`` and ``data verify``: the data sets as a bundle, for a class without internet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import option, require_data_dir

app = typer.Typer(
    help="Make and check a bundle of the data sets, for a class without internet.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="DIR_OR_FILE", help="A new folder, or a new .zip.")],
    dataset: Annotated[list[str] | None, option(
        "--dataset", metavar="NAME", help="mnist or fashion-mnist; both when left out. May be given twice.",
    )] = None,
    data_dir: Annotated[Path | None, option(
        "--data-dir", metavar="DIR", help="Where to look for the files first; then as for training."
    )] = None,
    as_json: Annotated[bool, option("--json", help="One JSON object, for programs.")] = False,
) -> int:  # fmt: skip
    """Write the official files and a list of their SHA-256; --data-dir DIR then trains from it (a .zip is unpacked).

    It is there whole or not at all, and every file was checked.
    """
    from ..datasets import bundle, catalog

    require_data_dir(data_dir)
    chosen = [bundle.named(name) for name in dict.fromkeys(dataset or [])] or list(catalog.DATASETS)
    files = bundle.export(target, chosen, data_dir)
    if as_json:
        print(json.dumps({"bundle": str(target), "files": files}))
    else:
        print(f"{target}: {len(files)} files; scratchnet-train data verify {target} checks them on the other machine")
    return 0


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A bundle: its folder, or its .zip.")],
    as_json: Annotated[bool, option("--json", help="One JSON object, for programs.")] = False,
) -> int:
    """Check a bundle: names every file that is wrong, missing or too many, and ends with code 2 if there is one."""
    from ..datasets import bundle

    good, problems = bundle.verify(path)
    if as_json:
        print(json.dumps({"bundle": str(path), "good": good, "problems": problems}))
    for problem in problems:
        print(f"scratchnet-train: {path}: {problem}", file=sys.stderr, flush=True)
    if not as_json and not problems:
        print(f"{path}: {len(good)} files, all as they should be")
    return 2 if problems else 0

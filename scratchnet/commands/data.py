"""``scratchnet-train data export`` and ``data verify``: the data sets as a bundle, for a class without internet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import folder, option, require_data_dir
from .parsing import SETTINGS, Command

EXPORT = "Write the official files and a list of their SHA-256."
VERIFY = "Check a bundle."
app = typer.Typer(help="Make and check a bundle of the data sets, for a class without internet.", **SETTINGS)


@app.command(
    cls=Command, short_help=EXPORT,
    help=f"{EXPORT} It is there whole or not at all, and every file was checked.\n\n"
    "Where a folder was made, --data-dir DIR trains from it as it is. Where a .zip was made, unpack it first, and give "
    "the folder into which you have unpacked it.",
)  # fmt: skip
def export(
    target: Annotated[Path, typer.Argument(metavar="DIR_OR_FILE", parser=folder, help="A new folder, or a new .zip.")],
    dataset: Annotated[list[str] | None, option(
        "--dataset", metavar="NAME", help="mnist or fashion_mnist; both when left out. May be given twice.",
    )] = None,
    data_dir: Annotated[Path | None, option(
        "--data-dir", metavar="DIR", parser=folder, help="Where to look for the files first; then as for training."
    )] = None,
    as_json: Annotated[bool, option("--json", help="One JSON object, for programs.")] = False,
) -> int:  # fmt: skip
    """Write a bundle."""
    from ..datasets import bundle, catalog
    from ..datasets.files import shown

    require_data_dir(data_dir)
    chosen = [bundle.named(name) for name in dict.fromkeys(dataset or [])] or list(catalog.DATASETS)
    files = bundle.export(target, chosen, data_dir)
    if as_json:
        print(json.dumps({"bundle": str(target), "files": files}))
    else:
        name = shown(target)
        what = f"{len(files) - 1} data files and their list {bundle.SUMS}"
        print(f"{name}: {what}; scratchnet-train data verify {name} checks them on the other machine")
    return 0


@app.command(
    cls=Command, short_help=VERIFY,
    help=f"{VERIFY} Names every file that is wrong, missing or too many, and ends with code 2 if there is one.",
)  # fmt: skip
def verify(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A bundle: its folder, or its .zip.")],
    as_json: Annotated[bool, option("--json", help="One JSON object, for programs.")] = False,
) -> int:
    """Check a bundle."""
    from ..datasets import bundle
    from ..datasets.files import shown

    good, problems = bundle.verify(path)
    if as_json:
        print(json.dumps({"bundle": str(path), "good": good, "problems": problems}))
    for problem in problems:
        print(f"scratchnet-train: {shown(path)}: {problem}", file=sys.stderr, flush=True)
    if not as_json and not problems:
        print(f"{shown(path)}: {len(good)} data files, all as they should be by their list {bundle.SUMS}")
    return 2 if problems else 0

"""A pytest plugin: the tests run on the copy of the tree, and on the mutated file in it, or they do not run."""

from __future__ import annotations

import importlib
import os
from pathlib import Path


def pytest_configure() -> None:
    """Stop where a module was imported from elsewhere."""
    tree, file = Path(os.environ["SCRATCHNET_MUTATION_TREE"]).resolve(), os.environ["SCRATCHNET_MUTATION_FILE"]
    names = ["scratchnet", "scratchnet.kernels.registry"]
    if file.endswith(".py"):
        parts = Path(file).with_suffix("").parts
        names.append(".".join(parts if parts[0] == "scratchnet" else ("scratchnet", *parts)))
    for name in names:
        origin = Path(str(importlib.import_module(name).__file__)).resolve()
        if tree not in origin.parents or (name == names[-1] and file and origin != tree / file):
            raise SystemExit(f"{name} was imported from {origin}, not from {tree}")

"""A pytest plugin: the tests run on the copy of the tree, and on the mutated file in it, or they do not run."""

from __future__ import annotations

import importlib
import json
import os
import shutil
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
        if tree not in origin.parents or (name == names[-1] and file.endswith(".py") and origin != tree / file):
            raise SystemExit(f"{name} was imported from {origin}, not from {tree}")
    cuda = importlib.import_module("scratchnet.kernels.cuda")
    if file.endswith((".cu", ".cuh")) and (cuda.FOLDER / Path(file).name).resolve() != tree / file:
        raise SystemExit(f"CUDA sources are read from {cuda.FOLDER}, not from {tree}")
    if file:
        put_seeds()


def put_seeds() -> None:
    """Put the compiled kernels that the mutant does not touch where this process looks for them."""
    kernel_cache = importlib.import_module("scratchnet.kernels.kernel_cache")
    cache = Path(os.environ["SCRATCHNET_CACHE"])
    for name in json.loads(Path(os.environ["SCRATCHNET_MUTATION_SEEDS"]).read_text()):
        # kernels/numba-VERSION-DIGEST/FOLDER/FILE: the digest is that of the sources as they are now.
        path = Path(name)
        version = path.parents[1].name.rsplit("-", 1)[0]
        folder = cache / path.parents[2].name / f"{version}-{kernel_cache._sources_digest()}"
        target = folder / path.parent.name / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)

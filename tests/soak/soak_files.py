"""Files that are damaged or made to do harm, of every kind that scratchnet reads."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile
import numpy as np
import test_checkpoint_hostile
from checkpoints import X, Y, tiny
from crafted import CRAFTED, forge
from servers import idx_bytes
from soak_common import Context, Figure, Tally

import scratchnet as sn
from scratchnet import checkpoint, recipes
from scratchnet.datasets import load_npz, read_idx
from scratchnet.errors import ScratchnetError
from scratchnet.recipes.recipe import Recipe

Reader = Callable[[Path], Any]
PROMISE = "no traceback, no hang over 5 s, nothing over the memory cap"


def mutants(context: Context) -> Iterator[Figure]:
    """20,000 mutated files."""
    sn.set_backend("numpy")
    total, wrong = 0, 0
    tracemalloc.start()
    for name, count, part in (
        ("IDX, plain and gzip-compressed", 6000, _idx), ("npz", 4000, _npz), ("safetensors", 5000, _safetensors),
        ("checkpoint JSON under a right checksum", 3000, _content), ("recipes in TOML", 2000, _recipes),
    ):  # fmt: skip
        tally = Tally()
        accepted, bad = part(context, context.count(count), tally)
        total, wrong = total + tally.trials, wrong + bad
        yield tally.figure(f"{name}: {PROMISE}", f"{{bad}} of {{trials}} broke it; {accepted} were right and read")
    tracemalloc.stop()
    yield Figure("mutated files in all; accepted with wrong content", f"{total:,}; {wrong}", wrong == 0)


def _refused(reader: Reader) -> Reader:
    """A reader that gives None for a file that is refused in one line, as `hostile.survive` wants it."""

    def read(path: Path) -> Any:
        said = ""
        try:
            return reader(path)
        except ScratchnetError as error:
            said = str(error)
        assert said.isprintable(), f"more than one line: {said}"
        return None

    return read


def _try(
    tally: Tally, path: Path, contents: Iterator[bytes], reader: Reader, right: Callable[[bytes, Any], bool]
) -> tuple[int, int]:
    """Read all; how many were accepted, and how many of these wrongly."""
    accepted = wrong = 0
    for content in contents:
        with tally.trial(repr(content[:60])):
            result = hostile.survive(path, content, _refused(reader))
            if result is not None:
                accepted += 1
                wrong += not right(content, result)
    return accepted, wrong


def _idx(context: Context, count: int, tally: Tally) -> tuple[int, int]:
    random = context.random(1)
    shapes = [("u1", (9, 9)), ("f8", (5, 3)), ("i2", (4, 4, 4)), ("u1", (50,))]
    plain = [idx_bytes(random.integers(0, 99, shape).astype(kind)) for kind, shape in shapes]
    packed = [gzip.compress(content) for content in plain]

    def right(content: bytes, array: np.ndarray) -> bool:
        # A plain file has no checksum: what is read must be what it says. gzip's own checksum sees to the rest.
        return idx_bytes(array) in plain if content[:2] == b"\x1f\x8b" else idx_bytes(array) == content

    return _try(tally, context.folder / "m", hostile.mutants(plain + packed, count, context.seed), read_idx, right)


def _npz(context: Context, count: int, tally: Tally) -> tuple[int, int]:
    random, path = context.random(2), context.folder / "m.npz"
    x, y = random.random((20, 6), np.float32), random.integers(0, 3, 20)
    arrays = {"x_train": x, "y_train": y, "x_test": x[:5], "y_test": y[:5]}
    seeds = []
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        seeds.append(path.read_bytes())

    def right(content: bytes, result: Any) -> bool:
        return all((a == b).all() for a, b in zip(arrays.values(), (*result[0], *result[1]), strict=True))

    return _try(tally, path, hostile.mutants(seeds, count, context.seed), load_npz, right)


def _model_files(context: Context) -> tuple[list[bytes], Any]:
    model, folder = tiny(), Path(tempfile.mkdtemp(dir=context.folder))
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[sn.callbacks.TrainingCheckpoint(folder)])
    model.save(folder / "model.safetensors")
    model.save_weights(folder / "weights.safetensors")
    paths = [folder / "model.safetensors", folder / "weights.safetensors", folder / checkpoint.NAMES[0]]
    return [path.read_bytes() for path in paths], model


def _safetensors(context: Context, count: int, tally: Tally) -> tuple[int, int]:
    originals, model = _model_files(context)
    read = test_checkpoint_hostile.reader_of(model)
    contents = hostile.mutants(originals, count, context.seed)
    return _try(tally, context.folder / "m", contents, read, lambda content, result: content in originals)


def _content(context: Context, count: int, tally: Tally) -> tuple[int, int]:
    """The JSON inside a file is mutated, and the checksum made right again: only the checks stand in the way."""
    originals, model = _model_files(context)
    read = test_checkpoint_hostile.reader_of(model)
    random = context.random(3)
    words = b'null -1 1e999 NaN [] {} "x" true 99999999999999999999 0 1099511627776'.split()

    def contents() -> Iterator[bytes]:
        for _ in range(count):
            original = originals[random.integers(len(originals))]
            length = int.from_bytes(original[:8], "little")
            header = json.loads(original[8 : 8 + length])
            text = header.pop("__metadata__")["content"].encode()
            if random.random() < 0.7:  # another value somewhere
                spans = [found.span() for found in re.finditer(rb'(?<=:)(?:"[^"]*"|[\d.e+-]+|null|true|false)', text)]
                begin, end = spans[random.integers(len(spans))]
                text = text[:begin] + words[random.integers(len(words))] + text[end:]
            else:
                text = next(hostile.mutants([text], 1, int(random.integers(2**32))))
            entries = json.dumps(header)[1:-1]
            yield forge(text.decode("latin-1"), entries, original[8 + length :])

    # Under a right checksum there is no wrong content: what is read is what somebody has written on purpose.
    return _try(tally, context.folder / "m", contents(), read, lambda content, result: True)


def _recipes(context: Context, count: int, tally: Tally) -> tuple[int, int]:
    folder = Path(recipes.__file__).parent
    originals = [(folder / f"{name}.toml").read_bytes() for name in recipes.names()]
    contents = hostile.mutants(originals, count, context.seed)
    return _try(tally, context.folder / "m.toml", contents, Recipe.from_file, lambda content, result: True)


def audit(context: Context) -> Iterator[Figure]:
    """An audit hook over hostile files."""
    folder = Path(test_checkpoint_hostile.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", test_checkpoint_hostile.AUDIT, folder, context.folder],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    count, events = done.stdout.strip().split(" ", 1) if done.returncode == 0 else ("0", done.stderr[-200:])
    promise = "hostile model files: events of exec, compile, import, subprocess, socket; other files opened or written"
    yield Figure(promise, f"{count} files, events: {events}", events == "[]" and int(count) > len(CRAFTED))

"""What a mutant is, and how one is tried: in a copy of the tree, by the tests that must see it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 400  # seconds for one call of pytest


@dataclass(frozen=True)
class Mutant:
    """One small wrong change.

    Parameters
    ----------
    file : str
        Which file, from the root of the tree.
    what : str
        What is wrong then, in words.
    old, new : str
        The text, and what takes its place.
    tests : str
        Arguments of pytest; several calls are parted by ``;`` and made one after the other, until one fails.
    nth : int
        Which occurrence of ``old`` in the file, from 0.
    """

    file: str
    what: str
    old: str
    new: str
    tests: str
    nth: int = 0

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return f"{self.file}: {self.what}"

    def applied(self, text: str) -> str:
        """The file's text with the change.

        Raises
        ------
        ValueError
            If ``old`` does not occur so often.
        """
        parts = text.split(self.old)
        if len(parts) < self.nth + 2:
            raise ValueError(f"{self.name}: occurrence {self.nth} of {self.old!r} is not there")
        return self.old.join(parts[: self.nth + 1]) + self.new + self.old.join(parts[self.nth + 1 :])

    @property
    def calls(self) -> list[list[str]]:
        """The words of each call of pytest."""
        return [shlex.split(call) for call in self.tests.split(";")]


class Tree:
    """A copy of the files under version control, in a folder of its own, with a kernel cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder / "tree", folder / "cache"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.folder / name)
        # A folder on PYTHONPATH comes before an editable install; there, kernels/ must lie inside the package.
        (self.folder / "scratchnet" / "kernels").symlink_to("../kernels")

    def pytest(self, words: list[str], mutated: str = "") -> tuple[int, str]:
        """Run tests in the copy; the exit code and the first failure. ``mutated`` is a text that must be in use."""
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self.folder}{os.pathsep}{self.folder / 'tests' / 'mutation'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SCRATCHNET_CACHE": str(self.cache),
            "SCRATCHNET_MUTATION_TREE": str(self.folder),
            "SCRATCHNET_MUTATION_FILE": mutated,
        }
        options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "mutation_guard", "--tb=line", "--no-header"]
        command = [sys.executable, "-m", "pytest", *options, *words]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            return 1, "no end after so many seconds"
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return done.returncode, failed[0].split(" - ")[0] if failed else (done.stderr or done.stdout)[-300:]

    def attempt(self, mutant: Mutant) -> dict[str, Any]:
        """Apply a mutant, run its tests until one fails, take it back; a row of the table."""
        path, began = self.folder / mutant.file, time.perf_counter()
        original = path.read_text()
        path.write_text(mutant.applied(original))
        row = {"mutant": mutant.name, "old": mutant.old, "new": mutant.new, "caught": False, "by": ""}
        try:
            for words in mutant.calls:
                code, said = self.pytest(words, mutant.file)
                if code == 1 or code < 0:  # a failed test, or one that ended the process
                    row.update(caught=True, by=said if code == 1 else f"ended by signal {-code}")
                    break
                if code != 0:
                    row["by"] = f"not tried: pytest exited with {code}: {said}"
                    break
        finally:
            path.write_text(original)
            shutil.rmtree(self.cache, ignore_errors=True)
        return {**row, "seconds": round(time.perf_counter() - began, 1)}

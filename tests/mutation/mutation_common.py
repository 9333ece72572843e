"""What a mutant is, and how one is tried: in a copy of the tree, by the tests that must see it."""

from __future__ import annotations

import json
import os
import re
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
NOT_CPP = "g++ does not compile the kernels"  # as tests/emulation/build.py says it


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
        self.folder, self.cache, self.compiled = folder / "tree", folder / "cache", folder / "compiled"
        self.passed: list[list[str]] = []  # calls of pytest that end well on the tree as it is
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.folder / name)
        # A folder on PYTHONPATH comes before an editable install; there, kernels/ must lie inside the package.
        (self.folder / "scratchnet" / "kernels").symlink_to("../kernels")

    def dependents(self, stem: str) -> set[str]:
        """The kernel files that import one of them, themselves or through others, and that one."""
        found = {stem}
        sources = {path.stem: path.read_text() for path in (self.folder / "kernels").glob("*.py")}
        while True:
            names = "|".join(found)
            more = {
                name for name, text in sources.items() if re.search(rf"^from \.({names}) import", text, re.MULTILINE)
            }
            if more <= found:
                return found
            found |= more

    def seeds(self, mutated: str) -> list[str]:
        """What was compiled from the tree as it is, and is right for the mutant too: paths below the cache."""
        path = Path(mutated)
        changed = self.dependents(path.stem) if path.parts[0] == "kernels" and path.suffix == ".py" else set()
        files = [file for file in self.compiled.rglob("*") if file.is_file()]
        return [str(file) for file in files if file.name.split(".")[0] not in changed]

    def pytest(self, words: list[str], mutated: str = "") -> tuple[int, str]:
        """Run tests in the copy; the exit code and the first failure. ``mutated`` is a file that must be in use."""
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self.folder}{os.pathsep}{self.folder / 'tests' / 'mutation'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SCRATCHNET_CACHE": str(self.cache if mutated else self.compiled),
            "SCRATCHNET_MUTATION_TREE": str(self.folder),
            "SCRATCHNET_MUTATION_FILE": mutated,
            "SCRATCHNET_MUTATION_SEEDS": str(self.folder.parent / "seeds.json"),
        }
        options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "mutation_guard", "--tb=line", "--no-header"]
        command = [sys.executable, "-m", "pytest", *options, *words]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            return 1, "no end after so many seconds"
        if NOT_CPP in done.stdout:  # any test would catch that
            return 2, NOT_CPP
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return done.returncode, failed[0].split(" - ")[0] if failed else (done.stderr or done.stdout)[-300:]

    def attempt(self, mutant: Mutant) -> dict[str, Any]:
        """Run a mutant's tests until one fails; a row of the table.

        Raises
        ------
        RuntimeError
            If the tests fail without the mutant, too: they would catch anything.
        """
        began = time.perf_counter()
        row = {"mutant": mutant.name, "old": mutant.old, "new": mutant.new, "caught": False, "by": ""}
        for words in mutant.calls:
            if words not in self.passed:
                code, said = self.pytest(words)
                if code:
                    raise RuntimeError(f"pytest {' '.join(words)} exits with {code} on the tree as it is: {said}")
                self.passed.append(words)
            code, said = self._mutated(mutant, words)
            if code == 1 or code < 0:  # a failed test, or one that ended the process
                row.update(caught=True, by=said if code == 1 else f"ended by signal {-code}")
                break
            if code != 0:
                row["by"] = f"not tried: pytest exited with {code}: {said}"
                break
        return {**row, "seconds": round(time.perf_counter() - began, 1)}

    def _mutated(self, mutant: Mutant, words: list[str]) -> tuple[int, str]:
        """Apply a mutant, run tests, take it back with the file's old time, by which its compiled kernels are known."""
        path = self.folder / mutant.file
        original, times = path.read_text(), path.stat()
        (self.folder.parent / "seeds.json").write_text(json.dumps(self.seeds(mutant.file)))
        path.write_text(mutant.applied(original))
        try:
            return self.pytest(words, mutant.file)
        finally:
            path.write_text(original)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            shutil.rmtree(self.cache, ignore_errors=True)

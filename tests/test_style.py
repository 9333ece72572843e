"""The tree as a whole: ruff and mypy as pyproject.toml configures them; nothing committed that should not be."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = re.compile(r"\.(gz|npz|npy|idx|pkl|pickle|h5|keras|onnx|zip|tar|ckpt)$|-ubyte", re.IGNORECASE)
BRITISH = re.compile(
    r"colo[u]r|\bgre[y]|centr[e]|neighbo[u]r|favo[u]r|behavio[u]r|learn[t]\b|spel[t]\b"
    r"|(?:recogn|optim|normal|initial|vector|real|parallel)i[s](?:e|ing|ation)",
    re.IGNORECASE,
)
LARGE = 200_000  # bytes: more than any source, text or picture of ours


def run(*command: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def committed() -> list[Path]:
    """The files under version control."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files are committed")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install -e '.[test]'")


def test_ruff_finds_nothing():
    needs("ruff")
    code, said = run("ruff", "check", "--no-cache", "--output-format=concise", ".")
    assert code == 0, said


def test_ruff_has_nothing_to_format():
    needs("ruff")
    code, said = run("ruff", "format", "--no-cache", "--check", ".")
    assert code == 0, said


def test_mypy_finds_nothing(tmp_path):
    needs("mypy")
    code, said = run("mypy", "--cache-dir", str(tmp_path))
    assert code == 0, said


def test_no_data_are_committed():
    """The data sets have licenses of their own and are downloaded; models and pictures are made by runs."""
    files = committed()
    assert len(files) > 50
    assert [str(path) for path in files if DATA.search(path.name)] == []
    assert [str(path) for path in files if path.stat().st_size > LARGE] == []


def test_spelling_is_american():
    """As Keras's and NumPy's names are, in which the project speaks."""
    found = []
    for path in committed():
        if path.suffix in (".py", ".md", ".toml", ".html", ".css", ".cu", ".cuh"):
            lines = path.read_text().splitlines()
            found += [f"{path}:{number}: {line}" for number, line in enumerate(lines, 1) if BRITISH.search(line)]
    assert found == []


def test_links_in_the_readme_lead_somewhere():
    """Files that the README names in its table of the code and in its links are there."""
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    files = re.findall(r"`((?:kernels|scratchnet|tests|benchmarks)/[^`*]+)`", text)
    assert files
    assert [name for name in sorted({*links, *files}) if not (ROOT / name).exists()] == []

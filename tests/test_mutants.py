"""The list of mutants (tests/mutation) fits the code: changing a mutated line means changing the mutant, too."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "mutation"))

from mutation_common import Mutant  # noqa: E402
from mutation_lists import ALIKE, EVERY  # noqa: E402


def code(file: str, text: str) -> str:
    """A source without its comments."""
    if file.endswith(".py"):
        return ast.dump(ast.parse(text))
    return re.sub(r"//[^\n]*", "", text)


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_can_be_applied(mutant: Mutant) -> None:
    original = (ROOT / mutant.file).read_text()
    changed = mutant.applied(original)
    assert code(mutant.file, changed) != code(mutant.file, original)
    for call in mutant.calls:
        assert (ROOT / call[0]).is_file()


def test_every_file_with_a_twin_has_mutants_and_every_name_is_one_of_its_own() -> None:
    twins = re.compile(r'^@twin\("\w+"\)', re.MULTILINE)
    files = {f"kernels/{path.name}" for path in ROOT.glob("kernels/*.py") if twins.search(path.read_text())}
    files |= {f"kernels/{path.name}" for path in ROOT.glob("kernels/*.cu*")} - {"kernels/ptx.cuh"}  # GPU instructions
    assert files <= {mutant.file for mutant in EVERY}
    names = [mutant.name for mutant in EVERY]
    assert len(names) == len(set(names))
    assert set(ALIKE) <= set(names)


def test_the_evidence_is_of_this_list() -> None:
    """At least 98 percent of those that were tried were caught, and those that live have a reason."""
    rows = json.loads((ROOT / "tests" / "mutation" / "results.json").read_text())["rows"]
    tried = {row["mutant"]: row["caught"] for row in rows}
    assert {(row["mutant"], row["old"], row["new"]) for row in rows} == {(m.name, m.old, m.new) for m in EVERY}
    assert sum(tried.values()) >= 0.98 * len(tried)
    assert {name for name, caught in tried.items() if not caught} <= set(ALIKE)

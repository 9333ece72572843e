"""Mutants of the kernels and of the engine's arithmetic: ``python tests/mutation [WORD ...] [--jobs 2] [--out FILE]``.

Each mutant is one small wrong change (a sign, a missing 1/n, swapped axes, a forgotten last slice), made in a copy of
the tree; the tests named beside it must fail there. WORDs choose the mutants whose names contain one of them. The exit
code is 1 if one lived that is not known to be harmless. With --out, the table is written as JSON; results.json beside
this file is such a table. A mutant costs about 5 s of a processor, a mutant of the convolutions 20 s.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutation_common import Mutant, Tree
from mutation_lists import ALIKE, EVERY


class Table:
    """The rows of mutants, kept in a file where there is one."""

    def __init__(self, mutants: list[Mutant], path: Path | None) -> None:
        self.mutants, self.path, self.lock = mutants, path, threading.Lock()
        kept = json.loads(path.read_text())["rows"] if path and path.exists() else []
        same = {(row["mutant"], row["old"], row["new"]): row for row in kept if row["caught"] or row["mutant"] in ALIKE}
        found = {m.name: same[m.name, m.old, m.new] for m in EVERY if (m.name, m.old, m.new) in same}
        self.found: dict[str, dict[str, Any]] = found

    def rows(self) -> list[dict[str, Any]]:
        """In the order of the list."""
        return [self.found[mutant.name] for mutant in self.mutants if mutant.name in self.found]

    def add(self, row: dict[str, Any]) -> None:
        """Print and keep a row."""
        if not row["caught"]:
            row["reason"] = ALIKE.get(row["mutant"], "")
        with self.lock:
            self.found[row["mutant"]] = row
            state = "caught" if row["caught"] else "LIVES"
            print(f"{state:<7}{row['seconds']:>5.0f} s  {row['mutant']}: {row['by'][:200]}", flush=True)
            if self.path:
                rows = [self.found[mutant.name] for mutant in EVERY if mutant.name in self.found]
                lived = sum(not row["caught"] for row in rows)
                text = json.dumps({"mutants": len(rows), "caught": len(rows) - lived, "rows": rows}, indent=1)
                self.path.write_text(text + "\n")


def try_all(table: Table, jobs: int) -> None:
    """Try all mutants that have no row yet."""
    todo: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in table.mutants:
        if mutant.name not in table.found:
            todo.put(mutant)
    errors: list[Exception] = []

    def work(folder: Path) -> None:
        tree = Tree(folder)
        while not errors:
            try:
                table.add(tree.attempt(todo.get_nowait()))
            except queue.Empty:
                return
            except Exception as error:  # raised again by the main thread
                errors.append(error)

    with tempfile.TemporaryDirectory(prefix="scratchnet-mutation-") as folder:
        threads = []
        for job in range(jobs):
            (Path(folder) / str(job)).mkdir()
            threads.append(threading.Thread(target=work, args=(Path(folder) / str(job),)))
            threads[-1].start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def main() -> int:
    """Try the mutants that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="only mutants whose name contains one of these")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--out", type=Path, help="keep the table in this file; what it has already is not tried again")
    given = parser.parse_args()
    mutants = [m for m in EVERY if not given.words or any(word in m.name for word in given.words)]
    table = Table(mutants, given.out)
    try_all(table, given.jobs)
    rows = table.rows()
    alive = [row for row in rows if not row["caught"]]
    for row in alive:
        print(f"lives: {row['mutant']}: {row['reason'] or row['by'] or 'NO TEST SEES IT'}")
    share = (len(rows) - len(alive)) / max(1, len(rows))
    print(f"{len(rows)} mutants, {len(rows) - len(alive)} caught ({share:.1%}), {len(alive)} live")
    return int(any(not row["reason"] for row in alive))


if __name__ == "__main__":
    sys.exit(main())

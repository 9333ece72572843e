"""Mutants of the kernels and of the engine's arithmetic: ``python tests/mutation [WORD ...] [--jobs 2] [--out FILE]``.

Each mutant is one small wrong change (a sign, a missing 1/n, swapped axes, a forgotten last slice), made in a copy of
the tree; the tests named beside it must fail there. WORDs choose the mutants whose names contain one of them. The exit
code is 1 if one lived that is not known to be harmless. With --out, the table is written as JSON.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutation_common import Mutant, Tree
from mutation_lists import ALIKE, MUTANTS


def try_all(mutants: list[Mutant], jobs: int) -> list[dict[str, Any]]:
    """The rows of all mutants, in order; each is printed as it ends."""
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(mutants)):
        todo.put(number)
    rows: dict[int, dict[str, Any]] = {}
    errors: list[Exception] = []

    def work(folder: Path) -> None:
        tree = Tree(folder)
        while not errors:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            try:
                row = rows[number] = tree.attempt(mutants[number])
            except Exception as error:  # raised again by the main thread
                errors.append(error)
                return
            state = "caught" if row["caught"] else "LIVES"
            print(f"{state:<7}{len(rows):>4}/{len(mutants)} {row['seconds']:>5.0f} s  {row['mutant']}", flush=True)

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
    return [rows[number] for number in range(len(mutants))]


def check_tests(mutants: list[Mutant]) -> None:
    """All tests must pass on the copy as it is: otherwise they would catch anything."""
    with tempfile.TemporaryDirectory(prefix="scratchnet-mutation-") as folder:
        tree = Tree(Path(folder))
        for call in dict.fromkeys(tuple(call) for mutant in mutants for call in mutant.calls):
            began = time.perf_counter()
            code, said = tree.pytest(list(call))
            print(f"unchanged: exit {code}, {time.perf_counter() - began:.0f} s: {' '.join(call)}", flush=True)
            if code:
                raise SystemExit(f"the tests fail without any mutant: {said}")


def main() -> int:
    """Try the mutants that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="only mutants whose name contains one of these")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--out", type=Path, help="write the table to this file")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a mutant first")
    given = parser.parse_args()
    mutants = [m for m in MUTANTS if not given.words or any(word in m.name for word in given.words)]
    if not given.trust:
        check_tests(mutants)
    rows = try_all(mutants, given.jobs)
    alive = [row for row in rows if not row["caught"]]
    for row in alive:
        row["reason"] = ALIKE.get(row["mutant"], "")
        print(f"lives: {row['mutant']}: {row['reason'] or row['by'] or 'NO TEST SEES IT'}")
    share = (len(rows) - len(alive)) / max(1, len(rows))
    print(f"{len(rows)} mutants, {len(rows) - len(alive)} caught ({share:.1%}), {len(alive)} live")
    if given.out:
        given.out.write_text(json.dumps({"mutants": len(rows), "lived": len(alive), "rows": rows}, indent=1) + "\n")
    return int(any(not row["reason"] for row in alive))


if __name__ == "__main__":
    sys.exit(main())

"""The promises of docs/promises.md, tried for a long time: ``python tests/soak [PART ...] [--scale 0.1] [--seed N]``.

Each part runs real processes, signals, disks and files, and prints its figures as it ends; the table comes last. The
exit code is 1 if a promise was broken. Without parts, all of them run: about two hours on two idle cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import soak_convergence  # noqa: E402
import soak_disks  # noqa: E402
import soak_files  # noqa: E402
import soak_interruptions  # noqa: E402
import soak_machine  # noqa: E402
from soak_common import Context, Figure  # noqa: E402

PARTS: dict[str, Callable[[Context], Iterator[Figure]]] = {
    "kills-training": soak_interruptions.kills_training,
    "kills-saving": soak_interruptions.kills_saving,
    "kills-command": soak_interruptions.kills_command,
    "signals": soak_interruptions.signals,
    "failing-once": soak_interruptions.failing_once,
    "failing-on": soak_interruptions.failing_on,
    "order": soak_interruptions.order,
    "disks": soak_disks.disks,
    "mutants": soak_files.mutants,
    "audit": soak_files.audit,
    "bits": soak_machine.bits,
    "memory": soak_machine.memory,
    "downloads": soak_machine.downloads,
    "processes": soak_machine.processes,
    "parity": soak_convergence.parity,
    "convergence": soak_convergence.convergence,
}


def main() -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when left out")
    parser.add_argument("--scale", type=float, default=1.0, help="do this fraction of what the figures ask for")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments and mutations")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    print(f"seed {given.seed}, scale {given.scale:g}", flush=True)
    rows: list[tuple[str, Figure, float]] = []
    with tempfile.TemporaryDirectory(prefix="scratchnet-soak-") as folder:
        context = Context(Path(folder), given.scale, given.seed)
        for name in given.parts or PARTS:
            began = time.perf_counter()
            for figure in PARTS[name](context.part(name)):
                seconds = time.perf_counter() - began
                rows.append((name, figure, seconds))
                print(f"{'ok' if figure.kept else 'BROKEN':<7}{name}: {figure.promise}: {figure.text}", flush=True)
                began = time.perf_counter()
    print("\n| part | promise | measured | kept | seconds |\n|---|---|---|---|---|")
    for name, figure, seconds in rows:
        kept = "yes" if figure.kept else "NO"
        print(f"| {name} | {figure.promise} | {figure.text} | {kept} | {seconds:.0f} |")
    return 0 if all(figure.kept for _, figure, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

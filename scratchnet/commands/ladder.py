"""``scratchnet-train ladder``: how a tutorial improved, trained rung by rung and explained on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from ..datasets.files import shown
from ..signals import Stop, exit_code
from .compare import show
from .options import folder, option, rate, reporter_for, require_data_dir, seed_number

PAGE = "ladder.html"
HELP = {
    "ladder": "Replay how a tutorial got from 29% to 90% on Fashion-MNIST.\n\n"
    "Plain gradient descent, Adam, one more convolution and pooling, more steps, dropout: five runs of 1,000 to 1,500 "
    "steps, each in its own folder, and one page that compares them. The same command resumes where it was stopped, "
    "and trains nothing twice."
}


def ladder(
    out: Annotated[Path, option(
        "--out", metavar="DIR", parser=folder, help="Where the rungs and the page go; runs/ladder when left out.",
    )] = Path("runs/ladder"),
    seed: Annotated[int | None, option(
        "--seed", metavar="N", parser=seed_number, help="Same seed, same numbers; 0 when left out."
    )] = None,
    scale: Annotated[float | None, option(
        "--scale", metavar="SHARE", parser=rate, help="Train this share of the steps: 0.1 gives a quick look.",
    )] = None,
    backend: Annotated[str, option(
        "--backend", metavar="NAME", help="numpy, numba, cupy, or auto (the fastest available)."
    )] = "auto",
    data_dir: Annotated[Path | None, option(
        "--data-dir", metavar="DIR", parser=folder, help="A folder that has fashion-mnist/ in it."
    )] = None,
    as_json: Annotated[bool, option("--json", help="One JSON object per line, for programs.")] = False,
    quiet: Annotated[bool, option("--quiet", "-q", help="One line per rung.")] = False,
) -> int:  # fmt: skip
    """Train the rungs and write their page."""
    require_data_dir(data_dir)
    with Stop() as stop:
        from .. import ladder as story
        from .. import run_records
        from ..pages import compare_page, files

        files.check_place(out / PAGE)

        def began(number: int, rung: Any) -> None:
            if as_json:
                print(json.dumps({"event": "rung", "number": number, "of": len(story.RUNGS), "name": rung.name}))
            elif not quiet:
                print(f"\nrung {number} of {len(story.RUNGS)}: {rung.title}", flush=True)

        folders = story.climb(
            out, seed=seed or 0, scale=scale or 1.0, data_dir=data_dir, backend_name=backend, stop=stop,
            reporter=lambda: reporter_for(as_json, quiet), began=began,
        )  # fmt: skip
        if folders is None:
            return exit_code(stop.number)
        records = [run_records.read(folder) for folder in folders]
        files.write(out / PAGE, compare_page.ladder_page(records, story.RUNGS, scale or 1.0))
        if not quiet and not as_json:
            print()
        show(records, as_json)
        print(json.dumps({"event": "page", "out": str(out / PAGE)}) if as_json else f"page: {shown(out / PAGE)}")
    return 0

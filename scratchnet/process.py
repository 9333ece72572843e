"""The process of the command line: its streams and its environment are put in order before anything else runs.

Only where the process is ours: who calls `scratchnet.cli.main` from Python keeps streams and environment as they are.
"""

from __future__ import annotations

import logging
import os
import sys
import time

_began: list[float] = []


def prepare() -> None:
    """Open what the shell has closed, and pass over settings of others that would end or clutter a run."""
    _began.append(time.perf_counter() - time.process_time())  # what came before, imports, has kept a core busy
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their descriptors
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it is open as long as the process runs
    # A notebook hands on a backend of its own, which need not be installed here; pictures in files need none.
    os.environ.pop("MPLBACKEND", None)
    if not os.environ.get("SOURCE_DATE_EPOCH", "0").isdecimal():
        del os.environ["SOURCE_DATE_EPOCH"]  # numpy.f2py, which Numba's linear algebra imports, takes it for a number
    # Where the home folder cannot be written, matplotlib makes itself a temporary one, and need not tell.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def began() -> float:
    """When the command began, on the clock of ``time.perf_counter``: the whole process where it is ours, or now.

    It counts once: a second reporter of the same process, of the ladder's next rung, begins when it is asked for.
    """
    return _began.pop() if _began else time.perf_counter()


def end_output() -> str | None:
    """Why standard output takes nothing more, found out by an empty line; None where it does. The rest is dropped."""
    try:
        print(flush=True)  # a flush alone succeeds: the one that failed has dropped what was to be written
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries again when it ends, and complains
        return error.strerror or str(error)
    return None

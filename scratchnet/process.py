"""The process of the command line: its streams and its environment are put in order before anything else runs.

Only if the process is ours: a Python caller of `scratchnet.cli.main` keeps its streams and environment.
"""

from __future__ import annotations

import logging
import os
import sys
import time

_began: list[float] = []


def prepare() -> None:
    """Open streams that the shell has closed, and override foreign settings that would end or clutter a run."""
    _began.append(time.perf_counter() - time.process_time())  # the imports before this have kept a core busy
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in order of their descriptors
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it is open as long as the process runs
    # A notebook passes on its own backend, which may not be installed here; pictures in files need none.
    os.environ.pop("MPLBACKEND", None)
    if not os.environ.get("SOURCE_DATE_EPOCH", "0").isdecimal():
        del os.environ["SOURCE_DATE_EPOCH"]  # numpy.f2py, which Numba's linear algebra imports, takes it for a number
    # If the home folder cannot be written, matplotlib uses a temporary one, and need not report it.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def began() -> float:
    """When the command began, on the clock of ``time.perf_counter``: the whole process where it is ours, or now.

    Only the first call returns that: a second reporter in the same process, for the ladder's next rung, begins now.
    """
    return _began.pop() if _began else time.perf_counter()


def place_is_gone() -> bool:
    """Whether the working directory has been deleted: relative paths, and libraries that ask for it, fail then."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def end_output() -> str | None:
    """Why standard output takes nothing more, tested with an empty line; None if it does. The rest is dropped."""
    try:
        print(flush=True)  # a flush alone succeeds: the one that failed has dropped what was to be written
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries again when it ends, and complains
        return error.strerror or str(error)
    return None

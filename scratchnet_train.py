"""Where ``scratchnet-train`` begins: a file that imports little, so that a signal finds a handler almost at once.

Importing scratchnet takes 0.3 s, in which Ctrl-C would end in Python's traceback. What is left of that are the 20 ms
until Python comes here.
"""

import os
import signal
from types import FrameType


def main() -> int:
    """Run the command line of `scratchnet.cli`; returns the exit code."""
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as in a shell's background job
            before[number] = signal.signal(number, _end)
    from scratchnet import cli

    for number, handler in before.items():
        signal.signal(number, handler)
    return cli.main()


def _end(number: int, frame: FrameType | None) -> None:
    """End at once: nothing has begun. The exit code is what a shell reports for the signal, 130 or 143."""
    os._exit(128 + number)

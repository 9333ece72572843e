"""Part ``busy``: how much slower a training step is while another process keeps one core busy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from time import sleep
from types import TracebackType

from .networks import Network
from .rounds import Field, Outcome, Settings, say
from .step import one_turn, warm_up

NOTE = "milliseconds per training step on the idle machine, and times as long while another process keeps one core busy"

SETTLE = 0.1  # seconds until the scheduler has given the hog its core

# Busy, and ends soon after its parent.
LOOP = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


class Hog:
    """A process that keeps one core busy, wherever the system puts it; asleep until it is released."""

    def __enter__(self) -> Hog:
        self.process = subprocess.Popen([sys.executable, "-S", "-c", LOOP], process_group=0)
        self.sleep()
        return self

    def sleep(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()


def measure_network(settings: Settings, network: Network) -> Outcome:
    """Idle times as in part ``step``; the busy ones are in ``notes["busy"]``, one per round."""
    with Hog() as hog, Field(settings, network) as field:
        warm_up(field)
        steps = settings.steps_of(network)
        busy: dict[str, list[float]] = field.outcome.notes.setdefault("busy", {})

        def disturbed(name: str) -> None:
            hog.wake()
            sleep(SETTLE)
            taken = one_turn(field, name, steps)
            hog.sleep()
            if taken is not None:
                busy.setdefault(name, []).append(taken)

        return field.take_turns(lambda name: one_turn(field, name, steps), afterwards=disturbed)


def measure(settings: Settings) -> list[Outcome]:
    """The part, network by network."""
    say("one core busy")
    return [measure_network(settings, network) for network in settings.networks]

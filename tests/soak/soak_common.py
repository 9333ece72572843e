"""What the parts of the soak share: where they work, how much they do, what they report."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Figure:
    """One line of the table: what was promised, what was measured, whether that is as promised."""

    promise: str
    text: str
    kept: bool


class Pulse:
    """Notices when this process itself got no time: whatever took too long then says nothing about scratchnet."""

    TICK = 0.5  # seconds

    def __init__(self) -> None:
        self.lost = 0.0  # seconds, in all
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(self.TICK)
            now = time.monotonic()
            self.lost += max(0.0, now - last - 2 * self.TICK)
            last = now


PULSE = Pulse()


@dataclass
class Tally:
    """Counts trials, and keeps the first things that went wrong; a trial that fails does not end the part.

    One that fails while the machine stood still is not counted: `numbers` gives another one for it.
    """

    trials: int = 0
    failures: list[str] = field(default_factory=list)

    def numbers(self, count: int) -> Iterator[int]:
        """0, 1, 2 ... until enough trials were counted."""
        number = 0
        while self.trials < count and number < 2 * count + 10:
            yield number
            number += 1

    @contextmanager
    def trial(self, what: str) -> Iterator[None]:
        """One trial."""
        self.trials += 1
        before = PULSE.lost
        try:
            yield
        except Exception as error:
            if PULSE.lost - before > 1:
                self.trials -= 1
                print(f"       {what}: not counted, no time for {PULSE.lost - before:.0f} s", flush=True)
                return
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{what}: {type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:300]}"
            self.failures.append(text)
            print(f"       {text}", flush=True)

    @property
    def kept(self) -> bool:
        """Whether all went well."""
        return self.trials > 0 and not self.failures

    def figure(self, promise: str, text: str = "") -> Figure:
        """``text`` may hold ``{trials}``, ``{good}`` and ``{bad}``."""
        bad = len(self.failures)
        text = (text or "{good} of {trials}").format(trials=self.trials, good=self.trials - bad, bad=bad)
        return Figure(promise, text, self.kept)


@dataclass
class Context:
    """Where a part works and how much of it is wanted."""

    folder: Path
    scale: float
    seed: int

    def part(self, name: str) -> Context:
        """A folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        return Context(folder, self.scale, self.seed)

    def count(self, number: int) -> int:
        """A number of trials, scaled."""
        return max(1, round(number * self.scale))

    def random(self, stream: int) -> np.random.Generator:
        """Random numbers of their own for each trial."""
        return np.random.default_rng([self.seed, stream])

"""What the parts of the soak share: where they work, how much they do, what they report."""

from __future__ import annotations

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


@dataclass
class Tally:
    """Counts trials, and keeps the first things that went wrong; a trial that fails does not end the part."""

    trials: int = 0
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def trial(self, what: str) -> Iterator[None]:
        """One trial."""
        self.trials += 1
        try:
            yield
        except Exception as error:
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

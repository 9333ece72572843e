"""How many threads a training step gets: found by timing steps, since the results do not depend on it.

A step of a small network is over before a second thread has woken, and a thread whose core another process holds keeps
all others waiting: a step of 784-128-128-10 with one of two cores taken was 3.3 times slower than with both free, and
is 1.6 times slower so (0.23 ms against 0.15).
"""

from __future__ import annotations

from . import backend

# Steps that are timed together: so many, or fewer if they take so long. The first quarter is not counted (threads that
# have slept are slow to begin), of the others the median is taken.
WINDOW, LEAST, SECONDS = 12, 4, 0.005
PAIRS = 2  # windows of either kind in a trial; the faster of each counts: whatever disturbs a step makes it slower
# The next trial comes after so many times what the last one cost: soon after one that has changed something, since a
# neighbor that held a core for 20 ms is gone then, and twice as late each time that nothing changes.
SOON, LATE = 2, 50
FASTER, SLOWER = 0.95, 1.4  # than the figure so far: a number of threads is changed, a trial begins at once


class Pace:
    """Times steps and sets the number of threads of the numba backend: of 1, 2, 4 ... up to those that are allowed.

    Now and then windows of steps with the next smaller or larger number take turns with windows of as many as before,
    and the faster number is kept. `begin` and `end` enclose the steps: in between the number of threads is that of this
    object, afterwards the one from before.
    """

    def __init__(self) -> None:
        self._start(1)

    def _start(self, most: int) -> None:
        """Nothing is known: take as many threads as are allowed."""
        self.most = most
        self.counts = sorted({min(2**k, most) for k in range(most.bit_length() + 1)})
        self.at = len(self.counts) - 1  # which of the counts is in use
        self.down = True  # which way the next trial goes
        self.figure = 0.0  # seconds of a step with the count in use
        self.wait = self.after = 0.0  # seconds until the next trial, and how many there were at first
        self.patience = LATE  # `wait` begins at so many times the cost of the last trial
        self.fresh = True  # no window has ended yet
        self.trial: dict[int, list[float]] = {}  # figures of the counts that are being compared
        self.cost = 0.0  # seconds of this trial
        self.times: list[float] = []
        self.total = 0.0  # of these times

    def begin(self) -> None:
        """Take over the number of threads."""
        most = backend.threads()
        if most != self.most:
            self._start(most)
        self._use(self.at)

    def end(self) -> None:
        """Give it back."""
        self._clear()
        if self.most > 1:
            backend.set_threads(self.most)

    def note(self, seconds: float) -> None:
        """One step took so long."""
        self.times.append(seconds)
        self.total += seconds
        steps = len(self.times)
        if steps == WINDOW or (steps >= LEAST and self.total > SECONDS):
            counted = sorted(self.times[steps // 4 :])
            if len(self.counts) > 1:
                self._decide(counted[len(counted) // 2], self.total)
            self._clear()

    def _clear(self) -> None:
        self.times.clear()
        self.total = 0.0

    def _decide(self, figure: float, seconds: float) -> None:
        if self.trial:
            self._compare(figure, seconds)
            return
        self.wait -= seconds
        slower = figure > SLOWER * self.figure and self.wait < 0.9 * self.after
        if self.fresh:  # the first steps of all are no measure
            self.fresh = False
        elif self.wait <= 0 or slower:
            if self.at == (0 if self.down else len(self.counts) - 1):
                self.down = not self.down
            self.trial, self.cost = {self.at: [figure], self.at + (-1 if self.down else 1): []}, 0.0
            self._use(list(self.trial)[1])

    def _compare(self, figure: float, seconds: float) -> None:
        self.trial[self.at].append(figure)
        self.cost += seconds
        now, other = self.trial
        if len(self.trial[other]) < PAIRS:
            self._use(now if self.at == other else other)
            return
        better = min(self.trial[other]) < FASTER * min(self.trial[now])
        kept = other if better else now
        self.figure = min(self.trial[kept])
        self.down = self.down if better else not self.down
        self.patience = SOON if better else min(2 * self.patience, LATE)
        self.wait = self.after = self.patience * self.cost
        self.trial = {}
        self._use(kept)

    @property
    def threads(self) -> int:
        """How many there are in use."""
        return self.counts[self.at]

    def _use(self, at: int) -> None:
        self.at = at
        if self.most > 1:
            backend.set_threads(self.counts[at])

"""How many threads a training step gets: found by timing steps, since the results do not depend on it.

A step of a small network is over before a second thread has woken, and a thread whose core another process holds keeps
all others waiting: with one of two cores taken, a step of 784-128-128-10 was 3.3 times slower than with both free; with
the number of threads adapted it is 1.6 times slower (0.23 ms against 0.15).
"""

from __future__ import annotations

from . import backend

# Steps that are timed together: WINDOW, or down to LEAST once they take SECONDS. The first quarter is not counted
# (threads that have slept are slow to start); of the others the median is taken.
WINDOW, LEAST, SECONDS = 12, 4, 0.005
PAIRS = 2  # windows of either kind in a trial; the faster of each counts: any disturbance makes a step slower
# The wait for the next trial, as a multiple of the last one's cost: short after one that changed something, since a
# neighbor that held a core for 20 ms may be gone by then, and doubled each time that nothing changes.
SOON, LATE = 2, 50
FASTER, SLOWER = 0.95, 1.4  # relative to the figure so far: to change the number of threads; to begin a trial at once


class Pace:
    """Times steps and sets the number of threads of the numba backend: 1, 2, 4 ... up to the number allowed.

    Now and then windows of steps with the next smaller or larger number alternate with windows of the current one, and
    the faster number is kept. `begin` and `end` enclose the steps: in between, the number of threads is this object's;
    afterwards the previous one is restored.
    """

    def __init__(self) -> None:
        self._start(1)

    def _start(self, most: int) -> None:
        """Start without knowledge: use as many threads as are allowed."""
        self.most = most
        self.counts = sorted({min(2**k, most) for k in range(most.bit_length() + 1)})
        self.at = len(self.counts) - 1  # index of the count in use
        self.down = True  # whether the next trial goes down
        self.figure = 0.0  # seconds of a step with the count in use
        self.wait = self.after = 0.0  # seconds until the next trial: remaining, and at first
        self.patience = LATE  # `wait` starts at this multiple of the last trial's cost
        self.fresh = True  # no window has ended yet
        self.trial: dict[int, list[float]] = {}  # figures of the counts being compared
        self.cost = 0.0  # seconds of this trial
        self.times: list[float] = []
        self.total = 0.0  # of these times

    def begin(self) -> None:
        """Set this object's number of threads."""
        most = backend.threads()
        if most != self.most:
            self._start(most)
        self._use(self.at)

    def end(self) -> None:
        """Restore the previous number of threads."""
        self._clear()
        if self.most > 1:
            backend.set_threads(self.most)

    def note(self, seconds: float) -> None:
        """Record how long one step took."""
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
        if self.fresh:  # the very first steps are not representative
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
        """How many threads are in use."""
        return self.counts[self.at]

    def _use(self, at: int) -> None:
        self.at = at
        if self.most > 1:
            backend.set_threads(self.counts[at])

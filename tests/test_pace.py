"""The number of threads that a training step gets: the fastest is found, and found again when the machine changes."""

from __future__ import annotations

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import backend, pace


class Machine:
    """Steps whose time depends on the number of threads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int = 4) -> None:
        self.threads = most
        monkeypatch.setattr(backend, "threads", lambda: self.threads)
        monkeypatch.setattr(backend, "set_threads", lambda count: setattr(self, "threads", count))

    def run(self, paced: pace.Pace, seconds: dict[int, float], steps: int) -> list[int]:
        used = []
        for _ in range(steps):
            used.append(self.threads)
            paced.note(seconds[self.threads])
        return used


SERIAL_IS_BEST = {1: 1e-4, 2: 2e-4, 4: 9e-4}
TWO_ARE_BEST = {1: 3e-4, 2: 2e-4, 4: 4e-4}
ALL_ARE_BEST = {1: 40e-3, 2: 20e-3, 4: 10e-3}


@pytest.mark.parametrize(
    ("seconds", "best"), [(SERIAL_IS_BEST, 1), (TWO_ARE_BEST, 2), (ALL_ARE_BEST, 4)], ids=["serial", "two", "all"]
)
def test_the_fastest_number_is_found_and_trials_cost_little(seconds, best, monkeypatch):
    machine, paced = Machine(monkeypatch), pace.Pace()
    paced.begin()
    used = machine.run(paced, seconds, 20_000)
    late = used[4_000:]
    assert late.count(best) > 0.9 * len(late)
    spent = sum(seconds[count] for count in late)
    assert spent < 1.06 * seconds[best] * len(late)
    paced.end()
    assert machine.threads == 4


def test_a_neighbor_that_takes_a_core_is_noticed_soon(monkeypatch):
    machine, paced = Machine(monkeypatch, 2), pace.Pace()
    paced.begin()
    machine.run(paced, {1: 2e-4, 2: 1.4e-4}, 5_000)
    assert machine.threads == 2
    used = machine.run(paced, {1: 2.1e-4, 2: 5e-4}, 1_000)
    assert used[200:].count(1) > 700
    used = machine.run(paced, {1: 2e-4, 2: 1.4e-4}, 20_000)  # and when it has gone
    assert used[10_000:].count(2) > 9_000


def test_steps_of_many_runs_count_together(monkeypatch):
    machine, paced = Machine(monkeypatch, 2), pace.Pace()
    used = []
    for _ in range(300):
        paced.begin()
        used += machine.run(paced, {1: 1e-4, 2: 2e-4}, 40)
        paced.end()
        assert machine.threads == 2
    assert used[6_000:].count(1) > 5_000


def test_one_thread_is_left_alone(monkeypatch):
    machine, paced = Machine(monkeypatch, 1), pace.Pace()
    monkeypatch.setattr(backend, "set_threads", lambda count: pytest.fail("there is nothing to choose"))
    paced.begin()
    machine.run(paced, {1: 1e-3}, 100)
    paced.end()


def test_training_gives_the_threads_back_and_the_same_bits():
    x = np.random.default_rng(0).normal(size=(512, 40)).astype(np.float32)
    y = np.arange(512) % 10
    weights = []
    for limit in (1, None):
        with sn.use_backend("numba"):
            most = backend.threads()
            try:
                backend.set_threads(limit or most)
                sn.utils.set_random_seed(1)
                model = sn.Sequential([sn.layers.Input((40,)), sn.layers.Dense(64, "relu"), sn.layers.Dense(10)])
                model.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
                model.fit(x, y, batch_size=8, epochs=4, verbose=0)
                assert backend.threads() == (limit or most)
            finally:
                backend.set_threads(most)
            weights.append(model.get_weights())
    assert all((a == b).all() for a, b in zip(*weights, strict=True))

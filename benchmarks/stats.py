"""Medians, spread, and the interval of a ratio, from times taken in interleaved rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Summary:
    """Median and quartiles of one framework's times."""

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Ratio:
    """Peer's time over scratchnet's: how many times faster scratchnet is, with a bootstrap interval."""

    value: float
    low: float
    high: float


def summarize(times: Sequence[float]) -> Summary:
    """Median and quartiles; raises ValueError on no times."""
    if not len(times):
        raise ValueError("no times to summarize")
    low, median, high = np.percentile(np.asarray(times, dtype=float), [25, 50, 75])
    return Summary(float(median), float(low), float(high), len(times))


def ratio(peer: Sequence[float], ours: Sequence[float], level: float = 0.95, resamples: int = 4000) -> Ratio:
    """Ratio of medians, peer over ours, with a percentile bootstrap over the rounds.

    The two sequences are paired: entry r of both was measured in round r, so a round is drawn as a whole, and a
    slow spell of the machine that hit both cancels out. (Efron, Tibshirani: An Introduction to the Bootstrap, 1993.)
    """
    if len(peer) != len(ours) or not len(peer):
        raise ValueError(f"rounds must be paired: {len(peer)} times of the peer, {len(ours)} of ours")
    both = np.asarray([peer, ours], dtype=float)
    value = np.median(both[0]) / np.median(both[1])
    drawn = np.random.default_rng(0).integers(0, both.shape[1], (resamples, both.shape[1]))
    medians = np.median(both[:, drawn], axis=2)
    low, high = np.percentile(medians[0] / medians[1], [50 * (1 - level), 50 * (1 + level)])
    return Ratio(float(value), float(low), float(high))

"""The penalty of a regularizer: what large weights add to the loss, and its derivative to their gradient."""

from __future__ import annotations

import numpy as np

from .addresses import at
from .elementwise import CHUNK, span
from .jit import kernel
from .launching import launch
from .loss_sums import add_up
from .registry import reference, twin
from .scratch import scratch


@reference("penalize", updates=(4, 5), outputs=0)
def penalize_reference(w, l1, l2, n, totals, g):
    """``totals += n sum_k (l1 |w_k| + l2 w_k^2)``, ``g += l1 sign(w) + 2 l2 w``; w (size,), g like it or of size 0.

    Losses are summed over n samples, and the penalty counts once for each: hence the factor n.
    """
    penalty = l1 * np.abs(w).sum(dtype=np.float64) + l2 * np.square(w, dtype=np.float64).sum()
    return totals + np.array([n * penalty, 0]), g + l1 * np.sign(w) + 2 * l2 * w if g.size else g


@kernel
def _penalize(task, w, l1, l2, n, parts, g):
    start, count = span(task, w.size)
    source, target = at(w, start), at(g, start)
    zero, one, two = w.dtype.type(0), w.dtype.type(l1), w.dtype.type(2 * l2)
    absolute, squares = 0.0, 0.0
    for k in range(count):
        absolute += abs(source[k])
        squares += np.float64(source[k]) * source[k]
    if g.size:
        for k in range(count):
            sign = one if source[k] > 0 else -one if source[k] < 0 else zero
            target[k] = target[k] + sign + two * source[k]
    parts[task, 0], parts[task, 1] = n * (l1 * absolute + l2 * squares), 0.0


@twin("penalize")
def penalize(w, l1, l2, n, totals, g):
    parts = scratch("penalty.parts", (-(-w.size // CHUNK), 2), totals.dtype)
    launch(_penalize, len(parts), w, float(l1), float(l2), float(n), parts, g, serial=len(parts) <= 2)
    launch(add_up, 1, parts, totals, serial=True)

"""What the losses have in common: how a kernel's results become the sums of a batch.

The batch's sum of weighted losses and its number of correct rows are *added* to ``totals``, two float64, so an epoch's
mean needs one read at its end. The last argument of a loss receives the derivative of the batch's mean; if it has size
0, nobody wants it.
"""

from __future__ import annotations

from .jit import jit, kernel
from .launching import launch
from .scratch import scratch

EPSILON = 1e-7  # probabilities are clipped to [EPSILON, 1 - EPSILON], as in Keras on TensorFlow
ROWS = 16  # of a batch, per task
SERIAL = 4096  # fewer numbers are left to one thread


@jit
def first_maximum(row):
    """The first position of the largest number."""
    best = 0
    for k in range(1, row.size):
        if row[k] > row[best]:
            best = k
    return best


@kernel
def add_up(task, parts, totals):
    for k in range(parts.shape[0]):
        totals[0] += parts[k, 0]
        totals[1] += parts[k, 1]


def evaluate(loss, outputs, targets, weights, settings, totals, gradient):
    """Launch a loss's kernel over the rows of a batch and add the sums of its tasks to ``totals``, in order.

    A small batch, such as 64 rows of 10, has one thread: a second would save less than handing over to it costs.
    """
    parts = scratch("loss.parts", (-(-len(outputs) // ROWS), 2), totals.dtype)
    wanted = gradient.size > 0
    work = gradient if wanted else scratch("loss", outputs.shape, outputs.dtype)
    launch(loss, len(parts), outputs, targets, weights, *settings, parts, work, wanted, serial=outputs.size < SERIAL)
    launch(add_up, 1, parts, totals, serial=True)

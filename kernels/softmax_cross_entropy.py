"""Softmax and cross-entropy in one step, from the logits: stable where one after the other is not.

``loss = mean_i w_i sum_j t_ij (log sum_k exp x_ik - x_ij)``, and its derivative is as simple as can be:
``dx = (softmax(x) - t) w / n``. A row is correct if its first largest logit is that of its class.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import minus
from .jit import jit, kernel
from .loss_sums import ROWS, evaluate, first_maximum
from .registry import reference, twin


@reference("softmax_cross_entropy", updates=(4,))
def softmax_cross_entropy_reference(logits, targets, weights, smoothing, totals):
    """Targets (n, c) of floats, such as one-hot rows; logits (n, c), weights (n,), dlogits (n, c)."""
    n, c = logits.shape
    t = targets * (1 - smoothing) + smoothing / c
    z = logits - logits.max(axis=1, keepdims=True)  # the largest becomes 0: exp cannot overflow
    e = np.exp(z)
    s = e.sum(axis=1, keepdims=True)
    losses = (t * np.log(s) - t * np.where(t == 0, 0, z)).sum(axis=1)  # a class of probability 0 may have logit -inf
    correct = (logits.argmax(axis=1) == targets.argmax(axis=1)) & ~np.isnan(losses)
    dlogits = (e / s * t.sum(axis=1, keepdims=True) - t) * (weights / n)[:, None]
    return totals + np.array([(weights * losses).sum(), correct.sum()]), dlogits


@reference("sparse_softmax_cross_entropy", updates=(4,))
def sparse_softmax_cross_entropy_reference(logits, labels, weights, smoothing, totals):
    """The same with class numbers (n,) as targets."""
    targets = (labels[:, None] == np.arange(logits.shape[1])).astype(logits.dtype)
    return softmax_cross_entropy_reference(logits, targets, weights, smoothing, totals)


@jit
def exponentials(x, e):
    """``e = exp(x - max)`` of one row. Returns their sum, the maximum and its first position."""
    best, total = first_maximum(x), 0.0
    for k in range(x.size):
        # The C library's exp for the array's own type: floats take a quarter of the time of doubles.
        e[k] = math.exp(x[k] - x[best])
        total += e[k]
    return total, np.float64(x[best]), best


@kernel
def _sparse(task, logits, labels, weights, smoothing, parts, dlogits, wanted):
    n, c = logits.shape
    losses, correct = 0.0, 0
    for i in range(task * ROWS, min((task + 1) * ROWS, n)):
        x, e, label = logits[i], dlogits[i], labels[i]
        s, largest, best = exponentials(x, e)
        log_s = math.log(s)
        loss = (1 - smoothing) * (log_s + minus(largest, x[label]))
        if smoothing:
            for k in range(c):
                loss += smoothing / c * (log_s + minus(largest, x[k]))
        losses += weights[i] * loss
        correct += best == label and loss == loss
        if wanted:
            scale = weights[i] / n
            # In doubles up to the last rounding: near certainty p - 1 keeps its digits.
            at_label = scale * ((e[label] - s) / s + smoothing * (1 - 1 / c))
            rest = dlogits.dtype.type(scale * smoothing / c)
            factor = dlogits.dtype.type(scale / s)
            for k in range(c):
                e[k] = e[k] * factor - rest
            e[label] = at_label
    parts[task, 0], parts[task, 1] = losses, correct


@kernel
def _dense(task, logits, targets, weights, smoothing, parts, dlogits, wanted):
    n, c = logits.shape
    losses, correct = 0.0, 0
    for i in range(task * ROWS, min((task + 1) * ROWS, n)):
        x, e, y = logits[i], dlogits[i], targets[i]
        s, largest, best = exponentials(x, e)
        log_s = math.log(s)
        loss, mass, label = 0.0, 0.0, 0
        for k in range(c):
            t = y[k] * (1 - smoothing) + smoothing / c
            mass += t
            loss += t * log_s
            if t != 0:
                loss += t * minus(largest, x[k])
            if y[k] > y[label]:
                label = k
        losses += weights[i] * loss
        correct += best == label and loss == loss
        if wanted:
            scale = weights[i] / n
            for k in range(c):
                t = y[k] * (1 - smoothing) + smoothing / c
                e[k] = scale * (e[k] * (mass / s) - t)
    parts[task, 0], parts[task, 1] = losses, correct


@twin("softmax_cross_entropy")
def softmax_cross_entropy(logits, targets, weights, smoothing, totals, dlogits):
    evaluate(_dense, logits, targets, weights, (float(smoothing),), totals, dlogits)


@twin("sparse_softmax_cross_entropy")
def sparse_softmax_cross_entropy(logits, labels, weights, smoothing, totals, dlogits):
    evaluate(_sparse, logits, labels, weights, (float(smoothing),), totals, dlogits)

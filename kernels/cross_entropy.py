"""Cross-entropies of the probabilities that a model outputs.

Probabilities are clipped to ``[EPSILON, 1 - EPSILON]``; outside, the derivative is 0. loss_sums.py adds up the rows'
losses.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import jit, kernel
from .loss_sums import EPSILON, ROWS, evaluate, first_maximum
from .registry import reference, twin


@reference("sparse_cross_entropy", updates=(4,))
def sparse_cross_entropy_reference(p, labels, weights, smoothing, totals):
    """``loss_i = log sum_k q_ik - sum_j t_ij log q_ij``, q the clipped p; p (n, c), class numbers (n,)."""
    n, c = p.shape
    t = (labels[:, None] == np.arange(c)) * (1 - smoothing) + smoothing / c
    q = np.clip(p, EPSILON, 1 - EPSILON)
    s = q.sum(axis=1, keepdims=True)
    losses = np.log(s[:, 0]) - (t * np.log(q)).sum(axis=1)
    correct = (p.argmax(axis=1) == labels) & ~np.isnan(losses)
    dp = np.where((p < EPSILON) | (p > 1 - EPSILON), 0, 1 / s - t / q) * (weights / n)[:, None]
    return totals + np.array([(weights * losses).sum(), correct.sum()]), dp.astype(p.dtype)


@reference("cross_entropy", updates=(4,))
def cross_entropy_reference(p, targets, weights, smoothing, totals):
    """``loss_i = -sum_j t_ij log q_ij``, q the clipped ``r = p / sum p``; p and targets (n, c)."""
    n, c = p.shape
    t = targets * (1 - smoothing) + smoothing / c
    s = p.sum(axis=1, keepdims=True)
    r = p / s
    q = np.clip(r, EPSILON, 1 - EPSILON)
    losses = -(t * np.log(q)).sum(axis=1)
    correct = (p.argmax(axis=1) == targets.argmax(axis=1)) & ~np.isnan(losses)
    dr = np.where((r < EPSILON) | (r > 1 - EPSILON), 0, -t / q)
    dp = (dr - (dr * r).sum(axis=1, keepdims=True)) / s * (weights / n)[:, None]
    return totals + np.array([(weights * losses).sum(), correct.sum()]), dp


@jit
def _clip(p):
    return EPSILON if p < EPSILON else 1 - EPSILON if p > 1 - EPSILON else p


@jit
def _inside(p):
    return not (p < EPSILON or p > 1 - EPSILON)


@kernel
def _sparse(task, p, labels, weights, smoothing, parts, dp, wanted):  # in doubles: one logarithm per row costs nothing
    n, c = p.shape
    losses, correct = 0.0, 0
    for i in range(task * ROWS, min((task + 1) * ROWS, n)):
        s, loss = 0.0, 0.0
        for k in range(c):
            q = _clip(np.float64(p[i, k]))
            s += q
            if smoothing:
                loss -= smoothing / c * math.log(q)
        label = labels[i]
        loss += math.log(s) - (1 - smoothing) * math.log(_clip(np.float64(p[i, label])))
        losses += weights[i] * loss
        correct += first_maximum(p[i]) == label and loss == loss
        if wanted:
            scale = weights[i] / n
            for k in range(c):
                t = smoothing / c + (1 - smoothing if k == label else 0.0)
                q = np.float64(p[i, k])
                dp[i, k] = scale * (1 / s - t / q) if _inside(q) else 0.0
    parts[task, 0], parts[task, 1] = losses, correct


@kernel
def _dense(task, p, targets, weights, smoothing, parts, dp, wanted):
    n, c = p.shape
    losses, correct = 0.0, 0
    for i in range(task * ROWS, min((task + 1) * ROWS, n)):
        s, loss, dot = 0.0, 0.0, 0.0
        for k in range(c):
            s += p[i, k]
        for k in range(c):
            t = targets[i, k] * (1 - smoothing) + smoothing / c
            r = p[i, k] / s
            loss -= t * math.log(_clip(r))
            if _inside(r):
                dot -= t
        losses += weights[i] * loss
        correct += first_maximum(p[i]) == first_maximum(targets[i]) and loss == loss
        if wanted:
            scale = weights[i] / n
            for k in range(c):
                t = targets[i, k] * (1 - smoothing) + smoothing / c
                r = p[i, k] / s
                dr = -t / r if _inside(r) else 0.0
                dp[i, k] = scale * ((dr - dot) / s)
    parts[task, 0], parts[task, 1] = losses, correct


@twin("sparse_cross_entropy")
def sparse_cross_entropy(p, labels, weights, smoothing, totals, dp):
    evaluate(_sparse, p, labels, weights, (float(smoothing),), totals, dp)


@twin("cross_entropy")
def cross_entropy(p, targets, weights, smoothing, totals, dp):
    evaluate(_dense, p, targets, weights, (float(smoothing),), totals, dp)

"""Elementwise losses, selected by a small integer: ``loss_i = mean_j f(y_ij, t_ij)`` over a sample's numbers.

loss_sums.py adds up the rows' losses; nothing is counted as correct. The binary kinds are the cross-entropy of one
Bernoulli variable per number, given as its probability or its logit, with targets from 0 to 1; ``smoothing`` moves
targets toward 1/2. ``delta`` is where HUBER turns from a square into a line. DIVERGENCE (Kullback and Leibler's) is the
sum over the numbers of a distribution, of which a sample has ``delta``, and the mean over these.

The kernels write the derivative even if nobody wants it, into scratch memory: a loop without it would be vectorized in
another way, and the last bits of the loss would differ.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at, like, minus
from .exponentials import exp, log1p
from .jit import jit, kernel
from .loss_sums import EPSILON, ROWS, evaluate
from .registry import reference, twin

SQUARED, ABSOLUTE, BINARY, BINARY_LOGITS, HUBER, LOG_COSH, HINGE, SQUARED_HINGE, POISSON, DIVERGENCE = range(10)


def _clipped(p):
    return np.clip(p, EPSILON, 1 - EPSILON)


def _margin(y, t):
    return np.maximum(1 - t * y, 0)


def _positive(p):
    return np.clip(p, EPSILON, 1)


# f(y, t), and df/dy; HUBER's also take delta.
_LOSSES = {
    SQUARED: lambda y, t: (y - t) ** 2,
    ABSOLUTE: lambda y, t: np.abs(y - t),
    BINARY: lambda p, t: -t * np.log(_clipped(p)) - (1 - t) * np.log(1 - _clipped(p)),
    BINARY_LOGITS: lambda x, t: np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))),
    HUBER: lambda y, t, delta: np.clip(y - t, -delta, delta) * (y - t - np.clip(y - t, -delta, delta) / 2),
    LOG_COSH: lambda y, t: np.logaddexp(y - t, t - y) - math.log(2),
    HINGE: _margin,
    SQUARED_HINGE: lambda y, t: _margin(y, t) ** 2,
    POISSON: lambda y, t: y - t * np.log(y + EPSILON),
    DIVERGENCE: lambda y, t: _positive(t) * np.log(_positive(t) / _positive(y)),
}
_SLOPES = {
    SQUARED: lambda y, t: 2 * (y - t),
    ABSOLUTE: lambda y, t: np.sign(y - t),
    BINARY: lambda p, t: np.where(_clipped(p) == p, (p - t) / (_clipped(p) * (1 - _clipped(p))), p - p),
    BINARY_LOGITS: lambda x, t: (
        (np.where(x < 0, (1 - t) * np.exp(-np.abs(x)) - t, 1 - t - t * np.exp(-np.abs(x)))) / (1 + np.exp(-np.abs(x)))
    ),  # sigmoid(x) - t, which computed as such would lose digits near 0
    HUBER: lambda y, t, delta: np.clip(y - t, -delta, delta),
    LOG_COSH: lambda y, t: np.tanh(y - t),
    HINGE: lambda y, t: np.where(_margin(y, t) > 0, -t, _margin(y, t)),
    SQUARED_HINGE: lambda y, t: -2 * t * _margin(y, t),
    POISSON: lambda y, t: 1 - t / (y + EPSILON),
    DIVERGENCE: lambda y, t: np.where(_positive(y) == y, -_positive(t) / _positive(y), y - y),
}


@reference("elementwise_loss", updates=(6,))
def elementwise_loss_reference(y, targets, weights, kind, smoothing, delta, totals):
    """``loss_i = mean_j f(y_ij, t_ij)``, f given by its kind; y and targets (n, features), weights (n,)."""
    n, features = y.shape
    t = targets * (1 - smoothing) + smoothing / 2
    more = (delta,) if kind == HUBER else ()
    losses, slopes = _LOSSES[kind](y, t, *more), _SLOPES[kind](y, t, *more)
    parts = delta if kind == DIVERGENCE else features
    sum_of_losses = (weights * (losses.sum(axis=1) / parts)).sum()
    return totals + np.array([sum_of_losses, 0]), slopes / parts * (weights / n)[:, None]


@jit
def _squared(y, targets, keep, shift, scale, dy):
    loss = 0.0
    for k in range(y.size):
        d = y[k] - (targets[k] * keep + shift)
        loss += d * d
        dy[k] = d * (scale + scale)
    return loss


@jit
def _absolute(d):
    return abs(d), d if d != d else (d > 0) - (d < 0)


@jit
def _binary(p, t, most):
    """In doubles, so that 1 - p keeps all its digits. ``most`` is 1 - EPSILON in the arrays' type."""
    q = EPSILON if p < EPSILON else most if p > most else p
    loss = -t * math.log(q) - (1 - t) * math.log(1 - q)
    return loss, (p - t) / (q * (1 - q)) if q == p else p - p


@jit
def _other(y, t, kind, delta):
    """The kinds from HUBER on, in doubles."""
    if kind == HUBER:
        d = y - t
        clipped = -delta if d < -delta else delta if d > delta else d
        return clipped * (d - clipped / 2), clipped
    if kind == LOG_COSH:
        d = y - t
        return abs(d) + math.log1p(math.exp(-2 * abs(d))) - math.log(2.0), math.tanh(d)
    if kind == POISSON:
        return y - t * math.log(y + EPSILON), 1 - t / (y + EPSILON)
    if kind == DIVERGENCE:
        target, q = min(max(t, EPSILON), 1.0), EPSILON if y < EPSILON else 1.0 if y > 1 else y
        return target * math.log(target / q), -target / q if q == y else y - y
    margin = 1 - t * y
    margin = 0.0 if margin < 0 else margin  # NaN stays
    if kind == HINGE:
        return margin, -t if margin > 0 else margin
    return margin * margin, -2 * t * margin


@jit
def _logit_slope(x, t, e):
    """``sigmoid(x) - t`` with ``e = exp(-|x|)``."""
    one = like(x, 1)
    rest = minus(one, t)  # the compiler would turn this into 1 - t (1 + e), which loses e at t = 1
    return (rest * e - t if x < 0 else rest - t * e) / (one + e)


@kernel
def _elementwise(task, y, targets, weights, kind, smoothing, delta, parts, dy, wanted):
    n, features = y.shape
    real = dy.dtype.type
    keep, shift, most = real(1 - smoothing), real(smoothing / 2), np.float64(real(1 - EPSILON))
    count = delta if kind == DIVERGENCE else np.float64(features)
    losses = 0.0
    for i in range(task * ROWS, min((task + 1) * ROWS, n)):
        scale, loss = real(weights[i] / n / count), 0.0
        if kind == SQUARED:
            loss = _squared(y[i], targets[i], keep, shift, scale, dy[i])
        else:
            for k in range(features):
                t = targets[i, k] * keep + shift
                if kind == ABSOLUTE:
                    one, slope = _absolute(y[i, k] - t)
                elif kind == BINARY:
                    one, slope = _binary(np.float64(y[i, k]), np.float64(t), most)
                else:
                    one, slope = _other(np.float64(y[i, k]), np.float64(t), kind, delta)
                loss += one
                dy[i, k] = scale * slope
        losses += weights[i] * (loss / count)
    parts[task, 0], parts[task, 1] = losses, 0


@kernel
def _logits(task, x, targets, weights, smoothing, parts, dx, wanted):
    """BINARY_LOGITS, vectorized in float32: 128 rows of 784 numbers take a tenth of the time."""
    n, features = x.shape
    real = dx.dtype.type
    zero, keep, shift = real(0), real(1 - smoothing), real(smoothing / 2)
    losses = 0.0
    for i in range(task * ROWS, min((task + 1) * ROWS, n)):
        source, target, slope = at(x, i * features), at(targets, i * features), at(dx, i * features)
        scale, loss = real(weights[i] / n / features), 0.0
        for k in range(features):
            t = target[k] * keep + shift
            e = exp(-abs(source[k]))
            loss += np.float64(minus(source[k] if source[k] > 0 else zero, source[k] * t) + log1p(e))
            slope[k] = scale * _logit_slope(source[k], t, e)
        losses += weights[i] * (loss / features)
    parts[task, 0], parts[task, 1] = losses, 0


@twin("elementwise_loss")
def elementwise_loss(y, targets, weights, kind, smoothing, delta, totals, dy):
    if kind == BINARY_LOGITS:
        evaluate(_logits, y, targets, weights, (float(smoothing),), totals, dy)
    else:
        evaluate(_elementwise, y, targets, weights, (kind, float(smoothing), float(delta)), totals, dy)

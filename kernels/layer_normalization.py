"""Layer normalization of each row of ``x`` (rows, c): Ba, Kiros and Hinton, 2016.

A ``gamma`` or ``beta`` of size 0 is absent. As in batch normalization (normalization.py) sums, mean and ``inverse`` are
float64 whatever x is, so that a mean far from 0 costs no digits. A row stays in the cache while its sums are computed.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at
from .jit import kernel
from .launching import FEW, launch
from .normalization import slices
from .registry import reference, twin
from .scratch import scratch


@reference("layer_norm_forward", outputs=3)
def layer_norm_forward_reference(x, gamma, beta, epsilon):
    """``y = gamma (x - mean) inverse + beta``, ``inverse = 1 / sqrt(variance + epsilon)``, of each row by itself.

    The variance is the biased one. Returns y, mean (rows,) and inverse (rows,).
    """
    mean = x.mean(axis=1, dtype=np.float64)
    deviations = x - mean[:, None]
    inverse = 1 / np.sqrt(np.square(deviations).mean(axis=1) + epsilon)
    y = deviations * inverse[:, None] * (gamma if gamma.size else 1) + (beta if beta.size else 0)
    return y.astype(x.dtype), mean, inverse


@reference("layer_norm_backward", outputs=3)
def layer_norm_backward_reference(x, dy, gamma, mean, inverse):
    """``dbeta = sum dy`` and ``dgamma = sum dy n`` over the rows, ``n = (x - mean) inverse``; with ``g = dy gamma``

    ``dx = inverse (g - mean_k g - n mean_k (g n))``, means over each row: the gradient through its mean and variance.
    Returns dx, dgamma, dbeta.
    """
    normalized = (x - mean[:, None]) * inverse[:, None]
    dgamma, dbeta = (dy * normalized).sum(axis=0), dy.sum(axis=0, dtype=np.float64)
    g = dy.astype(np.float64) * (gamma if gamma.size else 1)
    plain, product = g.mean(axis=1, keepdims=True), (g * normalized).mean(axis=1, keepdims=True)
    dx = inverse[:, None] * (g - plain - normalized * product)
    return dx.astype(x.dtype), dgamma.astype(x.dtype), dbeta.astype(x.dtype)


@kernel
def _parameters(task, gamma, beta, work):
    """gamma and beta in doubles, 1 and 0 if they are absent: the loops below need no second form."""
    for k in range(work.shape[1]):
        work[0, k] = gamma[k] if gamma.size else 1.0
        work[1, k] = beta[k] if beta.size else 0.0


# np.float64, not float: in Numba, float of a float32 is a float32.


@kernel
def _forward(task, tasks, x, work, epsilon, y, mean, inverse):
    rows, c = x.shape
    factor, offset = at(work, 0), at(work, c)
    for r in range(task * rows // tasks, (task + 1) * rows // tasks):
        source, target = at(x, r * c), at(y, r * c)
        total, squares = 0.0, 0.0
        for k in range(c):
            total += np.float64(source[k])
        m = total / c
        for k in range(c):
            d = np.float64(source[k]) - m
            squares += d * d
        scale = 1 / math.sqrt(squares / c + epsilon)
        for k in range(c):
            target[k] = (np.float64(source[k]) - m) * scale * factor[k] + offset[k]
        mean[r], inverse[r] = m, scale


@kernel
def _backward(task, x, dy, mean, inverse, work, dx, sums):
    """dx of one slice of rows, and the slice's sums of dy and of dy n."""
    rows, c = x.shape
    factor, plain, product = at(work, 0), at(sums, 2 * task * c), at(sums, (2 * task + 1) * c)
    for k in range(2 * c):
        plain[k] = 0.0
    for r in range(task * rows // len(sums), (task + 1) * rows // len(sums)):
        source, slope, m, scale = at(x, r * c), at(dy, r * c), mean[r], inverse[r]
        first, second = 0.0, 0.0
        for k in range(c):
            n, d = (np.float64(source[k]) - m) * scale, np.float64(slope[k])
            plain[k] += d
            product[k] += d * n
            first += d * factor[k]
            second += d * factor[k] * n
        first, second = first / c, second / c
        if dx.size:
            target = at(dx, r * c)
            for k in range(c):
                n = (np.float64(source[k]) - m) * scale
                target[k] = scale * (np.float64(slope[k]) * factor[k] - first - n * second)


@kernel
def _add_slices(task, sums, dgamma, dbeta):
    for k in range(sums.shape[2]):
        plain, product = 0.0, 0.0
        for s in range(len(sums)):
            plain += sums[s, 0, k]
            product += sums[s, 1, k]
        if dbeta.size:
            dbeta[k] = plain
        if dgamma.size:
            dgamma[k] = product


def _factors(gamma, beta, c):
    work = scratch("layer_norm.work", (2, c), np.float64)
    launch(_parameters, 1, gamma, beta, work, serial=True)
    return work


@twin("layer_norm_forward")
def layer_norm_forward(x, gamma, beta, epsilon, y, mean, inverse):
    tasks, work = slices(len(x)), _factors(gamma, beta, x.shape[1])
    launch(_forward, tasks, tasks, x, work, float(epsilon), y, mean, inverse, serial=x.size < FEW)


@twin("layer_norm_backward")
def layer_norm_backward(x, dy, gamma, mean, inverse, dx, dgamma, dbeta):
    c = x.shape[1]
    sums, work = scratch("layer_norm.sums", (slices(len(x)), 2, c), np.float64), _factors(gamma, gamma[:0], c)
    launch(_backward, len(sums), x, dy, mean, inverse, work, dx.reshape(-1), sums, serial=x.size < FEW)
    launch(_add_slices, 1, sums, dgamma, dbeta, serial=True)

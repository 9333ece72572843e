"""Batch normalization over the rows of ``x`` (rows, c): Ioffe and Szegedy, ICML 2015.

``gamma`` or ``beta`` of size 0 is one that is not there. Sums, mean and ``inverse`` are float64 whatever x is: over
the 100,000 rows of a batch of images float32 would lose three digits, and a large mean the rest.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at, shift
from .jit import jit, kernel
from .launching import FEW, launch
from .registry import reference, twin
from .scratch import scratch

# Rows are split into so many slices at most, of at least so many rows each; sums are combined in their order.
SLICES, ROWS = 64, 32


@reference("batch_norm_forward", outputs=3, updates=(3, 4))
def batch_norm_forward_reference(x, gamma, beta, moving_mean, moving_variance, momentum, epsilon):
    """``y = gamma (x - mean) inverse + beta``, ``inverse = 1 / sqrt(variance + epsilon)``, of the batch itself.

    The variance is the biased one. Returns the new moving statistics, which a column that is not finite leaves as they
    were, y, mean (c,) and inverse (c,).
    """
    mean = x.mean(axis=0, dtype=np.float64)
    variance = np.square(x - mean).mean(axis=0)
    inverse = 1 / np.sqrt(variance + epsilon)
    y = (x - mean) * inverse * (gamma if gamma.size else 1) + (beta if beta.size else 0)
    finite = np.isfinite(variance)
    moving_mean = np.where(finite, momentum * moving_mean + (1 - momentum) * mean, moving_mean)
    moving_variance = np.where(finite, momentum * moving_variance + (1 - momentum) * variance, moving_variance)
    return moving_mean.astype(x.dtype), moving_variance.astype(x.dtype), y.astype(x.dtype), mean, inverse


@reference("batch_norm_inference", outputs=3)
def batch_norm_inference_reference(x, gamma, beta, moving_mean, moving_variance, epsilon):
    """The same with the moving statistics, which stay as they are. Returns y, mean and inverse."""
    mean, inverse = moving_mean.astype(np.float64), 1 / np.sqrt(moving_variance + np.float64(epsilon))
    y = (x - mean) * inverse * (gamma if gamma.size else 1) + (beta if beta.size else 0)
    return y.astype(x.dtype), mean, inverse


@reference("batch_norm_backward", outputs=3)
def batch_norm_backward_reference(x, dy, gamma, mean, inverse, training):
    """``dbeta = sum dy``, ``dgamma = sum dy n`` with ``n = (x - mean) inverse``, and

    ``dx = gamma inverse (dy - (dbeta + n dgamma) / rows)``. The fraction is what flows through the batch's own mean
    and variance; it is absent in inference. Returns dx, dgamma, dbeta.
    """
    normalized = (x - mean) * inverse
    dgamma, dbeta = (dy * normalized).sum(axis=0), dy.sum(axis=0, dtype=np.float64)
    through_statistics = (dbeta + normalized * dgamma) / len(x) if training else 0
    dx = (gamma if gamma.size else 1) * inverse * (dy - through_statistics)
    return dx.astype(x.dtype), dgamma.astype(x.dtype), dbeta.astype(x.dtype)


# The twins take four rows at a time: the sums of a column are then loaded and stored once for four numbers.
# np.float64 and not float: to Numba, float of a float32 is a float32.


@jit
def add_rows(x, rows, c, total):
    """``total += sum of the rows``, float64."""
    for r in range(0, rows - 3, 4):
        x0 = shift(x, r * c)
        x1, x2, x3 = shift(x0, c), shift(x0, 2 * c), shift(x0, 3 * c)
        for k in range(c):
            total[k] += (np.float64(x0[k]) + np.float64(x1[k])) + (np.float64(x2[k]) + np.float64(x3[k]))
    for r in range(rows // 4 * 4, rows):
        x0 = shift(x, r * c)
        for k in range(c):
            total[k] += np.float64(x0[k])


@jit
def add_squares(x, mean, rows, c, total):
    """``total += sum of (row - mean)^2``."""
    for r in range(0, rows - 3, 4):
        x0 = shift(x, r * c)
        x1, x2, x3 = shift(x0, c), shift(x0, 2 * c), shift(x0, 3 * c)
        for k in range(c):
            m = mean[k]
            d0, d1, d2, d3 = np.float64(x0[k]) - m, np.float64(x1[k]) - m, np.float64(x2[k]) - m, np.float64(x3[k]) - m
            total[k] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
    for r in range(rows // 4 * 4, rows):
        x0 = shift(x, r * c)
        for k in range(c):
            total[k] += (np.float64(x0[k]) - mean[k]) ** 2


@jit
def add_products(x, dy, mean, rows, c, plain, product):
    """``plain += sum of dy``, ``product += sum of dy (x - mean)``."""
    for r in range(0, rows - 1, 2):
        x0, g0 = shift(x, r * c), shift(dy, r * c)
        x1, g1 = shift(x0, c), shift(g0, c)
        for k in range(c):
            a, b = np.float64(g0[k]), np.float64(g1[k])
            plain[k] += a + b
            product[k] += a * (np.float64(x0[k]) - mean[k]) + b * (np.float64(x1[k]) - mean[k])
    for r in range(rows // 2 * 2, rows):
        x0, g0 = shift(x, r * c), shift(dy, r * c)
        for k in range(c):
            plain[k] += np.float64(g0[k])
            product[k] += np.float64(g0[k]) * (np.float64(x0[k]) - mean[k])


@kernel
def _statistics(task, x, sums):
    """Mean and sum of squared deviations of one slice of rows, while it is in the cache."""
    rows, c = x.shape
    first, stop = task * rows // len(sums), (task + 1) * rows // len(sums)
    mean, squares = at(sums, 2 * task * c), at(sums, (2 * task + 1) * c)
    for k in range(2 * c):
        mean[k] = 0.0
    add_rows(at(x, first * c), stop - first, c, mean)
    for k in range(c):
        mean[k] /= stop - first
    add_squares(at(x, first * c), mean, stop - first, c, squares)


@jit
def _factors(k, gamma, beta, inverse, work):
    """What `_affine` needs of column k."""
    work[0, k] = inverse[k] * gamma[k] if gamma.size else inverse[k]
    work[1, k] = beta[k] if beta.size else 0.0


@kernel
def _combine(task, sums, rows, gamma, beta, moving_mean, moving_variance, momentum, epsilon, work, mean, inverse):
    """Statistics of all rows from those of the slices: Chan, Golub and LeVeque, 1979."""
    slices, variance = len(sums), work[2]
    for k in range(len(mean)):
        mean[k], variance[k] = 0.0, 0.0
    for s in range(slices):
        share = ((s + 1) * rows // slices - s * rows // slices) / rows
        for k in range(len(mean)):
            mean[k] += share * sums[s, 0, k]
    for s in range(slices):
        share = ((s + 1) * rows // slices - s * rows // slices) / rows
        for k in range(len(mean)):
            variance[k] += sums[s, 1, k] / rows + share * (sums[s, 0, k] - mean[k]) ** 2
    for k in range(len(mean)):
        inverse[k] = 1 / math.sqrt(variance[k] + epsilon)
        if math.isfinite(variance[k]):
            moving_mean[k] = momentum * moving_mean[k] + (1 - momentum) * mean[k]
            moving_variance[k] = momentum * moving_variance[k] + (1 - momentum) * variance[k]
        _factors(k, gamma, beta, inverse, work)


@kernel
def _take_moving(task, gamma, beta, moving_mean, moving_variance, epsilon, work, mean, inverse):
    for k in range(len(mean)):
        mean[k], inverse[k] = moving_mean[k], 1 / math.sqrt(moving_variance[k] + epsilon)
        _factors(k, gamma, beta, inverse, work)


@kernel
def _affine(task, tasks, x, mean, work, y):
    """``y = (x - mean) factor + offset`` for one slice of rows."""
    rows, c = x.shape
    m, factor, offset = at(mean, 0), at(work, 0), at(work, c)
    for r in range(task * rows // tasks, (task + 1) * rows // tasks):
        source, target = at(x, r * c), at(y, r * c)
        for k in range(c):
            target[k] = (np.float64(source[k]) - m[k]) * factor[k] + offset[k]


@kernel
def _products(task, x, dy, mean, sums):
    rows, c = x.shape
    first, stop = task * rows // len(sums), (task + 1) * rows // len(sums)
    plain, product = at(sums, 2 * task * c), at(sums, (2 * task + 1) * c)
    for k in range(2 * c):
        plain[k] = 0.0
    add_products(at(x, first * c), at(dy, first * c), at(mean, 0), stop - first, c, plain, product)


@kernel
def _combine_products(task, sums, rows, gamma, inverse, training, work, dgamma, dbeta):
    """dgamma and dbeta, and the three numbers of each column that `_dx` needs."""
    for k in range(len(inverse)):
        plain, product = 0.0, 0.0
        for s in range(len(sums)):
            plain += sums[s, 0, k]
            product += sums[s, 1, k]
        product *= inverse[k]
        if dbeta.size:
            dbeta[k] = plain
        if dgamma.size:
            dgamma[k] = product
        work[0, k] = inverse[k] * gamma[k] if gamma.size else inverse[k]
        work[1, k] = plain / rows if training else 0.0
        work[2, k] = product * inverse[k] / rows if training else 0.0


@kernel
def _dx(task, tasks, x, dy, mean, work, dx):
    """``dx = factor (dy - plain - (x - mean) product)`` for one slice of rows."""
    rows, c = x.shape
    m, factor, plain, product = at(mean, 0), at(work, 0), at(work, c), at(work, 2 * c)
    for r in range(task * rows // tasks, (task + 1) * rows // tasks):
        source, g, target = at(x, r * c), at(dy, r * c), at(dx, r * c)
        for k in range(c):
            target[k] = factor[k] * (np.float64(g[k]) - plain[k] - (np.float64(source[k]) - m[k]) * product[k])


def slices(rows):
    """How many slices so many rows are split into: the same for any number of threads."""
    return min(SLICES, max(1, rows // ROWS))


def _room(x):
    """Sums of each slice, numbers of each column, and whether the work is for one thread."""
    rows, c = x.shape
    sums = scratch("batch_norm.sums", (slices(rows), 2, c), np.float64)
    return sums, scratch("batch_norm.work", (3, c), np.float64), x.size < FEW


@twin("batch_norm_forward")
def batch_norm_forward(x, gamma, beta, moving_mean, moving_variance, momentum, epsilon, y, mean, inverse):
    sums, work, small = _room(x)
    moving, settings = (moving_mean, moving_variance), (float(momentum), float(epsilon))
    launch(_statistics, len(sums), x, sums, serial=small)
    launch(_combine, 1, sums, len(x), gamma, beta, *moving, *settings, work, mean, inverse, serial=True)
    launch(_affine, len(sums), len(sums), x, mean, work, y, serial=small)


@twin("batch_norm_inference")
def batch_norm_inference(x, gamma, beta, moving_mean, moving_variance, epsilon, y, mean, inverse):
    sums, work, small = _room(x)
    moving = moving_mean, moving_variance
    launch(_take_moving, 1, gamma, beta, *moving, float(epsilon), work, mean, inverse, serial=True)
    launch(_affine, len(sums), len(sums), x, mean, work, y, serial=small)


@twin("batch_norm_backward")
def batch_norm_backward(x, dy, gamma, mean, inverse, training, dx, dgamma, dbeta):
    sums, work, small = _room(x)
    launch(_products, len(sums), x, dy, mean, sums, serial=small)
    launch(_combine_products, 1, sums, len(x), gamma, inverse, bool(training), work, dgamma, dbeta, serial=True)
    if dx.size:
        launch(_dx, len(sums), len(sums), x, dy, mean, work, dx.reshape(x.shape), serial=small)

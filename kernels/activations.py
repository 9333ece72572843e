"""Activations: elementwise functions, selected by a small integer, and softmax over the last axis.

``alpha`` is ``(slope, threshold, ceiling)`` for the piecewise linear kind; ReLU is ``(0, 0, inf)``, LeakyReLU
``(slope, 0, inf)``. For ELU it is ``(a, scale, 0)``; SELU is ELU with the two constants of Klambauer et al., NeurIPS
2017. The other kinds do not read it.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at, like
from .elementwise import everywhere, span
from .exponentials import exp
from .jit import jit, kernel
from .launching import launch
from .registry import reference, twin
from .smooth import RELU, SLOPES, VALUES, smooth, smooth_slope

ROWS = 16  # of a softmax, per task
SERIAL = 4096  # a softmax of fewer numbers is left to one thread

PLAIN = (0.0, 0.0, math.inf)  # alpha of ReLU


@reference("activation_forward")
def activation_forward_reference(x, kind, alpha):
    """``y = f(x)``, any shape."""
    if kind == RELU:
        slope, threshold, ceiling = alpha
        low = slope * (x - threshold) if slope else np.zeros_like(x)
        return np.where(x <= threshold, low, np.minimum(x, ceiling))
    return VALUES[kind](x, *alpha[:2])


@reference("activation_backward")
def activation_backward_reference(x, y, dy, kind, alpha):
    """``dx = dy f'(x)``; at a kink the derivative of the lower branch, at the ceiling 0."""
    if kind == RELU:
        slope, threshold, ceiling = alpha
        return dy * np.where(x <= threshold, slope, (x < ceiling) | (ceiling == np.inf)).astype(x.dtype)
    return (dy * SLOPES[kind](x, y, *alpha[:2])).astype(x.dtype)


@reference("softmax_forward")
def softmax_forward_reference(x):
    """``y_i = exp(x_i) / sum_j exp(x_j)`` over the last axis; the largest x is subtracted first."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@reference("softmax_backward")
def softmax_backward_reference(y, dy):
    """``dx_i = y_i (dy_i - sum_j dy_j y_j)``: the Jacobian is ``diag(y) - y y'``."""
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


@jit
def _relu(x, slope, threshold, ceiling, y, count):
    zero = like(x, 0)
    if slope == 0:
        for k in range(count):
            high = ceiling if x[k] > ceiling else x[k]
            y[k] = zero if x[k] <= threshold else high
    else:
        for k in range(count):
            high = ceiling if x[k] > ceiling else x[k]
            y[k] = slope * (x[k] - threshold) if x[k] <= threshold else high


@jit
def _relu_backward(x, slope, threshold, ceiling, dy, dx, count):
    zero, one, unbounded = like(x, 0), like(x, 1), ceiling == np.inf
    for k in range(count):
        high = one if x[k] < ceiling or unbounded else zero
        dx[k] = dy[k] * (slope if x[k] <= threshold else high)


@kernel
def _piecewise(task, x, slope, threshold, ceiling, y):
    start, count = span(task, x.size)
    _relu(at(x, start), slope, threshold, ceiling, at(y, start), count)


@kernel
def _piecewise_backward(task, x, dy, slope, threshold, ceiling, dx):
    start, count = span(task, x.size)
    _relu_backward(at(x, start), slope, threshold, ceiling, at(dy, start), at(dx, start), count)


@kernel
def _smooth(task, x, kind, a, scale, y):
    start, count = span(task, x.size)
    smooth(at(x, start), kind, a, scale, at(y, start), count)


@kernel
def _smooth_backward(task, x, y, dy, kind, a, scale, dx):
    start, count = span(task, x.size)
    smooth_slope(at(x, start), at(y, start), at(dy, start), kind, a, scale, at(dx, start), count)


@twin("activation_forward")
def activation_forward(x, kind, alpha, y):
    # Numbers of the array's own type: a single double would make the whole loop compute in doubles.
    x, y, numbers = x.reshape(-1), y.reshape(-1), [x.dtype.type(a) for a in alpha]
    if kind == RELU:
        everywhere(_piecewise, x, *numbers, y)
    else:
        everywhere(_smooth, x, kind, *numbers[:2], y)


@twin("activation_backward")
def activation_backward(x, y, dy, kind, alpha, dx):
    if not dx.size:
        return
    x, y, dy, dx, numbers = *(one.reshape(-1) for one in (x, y, dy, dx)), [x.dtype.type(a) for a in alpha]
    if kind == RELU:
        everywhere(_piecewise_backward, x, dy, *numbers, dx)
    else:
        everywhere(_smooth_backward, x, y, dy, kind, *numbers[:2], dx)


@kernel
def _softmax_rows(task, x, y):
    c = x.shape[1]
    for i in range(task * ROWS, min((task + 1) * ROWS, x.shape[0])):
        source, target = at(x, i * c), at(y, i * c)
        largest, total = source[0], 0.0
        for k in range(1, c):
            largest = source[k] if source[k] > largest else largest
        for k in range(c):
            target[k] = exp(source[k] - largest)
        for k in range(c):
            total += np.float64(target[k])
        share = like(target, 1 / total)
        for k in range(c):
            target[k] *= share


@kernel
def _softmax_rows_backward(task, y, dy, dx):
    for i in range(task * ROWS, min((task + 1) * ROWS, y.shape[0])):
        dot = 0.0
        for k in range(y.shape[1]):
            dot += np.float64(dy[i, k]) * y[i, k]
        for k in range(y.shape[1]):
            dx[i, k] = y[i, k] * (dy[i, k] - dot)


def _over_rows(kernel, *arrays):
    """Launch a kernel over the rows along the last axis; small ones, such as 64 rows of ten, use one thread."""
    arrays = [array.reshape(-1, array.shape[-1]) for array in arrays]
    launch(kernel, -(-len(arrays[0]) // ROWS), *arrays, serial=arrays[0].size < SERIAL)


@twin("softmax_forward")
def softmax_forward(x, y):
    _over_rows(_softmax_rows, x, y)


@twin("softmax_backward")
def softmax_backward(y, dy, dx):
    if dx.size:
        _over_rows(_softmax_rows_backward, y, dy, dx)

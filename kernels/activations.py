"""Activations: elementwise functions, chosen by a small number, and softmax over the last axis.

``alpha`` is ``(slope, threshold, ceiling)`` of the piecewise linear kind; ReLU is ``(0, 0, inf)``, LeakyReLU
``(slope, 0, inf)``. Of ELU it is ``(a, scale, 0)``; SELU is ELU with the two numbers of Klambauer et al., NeurIPS
2017. The others do not read it.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at, like
from .elementwise import CHUNK, everywhere
from .exponentials import exp32
from .jit import jit, kernel
from .launching import launch
from .registry import reference, twin
from .smooth import (
    CUBIC,
    ELU,
    EXPONENTIAL,
    GELU,
    GELU_TANH,
    HARD_SIGMOID,
    RELU,
    SIGMOID,
    SILU,
    SOFTPLUS,
    SOFTSIGN,
    SQRT_2_PI,
    TANH,
    smooth,
    smooth32,
    smooth_slope,
    smooth_slope32,
)

ROWS = 16  # of softmax, that a task computes
SERIAL = 4096  # fewer numbers of a softmax are for one thread

PLAIN = (0.0, 0.0, math.inf)  # alpha of ReLU


def normal_cdf(x):
    """How much of a standard normal lies below x. NumPy has no error function, Python's math library has."""
    return np.frompyfunc(math.erfc, 1, 1)(-x / math.sqrt(2)).astype(x.dtype) / 2


def sigmoid(x):
    """``1 / (1 + exp(-x))``; exponents are never positive, so nothing overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


@reference("activation_forward")
def activation_forward_reference(x, kind, alpha):
    """``y = f(x)``, any shape."""
    if kind == RELU:
        slope, threshold, ceiling = alpha
        low = slope * (x - threshold) if slope else np.zeros_like(x)
        return np.where(x <= threshold, low, np.minimum(x, ceiling))
    return _SMOOTH[kind](x, *alpha[:2])


# f(x, a, scale) of the smooth kinds, and df/dx as a function of x, y, a, scale.
_SMOOTH = {
    SIGMOID: lambda x, *_: sigmoid(x),
    TANH: lambda x, *_: np.tanh(x),
    GELU: lambda x, *_: x * normal_cdf(x),
    GELU_TANH: lambda x, *_: x * (1 + np.tanh(SQRT_2_PI * (x + CUBIC * x**3))) / 2,
    ELU: lambda x, a, scale: scale * np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
    SILU: lambda x, *_: x * sigmoid(x),
    SOFTPLUS: lambda x, *_: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    SOFTSIGN: lambda x, *_: x / (1 + np.abs(x)),
    EXPONENTIAL: lambda x, *_: np.exp(x),
    HARD_SIGMOID: lambda x, *_: np.clip(x / 6 + 0.5, 0, 1),
}
_SLOPES = {
    SIGMOID: lambda x, y, *_: y * (1 - y),
    TANH: lambda x, y, *_: 1 - y * y,
    GELU: lambda x, *_: normal_cdf(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    GELU_TANH: lambda x, *_: _gelu_tanh_slope(x, np.tanh(SQRT_2_PI * (x + CUBIC * x**3))),
    ELU: lambda x, y, a, scale: scale * np.where(x > 0, 1, a * np.exp(np.minimum(x, 0))),
    SILU: lambda x, *_: sigmoid(x) * (1 + x * sigmoid(-x)),
    SOFTPLUS: lambda x, *_: sigmoid(x),
    SOFTSIGN: lambda x, *_: 1 / (1 + np.abs(x)) ** 2,
    EXPONENTIAL: lambda x, y, *_: y,
    HARD_SIGMOID: lambda x, *_: (np.abs(x) < 3) / 6,
}


def _gelu_tanh_slope(x, t):
    return (1 + t) / 2 + x * (1 - t * t) / 2 * SQRT_2_PI * (1 + 3 * CUBIC * x**2)


@reference("activation_backward")
def activation_backward_reference(x, y, dy, kind, alpha):
    """``dx = dy f'(x)``; at a kink the derivative of the lower branch, at the ceiling 0."""
    if kind == RELU:
        slope, threshold, ceiling = alpha
        return dy * np.where(x <= threshold, slope, (x < ceiling) | (ceiling == np.inf)).astype(x.dtype)
    return (dy * _SLOPES[kind](x, y, *alpha[:2])).astype(x.dtype)


@reference("softmax_forward")
def softmax_forward_reference(x):
    """``y_i = exp(x_i) / sum_j exp(x_j)`` over the last axis; the largest x is taken off first."""
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
    start, count = task * CHUNK, min(CHUNK, x.size - task * CHUNK)
    _relu(at(x, start), slope, threshold, ceiling, at(y, start), count)


@kernel
def _piecewise_backward(task, x, dy, slope, threshold, ceiling, dx):
    start, count = task * CHUNK, min(CHUNK, x.size - task * CHUNK)
    _relu_backward(at(x, start), slope, threshold, ceiling, at(dy, start), at(dx, start), count)


@kernel
def _single(task, x, kind, a, scale, y):
    start, count = task * CHUNK, min(CHUNK, x.size - task * CHUNK)
    smooth32(at(x, start), kind, a, scale, at(y, start), count)


@kernel
def _single_backward(task, x, y, dy, kind, a, scale, dx):
    start, count = task * CHUNK, min(CHUNK, x.size - task * CHUNK)
    smooth_slope32(at(x, start), at(y, start), at(dy, start), kind, a, scale, at(dx, start), count)


@kernel
def _double(task, x, kind, a, scale, y):
    for k in range(task * CHUNK, min((task + 1) * CHUNK, x.size)):
        y[k] = smooth(x[k], kind, a, scale)


@kernel
def _double_backward(task, x, y, dy, kind, a, scale, dx):
    for k in range(task * CHUNK, min((task + 1) * CHUNK, x.size)):
        dx[k] = dy[k] * smooth_slope(x[k], y[k], kind, a, scale)


@twin("activation_forward")
def activation_forward(x, kind, alpha, y):
    # Numbers of the array's own type: with a double among them the loop would compute in doubles.
    x, y, numbers = x.reshape(-1), y.reshape(-1), [x.dtype.type(a) for a in alpha]
    if kind == RELU:
        everywhere(_piecewise, x, *numbers, y)
    else:
        everywhere(_single if x.itemsize == 4 else _double, x, kind, *numbers[:2], y)


@twin("activation_backward")
def activation_backward(x, y, dy, kind, alpha, dx):
    if not dx.size:
        return
    x, y, dy, dx, numbers = *(one.reshape(-1) for one in (x, y, dy, dx)), [x.dtype.type(a) for a in alpha]
    if kind == RELU:
        everywhere(_piecewise_backward, x, dy, *numbers, dx)
    else:
        everywhere(_single_backward if x.itemsize == 4 else _double_backward, x, y, dy, kind, *numbers[:2], dx)


@kernel
def _softmax_rows_single(task, x, y):
    c = x.shape[1]
    for i in range(task * ROWS, min((task + 1) * ROWS, x.shape[0])):
        source, target = at(x, i * c), at(y, i * c)
        largest, total = source[0], 0.0
        for k in range(1, c):
            largest = source[k] if source[k] > largest else largest
        for k in range(c):
            target[k] = exp32(source[k] - largest)
        for k in range(c):
            total += np.float64(target[k])
        share = np.float32(1 / total)
        for k in range(c):
            target[k] *= share


@kernel
def _softmax_rows(task, x, y):
    for i in range(task * ROWS, min((task + 1) * ROWS, x.shape[0])):
        largest = x[i].max()
        total = 0.0
        for k in range(x.shape[1]):
            e = math.exp(np.float64(x[i, k] - largest))
            y[i, k] = e
            total += e
        for k in range(x.shape[1]):
            y[i, k] /= total


@kernel
def _softmax_rows_backward(task, y, dy, dx):
    for i in range(task * ROWS, min((task + 1) * ROWS, y.shape[0])):
        dot = 0.0
        for k in range(y.shape[1]):
            dot += np.float64(dy[i, k]) * y[i, k]
        for k in range(y.shape[1]):
            dx[i, k] = y[i, k] * (dy[i, k] - dot)


def _over_rows(kernel, *arrays):
    """Launch a kernel over the rows along the last axis: for 64 rows of ten classes, which take 7 us, by one thread."""
    arrays = [array.reshape(-1, array.shape[-1]) for array in arrays]
    launch(kernel, -(-len(arrays[0]) // ROWS), *arrays, serial=arrays[0].size < SERIAL)


@twin("softmax_forward")
def softmax_forward(x, y):
    _over_rows(_softmax_rows_single if x.itemsize == 4 else _softmax_rows, x, y)


@twin("softmax_backward")
def softmax_backward(y, dy, dx):
    if dx.size:
        _over_rows(_softmax_rows_backward, y, dy, dx)

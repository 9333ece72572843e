"""Activations: elementwise functions, chosen by a small number, and softmax over the last axis.

``alpha`` is ``(slope, threshold, ceiling)`` of the piecewise linear kind; ReLU is ``(0, 0, inf)``, LeakyReLU
``(slope, 0, inf)``. Of ELU it is ``(a, scale, 0)``; SELU is ELU with the two numbers of Klambauer et al., NeurIPS
2017. The others do not read it.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at
from .elementwise import CHUNK, everywhere
from .jit import jit, kernel
from .launching import launch
from .registry import reference, twin

ROWS = 16  # of softmax, that a task computes
SERIAL = 4096  # fewer numbers of a softmax are for one thread

RELU, SIGMOID, TANH, GELU, GELU_TANH, ELU, SILU, SOFTPLUS, SOFTSIGN, EXPONENTIAL, HARD_SIGMOID = range(11)

PLAIN = (0.0, 0.0, math.inf)  # alpha of ReLU

SQRT_2_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # of GELU's tanh approximation


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
        return dy * np.where(x <= threshold, slope, x < ceiling).astype(x.dtype)
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
    if slope == 0:
        for k in range(count):
            high = ceiling if x[k] > ceiling else x[k]
            y[k] = slope if x[k] <= threshold else high
    else:
        for k in range(count):
            high = ceiling if x[k] > ceiling else x[k]
            y[k] = slope * (x[k] - threshold) if x[k] <= threshold else high


@jit
def _relu_backward(x, slope, threshold, ceiling, dy, dx, count):
    zero, one = slope - slope, slope - slope + 1
    for k in range(count):
        high = one if x[k] < ceiling else zero
        dx[k] = dy[k] * (slope if x[k] <= threshold else high)


@jit
def _sigmoid(x):
    e = math.exp(-abs(x))
    return (e if x < 0 else 1.0) / (1.0 + e)


@jit
def _smooth(x, kind, a, scale):
    """One value of a smooth activation, in double precision whatever the arrays have."""
    if kind == SIGMOID:
        return _sigmoid(x)
    if kind == TANH:
        return math.tanh(x)
    if kind == GELU:
        return x * math.erfc(-x / math.sqrt(2.0)) / 2
    if kind == GELU_TANH:
        return x * (1 + math.tanh(SQRT_2_PI * (x + CUBIC * x**3))) / 2
    if kind == ELU:
        return scale * (x if x > 0 else a * math.expm1(x))
    if kind == SILU:
        return x * _sigmoid(x)
    if kind == SOFTPLUS:
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
    if kind == SOFTSIGN:
        return x / (1 + abs(x))
    if kind == EXPONENTIAL:
        return math.exp(x)
    line = x / 6 + 0.5
    return 0.0 if line < 0 else 1.0 if line > 1 else line  # NaN stays


@jit
def _smooth_slope(x, y, kind, a, scale):
    if kind == SIGMOID:
        return y * (1 - y)
    if kind == TANH:
        return 1 - y * y
    if kind == GELU:
        return math.erfc(-x / math.sqrt(2.0)) / 2 + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    if kind == GELU_TANH:
        t = math.tanh(SQRT_2_PI * (x + CUBIC * x**3))
        return (1 + t) / 2 + x * (1 - t * t) / 2 * SQRT_2_PI * (1 + 3 * CUBIC * x**2)
    if kind == ELU:
        return scale * (1.0 if x > 0 else a * math.exp(x))
    if kind == SILU:
        return _sigmoid(x) * (1 + x * _sigmoid(-x))
    if kind == SOFTPLUS:
        return _sigmoid(x)
    if kind == SOFTSIGN:
        return 1 / ((1 + abs(x)) * (1 + abs(x)))
    if kind == EXPONENTIAL:
        return y
    return 1 / 6 if abs(x) < 3 else 0.0


@kernel
def _forward(task, x, kind, alpha_0, alpha_1, alpha_2, y):
    start, count = task * CHUNK, min(CHUNK, x.size - task * CHUNK)
    if kind == RELU:
        _relu(at(x, start), alpha_0, alpha_1, alpha_2, at(y, start), count)
    else:
        for k in range(start, start + count):
            y[k] = _smooth(np.float64(x[k]), kind, np.float64(alpha_0), np.float64(alpha_1))


@kernel
def _backward(task, x, y, dy, kind, alpha_0, alpha_1, alpha_2, dx):
    start, count = task * CHUNK, min(CHUNK, x.size - task * CHUNK)
    if kind == RELU:
        _relu_backward(at(x, start), alpha_0, alpha_1, alpha_2, at(dy, start), at(dx, start), count)
    else:
        for k in range(start, start + count):
            numbers = np.float64(alpha_0), np.float64(alpha_1)
            dx[k] = dy[k] * _smooth_slope(np.float64(x[k]), np.float64(y[k]), kind, *numbers)


@twin("activation_forward")
def activation_forward(x, kind, alpha, y):
    # Numbers of the array's own type: with a double among them the loop would compute in doubles.
    everywhere(_forward, x.reshape(-1), kind, *(x.dtype.type(a) for a in alpha), y.reshape(-1))


@twin("activation_backward")
def activation_backward(x, y, dy, kind, alpha, dx):
    if dx.size:
        numbers = (x.dtype.type(a) for a in alpha)
        everywhere(_backward, x.reshape(-1), y.reshape(-1), dy.reshape(-1), kind, *numbers, dx.reshape(-1))


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
    _over_rows(_softmax_rows, x, y)


@twin("softmax_backward")
def softmax_backward(y, dy, dx):
    if dx.size:
        _over_rows(_softmax_rows_backward, y, dy, dx)

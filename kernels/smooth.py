"""The smooth activations, each as a formula of NumPy and as a loop of the CPU's kernels (the GPU's: activations.cu).

A loop has a single activation, and in float32 its functions are polynomials (exponentials.py), so it is vectorized.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import like
from .exponentials import exp, expm1, log1p, normal_cdf, sigmoid, tanh
from .jit import jit

RELU, SIGMOID, TANH, GELU, GELU_TANH, ELU, SILU, SOFTPLUS, SOFTSIGN, EXPONENTIAL, HARD_SIGMOID = range(11)

SQRT_2_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # of GELU's tanh approximation
DENSITY = 1 / math.sqrt(2 * math.pi)  # of a standard normal at 0


def logistic(x):
    """``1 / (1 + exp(-x))``; exponents are never positive, so nothing overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def normal_below(x):
    """The standard normal distribution below x. NumPy has no error function; Python's math module does."""
    return np.frompyfunc(math.erfc, 1, 1)(-x / math.sqrt(2)).astype(x.dtype) / 2


def _gelu_tanh_slope(x, t):
    return (1 + t) / 2 + x * (1 - t * t) / 2 * SQRT_2_PI * (1 + 3 * CUBIC * x**2)


# f(x, a, scale), and df/dx as a function of x, y, a, scale.
VALUES = {
    SIGMOID: lambda x, *_: logistic(x),
    TANH: lambda x, *_: np.tanh(x),
    GELU: lambda x, *_: x * normal_below(x),
    GELU_TANH: lambda x, *_: x * ((1 + np.tanh(SQRT_2_PI * (x + CUBIC * x**3))) / 2),
    ELU: lambda x, a, scale: scale * np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
    SILU: lambda x, *_: x * logistic(x),
    SOFTPLUS: lambda x, *_: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    SOFTSIGN: lambda x, *_: x / (1 + np.abs(x)),
    EXPONENTIAL: lambda x, *_: np.exp(x),
    HARD_SIGMOID: lambda x, *_: np.clip(x / 6 + 0.5, 0, 1),
}
SLOPES = {
    SIGMOID: lambda x, y, *_: y * (1 - y),
    TANH: lambda x, y, *_: 1 - y * y,
    GELU: lambda x, *_: normal_below(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    GELU_TANH: lambda x, *_: _gelu_tanh_slope(x, np.tanh(SQRT_2_PI * (x + CUBIC * x**3))),
    ELU: lambda x, y, a, scale: scale * np.where(x > 0, 1, a * np.exp(np.minimum(x, 0))),
    SILU: lambda x, *_: logistic(x) * (1 + x * (1 - logistic(x))),
    SOFTPLUS: lambda x, *_: logistic(x),
    SOFTSIGN: lambda x, *_: 1 / (1 + np.abs(x)) ** 2,
    EXPONENTIAL: lambda x, y, *_: y,
    HARD_SIGMOID: lambda x, *_: (np.abs(x) < 3) / 6,
}


@jit
def smooth(x, kind, a, scale, y, count):
    """``y[:count] = f(x)``, with x and y addresses."""
    one, half, zero = like(x, 1), like(x, 0.5), like(x, 0)
    if kind == SIGMOID:
        for k in range(count):
            y[k] = sigmoid(x[k])
    elif kind == TANH:
        for k in range(count):
            y[k] = tanh(x[k])
    elif kind == GELU:
        for k in range(count):
            y[k] = x[k] * normal_cdf(x[k])
    elif kind == GELU_TANH:
        for k in range(count):
            y[k] = x[k] * half * (one + tanh(_inner(x[k])))
    elif kind == ELU:
        for k in range(count):
            y[k] = scale * (x[k] if x[k] > 0 else a * expm1(x[k]))
    elif kind == SILU:
        for k in range(count):
            y[k] = x[k] * sigmoid(x[k])
    elif kind == SOFTPLUS:
        for k in range(count):
            y[k] = (x[k] if x[k] > 0 else zero) + log1p(exp(-abs(x[k])))
    elif kind == SOFTSIGN:
        for k in range(count):
            y[k] = x[k] / (one + abs(x[k]))
    elif kind == EXPONENTIAL:
        for k in range(count):
            y[k] = exp(x[k])
    else:
        for k in range(count):
            line = (x[k] + like(x, 3)) * like(x, 1 / 6)
            y[k] = zero if line < zero else one if line > one else line  # NaN stays


@jit
def smooth_slope(x, y, dy, kind, a, scale, dx, count):
    """``dx[:count] = dy f'(x)``."""
    one, half, zero = like(x, 1), like(x, 0.5), like(x, 0)
    if kind == SIGMOID:
        for k in range(count):
            dx[k] = dy[k] * (y[k] * (one - y[k]))
    elif kind == TANH:
        for k in range(count):
            dx[k] = dy[k] * (one - y[k] * y[k])
    elif kind == GELU:
        for k in range(count):
            bell = like(x, DENSITY) * exp(-half * x[k] * x[k])
            dx[k] = dy[k] * (normal_cdf(x[k]) + x[k] * bell)
    elif kind == GELU_TANH:
        for k in range(count):
            t = tanh(_inner(x[k]))
            inner = like(x, SQRT_2_PI) * (one + like(x, 3 * CUBIC) * x[k] * x[k])
            dx[k] = dy[k] * half * (one + t + x[k] * (one - t * t) * inner)
    elif kind == ELU:
        for k in range(count):
            dx[k] = dy[k] * scale * (one if x[k] > 0 else a * exp(x[k]))
    elif kind == SILU:
        for k in range(count):
            s = sigmoid(x[k])
            dx[k] = dy[k] * s * (one + x[k] * (one - s))
    elif kind == SOFTPLUS:
        for k in range(count):
            dx[k] = dy[k] * sigmoid(x[k])
    elif kind == SOFTSIGN:
        for k in range(count):
            dx[k] = dy[k] / ((one + abs(x[k])) * (one + abs(x[k])))
    elif kind == EXPONENTIAL:
        for k in range(count):
            dx[k] = dy[k] * y[k]
    else:
        for k in range(count):
            dx[k] = dy[k] * (like(x, 1 / 6) if abs(x[k]) < like(x, 3) else zero)


@jit
def _inner(x):
    return like(x, SQRT_2_PI) * (x + like(x, CUBIC) * x * x * x)

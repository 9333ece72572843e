"""The smooth activations: number by number in double precision, and for float32 a loop for each.

Each loop over float32 has a single activation, so it is vectorized (exponentials.py): a million sigmoids and their
derivatives take 0.7 ms on two cores; number by number, in doubles, they took 6.2.
"""

from __future__ import annotations

import math

import numpy as np

from .exponentials import exp32, expm1_32, log1p32, normal_cdf32, sigmoid32, tanh32
from .jit import jit

RELU, SIGMOID, TANH, GELU, GELU_TANH, ELU, SILU, SOFTPLUS, SOFTSIGN, EXPONENTIAL, HARD_SIGMOID = range(11)

SQRT_2_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # of GELU's tanh approximation
DENSITY = 1 / math.sqrt(2 * math.pi)  # of a standard normal at 0


@jit
def _sigmoid(x):
    e = math.exp(-abs(x))
    return (e if x < 0 else 1.0) / (1.0 + e)


@jit
def smooth(x, kind, a, scale):
    """One value of a smooth activation, in double precision whatever the arrays' dtype."""
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
def smooth_slope(x, y, kind, a, scale):
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


@jit
def smooth32(x, kind, a, scale, y, count):
    """``y[:count]``, with x and y addresses of float32."""
    one, half, zero = np.float32(1), np.float32(0.5), np.float32(0)
    if kind == SIGMOID:
        for k in range(count):
            y[k] = sigmoid32(x[k])
    elif kind == TANH:
        for k in range(count):
            y[k] = tanh32(x[k])
    elif kind == GELU:
        for k in range(count):
            y[k] = x[k] * normal_cdf32(x[k])
    elif kind == GELU_TANH:
        for k in range(count):
            y[k] = x[k] * half * (one + tanh32(_inner(x[k])))
    elif kind == ELU:
        for k in range(count):
            y[k] = scale * (x[k] if x[k] > 0 else a * expm1_32(x[k]))
    elif kind == SILU:
        for k in range(count):
            y[k] = x[k] * sigmoid32(x[k])
    elif kind == SOFTPLUS:
        for k in range(count):
            y[k] = (x[k] if x[k] > 0 else zero) + log1p32(exp32(-abs(x[k])))
    elif kind == SOFTSIGN:
        for k in range(count):
            y[k] = x[k] / (one + abs(x[k]))
    elif kind == EXPONENTIAL:
        for k in range(count):
            y[k] = exp32(x[k])
    else:
        for k in range(count):
            line = x[k] * np.float32(1 / 6) + half
            y[k] = zero if line < zero else one if line > one else line


@jit
def smooth_slope32(x, y, dy, kind, a, scale, dx, count):
    """``dx[:count] = dy f'(x)``."""
    one, half = np.float32(1), np.float32(0.5)
    if kind == SIGMOID:
        for k in range(count):
            dx[k] = dy[k] * (y[k] * (one - y[k]))
    elif kind == TANH:
        for k in range(count):
            dx[k] = dy[k] * (one - y[k] * y[k])
    elif kind == GELU:
        for k in range(count):
            bell = np.float32(DENSITY) * exp32(-half * x[k] * x[k])
            dx[k] = dy[k] * (normal_cdf32(x[k]) + x[k] * bell)
    elif kind == GELU_TANH:
        for k in range(count):
            t = tanh32(_inner(x[k]))
            inner = np.float32(SQRT_2_PI) * (one + np.float32(3 * CUBIC) * x[k] * x[k])
            dx[k] = dy[k] * half * (one + t + x[k] * (one - t * t) * inner)
    elif kind == ELU:
        for k in range(count):
            dx[k] = dy[k] * scale * (one if x[k] > 0 else a * exp32(x[k]))
    elif kind == SILU:
        for k in range(count):
            s = sigmoid32(x[k])
            dx[k] = dy[k] * s * (one + x[k] * (one - s))
    elif kind == SOFTPLUS:
        for k in range(count):
            dx[k] = dy[k] * sigmoid32(x[k])
    elif kind == SOFTSIGN:
        for k in range(count):
            dx[k] = dy[k] / ((one + abs(x[k])) * (one + abs(x[k])))
    elif kind == EXPONENTIAL:
        for k in range(count):
            dx[k] = dy[k] * y[k]
    else:
        for k in range(count):
            dx[k] = dy[k] * (np.float32(1 / 6) if abs(x[k]) < np.float32(3) else np.float32(0))


@jit
def _inner(x):
    return np.float32(SQRT_2_PI) * (x + np.float32(CUBIC) * x * x * x)

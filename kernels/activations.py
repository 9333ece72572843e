"""Activations: elementwise functions, chosen by a small number, and softmax over the last axis.

``alpha`` is ``(slope, threshold, ceiling)`` of the piecewise linear kind; ReLU is ``(0, 0, inf)``, LeakyReLU
``(slope, 0, inf)``. The others do not read it.
"""

from __future__ import annotations

import math

import numpy as np

from .registry import reference

RELU, SIGMOID, TANH, GELU, GELU_TANH = range(5)

PLAIN = (0.0, 0.0, math.inf)  # alpha of ReLU

SQRT_2_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # of GELU's tanh approximation


def normal_cdf(x):
    """How much of a standard normal lies below x. NumPy has no error function, Python's math library has."""
    return np.frompyfunc(math.erfc, 1, 1)(-x / math.sqrt(2)).astype(x.dtype) / 2


@reference("activation_forward")
def activation_forward_reference(x, kind, alpha):
    """``y = f(x)``, any shape. Exponents are never positive, so nothing overflows."""
    if kind == RELU:
        slope, threshold, ceiling = alpha
        low = slope * (x - threshold) if slope else np.zeros_like(x)
        return np.where(x <= threshold, low, np.minimum(x, ceiling))
    if kind == SIGMOID:
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e, 1) / (1 + e)
    if kind == TANH:
        return np.tanh(x)
    if kind == GELU:
        return x * normal_cdf(x)
    return x * (1 + np.tanh(SQRT_2_PI * (x + CUBIC * x**3))) / 2


@reference("activation_backward")
def activation_backward_reference(x, y, dy, kind, alpha):
    """``dx = dy f'(x)``; at a kink the derivative of the lower branch, at the ceiling 0."""
    if kind == RELU:
        slope, threshold, ceiling = alpha
        return dy * np.where(x <= threshold, slope, x < ceiling).astype(x.dtype)
    if kind == SIGMOID:
        return dy * y * (1 - y)
    if kind == TANH:
        return dy * (1 - y * y)
    if kind == GELU:
        density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return dy * (normal_cdf(x) + x * density)
    t = np.tanh(SQRT_2_PI * (x + CUBIC * x**3))
    return dy * ((1 + t) / 2 + x * (1 - t * t) / 2 * SQRT_2_PI * (1 + 3 * CUBIC * x**2))


@reference("softmax_forward")
def softmax_forward_reference(x):
    """``y_i = exp(x_i) / sum_j exp(x_j)`` over the last axis; the largest x is taken off first."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@reference("softmax_backward")
def softmax_backward_reference(y, dy):
    """``dx_i = y_i (dy_i - sum_j dy_j y_j)``: the Jacobian is ``diag(y) - y y'``."""
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

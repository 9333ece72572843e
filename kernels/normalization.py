"""Batch normalization over the rows of ``x`` (rows, c): Ioffe and Szegedy, ICML 2015.

``gamma`` or ``beta`` of size 0 is one that is not there. Sums are taken in float64: over the 100,000 rows of
a batch of images float32 would lose three digits.
"""

from __future__ import annotations

import numpy as np

from .registry import reference


@reference("batch_norm_forward", outputs=3, updates=(3, 4))
def batch_norm_forward_reference(x, gamma, beta, moving_mean, moving_variance, momentum, epsilon):
    """``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` with the batch's mean and (biased) variance.

    Returns the new moving statistics, y, mean (c,) and inverse (c,) ``= 1 / sqrt(variance + epsilon)``.
    """
    mean = x.mean(axis=0, dtype=np.float64)
    variance = np.square(x - mean).mean(axis=0)
    inverse = 1 / np.sqrt(variance + epsilon)
    y = (x - mean) * inverse * (gamma if gamma.size else 1) + (beta if beta.size else 0)
    moving_mean = momentum * moving_mean + (1 - momentum) * mean
    moving_variance = momentum * moving_variance + (1 - momentum) * variance
    return tuple(a.astype(x.dtype) for a in (moving_mean, moving_variance, y, mean, inverse))


@reference("batch_norm_inference", outputs=2)
def batch_norm_inference_reference(x, gamma, beta, moving_mean, moving_variance, epsilon):
    """The same with the moving statistics, which stay as they are. Returns y and inverse."""
    inverse = 1 / np.sqrt(moving_variance + epsilon)
    y = (x - moving_mean) * inverse * (gamma if gamma.size else 1) + (beta if beta.size else 0)
    return y, inverse


@reference("batch_norm_backward", outputs=3)
def batch_norm_backward_reference(x, dy, gamma, mean, inverse, training):
    """``dgamma = sum dy x̂``, ``dbeta = sum dy``, with ``x̂ = (x - mean) inverse``, and

    ``dx = gamma inverse (dy - (dbeta + x̂ dgamma) / rows)``; the fraction is what flows through the batch's
    own mean and variance, so it is absent in inference. Returns dx, dgamma, dbeta.
    """
    normalized = (x - mean) * inverse
    dgamma = (dy * normalized).sum(axis=0, dtype=np.float64).astype(x.dtype)
    dbeta = dy.sum(axis=0, dtype=np.float64).astype(x.dtype)
    through_statistics = (dbeta + normalized * dgamma) / len(x) if training else 0
    dx = (gamma if gamma.size else 1) * inverse * (dy - through_statistics)
    return dx, dgamma, dbeta

"""Gradient clipping, in place, over all gradients of a model as one flat vector."""

from __future__ import annotations

import math

import numpy as np

from .addresses import at
from .jit import jit, prange
from .registry import reference, twin
from .scratch import scratch

CHUNK = 16_384  # gradients that a task clips; vectors of up to two chunks stay with one thread


@reference("clip_by_value", updates=(0,), outputs=0)
def clip_by_value_reference(g, limit):
    """``g = min(max(g, -limit), limit)``; NaN stays."""
    return np.clip(g, -limit, limit)


@reference("clip_by_norm", updates=(0,), outputs=0)
def clip_by_norm_reference(g, spans, limit, together):
    """``g = g limit / max(norm, limit)`` span by span, or by the norm of all ``together``; spans (k, 2): start, stop.

    A norm that is NaN or infinite makes its gradients NaN: it is never hidden. Pascanu et al., arXiv:1211.5063.
    """
    norms = np.array([np.sqrt(np.square(g[i:j], dtype=np.float64).sum()) for i, j in spans])
    if together:
        norms[:] = np.sqrt((norms**2).sum())
    scales = limit / np.maximum(norms, limit) + (norms - norms)
    parts = [g[i:j] * scale for (i, j), scale in zip(spans, scales, strict=True)]
    return np.concatenate([g[:0], *parts]).astype(g.dtype)


@jit
def _clip_value(task, g, limit):
    start, count = task * CHUNK, min(CHUNK, g.size - task * CHUNK)
    d = at(g, start)
    for k in range(count):
        x = d[k]
        x = limit if x > limit else x
        d[k] = -limit if x < -limit else x


@jit(parallel=True)
def _clip_values(g, limit):
    tasks = (g.size + CHUNK - 1) // CHUNK
    if tasks <= 2:
        for task in range(tasks):
            _clip_value(task, g, limit)
    else:
        for task in prange(tasks):
            _clip_value(task, g, limit)


@jit
def _square_norm(g, start, stop):
    total, d = 0.0, at(g, start)
    for k in range(stop - start):
        total += np.float64(d[k]) * d[k]  # in doubles the square of a float32 does not overflow
    return total


@jit
def _rescale(g, start, stop, norm, limit):
    if not norm <= limit:
        scale, d = g.dtype.type(limit / norm if norm < math.inf else math.nan), at(g, start)
        for k in range(stop - start):
            d[k] *= scale


@jit(parallel=True)
def _clip_norms(g, spans, limit, together, norms):
    # A span is one task, so that its sum has one order whatever the number of threads.
    small = g.size <= 2 * CHUNK
    if small:
        for i in range(len(spans)):
            norms[i] = _square_norm(g, spans[i, 0], spans[i, 1])
    else:
        for i in prange(len(spans)):
            norms[i] = _square_norm(g, spans[i, 0], spans[i, 1])
    if together:
        total = 0.0
        for i in range(len(spans)):
            total += norms[i]
        norms[:] = total
    if small:
        for i in range(len(spans)):
            _rescale(g, spans[i, 0], spans[i, 1], math.sqrt(norms[i]), limit)
    else:
        for i in prange(len(spans)):
            _rescale(g, spans[i, 0], spans[i, 1], math.sqrt(norms[i]), limit)


@twin("clip_by_value")
def clip_by_value(g, limit):
    _clip_values(g, g.dtype.type(limit))


@twin("clip_by_norm")
def clip_by_norm(g, spans, limit, together):
    _clip_norms(g, spans, float(limit), together, scratch("clipping", (len(spans),), np.float64))

"""Gradient clipping, in place, over all gradients of a model as one flat vector."""

from __future__ import annotations

import math

import numpy as np

from .addresses import at
from .elementwise import CHUNK, everywhere, span
from .jit import kernel
from .launching import launch
from .registry import reference, twin
from .scratch import scratch


@reference("clip_by_value", updates=(0,), outputs=0)
def clip_by_value_reference(g, limit):
    """``g = min(max(g, -limit), limit)``; NaN stays."""
    return np.clip(g, -limit, limit)


@reference("clip_by_norm", updates=(0,), outputs=0)
def clip_by_norm_reference(g, spans, limit, together):
    """``g = g limit / max(norm, limit)`` span by span, or by the norm of all ``together``; spans (k, 2): start, stop.

    A NaN or infinite norm makes its gradients NaN, so it is never hidden. Pascanu et al., arXiv:1211.5063.
    """
    norms = np.array([np.sqrt(np.square(g[i:j], dtype=np.float64).sum()) for i, j in spans])
    if together:
        norms[:] = np.sqrt((norms**2).sum())
    scales = limit / np.maximum(norms, limit) + (norms - norms)
    parts = [g[i:j] * scale for (i, j), scale in zip(spans, scales, strict=True)]
    return np.concatenate([g[:0], *parts]).astype(g.dtype)


@kernel
def _clip_values(task, limit, g):
    start, count = span(task, g.size)
    d = at(g, start)
    for k in range(count):
        x = d[k]
        x = limit if x > limit else x
        d[k] = -limit if x < -limit else x


@kernel
def _square_norms(task, g, spans, norms):
    # A span is one task, so its sum has the same order for any number of threads.
    start, stop = spans[task, 0], spans[task, 1]
    total, d = 0.0, at(g, start)
    for k in range(stop - start):
        total += np.float64(d[k]) * d[k]  # in doubles the square of a float32 does not overflow
    norms[task] = total


@kernel
def _rescale(task, g, spans, limit, together, norms):
    start, stop = spans[task, 0], spans[task, 1]
    total = 0.0 if together else norms[task]
    for i in range(len(norms) if together else 0):
        total += norms[i]
    norm = math.sqrt(total)
    if not norm <= limit:
        scale, d = g.dtype.type(limit / norm if norm < math.inf else math.nan), at(g, start)
        for k in range(stop - start):
            d[k] *= scale


@twin("clip_by_value")
def clip_by_value(g, limit):
    everywhere(_clip_values, g.dtype.type(limit), g)


@twin("clip_by_norm")
def clip_by_norm(g, spans, limit, together):
    norms, few = scratch("clipping", (len(spans),), np.float64), g.size <= 2 * CHUNK
    launch(_square_norms, len(spans), g, spans, norms, serial=few)
    launch(_rescale, len(spans), g, spans, float(limit), bool(together), norms, serial=few)

"""Optimizers: one op each, over all parameters of a model as one flat vector.

Formulas, epsilons and their places are those of Keras 3. Every op takes ``decay``, which is ``learning_rate *
weight_decay``: the parameters shrink by that fraction before the step (decoupled weight decay; Loshchilov, Hutter,
arXiv:1711.05101). A slot of size 0 is one that the settings do not need.

Unlike the textbook, the twins set moments below a floor (1e-30 in float32, less with a tiny epsilon) to 0: where a
gradient has become exactly 0 (the border pixels of MNIST) the moments would otherwise stay denormal forever, and the
processor computes with denormal numbers many times slower. NaN and Inf are never replaced.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at, in_type_of, like
from .jit import jit, kernel
from .launching import FEW, launch
from .registry import reference, twin


@reference("sgd", updates=(0, 2), outputs=0)
def sgd_reference(p, g, m, rate, momentum, nesterov, decay):
    """``m = momentum m - rate g``, ``p += m``; Nesterov looks ahead: ``p += momentum m - rate g``."""
    p = p - decay * p
    if not m.size:
        return p - rate * g, m
    m = momentum * m - rate * g
    return p + (momentum * m - rate * g if nesterov else m), m


@reference("adam", updates=(0, 2, 3, 4), outputs=0)
def adam_reference(p, g, m, v, v_max, alpha, beta_1, beta_2, epsilon, decay):
    """Kingma and Ba, arXiv:1412.6980, with epsilon outside the bias correction, which is part of ``alpha``."""
    p = p - decay * p
    m = m + (g - m) * (1 - beta_1)
    v = v + (g * g - v) * (1 - beta_2)
    v_max = np.maximum(v_max, v) if v_max.size else v_max  # AMSGrad: Reddi et al., arXiv:1904.09237
    return p - alpha * m / (np.sqrt(v_max if v_max.size else v) + epsilon), m, v, v_max


@reference("nadam", updates=(0, 2, 3), outputs=0)
def nadam_reference(p, g, m, v, m_scale, g_scale, v_scale, beta_1, beta_2, epsilon, decay):
    """Dozat, ICLR workshop 2016: Adam with its first moment looking ahead; the scales include rate and corrections."""
    p = p - decay * p
    m = m + (g - m) * (1 - beta_1)
    v = v + (g * g - v) * (1 - beta_2)
    return p - (m_scale * m + g_scale * g) / (np.sqrt(v_scale * v) + epsilon), m, v


@reference("rmsprop", updates=(0, 2, 3, 4), outputs=0)
def rmsprop_reference(p, g, v, a, m, rate, rho, momentum, epsilon, decay):
    """Tieleman and Hinton, 2012: the step is divided by the gradient's running size; ``a`` is its mean, if centered."""
    p = p - decay * p
    v = rho * v + (1 - rho) * g * g
    a = rho * a + (1 - rho) * g if a.size else a
    variance = np.maximum(v - a * a, 0) if a.size else v  # rounding could make it negative
    step = rate * g / np.sqrt(variance + epsilon)
    m = momentum * m + step if m.size else m
    return p - (m if m.size else step), v, a, m


@reference("adagrad", updates=(0, 2), outputs=0)
def adagrad_reference(p, g, v, rate, epsilon, decay):
    """Duchi, Hazan and Singer, JMLR 12, 2011: the step is divided by the size of all gradients so far."""
    p = p - decay * p
    v = v + g * g
    return p - rate * g / np.sqrt(v + epsilon), v


@reference("adadelta", updates=(0, 2, 3), outputs=0)
def adadelta_reference(p, g, v, u, rate, rho, epsilon, decay):
    """Zeiler, arXiv:1212.5701: the step has the parameters' unit, through the running size of earlier steps."""
    p = p - decay * p
    v = rho * v + (1 - rho) * g * g
    step = np.sqrt(u + epsilon) / np.sqrt(v + epsilon) * g
    return p - rate * step, v, rho * u + (1 - rho) * step * step


# Parameters per task, few enough that two threads have the same work; a vector of up to FEW stays on one. Adam over
# 118,282 floats: with two threads on idle cores 0.6 of one's time, 1.3 if another process holds the second core.
# 101,770 in chunks of 16,384, four for one thread and three for the other, take a quarter longer than in these.
CHUNK = 4_096

# Far enough above the smallest normal number that no product of a moment and a coefficient is denormal.
FLOORS = {np.dtype(kind): 1e8 * float(np.finfo(kind).tiny) for kind in (np.float32, np.float64)}


def floor_of(dtype, epsilon):
    """The value below which a moment becomes 0: four digits below what still counts in a root added to epsilon."""
    return min(FLOORS[dtype], (1e-4 * epsilon) ** 2)


@jit
def _flushed(x, floor):
    return like(x, 0) if abs(x) < floor else x


@jit
def _span(task, size):
    """The first parameter of a task, and how many it updates."""
    return task * CHUNK, min(CHUNK, size - task * CHUNK)


# In the loops each new value gets its own name before it is stored: reading it back from memory kept the compiler from
# vectorizing (Adam took 2.7 times as long).


@kernel
def _sgd(task, ps, gs, ms, nesterov, numbers):
    rate, momentum, decay, floor = in_type_of(ps, numbers)
    start, count = _span(task, ps.size)
    p, g, m = at(ps, start), at(gs, start), at(ms, start)
    if ms.size == 0:
        for k in range(count):
            p[k] = p[k] - decay * p[k] - rate * g[k]
    elif nesterov:
        for k in range(count):
            new_m = _flushed(momentum * m[k] - rate * g[k], floor)
            m[k] = new_m
            p[k] = p[k] - decay * p[k] + (momentum * new_m - rate * g[k])
    else:
        for k in range(count):
            new_m = _flushed(momentum * m[k] - rate * g[k], floor)
            m[k] = new_m
            p[k] = p[k] - decay * p[k] + new_m


@kernel
def _adam(task, ps, gs, ms, vs, v_maxs, numbers):
    alpha, one_minus_beta_1, one_minus_beta_2, epsilon, decay, floor = in_type_of(ps, numbers)
    start, count = _span(task, ps.size)
    p, g, m, v, v_max = at(ps, start), at(gs, start), at(ms, start), at(vs, start), at(v_maxs, start)
    if v_maxs.size == 0:
        for k in range(count):
            new_m = _flushed(m[k] + (g[k] - m[k]) * one_minus_beta_1, floor)
            new_v = _flushed(v[k] + (g[k] * g[k] - v[k]) * one_minus_beta_2, floor)
            m[k], v[k] = new_m, new_v
            p[k] = p[k] - decay * p[k] - alpha * new_m / (math.sqrt(new_v) + epsilon)
    else:
        for k in range(count):
            new_m = _flushed(m[k] + (g[k] - m[k]) * one_minus_beta_1, floor)
            new_v = _flushed(v[k] + (g[k] * g[k] - v[k]) * one_minus_beta_2, floor)
            new_max = v_max[k] if v_max[k] >= new_v else new_v  # NaN passes
            m[k], v[k], v_max[k] = new_m, new_v, new_max
            p[k] = p[k] - decay * p[k] - alpha * new_m / (math.sqrt(new_max) + epsilon)


@kernel
def _nadam(task, ps, gs, ms, vs, numbers):
    m_scale, g_scale, v_scale, one_minus_beta_1, one_minus_beta_2, epsilon, decay, floor = in_type_of(ps, numbers)
    start, count = _span(task, ps.size)
    p, g, m, v = at(ps, start), at(gs, start), at(ms, start), at(vs, start)
    for k in range(count):
        new_m = _flushed(m[k] + (g[k] - m[k]) * one_minus_beta_1, floor)
        new_v = _flushed(v[k] + (g[k] * g[k] - v[k]) * one_minus_beta_2, floor)
        m[k], v[k] = new_m, new_v
        p[k] = p[k] - decay * p[k] - (m_scale * new_m + g_scale * g[k]) / (math.sqrt(v_scale * new_v) + epsilon)


@kernel
def _rmsprop(task, ps, gs, vs, averages, ms, numbers):
    rate, rho, one_minus_rho, momentum, epsilon, decay, floor = in_type_of(ps, numbers)
    start, count = _span(task, ps.size)
    p, g, v, a, m = at(ps, start), at(gs, start), at(vs, start), at(averages, start), at(ms, start)
    centered, moving = averages.size > 0, ms.size > 0
    for k in range(count):
        variance = _flushed(rho * v[k] + one_minus_rho * g[k] * g[k], floor)
        v[k] = variance
        if centered:
            new_a = _flushed(rho * a[k] + one_minus_rho * g[k], floor)
            a[k] = new_a
            variance -= new_a * new_a
            variance = like(variance, 0) if variance < floor else variance  # rounding could make it negative
        step = rate * g[k] / math.sqrt(variance + epsilon)
        if moving:
            step = _flushed(momentum * m[k] + step, floor)
            m[k] = step
        p[k] = p[k] - decay * p[k] - step


@kernel
def _adagrad(task, ps, gs, vs, numbers):
    rate, epsilon, decay, floor = in_type_of(ps, numbers)
    start, count = _span(task, ps.size)
    p, g, v = at(ps, start), at(gs, start), at(vs, start)
    for k in range(count):
        new_v = _flushed(v[k] + g[k] * g[k], floor)
        v[k] = new_v
        p[k] = p[k] - decay * p[k] - rate * g[k] / math.sqrt(new_v + epsilon)


@kernel
def _adadelta(task, ps, gs, vs, us, numbers):
    rate, rho, one_minus_rho, epsilon, decay, floor = in_type_of(ps, numbers)
    start, count = _span(task, ps.size)
    p, g, v, u = at(ps, start), at(gs, start), at(vs, start), at(us, start)
    for k in range(count):
        new_v = _flushed(rho * v[k] + one_minus_rho * g[k] * g[k], floor)
        step = math.sqrt(u[k] + epsilon) / math.sqrt(new_v + epsilon) * g[k]
        v[k], u[k] = new_v, _flushed(rho * u[k] + one_minus_rho * step * step, floor)
        p[k] = p[k] - decay * p[k] - rate * step


def _update(kernel, arguments, *numbers, epsilon=1.0):
    """Launch an optimizer's kernel over all parameters, the first of its arguments."""
    p = arguments[0]
    launch(kernel, -(-p.size // CHUNK), *arguments, (*numbers, floor_of(p.dtype, epsilon)), serial=p.size <= FEW)


@twin("sgd")
def sgd(p, g, m, rate, momentum, nesterov, decay):
    _update(_sgd, (p, g, m, bool(nesterov)), rate, momentum, decay)


@twin("adam")
def adam(p, g, m, v, v_max, alpha, beta_1, beta_2, epsilon, decay):
    _update(_adam, (p, g, m, v, v_max), alpha, 1 - beta_1, 1 - beta_2, epsilon, decay, epsilon=epsilon)


@twin("nadam")
def nadam(p, g, m, v, m_scale, g_scale, v_scale, beta_1, beta_2, epsilon, decay):
    _update(_nadam, (p, g, m, v), m_scale, g_scale, v_scale, 1 - beta_1, 1 - beta_2, epsilon, decay, epsilon=epsilon)


@twin("rmsprop")
def rmsprop(p, g, v, a, m, rate, rho, momentum, epsilon, decay):
    _update(_rmsprop, (p, g, v, a, m), rate, rho, 1 - rho, momentum, epsilon, decay, epsilon=epsilon)


@twin("adagrad")
def adagrad(p, g, v, rate, epsilon, decay):
    _update(_adagrad, (p, g, v), rate, epsilon, decay, epsilon=epsilon)


@twin("adadelta")
def adadelta(p, g, v, u, rate, rho, epsilon, decay):
    _update(_adadelta, (p, g, v, u), rate, rho, 1 - rho, epsilon, decay, epsilon=epsilon)

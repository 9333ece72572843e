"""Gaussian noise: normally distributed numbers from the generator of philox.py, two from two words.

Box and Muller, Annals of Mathematical Statistics 29, 1958: the angle of a point of the plane whose coordinates are
independent and normal is uniform, half the square of its distance from 0 exponential.
"""

from __future__ import annotations

import math

import numpy as np

from .addresses import at
from .jit import jit, kernel
from .launching import launch
from .philox import philox_block, random_words, stream_of
from .registry import reference, twin

UNIT = 2.0**-32  # a word times this is a number in [0, 1)

BLOCKS = 512  # of four elements each, per task; up to two tasks stay on one thread


@reference("gaussian_noise")
def gaussian_noise_reference(x, key, step, stddev):
    """``y = x + stddev z``, with ``z = sqrt(-2 ln u) (cos a, sin a)`` for every two elements."""
    u, a = random_words(x.size + x.size % 2, key, step).reshape(-1, 2).T
    distance, angle = np.sqrt(-2 * np.log((u + 0.5) * UNIT)), 2 * np.pi * UNIT * a
    z = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=-1).reshape(-1)[: x.size]
    return (x + stddev * z.reshape(x.shape)).astype(x.dtype)


@jit
def _normal(u, a):
    """Two normal numbers from two words; in doubles, so that backends agree in all but the last bit of a float32."""
    distance = math.sqrt(-2 * math.log((np.float64(u) + 0.5) * UNIT))
    angle = 2 * math.pi * UNIT * np.float64(a)
    return distance * math.cos(angle), distance * math.sin(angle)


@kernel
def _add_noise(task, x, stream, stddev, y):
    for block in range(task * BLOCKS, min((task + 1) * BLOCKS, -(-x.size // 4))):
        words = philox_block(np.uint64(block), stream)
        first, second = _normal(words[0], words[1]), _normal(words[2], words[3])
        noise = (first[0], first[1], second[0], second[1])
        p, q = at(x, 4 * block), at(y, 4 * block)
        for k in range(min(4, x.size - 4 * block)):
            q[k] = p[k] + stddev * noise[k]


@twin("gaussian_noise")
def gaussian_noise(x, key, step, stddev, y):
    tasks = -(-x.size // (4 * BLOCKS))
    launch(_add_noise, tasks, x.reshape(-1), stream_of(key, step), stddev, y.reshape(-1), serial=tasks <= 2)

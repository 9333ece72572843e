"""Augmentation: every image of a batch is flipped and shifted by itself, as the generator of philox.py draws for it.

Image ``i`` takes the four words of counter ``(i, step)``: two decide whether its rows and its columns are flipped, two
by how many pixels it is shifted. Both are permutations of pixels, but for those that a shift brings in from outside.
"""

from __future__ import annotations

import numpy as np

from .addresses import at
from .jit import jit, kernel
from .launching import FEW, launch
from .philox import philox_block, random_words, stream_of
from .registry import reference, twin

# What is outside an image: a constant; a a|a b c|c c, b a|a b c|c b or b c|a b c|a b.
CONSTANT, NEAREST, REFLECT, WRAP = range(4)
HALF = 2**31


def draw_moves(n, key, step, flips, shifts):
    """``moves`` (n, 4): whether rows and columns are flipped, and by how many places they then move down and right."""
    words = random_words(4 * n, key, step).reshape(n, 4).astype(np.uint64)
    low, high = np.array(shifts).T
    moves = low + (words[:, 2:] * (high - low + 1).astype(np.uint64) >> 32).astype(np.int64)
    return np.hstack([(words[:, :2] < HALF) & np.array(flips), moves]).astype(np.int32)


def sources(size, flip, move, fill):
    """Where each of ``size`` rows or columns comes from after a flip and a move; -1 if from outside."""
    place = np.arange(size) - move
    outside = {
        CONSTANT: np.full(size, -1),
        NEAREST: place.clip(0, size - 1),
        REFLECT: np.where(place < 0, -1 - place, 2 * size - 1 - place),
        WRAP: place % size,
    }[fill]
    place = np.where((place >= 0) & (place < size), place, outside)
    return np.where(place < 0, -1, size - 1 - place) if flip else place


def copies(moves, h, w, fill):
    """For every image: the pixels that are copied, and their new places."""
    for flip_rows, flip_columns, down, right in moves:
        rows, columns = sources(h, flip_rows, down, fill), sources(w, flip_columns, right, fill)
        yield np.ix_(rows[rows >= 0], columns[columns >= 0]), np.ix_(rows >= 0, columns >= 0)


@reference("flip_shift_forward", outputs=2)
def flip_shift_forward_reference(x, key, step, flips, shifts, fill, value):
    """``y[i, j] = x[rows[i], columns[j]]`` of every image, ``value`` where that is outside; and ``moves``."""
    y, moves = np.full_like(x, value), draw_moves(len(x), key, step, flips, shifts)
    for image, target, (pixels, places) in zip(x, y, copies(moves, *x.shape[1:3], fill), strict=True):
        target[places] = image[pixels]
    return y, moves


@reference("flip_shift_backward")
def flip_shift_backward_reference(dy, moves, fill):
    """``dx[rows[i], columns[j]] += dy[i, j]``: the transpose."""
    dx = np.zeros_like(dy)
    for image, target, (pixels, places) in zip(dy, dx, copies(moves, *dy.shape[1:3], fill), strict=True):
        np.add.at(target, pixels, image[places])
    return dx


@jit
def _source(place, size, flip, fill):
    """`sources` for one place, which is at most ``size`` places outside."""
    if place < 0 or place >= size:
        if fill == CONSTANT:
            return -1
        if fill == NEAREST:
            place = 0 if place < 0 else size - 1
        elif fill == REFLECT:
            place = -1 - place if place < 0 else 2 * size - 1 - place
        else:
            place += size if place < 0 else -size
    return size - 1 - place if flip else place


@jit
def _drawn(word, low, high):
    """A whole number from ``low`` to ``high``."""
    return low + np.int64((word * np.uint64(high - low + 1)) >> np.uint64(32))


@kernel
def _move(image, x, stream, flips, shifts, fill, value, y, moves):
    h, w, c = x.shape[1:]
    words = philox_block(np.uint64(image), stream)
    flip_rows, flip_columns = flips[0] and words[0] < np.uint64(HALF), flips[1] and words[1] < np.uint64(HALF)
    down, right = _drawn(words[2], shifts[0][0], shifts[0][1]), _drawn(words[3], shifts[1][0], shifts[1][1])
    move = at(moves, 4 * image)
    move[0], move[1], move[2], move[3] = flip_rows, flip_columns, down, right
    for i in range(h):
        row = _source(i - down, h, flip_rows, fill)
        source, target = at(x, (image * h + max(row, 0)) * w * c), at(y, (image * h + i) * w * c)
        for j in range(w):
            column = _source(j - right, w, flip_columns, fill)
            for k in range(c):
                target[j * c + k] = value if row < 0 or column < 0 else source[column * c + k]


@kernel
def _move_back(image, dy, moves, fill, dx):
    h, w, c = dy.shape[1:]
    move = at(moves, 4 * image)
    flip_rows, flip_columns, down, right = move[0] != 0, move[1] != 0, move[2], move[3]
    target = at(dx, image * h * w * c)
    for k in range(h * w * c):
        target[k] = 0
    for i in range(h):
        row = _source(i - down, h, flip_rows, fill)
        source, target = at(dy, (image * h + i) * w * c), at(dx, (image * h + row) * w * c)
        for j in range(w if row >= 0 else 0):
            column = _source(j - right, w, flip_columns, fill)
            for k in range(c if column >= 0 else 0):
                target[column * c + k] += source[j * c + k]


@twin("flip_shift_forward")
def flip_shift_forward(x, key, step, flips, shifts, fill, value, y, moves):
    value = x.dtype.type(value)
    launch(_move, len(x), x, stream_of(key, step), flips, shifts, fill, value, y, moves, serial=x.size < FEW)


@twin("flip_shift_backward")
def flip_shift_backward(dy, moves, fill, dx):
    if dx.size:
        launch(_move_back, len(dx), dy, moves, fill, dx, serial=dx.size < FEW)

"""3x3 and 5x5 convolutions with stride 1 on the CPU by Winograd's algorithm: F(4x4, 3x3) and F(2x2, 5x5).

winograd_transforms.py has the formula. For each group of images: transform tiles of the input (V), multiply by the
transformed filters (U) at each of the 6 x 6 points (M = V U), transform back. A group is as many images as fit into the
core's own cache, or more where U is larger than that (FORWARD_BYTES below).

A 4x4 tile of a 3x3 convolution takes 2.25 multiplications per output, a 2x2 tile 4: 128 images of 7 x 7, from 64 to 128
channels, take 0.6 of the time, forward and backward (two Zen 5 cores).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .addresses import at, shift
from .conv2d_im2col import SLICES, add_gradients, masked, pad, unpad
from .exported import exported
from .gemm import ACCUMULATE, ZERO, gemm, matrix
from .jit import jit, kernel, max_threads, thread_id
from .launching import FEW, launch
from .scratch import clear, scratch
from .transposition import transposed
from .winograd_transforms import D_FILTERS, D_INPUT, D_OUTPUT, FILTERS, INPUT, OUTPUT, transforms

TILE_IN = 6  # inputs of a tile along each axis; outputs (``tile_out``) are 4 for a 3x3 filter, 2 for a 5x5 one
SIZES = (3, 5)
# Extra numbers between the planes of V, M and U: distances that are powers of two would share cache sets.
PLANE_GAP = 16

_transform3, _transform5 = transforms(4, 3), transforms(2, 5)


@exported("piiipiiii")
def _tiles3(image, row, column, channels, planes, plane, down, across, kind):
    for tile in range(down * across):
        corner = shift(image, 4 * (tile // across * row + tile % across * column))
        _transform3(kind, corner, row, column, shift(planes, tile * channels), plane, channels)


@exported("piiipiiii")
def _tiles5(image, row, column, channels, planes, plane, down, across, kind):
    for tile in range(down * across):
        corner = shift(image, 2 * (tile // across * row + tile % across * column))
        _transform5(kind, corner, row, column, shift(planes, tile * channels), plane, channels)


@jit
def _tiles(r, image, row, column, channels, planes, plane, down, across, kind):
    """Transform ``down`` x ``across`` tiles for r x r filters, see winograd_transforms.py."""
    if r == 3:
        _tiles3(image, row, column, channels, planes, plane, down, across, kind)
    else:
        _tiles5(image, row, column, channels, planes, plane, down, across, kind)


@jit
def transform_tiles(r, image, first, planes, plane, down, across, kind):
    """All tiles of a padded image (h, w, c); in their group they are numbered from ``first`` on."""
    _, width, c = image.shape
    _tiles(r, at(image, 0), width * c, c, c, at(planes, first * c), plane, down, across, kind)


@jit
def transform_filters(w, planes, some, kind):
    """Transform 16 of the in * out filters of w (r, r, in, out), to or from planes of in * out numbers."""
    r, depth, first = w.shape[0], w.shape[2] * w.shape[3], some * 16
    _tiles(r, at(w, first), r * depth, depth, 16, at(planes, first), depth + PLANE_GAP, 1, 1, kind)


@jit
def finish(padded, b, relu, y):
    """``y = relu?(padded + b)``, cropped to y."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            for f in range(y.shape[2]):
                value = padded[i, j, f]
                if b.size:
                    value += b[f]
                y[i, j, f] = y.dtype.type(0) if relu and value < 0 else value


class Room(NamedTuple):
    """Scratch memory: the transformed filters; for each thread the planes of a group of images, V and M, and an image
    and its output with their borders.
    """

    u: Any
    v: Any
    m: Any
    image: Any
    output: Any


@kernel
def _transform_filters(task, w, u):
    transform_filters(w, u, task, FILTERS)


@kernel
def _forward(task, tasks, x, w, b, pads, relu, room, y):
    n, _, _, c = x.shape
    r, f = w.shape[0], w.shape[3]
    tile_out, depth = TILE_IN + 1 - r, c * f
    down, across = (y.shape[1] + tile_out - 1) // tile_out, (y.shape[2] + tile_out - 1) // tile_out
    tiles, me = down * across, thread_id()
    u, v, m, image, output = room.u, room.v[me], room.m[me], room.image[me], room.output[me]
    first, last = task * n // tasks, (task + 1) * n // tasks
    count = (last - first) * tiles
    v_plane, m_plane = count * c + PLANE_GAP, count * f + PLANE_GAP
    clear(image)
    for i in range(first, last):
        pad(x[i], pads[0], pads[2], image)
        transform_tiles(r, image, (i - first) * tiles, v, v_plane, down, across, INPUT)
    for point in range(TILE_IN * TILE_IN):
        u_at, v_at, m_at = point * (depth + PLANE_GAP), point * v_plane, point * m_plane
        gemm(matrix(v, v_at, c), matrix(u, u_at, f), matrix(m, m_at, f), count, f, c)
    for i in range(first, last):
        transform_tiles(r, output, (i - first) * tiles, m, m_plane, down, across, OUTPUT)
        finish(output, b, relu, y[i])


@kernel
def _backward(s, x, w, y, dy, pads, relu, group, room, dus, dws, dbs, dx):
    n, _, _, c = x.shape
    r, f = w.shape[0], w.shape[3]
    tile_out, depth = TILE_IN + 1 - r, c * f
    wanted, me = dx.size > 0, thread_id()
    down, across = (y.shape[1] + tile_out - 1) // tile_out, (y.shape[2] + tile_out - 1) // tile_out
    tiles, slices = down * across, dws.shape[0]
    ut, v, m, image, output = room.u, room.v[me], room.m[me], room.image[me], room.output[me]
    db, du = dbs[s], dus[me] if dus.shape[0] < slices else dus[s]
    clear(db)
    clear(output)
    begin, end = s * n // slices, (s + 1) * n // slices
    for first in range(begin, end, group):
        last = min(end, first + group)
        count = (last - first) * tiles
        v_plane, m_plane, u_plane = count * c + PLANE_GAP, count * f + PLANE_GAP, depth + PLANE_GAP
        clear(image)
        for i in range(first, last):
            pad(x[i], pads[0], pads[2], image)
            transform_tiles(r, image, (i - first) * tiles, v, v_plane, down, across, INPUT)
            masked(y[i], dy[i], relu, 0, 0, output, db)
            transform_tiles(r, output, (i - first) * tiles, m, m_plane, down, across, D_OUTPUT)
        start = ZERO if first == begin else ACCUMULATE
        for point in range(TILE_IN * TILE_IN):
            u_at, v_at, m_at = point * u_plane, point * v_plane, point * m_plane
            gemm(matrix(v, v_at, 1, c), matrix(m, m_at, f), matrix(du, u_at, f), c, f, count, start=start)
            if wanted:
                gemm(matrix(m, m_at, f), matrix(ut, u_at, c), matrix(v, v_at, c), count, c, f)
        if wanted:
            for i in range(first, last):
                clear(image)
                transform_tiles(r, image, (i - first) * tiles, v, v_plane, down, across, D_INPUT)
                unpad(image, pads[0], pads[2], dx[i])
    for some in range(depth // 16):  # before the slices are summed: 9 or 25 planes to add instead of 36
        transform_filters(dws[s], du, some, D_FILTERS)


# Bytes for V and M of a group: what fits into a core's own cache, but at least as much as U, which each group reads
# once from memory (7 x 7, 512 to 512 channels, 32 images: with 24 MB a quarter of the time with 0.7 MB).
FORWARD_BYTES, BACKWARD_BYTES = 700_000, 1_500_000


class Plan:
    """How many images form a group, and the scratch memory of one call.

    Each of ``parts`` parts of the batch is worked on in ``rounds`` groups of about the same size.
    """

    def __init__(self, x, w, y, budget, parts):
        self.dtype, threads, (r, _, c, f) = x.dtype, max_threads(), w.shape
        tile_out, points = TILE_IN + 1 - r, TILE_IN * TILE_IN
        down, across = -(-y.shape[1] // tile_out), -(-y.shape[2] // tile_out)
        tiles = down * across
        most = max(1, max(budget, points * c * f * x.itemsize) // (points * tiles * (c + f) * x.itemsize))
        images = max(1, -(-len(x) // parts))
        self.rounds = -(-images // most)
        self.group = -(-images // self.rounds)
        self.room = Room(
            u=self.take("u", points * (c * f + PLANE_GAP)),
            v=self.take("v", threads, points * (self.group * tiles * c + PLANE_GAP)),
            m=self.take("m", threads, points * (self.group * tiles * f + PLANE_GAP)),
            image=self.take("image", threads, down * tile_out + r - 1, across * tile_out + r - 1, c),
            output=self.take("output", threads, down * tile_out, across * tile_out, f),
        )

    def take(self, name, *shape):
        return scratch(f"winograd.{name}", shape, self.dtype)


def run_forward(x, w, b, pads, relu, y):
    """Get the scratch memory, transform the filters and launch `_forward`."""
    p = Plan(x, w, y, FORWARD_BYTES, max_threads())
    tasks = max_threads() * p.rounds
    launch(_transform_filters, w.shape[2] * w.shape[3] // 16, w, p.room.u)
    launch(_forward, tasks, tasks, x, w, b, pads, relu, p.room, y)


def run_backward(x, w, y, dy, pads, relu, dw, db, dx):
    """Get the scratch memory, transform the transposed filters, launch `_backward` and add up its slices."""
    slices, (r, _, c, f) = min(SLICES, len(x)), w.shape
    p = Plan(x, w, y, BACKWARD_BYTES, SLICES)
    if dx.size:
        wt = p.take("wt", r, r, f, c)
        launch(transposed, r * r, w.reshape(r * r, c, f), wt.reshape(r * r, f, c), serial=w.size < FEW)
        launch(_transform_filters, c * f // 16, wt, p.room.u)
    dus = p.take("du", min(slices, max_threads()), p.room.u.size)
    dws = p.take("dw", slices, *w.shape)
    dbs = p.take("db", slices, f)
    dx = dx.reshape(-1, *x.shape[1:])
    launch(_backward, slices, x, w, y, dy, pads, relu, p.group, p.room, dus, dws, dbs, dx)
    add_gradients(dws, dbs, dw, db)

"""3x3 and 5x5 convolutions with stride 1 on the CPU by Winograd's algorithm: F(4x4, 3x3) and F(2x2, 5x5).

winograd_transforms.py has the formula. For each group of images: transform tiles of the input (V), multiply by the
transformed filters (U) at each of the 6 x 6 points (M = V U), transform back. A group is as many images as fit into the
core's own cache, or more where U is larger than that (FORWARD_BYTES below).

A 4x4 tile of a 3x3 convolution takes 2.25 multiplications per output, a 2x2 tile 4: 128 images of 7 x 7, from 64 to 128
channels, took 1.2 instead of 2.1 ms, and 2.9 instead of 4.9 ms backward (two Zen 5 cores).
"""

from __future__ import annotations

from .addresses import at, shift
from .conv2d_im2col import SLICES, add_gradients, masked, pad, unpad
from .gemm import ACCUMULATE, ZERO, gemm, matrix
from .jit import exported, jit, kernel, max_threads, thread_id
from .launching import FEW, launch
from .scratch import clear, scratch
from .transposition import transposed
from .winograd_transforms import matrices, two_sided

TILE_IN = 6  # inputs of a tile along each axis; outputs (``tile_out``) are 4 for a 3x3 filter, 2 for a 5x5 one
SIZES = (3, 5)
# Extra numbers between the planes of V, M and U: distances that are powers of two would share cache sets.
PLANE_GAP = 16

INPUT, OUTPUT, D_OUTPUT, D_INPUT, FILTERS, D_FILTERS = range(6)

_A3, _G3, _B3 = matrices(4, 3)
_input3, _output3, _filters3 = two_sided(_B3.T), two_sided(_A3.T), two_sided(_G3)
_d_input3, _d_output3, _d_filters3 = two_sided(_B3, add=True), two_sided(_A3), two_sided(_G3.T)

_A5, _G5, _B5 = matrices(2, 5)
_input5, _output5, _filters5 = two_sided(_B5.T), two_sided(_A5.T), two_sided(_G5)
_d_input5, _d_output5, _d_filters5 = two_sided(_B5, add=True), two_sided(_A5), two_sided(_G5.T)


@exported("piipiiii")
def tiles3(image, row, channels, planes, plane, down, across, kind):
    """Transform all tiles of one image (rows ``row`` numbers apart) to or from the 36 planes of a group, 3x3 filters.

    INPUT: ``V = B' x B``. OUTPUT: ``Y = A' M A``. D_OUTPUT: ``dM = A dY A'``. D_INPUT: ``dx += B dV B'``, where tiles
    overlap. FILTERS: ``U = G w G'`` and D_FILTERS: ``dw = G' dU G``, with a filter bank for an image of one tile.
    """
    for tile in range(down * across):
        a = shift(image, tile // across * 4 * row + tile % across * 4 * channels)
        b = shift(planes, tile * channels)
        if kind == INPUT:
            _input3(a, row, channels, b, TILE_IN * plane, plane, channels)
        elif kind == OUTPUT:
            _output3(b, TILE_IN * plane, plane, a, row, channels, channels)
        elif kind == D_OUTPUT:
            _d_output3(a, row, channels, b, TILE_IN * plane, plane, channels)
        elif kind == D_INPUT:
            _d_input3(b, TILE_IN * plane, plane, a, row, channels, channels)
        elif kind == FILTERS:
            _filters3(a, row, row // 3, b, TILE_IN * plane, plane, channels)
        else:
            _d_filters3(b, TILE_IN * plane, plane, a, row, row // 3, channels)


@exported("piipiiii")
def tiles5(image, row, channels, planes, plane, down, across, kind):
    """`tiles3` for 5x5 filters."""
    for tile in range(down * across):
        a = shift(image, tile // across * 2 * row + tile % across * 2 * channels)
        b = shift(planes, tile * channels)
        if kind == INPUT:
            _input5(a, row, channels, b, TILE_IN * plane, plane, channels)
        elif kind == OUTPUT:
            _output5(b, TILE_IN * plane, plane, a, row, channels, channels)
        elif kind == D_OUTPUT:
            _d_output5(a, row, channels, b, TILE_IN * plane, plane, channels)
        elif kind == D_INPUT:
            _d_input5(b, TILE_IN * plane, plane, a, row, channels, channels)
        elif kind == FILTERS:
            _filters5(a, row, row // 5, b, TILE_IN * plane, plane, channels)
        else:
            _d_filters5(b, TILE_IN * plane, plane, a, row, row // 5, channels)


@jit
def transform_tiles(r, image, first, planes, plane, down, across, kind):
    """All tiles of a padded image (h, w, c); in their group they are numbered from ``first`` on."""
    channels = image.shape[2]
    row = image.shape[1] * channels
    if r == 3:
        tiles3(at(image, 0), row, channels, at(planes, first * channels), plane, down, across, kind)
    else:
        tiles5(at(image, 0), row, channels, at(planes, first * channels), plane, down, across, kind)


@jit
def transform_filters(w, planes, task, kind):
    """Transform 16 of the in * out filters of w (r, r, in, out), to or from planes of in * out numbers."""
    r, depth, first = w.shape[0], w.shape[2] * w.shape[3], task * 16
    if r == 3:
        tiles3(at(w, first), r * depth, 16, at(planes, first), depth + PLANE_GAP, 1, 1, kind)
    else:
        tiles5(at(w, first), r * depth, 16, at(planes, first), depth + PLANE_GAP, 1, 1, kind)


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


@kernel
def _transform_filters(task, w, u):
    transform_filters(w, u, task, FILTERS)


@kernel
def _forward(task, tasks, x, w, b, pads, relu, u, vs, ms, images, outputs, y):
    n, _, _, c = x.shape
    r, f = w.shape[0], w.shape[3]
    tile_out, depth = TILE_IN + 1 - r, c * f
    down, across = (y.shape[1] + tile_out - 1) // tile_out, (y.shape[2] + tile_out - 1) // tile_out
    tiles, me = down * across, thread_id()
    v, m, image, output = vs[me], ms[me], images[me], outputs[me]
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
def _backward(s, x, w, y, dy, pads, relu, group, ut, vs, ms, images, outputs, dus, dws, dbs, dx):
    n, _, _, c = x.shape
    r, f = w.shape[0], w.shape[3]
    tile_out, depth = TILE_IN + 1 - r, c * f
    wanted, me = dx.size > 0, thread_id()
    down, across = (y.shape[1] + tile_out - 1) // tile_out, (y.shape[2] + tile_out - 1) // tile_out
    tiles, slices = down * across, dws.shape[0]
    v, m, image, output, db = vs[me], ms[me], images[me], outputs[me], dbs[s]
    du = dus[me] if dus.shape[0] < slices else dus[s]
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
    for task in range(depth // 16):  # before the slices are summed: 9 or 25 planes to add instead of 36
        transform_filters(dws[s], du, task, D_FILTERS)


# Bytes for V and M of a group: what fits into a core's own cache, but at least as much as U, which each group reads
# once from memory (7 x 7, 512 to 512 channels, 32 images: 85 ms with 0.7 MB, 20 with 24 MB).
FORWARD_BYTES, BACKWARD_BYTES = 700_000, 1_500_000


class Plan:
    """The scratch memory of one call: how many images form a group, and where each array lies.

    Each of ``parts`` parts of the batch is worked on in ``rounds`` groups of about the same size.
    """

    def __init__(self, x, w, y, budget, parts):
        threads, (r, _, c, f) = max_threads(), w.shape
        tile_out, points = TILE_IN + 1 - r, TILE_IN * TILE_IN
        down, across = -(-y.shape[1] // tile_out), -(-y.shape[2] // tile_out)
        tiles = down * across
        most = max(1, max(budget, points * c * f * x.itemsize) // (points * tiles * (c + f) * x.itemsize))
        images = max(1, -(-len(x) // parts))
        self.rounds = -(-images // most)
        self.group = -(-images // self.rounds)

        def take(name, *shape):
            return scratch(f"winograd.{name}", shape, x.dtype)

        self.take = take
        self.u = take("u", points * (c * f + PLANE_GAP))
        self.v = take("v", threads, points * (self.group * tiles * c + PLANE_GAP))
        self.m = take("m", threads, points * (self.group * tiles * f + PLANE_GAP))
        self.image = take("image", threads, down * tile_out + r - 1, across * tile_out + r - 1, c)
        self.output = take("output", threads, down * tile_out, across * tile_out, f)


def run_forward(x, w, b, pads, relu, y):
    """Get the scratch memory, transform the filters and launch `_forward`."""
    p = Plan(x, w, y, FORWARD_BYTES, max_threads())
    tasks = max_threads() * p.rounds
    launch(_transform_filters, w.shape[2] * w.shape[3] // 16, w, p.u)
    launch(_forward, tasks, tasks, x, w, b, pads, relu, p.u, p.v, p.m, p.image, p.output, y)


def run_backward(x, w, y, dy, pads, relu, dw, db, dx):
    """Get the scratch memory, transform the transposed filters, launch `_backward` and add up its slices."""
    slices, (r, _, c, f) = min(SLICES, len(x)), w.shape
    p = Plan(x, w, y, BACKWARD_BYTES, SLICES)
    if dx.size:
        wt = p.take("wt", r, r, f, c)
        launch(transposed, r * r, w.reshape(r * r, c, f), wt.reshape(r * r, f, c), serial=w.size < FEW)
        launch(_transform_filters, c * f // 16, wt, p.u)
    dus = p.take("du", min(slices, max_threads()), p.u.size)
    dws = p.take("dw", slices, *w.shape)
    dbs = p.take("db", slices, f)
    dx = dx.reshape(-1, *x.shape[1:])
    room = p.v, p.m, p.image, p.output, dus, dws, dbs
    launch(_backward, slices, x, w, y, dy, pads, relu, p.group, p.u, *room, dx)
    add_gradients(dws, dbs, dw, db)

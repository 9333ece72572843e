"""Convolution of each channel by itself, as many filters as channels: ``y[p, k] = b[k] + sum_t x[p + t, k] w[t, k]``.

A matrix product per channel would have a single column. So the inner loop, along memory, is the one over channels, and
the loop over taps encloses it: 3x3 over 64 channels of 14 x 14 pixels, 32 images, forward and backward, took eight
times as long in products. The padded image and the tables of offsets are those of conv2d_im2col.py.
"""

from __future__ import annotations

from .addresses import at
from .conv2d_im2col import add_gradients, masked, over_images, pad, prepare, room_for_slices, unpad
from .jit import kernel, thread_id
from .launching import launch
from .scratch import clear


def fits(w_shape, groups):
    """Whether a convolution is depthwise."""
    return w_shape[2] == 1 and w_shape[3] == groups > 1


@kernel
def _forward(task, tasks, x, w, b, pads, pixels, taps, relu, images, y):
    c, zero = x.shape[3], x.dtype.type(0)
    image = images[thread_id()]
    clear(image)
    for n in range(task * x.shape[0] // tasks, (task + 1) * x.shape[0] // tasks):
        pad(x[n], pads[0], pads[2], image)
        for p in range(pixels.size):
            out, bias = at(y, (n * pixels.size + p) * c), at(b, 0)
            for k in range(c):
                out[k] = bias[k] if b.size else zero
            for t in range(taps.size):
                source, weights = at(image, pixels[p] + taps[t]), at(w, t * c)
                for k in range(c):
                    out[k] += source[k] * weights[k]
            if relu:
                for k in range(c):
                    out[k] = zero if out[k] < zero else out[k]


@kernel
def _backward(s, x, w, y, dy, pads, pixels, taps, relu, images, dzs, dws, dbs, dx):
    slices, n, c, me = dws.shape[0], x.shape[0], x.shape[3], thread_id()
    image, dz, dw = images[me], dzs[me], dws[s]
    clear(dw)
    clear(dbs[s])
    clear(image)
    for i in range(s * n // slices, (s + 1) * n // slices):
        masked(y[i], dy[i], relu, 0, 0, dz, dbs[s])
        if dx.size:
            clear(image)
        pad(x[i], pads[0], pads[2], image)
        for p in range(pixels.size):
            above = at(dz, p * c)
            for t in range(taps.size):
                source, sums = at(image, pixels[p] + taps[t]), at(dw, t * c)
                for k in range(c):
                    sums[k] += source[k] * above[k]
        if dx.size:
            clear(image)
            for p in range(pixels.size):
                above = at(dz, p * c)
                for t in range(taps.size):
                    target, weights = at(image, pixels[p] + taps[t]), at(w, t * c)
                    for k in range(c):
                        target[k] += above[k] * weights[k]
            unpad(image, pads[0], pads[2], dx[i])


def run_forward(x, w, b, strides, pads, dilation, relu, y):
    """Get the scratch memory and launch `_forward`."""
    images, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    tasks = over_images(len(x))
    launch(_forward, tasks, tasks, x, w, b, pads, pixels, taps, relu, images, y)


def run_backward(x, w, y, dy, strides, pads, dilation, relu, dw, db, dx):
    """Get the scratch memory, launch `_backward` and add up the slices."""
    images, pixels, taps = prepare(x, w, y, strides, pads, dilation)
    dzs, dws, dbs = room_for_slices(w, y)
    dx = dx.reshape(-1, *x.shape[1:])
    launch(_backward, len(dws), x, w, y, dy, pads, pixels, taps, relu, images, dzs, dws, dbs, dx)
    add_gradients(dws, dbs, dw, db)

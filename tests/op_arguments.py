"""What the rows of cases.py need to make the arguments of an op: random inputs, and what belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scratchnet.kernels import registry
from scratchnet.kernels.activations import PLAIN
from scratchnet.kernels.elementwise_losses import BINARY, DIVERGENCE, POISSON
from scratchnet.kernels.smooth import SIGMOID
from scratchnet.kernels.window import plan, transposed_plan

Rng = np.random.Generator

# Ops whose last two results, the statistics mean and inverse, are float64 whatever x is.
NORMALIZING = ("batch_norm_forward", "batch_norm_inference", "layer_norm_forward")


@dataclass(frozen=True)
class OpCase:
    """An op and its arguments: inputs, then hyperparameters."""

    op: str
    id: str
    make: Callable[[Rng, Any], tuple[Any, ...]]
    unwanted: tuple[int, ...] = ()  # outputs that may have size 0
    cancels: float = 1.0  # how many times more rounding than one sum of numbers has
    own_type: bool = False  # whether what is right depends on the arrays' type: there a limit is a number of that type


def normal(rng: Rng, dtype: Any, *shape: int) -> np.ndarray:
    """Random numbers of mean 0 and standard deviation 1."""
    return rng.standard_normal(shape).astype(dtype)


def holes(rng: Rng, dtype: Any, *shape: int) -> np.ndarray:
    """Whole numbers, so that many are equal, with NaN here and there."""
    numbers = np.round(rng.standard_normal(shape))
    return np.where(rng.random(shape) < 0.1, np.nan, numbers).astype(dtype)


def run(op: str, *args: Any) -> Any:
    """The results of an op's reference."""
    return registry.get(op).reference(*args)


def pooling(id: str, shape: tuple[int, ...], window: Any, strides: Any, padding: str) -> list[OpCase]:
    """The four pooling ops on one geometry."""
    (oh, ow), pads = plan(id, shape[1:3], window, strides, padding)
    pooled = (shape[0], oh, ow, shape[3])

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        return normal(rng, dtype, *shape), window, strides, pads

    def nothing_there(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x = normal(rng, dtype, *shape)
        return np.where(rng.random(shape) < 0.7, -np.inf, x).astype(dtype), window, strides, pads

    def equal_and_nan(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        return holes(rng, dtype, *shape), window, strides, pads

    def max_backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        argmax = run("max_pool_forward", *forward(rng, dtype))[1]
        return normal(rng, dtype, *pooled), argmax, window, strides, pads, shape

    def average_backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        return normal(rng, dtype, *pooled), window, strides, pads, shape

    return [
        OpCase("max_pool_forward", id, forward),
        OpCase("max_pool_forward", f"{id}-infinite", nothing_there),
        OpCase("max_pool_forward", f"{id}-holes", equal_and_nan),
        OpCase("max_pool_backward", id, max_backward, unwanted=(0,)),
        OpCase("average_pool_forward", id, forward),
        OpCase("average_pool_backward", id, average_backward, unwanted=(0,)),
    ]


def activation(id: str, kind: int, shape: tuple[int, ...], alpha: tuple[float, float, float] = PLAIN) -> list[OpCase]:
    """One activation, forward and backward."""

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        return 3 * normal(rng, dtype, *shape), kind, alpha

    def backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x = 3 * normal(rng, dtype, *shape)
        return x, run("activation_forward", x, kind, alpha), normal(rng, dtype, *shape), kind, alpha

    return [
        OpCase("activation_forward", id, forward),
        OpCase("activation_backward", id, backward, unwanted=(0,)),
    ]


def batch_norm(id: str, rows: int, c: int, gamma: int = 1, beta: int = 1) -> list[OpCase]:
    """Batch normalization in training and inference; gamma or beta 0: not there."""

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x = 2 * normal(rng, dtype, rows, c) + 5
        factors = normal(rng, dtype, gamma * c), normal(rng, dtype, beta * c)
        return x, *factors, normal(rng, dtype, c), rng.random(c).astype(dtype), 0.9, 1e-3

    def inference(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x, *arrays, _, epsilon = forward(rng, dtype)
        return x, *arrays, epsilon

    def backward(training: bool) -> Callable[[Rng, Any], tuple[Any, ...]]:
        def make(rng: Rng, dtype: Any) -> tuple[Any, ...]:
            x, factor, *others = forward(rng, dtype)
            mean, inverse = run("batch_norm_forward", x, factor, *others)[3:]
            return x, normal(rng, dtype, rows, c), factor, mean, inverse, training

        return make

    return [
        OpCase("batch_norm_forward", id, forward),
        OpCase("batch_norm_inference", id, inference),
        OpCase("batch_norm_backward", id, backward(True), unwanted=(0, 1, 2), cancels=30),
        OpCase("batch_norm_backward", f"{id}-inference", backward(False), unwanted=(0, 1, 2)),
    ]


def layer_norm(id: str, rows: int, c: int, gamma: int = 1, beta: int = 1) -> list[OpCase]:
    """Layer normalization, forward and backward; gamma or beta 0: not there."""

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x = 2 * normal(rng, dtype, rows, c) + 5
        return x, normal(rng, dtype, gamma * c), normal(rng, dtype, beta * c), 1e-3

    def backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x, factor, *others = forward(rng, dtype)
        mean, inverse = run("layer_norm_forward", x, factor, *others)[1:]
        return x, normal(rng, dtype, rows, c), factor, mean, inverse

    return [
        OpCase("layer_norm_forward", id, forward),
        OpCase("layer_norm_backward", id, backward, unwanted=(0, 1, 2), cancels=30),
    ]


def dropout(id: str, shape: tuple[int, ...], rate: float, key: int = 2**63 + 12345, step: int = 7) -> list[OpCase]:
    """Dropout, forward and backward."""

    def backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        return normal(rng, dtype, *shape), rng.integers(0, 2, shape).astype(np.uint8), rate

    return [
        OpCase("dropout_forward", id, lambda rng, dtype: (normal(rng, dtype, *shape), key, step, rate)),
        OpCase("dropout_backward", id, backward, unwanted=(0,)),
    ]


def flip_shift(
    id: str, shape: tuple[int, ...], flips: tuple[bool, bool], shifts: Any, fill: int, value: float = 0.0,
    key: int = 2**63 + 12345, step: int = 7,
) -> list[OpCase]:  # fmt: skip
    """Flips and shifts of images, forward and backward."""

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        return normal(rng, dtype, *shape), key, step, flips, shifts, fill, value

    def backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        moves = run("flip_shift_forward", *forward(rng, dtype))[1]
        return normal(rng, dtype, *shape), moves, fill

    return [
        OpCase("flip_shift_forward", id, forward),
        OpCase("flip_shift_backward", id, backward, unwanted=(0,)),
    ]


def noise(id: str, shape: tuple[int, ...], step: int = 7, key: int = 2**63 + 12345, stddev: float = 0.3) -> OpCase:
    """Gaussian noise."""
    return OpCase("gaussian_noise", id, lambda rng, dtype: (normal(rng, dtype, *shape), key, step, stddev))


def dense(
    id: str, n: int, inputs: int, outputs: int, relu: bool = False, bias: int = 1, used: float = 1.0
) -> list[OpCase]:
    """Dense, forward and backward; of the input this share is not 0, twenty numbers side by side at a time."""

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        some = np.repeat(rng.random((n, inputs // 20 + 1)) < used, 20, axis=1)[:, :inputs]
        return (
            np.where(some, normal(rng, dtype, n, inputs), 0).astype(dtype),
            normal(rng, dtype, inputs, outputs),
            normal(rng, dtype, bias * outputs),
            relu,
        )

    def backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x, w, b, relu = forward(rng, dtype)
        return x, w, run("dense_forward", x, w, b, relu), normal(rng, dtype, n, outputs), relu

    return [OpCase("dense_forward", id, forward), OpCase("dense_backward", id, backward, unwanted=(1, 2))]


def conv2d(
    id: str, shape: tuple[int, ...], filters: int, window: Any, strides: Any = (1, 1), padding: Any = "valid",
    dilation: Any = (1, 1), groups: int = 1, relu: bool = False, bias: int = 1,
) -> list[OpCase]:  # fmt: skip
    """Convolution, forward and backward; the padding is a mode, or (top, bottom, left, right)."""
    if isinstance(padding, str):
        (oh, ow), pads = plan(id, shape[1:3], window, strides, padding, dilation)
    else:
        size = shape[1] + padding[0] + padding[1], shape[2] + padding[2] + padding[3]
        (oh, ow), pads = plan(id, size, window, strides, "valid", dilation)[0], padding

    def arrays(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        w = normal(rng, dtype, *window, shape[3] // groups, filters)
        return normal(rng, dtype, *shape), w, normal(rng, dtype, bias * filters)

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        return *arrays(rng, dtype), strides, pads, dilation, groups, relu

    def backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x, w, b, *rest = forward(rng, dtype)
        return x, w, run("conv2d_forward", x, w, b, *rest), normal(rng, dtype, shape[0], oh, ow, filters), *rest

    return [
        OpCase("conv2d_forward", id, forward, cancels=30),
        OpCase("conv2d_backward", id, backward, unwanted=(1, 2), cancels=30),
    ]


def conv2d_transpose(
    id: str, shape: tuple[int, ...], filters: int, window: Any, strides: Any = (1, 1), padding: str = "valid",
    dilation: Any = (1, 1), beyond: Any = None, relu: bool = False, bias: int = 1,
) -> list[OpCase]:  # fmt: skip
    """Transposed convolution, forward and backward; ``beyond`` is its layer's output_padding."""
    size, pads = transposed_plan(id, shape[1:3], window, strides, padding, dilation, beyond)
    window_of = strides, pads, dilation

    def forward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        arrays = normal(rng, dtype, *shape), normal(rng, dtype, *window, filters, shape[3])
        return *arrays, normal(rng, dtype, bias * filters), *window_of, size, relu

    def backward(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        x, w, b, *rest = forward(rng, dtype)
        y = np.ascontiguousarray(run("conv2d_transpose_forward", x, w, b, *rest))  # not a part of a padded image
        return x, w, y, normal(rng, dtype, *y.shape), *window_of, relu

    return [
        OpCase("conv2d_transpose_forward", id, forward, cancels=30),
        OpCase("conv2d_transpose_backward", id, backward, unwanted=(1, 2), cancels=30),
    ]


def upsampling(id: str, shape: tuple[int, ...], size: tuple[int, int]) -> list[OpCase]:
    """Upsampling, forward and backward, of an image of this shape."""
    n, h, w, c = shape
    large = n, h * size[0], w * size[1], c
    return [
        OpCase("upsample_forward", id, lambda rng, dtype: (normal(rng, dtype, *shape), size)),
        OpCase("upsample_backward", id, lambda rng, dtype: (normal(rng, dtype, *large), size), unwanted=(0,)),
    ]


def loss(
    op: str, id: str, n: int, classes: int, *smoothing: float, draw: Callable[..., np.ndarray] = normal,
    scale: float = 1.0, total: float = 1.0, never: int = 0,
) -> list[OpCase]:  # fmt: skip
    """A loss op: predictions, targets, weights, the label smoothing where there is one, and running totals.

    Probabilities and targets add up to ``total``; the last ``never`` classes are no row's, with logits of -inf.
    """

    def make(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        y = (scale * draw(rng, dtype, n, classes)).astype(dtype)
        y[:, classes - never :] = -np.inf
        if op in ("cross_entropy", "sparse_cross_entropy"):
            y = (total * run("softmax_forward", y)).astype(dtype)
        labels = rng.integers(0, classes - never, n).astype(np.int32)
        targets = labels if op.startswith("sparse") else total * np.eye(classes, dtype=dtype)[labels]
        return y, targets, rng.random(n).astype(dtype), *smoothing, np.array([3.0, 1.0])

    return [OpCase(op, id, make, unwanted=(0,))]


def elementwise_loss(
    id: str, kind: int, n: int, features: int, smoothing: float = 0.0, delta: float = 1.0
) -> list[OpCase]:
    """The loss of every number by itself; probabilities come with some at 0, at 1 and behind the clip."""

    def make(rng: Rng, dtype: Any) -> tuple[Any, ...]:
        y = normal(rng, dtype, n, features)
        if kind == BINARY:
            y = run("activation_forward", 4 * y, SIGMOID, PLAIN)
            y.flat[::5], y.flat[1::7], y.flat[2::9] = 0, 1, 3e-8
        if kind in (POISSON, DIVERGENCE):
            y = (np.abs(y) + 0.01).astype(dtype)  # some beyond 1, where a divergence is clipped
        targets = rng.random((n, features)).astype(dtype)
        targets[::2] = np.round(targets[::2])
        return y, targets, rng.random(n).astype(dtype), kind, smoothing, delta, np.array([3.0, 1.0])

    return [OpCase("elementwise_loss", id, make, unwanted=(0,), own_type=kind == BINARY)]


def penalty(id: str, size: int, l1: float, l2: float) -> list[OpCase]:
    """A regularizer's penalty of weights, some of them 0; with their gradient and without."""

    def rows(name: str, size_of_g: int) -> OpCase:
        def make(rng: Rng, dtype: Any) -> tuple[Any, ...]:
            w = normal(rng, dtype, size)
            w[::4] = 0
            return w, l1, l2, 7, np.array([3.0, 1.0]), normal(rng, dtype, size_of_g)

        return OpCase("penalize", name, make)

    return [rows(id, size), rows(f"{id}-alone", 0)]


def optimizer(op: str, id: str, vectors: str, *hyperparameters: Any) -> list[OpCase]:
    """An optimizer step on small and large flat vectors: ``n`` any numbers, ``s`` squares, ``-`` a slot not in use."""

    def rows(size: int) -> OpCase:
        def make(rng: Rng, dtype: Any) -> tuple[Any, ...]:
            drawn = [normal(rng, dtype, 0 if letter == "-" else size) for letter in vectors]
            return *(v * v if k == "s" else v for k, v in zip(vectors, drawn, strict=True)), *hyperparameters

        return OpCase(op, f"{id}-{size}", make)

    return [rows(17), rows(70_001)]


def assert_close(got: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Integers are equal; floats differ by no more than the tolerance's share of the largest one that is finite."""
    assert got.shape == wanted.shape
    if wanted.dtype.kind in "iu":
        np.testing.assert_array_equal(got, wanted)
    elif wanted.size:
        largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=1e-30)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * largest)

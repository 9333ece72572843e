"""One row per layer, op and loss, on shapes that hurt. A new one needs a row here, or tests/test_structure.py fails.

The rows are read by test_kernels.py (each op's twin against its reference), test_gradients.py (each layer and loss
against finite differences) and test_layers.py (each layer's config, shapes and batch sizes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from op_arguments import (
    OpCase,
    activation,
    batch_norm,
    conv2d,
    conv2d_transpose,
    dense,
    dropout,
    elementwise_loss,
    flip_shift,
    layer_norm,
    loss,
    noise,
    normal,
    optimizer,
    penalty,
    pooling,
    run,
    upsampling,
)
from scratchnet.kernels.augmentation import CONSTANT, NEAREST, REFLECT, WRAP
from scratchnet.kernels.elementwise_losses import (
    ABSOLUTE,
    BINARY,
    BINARY_LOGITS,
    DIVERGENCE,
    HINGE,
    HUBER,
    LOG_COSH,
    POISSON,
    SQUARED,
    SQUARED_HINGE,
)
from scratchnet.kernels.smooth import (
    ELU,
    EXPONENTIAL,
    GELU,
    GELU_TANH,
    HARD_SIGMOID,
    RELU,
    SIGMOID,
    SILU,
    SOFTPLUS,
    SOFTSIGN,
    TANH,
)

from scratchnet import layers as L  # noqa: N812
from scratchnet import losses

Rng = np.random.Generator


# Layers ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerCase:
    """A layer and the shape of a batch for it."""

    id: str
    make: Callable[..., Any]  # takes dtype=
    shape: tuple[int, ...]
    training: bool = True


def layer(
    cls: Callable[..., Any], shape: tuple[int, ...], *args: Any, training: bool = True, **kwargs: Any
) -> LayerCase:
    """A row for ``cls(*args, **kwargs)``; its id is made of them."""
    words = [repr(a) for a in args] + [f"{key}={value!r}" for key, value in kwargs.items()]
    mode = "" if training else "-inference"
    name = f"{cls.__name__}({', '.join(words)})-{'x'.join(map(str, shape))}{mode}".replace(" ", "")
    return LayerCase(name, lambda **more: cls(*args, **kwargs, **more), shape, training)


def composite(id: str, make: Callable[..., Any], *shape: int) -> LayerCase:
    """A row for a layer that is made of others: ``make(dtype=...)``."""
    return LayerCase(id, make, shape)


SMOOTH = ("elu", "selu", "silu", "softplus", "softsign", "exponential", "hard_sigmoid")

LAYERS: list[LayerCase] = [
    layer(L.Input, (3, 4), (4,)),
    layer(L.Activation, (3, 4, 5), "linear"),
    layer(L.Activation, (3, 4, 5), "leaky_relu"),
    layer(L.Activation, (1, 7), "softmax"),
    layer(L.ReLU, (3, 4, 5)),
    layer(L.ReLU, (3, 4, 5), 0.8, 0.1, 0.2),
    layer(L.ReLU, (4, 6), threshold=0.5),
    layer(L.LeakyReLU, (3, 5)),
    layer(L.ELU, (3, 5), 0.7),
    layer(L.Sigmoid, (3, 5)),
    layer(L.Tanh, (3, 5)),
    *(layer(L.Activation, (3, 5), name) for name in SMOOTH),
    layer(L.GELU, (3, 5)),
    layer(L.GELU, (3, 5), approximate=True),
    layer(L.Softmax, (4, 6)),
    layer(L.Softmax, (2, 3, 5)),
    layer(L.Softmax, (3, 1)),
    layer(L.MaxPooling2D, (2, 6, 4, 3)),
    layer(L.MaxPooling2D, (2, 7, 5, 2), padding="same"),
    layer(L.MaxPooling2D, (2, 7, 5, 1)),
    layer(L.MaxPooling2D, (1, 6, 7, 3), 3, 2, "same"),
    layer(L.MaxPooling2D, (2, 5, 6, 2), (3, 2), (1, 2)),
    layer(L.MaxPooling2D, (2, 7, 8, 2), 2, 3, "same"),
    layer(L.MaxPooling2D, (2, 2, 3, 2), 4, 1, "same"),
    layer(L.AveragePooling2D, (2, 6, 4, 3)),
    layer(L.AveragePooling2D, (2, 7, 5, 2), padding="same"),
    layer(L.AveragePooling2D, (1, 6, 7, 1), (2, 3), (1, 2), "same"),
    layer(L.AveragePooling2D, (2, 7, 8, 2), 2, 3),
    layer(L.GlobalMaxPooling2D, (2, 5, 4, 3)),
    layer(L.GlobalMaxPooling2D, (1, 20, 17, 1), keepdims=True),
    layer(L.GlobalAveragePooling2D, (2, 5, 4, 3)),
    layer(L.GlobalAveragePooling2D, (1, 4, 3, 1), keepdims=True),
    layer(L.Flatten, (2, 3, 4)),
    layer(L.Flatten, (2,)),
    layer(L.Reshape, (2, 3, 4), (2, -1)),
    layer(L.Reshape, (2, 12), (3, 2, 2)),
    layer(L.Rescaling, (2, 3, 4), 0.5, 1.5),
    layer(L.ZeroPadding2D, (2, 3, 4, 2)),
    layer(L.ZeroPadding2D, (1, 3, 4, 1), ((0, 2), (3, 1))),
    layer(L.Cropping2D, (2, 3, 4, 2)),
    layer(L.Cropping2D, (1, 5, 6, 1), ((0, 2), (3, 1))),
    layer(L.Cropping2D, (2, 4, 5, 3), (1, 2)),
    layer(L.UpSampling2D, (2, 3, 4, 2)),
    layer(L.UpSampling2D, (1, 2, 3, 1), (3, 1)),
    layer(L.Normalization, (6, 4)),
    layer(L.Normalization, (2, 5, 3, 2), axis=None),
    layer(L.BatchNormalization, (6, 4)),
    layer(L.BatchNormalization, (2, 5, 3, 2)),
    layer(L.BatchNormalization, (6, 4), training=False),
    layer(L.BatchNormalization, (5, 3), center=False),
    layer(L.BatchNormalization, (5, 3), scale=False, momentum=0.9, epsilon=0.1),
    layer(L.LayerNormalization, (6, 4)),
    layer(L.LayerNormalization, (2, 5, 3, 2), epsilon=0.1),
    layer(L.LayerNormalization, (3, 5), center=False),
    layer(L.LayerNormalization, (1, 5), scale=False),
    layer(L.Dropout, (3, 7), 0.4),
    layer(L.Dropout, (2, 3, 3, 2), 0.25, seed=5),
    layer(L.Dropout, (3, 7), 0.4, training=False),
    layer(L.Dropout, (3, 7), 0.0),
    layer(L.GaussianNoise, (3, 7), 0.4),
    layer(L.GaussianNoise, (2, 3, 3, 2), 0.25, seed=5),
    layer(L.GaussianNoise, (3, 7), 0.4, training=False),
    layer(L.GaussianNoise, (3, 7), 0.0),
    layer(L.RandomFlip, (5, 4, 3, 2)),
    layer(L.RandomFlip, (5, 3, 4, 1), "horizontal", seed=5),
    layer(L.RandomFlip, (5, 3, 4, 1), "vertical"),
    layer(L.RandomFlip, (3, 4, 3, 2), training=False),
    layer(L.RandomTranslation, (5, 4, 3, 2), 0.6, 0.6),
    layer(L.RandomTranslation, (5, 4, 6, 1), (-1.0, 0.5), 0.5, "constant", fill_value=0.5, seed=5),
    layer(L.RandomTranslation, (5, 5, 3, 1), 1.0, (0, 1), fill_mode="nearest"),
    layer(L.RandomTranslation, (4, 3, 5, 2), 1.0, 1.0, fill_mode="wrap"),
    layer(L.RandomTranslation, (3, 4, 3, 2), 0.5, 0.5, training=False),
    layer(L.Dense, (3, 5), 4),
    layer(L.Dense, (1, 5), 4, activation="relu"),
    layer(L.Dense, (3, 5), 4, use_bias=False),
    layer(L.Dense, (2, 3, 5), 4, activation="gelu"),
    layer(L.Dense, (3, 1), 1, activation="softmax"),
    layer(L.Conv2D, (2, 6, 5, 3), 2, 3),
    layer(L.Conv2D, (2, 7, 6, 2), 3, 3, padding="same", activation="relu"),
    layer(L.Conv2D, (2, 7, 6, 2), 3, (2, 3), strides=2, padding="same"),
    layer(L.Conv2D, (2, 8, 7, 1), 3, 3, strides=(1, 2), activation="relu"),
    layer(L.Conv2D, (1, 9, 8, 2), 2, 3, dilation_rate=2),
    layer(L.Conv2D, (2, 5, 4, 4), 6, 3, padding="same", groups=2),
    layer(L.Conv2D, (2, 5, 4, 3), 3, 3, strides=2, padding="same", groups=3, activation="relu"),
    layer(L.Conv2D, (1, 6, 5, 1), 2, 5, padding="same", use_bias=False, activation="tanh"),
    layer(L.Conv2D, (2, 5, 4, 3), 2, 1),
    layer(L.Conv2D, (2, 14, 14, 8), 16, 3, padding="same", activation="relu"),
    layer(L.Conv2D, (1, 9, 7, 8), 8, 5, padding="same"),
    layer(L.Conv2D, (2, 7, 5, 16), 16, 3, padding="same", activation="relu"),
    layer(L.Conv2D, (2, 6, 8, 16), 16, 5, activation="relu"),
    layer(L.Conv2DTranspose, (2, 4, 3, 3), 2, 3),
    layer(L.Conv2DTranspose, (2, 4, 3, 3), 2, (3, 2), strides=2, padding="same", activation="relu"),
    layer(L.Conv2DTranspose, (2, 3, 4, 2), 3, (4, 3), strides=(1, 2), activation="relu"),
    layer(L.Conv2DTranspose, (1, 3, 2, 1), 2, 2, strides=3, padding="same", use_bias=False),
    layer(L.Conv2DTranspose, (2, 3, 2, 2), 1, 1, strides=(2, 3), activation="sigmoid"),
    layer(L.Conv2DTranspose, (1, 3, 4, 2), 2, 3, 2, "valid", 1),
    layer(L.Conv2DTranspose, (2, 3, 4, 2), 2, (3, 5), (3, 2), "same", (2, 0)),
    layer(L.Conv2DTranspose, (1, 5, 4, 2), 3, 3, dilation_rate=(2, 1), use_bias=False, activation="relu"),
    layer(L.Conv2DTranspose, (2, 7, 5, 16), 16, 3, padding="same", activation="relu"),
    layer(L.DepthwiseConv2D, (2, 6, 5, 3), 3),
    layer(L.DepthwiseConv2D, (2, 7, 6, 3), (3, 2), 2, "same", activation="relu"),
    layer(L.DepthwiseConv2D, (1, 7, 8, 2), 3, (1, 2), depth_multiplier=3, use_bias=False),
    layer(L.DepthwiseConv2D, (2, 8, 7, 1), 3, dilation_rate=2, activation="tanh"),
    layer(L.SeparableConv2D, (2, 6, 5, 3), 4, 3),
    layer(L.SeparableConv2D, (2, 7, 6, 2), 3, (3, 2), 2, "same", depth_multiplier=2, activation="relu"),
    layer(L.SeparableConv2D, (1, 7, 6, 2), 2, 2, dilation_rate=(1, 2), use_bias=False, activation="tanh"),
    composite("Residual", lambda **k: L.Residual([L.Conv2D(3, 3, padding="same", **k), L.ReLU(**k)], **k), 2, 5, 4, 3),
    composite(
        "Residual-shortcut",
        lambda **k: L.Residual(
            [L.Conv2D(4, 3, strides=2, padding="same", **k), L.BatchNormalization(**k), L.Activation("tanh", **k)],
            L.Conv2D(4, 1, strides=2, use_bias=False, **k),
            **k,
        ),
        2, 5, 7, 3,
    ),
    composite(
        "Stack", lambda **k: L.Stack([L.Dense(4, activation="sigmoid", **k), L.Dropout(0.3, **k), L.Softmax(**k)]), 3, 5
    ),
]  # fmt: skip


# Losses ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LossCase:
    """A loss and a batch for it."""

    id: str
    loss: Any
    make: Callable[[Rng], tuple[Any, Any]]  # y_pred, y_true


def logits_and_labels(n: int, classes: int) -> Callable[[Rng], tuple[Any, Any]]:
    """Scores and class numbers."""
    return lambda rng: (rng.standard_normal((n, classes)), rng.integers(0, classes, n))


def logits_and_onehot(n: int, classes: int) -> Callable[[Rng], tuple[Any, Any]]:
    """Scores and one-hot rows."""
    return lambda rng: (rng.standard_normal((n, classes)), np.eye(classes)[rng.integers(0, classes, n)])


def probabilities_and(make: Callable[[Rng], tuple[Any, Any]]) -> Callable[[Rng], tuple[Any, Any]]:
    """The same targets with rows of probabilities, none of them near 0."""

    def probabilities(rng: Rng) -> tuple[Any, Any]:
        scores, targets = make(rng)
        e = np.exp(scores)
        return e / e.sum(axis=1, keepdims=True), targets

    return probabilities


def two_arrays(*shape: int) -> Callable[[Rng], tuple[Any, Any]]:
    """Predictions and targets of one shape."""
    return lambda rng: (rng.standard_normal(shape), rng.standard_normal(shape))


def zeros_and_ones(n: int, outputs: int) -> Callable[[Rng], tuple[Any, Any]]:
    """Scores and targets that are each 0 or 1."""
    return lambda rng: (rng.standard_normal((n, outputs)), rng.integers(0, 2, (n, outputs)))


def between_0_and_1(make: Callable[[Rng], tuple[Any, Any]]) -> Callable[[Rng], tuple[Any, Any]]:
    """The same targets with probabilities, none of them near 0 or 1."""

    def probabilities(rng: Rng) -> tuple[Any, Any]:
        scores, targets = make(rng)
        return 1 / (1 + np.exp(-scores)), targets

    return probabilities


_sparse, _onehot, _binary = (
    losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy, losses.BinaryCrossentropy
)  # fmt: skip
_squared, _absolute = losses.MeanSquaredError, losses.MeanAbsoluteError

LOSSES: list[LossCase] = [
    LossCase("sparse-logits", _sparse(from_logits=True), logits_and_labels(5, 4)),
    LossCase("sparse-logits-smooth", _sparse(from_logits=True, label_smoothing=0.1), logits_and_labels(1, 10)),
    LossCase("sparse-probabilities", _sparse(), probabilities_and(logits_and_labels(5, 4))),
    LossCase("sparse-probabilities-smooth", _sparse(label_smoothing=0.2), probabilities_and(logits_and_labels(3, 2))),
    LossCase("onehot-logits", _onehot(from_logits=True), logits_and_onehot(5, 4)),
    LossCase("onehot-logits-smooth", _onehot(from_logits=True, label_smoothing=0.3), logits_and_onehot(3, 4)),
    LossCase("onehot-probabilities", _onehot(), probabilities_and(logits_and_onehot(5, 4))),
    LossCase("onehot-probabilities-smooth", _onehot(label_smoothing=0.1), probabilities_and(logits_and_onehot(2, 3))),
    LossCase("squared", _squared(), two_arrays(5, 3)),
    LossCase("squared-one", _squared(), two_arrays(1, 1)),
    LossCase("absolute", _absolute(), two_arrays(5, 3)),
    LossCase("binary-logits", _binary(from_logits=True), zeros_and_ones(5, 3)),
    LossCase("binary-logits-smooth", _binary(from_logits=True, label_smoothing=0.2), zeros_and_ones(1, 1)),
    LossCase("binary-probabilities", _binary(), between_0_and_1(zeros_and_ones(5, 1))),
    LossCase("binary-probabilities-smooth", _binary(label_smoothing=0.1), between_0_and_1(zeros_and_ones(2, 3))),
    LossCase("huber", losses.Huber(), two_arrays(5, 3)),
    LossCase("huber-delta", losses.Huber(0.2), two_arrays(3, 4)),
    LossCase("log-cosh", losses.LogCosh(), two_arrays(5, 3)),
    LossCase("hinge", losses.Hinge(), zeros_and_ones(5, 3)),
    LossCase("squared-hinge", losses.SquaredHinge(), zeros_and_ones(5, 3)),
    LossCase("poisson", losses.Poisson(), between_0_and_1(zeros_and_ones(5, 3))),
    LossCase("divergence", losses.KLDivergence(), probabilities_and(logits_and_onehot(5, 4))),
]


# Ops ------------------------------------------------------------------------------------------------------------------
# The last row of each family is large enough to be split among threads.

OPS: list[OpCase] = [
    *pooling("2x2", (2, 6, 4, 3), (2, 2), (2, 2), "valid"),
    *pooling("same", (2, 7, 5, 17), (2, 2), (2, 2), "same"),
    *pooling("overlap", (1, 6, 7, 3), (3, 3), (2, 2), "same"),
    *pooling("oblong", (2, 5, 6, 1), (3, 2), (1, 2), "valid"),
    *pooling("gaps", (2, 7, 8, 2), (2, 1), (3, 2), "same"),
    *pooling("beyond", (2, 2, 3, 2), (4, 5), (1, 1), "same"),
    *pooling("whole", (2, 17, 18, 3), (17, 18), (17, 18), "valid"),
    *pooling("large", (20, 14, 13, 32), (3, 2), (2, 2), "same"),
    *activation("relu", RELU, (3, 7)),
    *activation("relu-full", RELU, (3, 7), (0.25, 0.5, 2.0)),
    OpCase(
        "activation_backward", "relu-kinks",
        lambda rng, dtype: (*(np.array([0, 0.5, 1, 2, 3], dtype) for _ in "xyd"), RELU, (0.25, 0.5, 2.0)),
    ),
    *activation("sigmoid", SIGMOID, (1, 2, 3)),
    *activation("tanh", TANH, (5,)),
    *activation("gelu", GELU, (3, 7)),
    *activation("elu", ELU, (3, 7), (1.3, 0.8, 0.0)),
    *activation("silu", SILU, (3, 7)),
    *activation("softplus", SOFTPLUS, (3, 7)),
    *activation("softsign", SOFTSIGN, (3, 7)),
    *activation("exponential", EXPONENTIAL, (3, 7)),
    *activation("hard_sigmoid", HARD_SIGMOID, (3, 7)),
    *activation("gelu-tanh", GELU_TANH, (3, 7)),
    *activation("relu-large", RELU, (7, 7001)),
    *activation("sigmoid-large", SIGMOID, (7, 7001)),
    OpCase("softmax_forward", "rows", lambda rng, dtype: (5 * normal(rng, dtype, 4, 7),)),
    OpCase("softmax_forward", "one", lambda rng, dtype: (normal(rng, dtype, 3, 1),)),
    OpCase("softmax_forward", "images", lambda rng, dtype: (normal(rng, dtype, 2, 3, 4, 5),)),
    OpCase("softmax_forward", "wide", lambda rng, dtype: (normal(rng, dtype, 3, 70) + 1000,)),
    OpCase(
        "softmax_backward", "rows",
        lambda rng, dtype: (run("softmax_forward", normal(rng, dtype, 20, 7)), normal(rng, dtype, 20, 7)),
        unwanted=(0,),
    ),
    OpCase(
        "softmax_backward", "wide",
        lambda rng, dtype: (run("softmax_forward", normal(rng, dtype, 3, 70)), normal(rng, dtype, 3, 70)),
    ),
    OpCase("add", "small", lambda rng, dtype: (normal(rng, dtype, 2, 3, 5), normal(rng, dtype, 2, 3, 5))),
    OpCase("add", "large", lambda rng, dtype: (normal(rng, dtype, 70_001), normal(rng, dtype, 70_001))),
    OpCase("rescale", "small", lambda rng, dtype: (normal(rng, dtype, 2, 3, 5), 0.1, -2.0)),
    OpCase("rescale", "large", lambda rng, dtype: (normal(rng, dtype, 7, 10_001), 0.1, 2.0)),
    OpCase("zero_pad_forward", "uneven", lambda rng, dtype: (normal(rng, dtype, 2, 3, 4, 2), (0, 2, 3, 1))),
    OpCase("zero_pad_forward", "none", lambda rng, dtype: (normal(rng, dtype, 1, 3, 4, 1), (0, 0, 0, 0))),
    OpCase("zero_pad_forward", "large", lambda rng, dtype: (normal(rng, dtype, 9, 20, 21, 10), (1, 2, 0, 3))),
    OpCase("zero_pad_backward", "uneven", lambda rng, dtype: (normal(rng, dtype, 2, 5, 8, 2), (0, 2, 3, 1)), (0,)),
    OpCase("zero_pad_backward", "large", lambda rng, dtype: (normal(rng, dtype, 9, 23, 24, 10), (1, 2, 0, 3)), (0,)),
    *upsampling("2x2", (2, 3, 4, 2), (2, 2)),
    *upsampling("oblong", (1, 4, 3, 1), (3, 2)),
    *upsampling("rows", (2, 3, 2, 4), (2, 1)),
    *upsampling("large", (9, 20, 19, 8), (2, 3)),
    *batch_norm("small", 7, 5),
    *batch_norm("one-row", 1, 4),
    *batch_norm("one-column", 130, 1),
    *batch_norm("no-gamma", 9, 3, gamma=0),
    *batch_norm("no-beta", 9, 3, beta=0),
    *batch_norm("large", 5003, 19),
    *layer_norm("small", 7, 5),
    *layer_norm("one-row", 1, 40),
    *layer_norm("two-columns", 130, 2),
    *layer_norm("no-gamma", 9, 3, gamma=0),
    *layer_norm("no-beta", 9, 3, beta=0),
    *layer_norm("neither", 9, 3, gamma=0, beta=0),
    *layer_norm("large", 1003, 67),
    *dropout("tail", (3, 7), 0.4),
    *dropout("one", (1,), 0.5),
    *dropout("none", (5, 4), 0.0),
    *dropout("nearly-all", (5, 4), 1 - 1e-12),
    *dropout("all", (5, 4), 1.0),
    *dropout("far", (2, 8), 0.3, key=0, step=2**33 + 5),
    *dropout("large", (7, 11_003), 0.25),
    *flip_shift("flips", (9, 5, 4, 3), (True, True), ((0, 0), (0, 0)), CONSTANT),
    *flip_shift("columns", (9, 4, 5, 1), (False, True), ((0, 0), (0, 0)), CONSTANT),
    *flip_shift("constant", (9, 5, 6, 2), (False, False), ((-5, 3), (-2, 6)), CONSTANT, 0.5),
    *flip_shift("nearest", (9, 5, 6, 2), (True, False), ((-5, 5), (-6, 6)), NEAREST),
    *flip_shift("reflect", (9, 6, 5, 2), (True, True), ((-6, 6), (-5, 5)), REFLECT),
    *flip_shift("wrap", (9, 5, 6, 1), (False, True), ((-5, 5), (-6, 6)), WRAP),
    *flip_shift("one-pixel", (4, 1, 1, 1), (True, True), ((-1, 1), (0, 1)), REFLECT, key=0, step=2**33 + 5),
    *flip_shift("large", (70, 28, 28, 1), (False, True), ((-2, 2), (-3, 3)), REFLECT),
    noise("tail", (3, 7)),
    noise("one", (1,)),
    noise("far", (2, 8), 2**33 + 5, key=0),
    noise("large", (7, 11_003)),
    *dense("small", 3, 5, 4),
    *dense("relu", 1, 5, 4, relu=True),
    *dense("no-bias", 4, 1, 1, bias=0),
    *dense("large", 64, 300, 130, relu=True),
    *dense("halves", 3, 801, 70, relu=True),
    *dense("halves-no-bias", 5, 640, 130, bias=0),
    *dense("power-of-two", 30, 512, 512, relu=True),
    *dense("zeros", 37, 500, 72, relu=True, used=0.2),
    *dense("zeros-in-halves", 9, 300, 200, used=0.3, bias=0),
    *conv2d("valid", (2, 6, 5, 3), 2, (3, 3)),
    *conv2d("same-relu", (2, 7, 6, 2), 3, (3, 3), padding="same", relu=True),
    *conv2d("strides", (2, 7, 6, 2), 3, (2, 3), (2, 1), "same"),
    *conv2d("tall", (2, 6, 5, 3), 2, (3, 1), padding="same"),
    *conv2d("strides-beyond-the-window", (2, 9, 3, 2), 3, (2, 1), (4, 5)),
    *conv2d("scattered-groups", (2, 9, 8, 4), 6, (4, 4), groups=2, relu=True),
    *conv2d("scattered-strides", (9, 12, 11, 1), 4, (3, 3), (2, 1), dilation=(2, 2), padding=(1, 0, 2, 0)),
    *conv2d("scattered-blocks", (2, 14, 14, 1), 16, (3, 3), padding="same"),
    *conv2d("dilation", (1, 9, 8, 2), 2, (3, 3), dilation=(2, 3)),
    *conv2d("dilation-same", (2, 7, 6, 4), 4, (3, 2), padding="same", dilation=(2, 3)),
    *conv2d("groups", (2, 5, 4, 4), 6, (3, 3), padding="same", groups=2, relu=True),
    *conv2d("one", (1, 5, 4, 1), 1, (5, 4), bias=0),
    *conv2d("even-5x5", (3, 8, 8, 16), 16, (5, 5), padding="same", relu=True),
    *conv2d("winograd-odd", (9, 7, 5, 16), 32, (3, 3), padding="same", relu=True),
    *conv2d("winograd-valid", (2, 8, 5, 16), 16, (3, 3), bias=0),
    *conv2d("winograd-5x5-odd", (10, 7, 9, 16), 32, (5, 5), padding="same"),
    *conv2d("winograd-5x5-valid", (1, 9, 6, 32), 16, (5, 5), relu=True),
    *conv2d("winograd-groups-of-images", (50, 9, 9, 32), 32, (5, 5), padding="same"),
    *conv2d("winograd-uneven-border", (1, 5, 6, 16), 16, (3, 3), padding=(0, 2, 1, 0)),
    *conv2d("16-channels-strides", (1, 7, 6, 16), 16, (3, 3), (2, 2), "same"),
    *conv2d("16-channels-dilation", (1, 9, 8, 16), 16, (3, 3), dilation=(2, 2)),
    *conv2d("16-channels-groups", (1, 5, 4, 32), 32, (3, 3), padding="same", groups=2),
    *conv2d("depthwise", (3, 7, 6, 5), 5, (3, 2), padding="same", groups=5, relu=True),
    *conv2d("depthwise-strides", (2, 9, 8, 3), 3, (3, 3), (2, 1), groups=3, bias=0),
    *conv2d("depthwise-both-strides", (2, 9, 8, 3), 3, (3, 2), (2, 3), padding="same", groups=3),
    *conv2d("depthwise-dilation", (9, 8, 7, 20), 20, (2, 3), padding="same", dilation=(1, 2), groups=20),
    *conv2d("large", (12, 14, 14, 16), 24, (3, 3), padding="same", relu=True),
    *conv2d_transpose("valid", (2, 4, 3, 3), 2, (3, 3)),
    *conv2d_transpose("strides", (2, 4, 3, 3), 2, (3, 2), (2, 1), relu=True),
    *conv2d_transpose("same", (2, 4, 5, 2), 3, (3, 4), (2, 2), "same", relu=True),
    *conv2d_transpose("same-uneven", (3, 4, 3, 2), 5, (2, 5), (1, 2), "same"),
    *conv2d_transpose("strides-beyond-the-window", (1, 3, 4, 2), 3, (1, 2), (3, 4), "same", relu=True),
    *conv2d_transpose("gaps", (2, 3, 2, 2), 2, (1, 2), (2, 3), bias=0, relu=True),
    *conv2d_transpose("beyond", (2, 3, 4, 2), 1, (3, 3), (3, 2), "valid", beyond=(2, 1)),
    *conv2d_transpose("dilation", (1, 4, 3, 2), 4, (3, 2), dilation=(2, 3), bias=0),
    *conv2d_transpose("winograd", (2, 7, 5, 16), 16, (3, 3), padding="same", relu=True),
    *conv2d_transpose("one", (1, 1, 1, 1), 1, (5, 4), bias=0),
    *conv2d_transpose("large", (12, 7, 7, 24), 16, (3, 3), (2, 2), "same", relu=True),
    *loss("softmax_cross_entropy", "small", 5, 4, 0.1),
    *loss("sparse_softmax_cross_entropy", "small", 5, 4, 0.0),
    *loss("softmax_cross_entropy", "large", 300, 17, 0.0),
    *loss("sparse_softmax_cross_entropy", "large", 300, 17, 0.1),
    *loss("sparse_cross_entropy", "small", 5, 4, 0.1),
    *loss("cross_entropy", "small", 1, 3, 0.0),
    *elementwise_loss("squared-small", SQUARED, 5, 4),
    *elementwise_loss("squared-large", SQUARED, 50, 7),
    *elementwise_loss("absolute-small", ABSOLUTE, 5, 4),
    *elementwise_loss("binary-small", BINARY, 5, 4, 0.1),
    *elementwise_loss("binary-large", BINARY, 40, 71),
    *elementwise_loss("binary-logits-small", BINARY_LOGITS, 5, 4),
    *elementwise_loss("binary-logits-large", BINARY_LOGITS, 65, 71, 0.2),
    *elementwise_loss("huber-small", HUBER, 5, 4, delta=0.6),
    *elementwise_loss("huber-large", HUBER, 40, 71),
    *elementwise_loss("log-cosh", LOG_COSH, 40, 7),
    *elementwise_loss("hinge", HINGE, 40, 7),
    *elementwise_loss("squared-hinge", SQUARED_HINGE, 40, 7),
    *elementwise_loss("poisson", POISSON, 40, 7),
    *elementwise_loss("divergence", DIVERGENCE, 40, 7),
    *elementwise_loss("divergences", DIVERGENCE, 5, 6, delta=2),
    *loss("sparse_cross_entropy", "large", 40, 9, 0.0),
    *loss("cross_entropy", "large", 35, 9, 0.1),
    *loss("softmax_cross_entropy", "wide", 3, 70, 0.1, total=0.5),
    *loss("sparse_softmax_cross_entropy", "sharp", 9, 40, 0.0, scale=300, never=3),
    *loss("sparse_cross_entropy", "sharp", 9, 40, 0.1, scale=5, total=0.5),
    *loss("cross_entropy", "sharp", 9, 40, 0.1, scale=5, total=0.5),
    *elementwise_loss("squared-wide", SQUARED, 3, 70),
    *penalty("small", 9, 0.1, 0.2),
    *penalty("squares", 5, 0.0, 0.5),
    *penalty("large", 70_001, 0.3, 0.0),
    *optimizer("sgd", "plain", "nn-", 0.1, 0.0, False, 0.0),
    *optimizer("sgd", "nesterov", "nnn", 0.1, 0.9, True, 1e-3),
    *optimizer("sgd", "momentum", "nnn", 0.1, 0.9, False, 1e-3),
    *optimizer("adam", "plain", "nnns-", 1e-3, 0.9, 0.999, 1e-7, 0.0),
    *optimizer("adam", "amsgrad", "nnnss", 1e-3, 0.9, 0.999, 1e-7, 5e-3),
    *optimizer("nadam", "plain", "nnns", 1e-3, 2e-3, 1.5, 0.9, 0.999, 1e-7, 5e-3),
    *optimizer("rmsprop", "plain", "nns--", 1e-3, 0.9, 0.0, 1e-7, 0.0),
    *optimizer("rmsprop", "momentum", "nns-n", 1e-3, 0.9, 0.5, 1e-7, 5e-3),
    *optimizer("rmsprop", "centered", "nnsn-", 1e-3, 0.9, 0.0, 0.1, 0.0),
    *optimizer("adagrad", "plain", "nns", 1e-3, 1e-7, 5e-3),
    *optimizer("adadelta", "plain", "nnss", 1e-3, 0.95, 1e-7, 5e-3),
    OpCase("clip_by_value", "large", lambda rng, dtype: (normal(rng, dtype, 70_001), 0.7)),
    OpCase("clip_by_norm", "spans", lambda rng, dtype: (normal(rng, dtype, 9), np.array([[0, 4], [4, 9]]), 0.7, False)),
    OpCase("clip_by_norm", "all", lambda rng, dtype: (normal(rng, dtype, 9), np.array([[0, 4], [4, 9]]), 0.7, True)),
    OpCase(
        "clip_by_norm", "long",  # and a span that is shorter than the limit
        lambda rng, dtype: (normal(rng, dtype, 40_001) * 0.3, np.array([[0, 2], [2, 40_001]]), 2.0, False),
    ),
    OpCase(
        "gather", "pixels",
        lambda rng, dtype: (rng.integers(0, 256, (9, 12)).astype(np.uint8), rng.permutation(9)[:5], 1 / 255),
    ),
    OpCase("gather", "many", lambda rng, dtype: (normal(rng, dtype, 50, 901), rng.integers(0, 50, 21), 0.5)),
]  # fmt: skip

"""Every layer against Keras on TensorFlow, forward and backward, on shapes that hurt."""

from __future__ import annotations

from typing import Any

import keras_side
import numpy as np
import pytest
from cases import SMOOTH
from keras_side import GROUP, exact

import scratchnet as sn

pytestmark = GROUP

IMAGE = (7, 6, 4)

# class, arguments, shape of one sample, batch size
LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...], int]] = [
    ("Dense", {"units": 5}, (7,), 3),
    ("Dense", {"units": 5, "activation": "relu"}, (7,), 1),
    ("Dense", {"units": 1, "use_bias": False}, (1,), 4),
    ("Dense", {"units": 3, "activation": "tanh"}, (4, 5), 2),  # the last axis is mapped
    ("Dense", {"units": 6, "activation": "softmax"}, (3,), 4),
    ("Dense", {"units": 6, "activation": "leaky_relu"}, (3,), 4),
    ("Dense", {"units": 6, "activation": "gelu"}, (3,), 4),
    ("Conv2D", {"filters": 3, "kernel_size": 3}, IMAGE, 2),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same"}, IMAGE, 2),
    ("Conv2D", {"filters": 3, "kernel_size": 5, "padding": "same", "activation": "relu"}, (14, 14, 1), 2),
    ("Conv2D", {"filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"}, (12, 9, 8), 3),
    ("Conv2D", {"filters": 2, "kernel_size": (2, 3), "strides": (2, 3)}, (9, 8, 3), 2),
    ("Conv2D", {"filters": 2, "kernel_size": (2, 4), "padding": "same"}, (5, 7, 3), 2),  # asymmetric SAME
    ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (8, 7, 3), 2),
    ("Conv2D", {"filters": 2, "kernel_size": 2, "strides": 3, "padding": "same"}, (8, 7, 3), 1),  # stride > kernel
    ("Conv2D", {"filters": 2, "kernel_size": 1, "strides": 2}, (6, 5, 3), 2),
    ("Conv2D", {"filters": 2, "kernel_size": 5, "padding": "same"}, (3, 2, 2), 2),  # kernel > image
    ("Conv2D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2}, (9, 8, 2), 2),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "dilation_rate": (2, 3), "padding": "same"}, (7, 8, 2), 2),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2, "padding": "same"}, IMAGE, 2),
    ("Conv2D", {"filters": 8, "kernel_size": (3, 2), "groups": 4, "strides": 2}, IMAGE, 2),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "use_bias": False, "activation": "sigmoid"}, (4, 4, 1), 1),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3}, IMAGE, 2),
    (
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"},
        IMAGE,
        2,
    ),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": (2, 5), "strides": (1, 2), "padding": "same"}, (5, 7, 3), 2),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": (4, 3), "strides": (2, 3)}, (3, 4, 3), 1),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": (1, 2), "strides": 3}, (3, 4, 2), 2),  # stride > kernel
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "strides": (4, 3), "padding": "same"}, (3, 4, 2), 2),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 1}, (3, 4, 2), 2),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 0}, (3, 4, 2), 1),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": (3, 4), "strides": 3, "padding": "same", "output_padding": (2, 1)},
        (3, 4, 2),
        2,
    ),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 5, "strides": 3, "padding": "same", "output_padding": 0},
        (3, 4, 2),
        2,
    ),
    ("Conv2DTranspose", {"filters": 1, "kernel_size": 3, "use_bias": False, "activation": "sigmoid"}, (4, 4, 8), 2),
    ("DepthwiseConv2D", {"kernel_size": 3}, IMAGE, 2),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "strides": 2, "padding": "same", "activation": "relu"}, (7, 8, 3), 2),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 3, "use_bias": False}, IMAGE, 1),
    ("DepthwiseConv2D", {"kernel_size": 3, "dilation_rate": 2, "padding": "same"}, (8, 7, 2), 2),
    ("DepthwiseConv2D", {"kernel_size": 3, "dilation_rate": 2, "strides": 2, "padding": "same"}, (9, 8, 2), 2),
    ("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": (2, 1), "strides": (1, 3)}, (9, 8, 2), 2),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3}, IMAGE, 2),
    ("SeparableConv2D", {"filters": 5, "kernel_size": (3, 2), "padding": "same", "activation": "relu"}, (6, 5, 3), 2),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "depth_multiplier": 2}, (8, 7, 2), 2),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, (6, 5, 2), 1),
    ("UpSampling2D", {}, (3, 4, 2), 2),
    ("UpSampling2D", {"size": (1, 3)}, (3, 4, 1), 1),
    ("Cropping2D", {}, (3, 4, 2), 2),
    ("Cropping2D", {"cropping": 1}, (3, 4, 2), 2),
    ("Cropping2D", {"cropping": ((1, 0), (0, 3))}, (3, 4, 1), 1),
    ("MaxPooling2D", {}, (7, 6, 3), 2),
    ("MaxPooling2D", {"padding": "same"}, (7, 5, 3), 2),
    ("MaxPooling2D", {"pool_size": (3, 2), "strides": (1, 2)}, (7, 6, 2), 2),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, (8, 7, 2), 2),
    ("MaxPooling2D", {"pool_size": 2, "strides": 3, "padding": "same"}, (8, 7, 2), 1),
    ("AveragePooling2D", {"pool_size": 2}, (7, 6, 3), 2),
    ("AveragePooling2D", {"pool_size": 2, "padding": "same"}, (7, 5, 3), 2),  # the border is left out of the count
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, (8, 7, 2), 2),
    ("AveragePooling2D", {"pool_size": (2, 3), "strides": (2, 1)}, (7, 6, 2), 1),
    # Not 5x5: where both sides of the window exceed the image, TensorFlow's float64 gradient is wrong.
    ("AveragePooling2D", {"pool_size": (5, 3), "strides": 1, "padding": "same"}, (3, 4, 2), 2),
    ("GlobalMaxPooling2D", {}, (5, 3, 4), 2),
    ("GlobalMaxPooling2D", {"keepdims": True}, (5, 3, 1), 1),
    ("GlobalAveragePooling2D", {}, (5, 3, 4), 2),
    ("GlobalAveragePooling2D", {"keepdims": True}, (1, 3, 4), 2),
    ("Flatten", {}, (3, 4, 2), 2),
    ("Reshape", {"target_shape": (4, -1)}, (3, 4, 2), 2),
    ("ZeroPadding2D", {}, (3, 4, 2), 2),
    ("ZeroPadding2D", {"padding": (2, 0)}, (3, 4, 2), 2),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, (3, 4, 1), 1),
    ("Rescaling", {"scale": 1 / 255, "offset": -0.3}, (3, 4), 2),
    ("Activation", {"activation": "linear"}, (6,), 3),
    ("Activation", {"activation": "leaky_relu"}, (6,), 3),
    *(("Activation", {"activation": name}, (30,), 3) for name in (*SMOOTH, "relu6", "swish")),
    ("ReLU", {}, (6,), 3),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.25}, (30,), 3),
    ("LeakyReLU", {}, (6, 2), 3),
    ("LeakyReLU", {"negative_slope": 0.01}, (6,), 3),
    ("ELU", {}, (6,), 3),
    ("ELU", {"alpha": 0.3}, (6, 2), 3),
    ("Sigmoid", {}, (6,), 3),
    ("Tanh", {}, (6,), 3),
    ("GELU", {}, (6,), 3),
    ("GELU", {"approximate": True}, (6,), 3),
    ("Softmax", {}, (6,), 3),
    ("Softmax", {}, (2, 3, 4), 2),
    ("Dropout", {"rate": 0.0}, (6,), 3),
    ("BatchNormalization", {}, (6,), 5),
    ("BatchNormalization", {"momentum": 0.7, "epsilon": 0.01}, (4, 3, 2), 3),
    ("BatchNormalization", {"center": False}, (4, 3, 1), 2),
    ("BatchNormalization", {"scale": False}, (3, 2), 2),
    ("LayerNormalization", {}, (6,), 5),
    ("LayerNormalization", {"epsilon": 0.01}, (4, 3, 2), 3),
    ("LayerNormalization", {"center": False}, (4, 7), 2),
    ("LayerNormalization", {"scale": False, "axis": -1}, (3, 5), 2),
]
# TensorFlow computes these on a CPU in float32 alone.
ONLY_FLOAT32: list[tuple[str, dict[str, Any], tuple[int, ...], int]] = [
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2}, (5, 4, 2), 2),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": (2, 3), "padding": "same"}, (6, 7, 2), 2),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": (1, 2), "padding": "same", "depth_multiplier": 2}, IMAGE, 2),
]


# Whatever the dtype, TensorFlow has the slope of leaky ReLU and the constants of GELU in float32.
FLOAT32_CONSTANTS = ("leaky", "gelu")


def named(row: tuple[str, dict[str, Any], tuple[int, ...], int]) -> str:
    cls, arguments, shape, n = row
    return f"{cls}({', '.join(f'{key}={value}' for key, value in arguments.items())})-{n}x{'x'.join(map(str, shape))}"


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", [*LAYERS, *ONLY_FLOAT32], ids=named)
def test_layers_compute_what_kerass_compute(row, dtype, training):
    """From the same weights: outputs, the gradients of inputs and weights for one dL/dy, moving statistics."""
    if row in ONLY_FLOAT32 and dtype == "float64":
        pytest.skip("not in TensorFlow")
    cls, arguments, shape, n = row
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, *shape)).astype(dtype)
    theirs = keras_side.layer(cls, **{key: exact(value) for key, value in arguments.items()}, dtype=dtype)
    theirs.build((None, *shape))
    weights = [rng.uniform(0.2, 1.0, weight.shape).astype(dtype) for weight in theirs.weights]  # a variance is positive
    theirs.set_weights(weights)
    dy = rng.standard_normal(theirs.compute_output_shape(x.shape)).astype(dtype)
    wanted = keras_side.passes(theirs, x, dy, training)
    rounded = any(name in named(row).lower() for name in FLOAT32_CONSTANTS)
    tolerance = 5e-6 if dtype == "float32" else 1e-7 if rounded else 2e-13

    for backend in ("numpy", "numba"):
        with sn.use_backend(backend):
            ours = getattr(sn.layers, cls)(**arguments, dtype=dtype)
            ours.build(shape, rng)
            arrays = {**ours.params, **ours.state}
            assert [(key, array.shape) for key, array in arrays.items()] == [(w.name, w.shape) for w in theirs.weights]
            for array, weight in zip(arrays.values(), weights, strict=True):
                array[...] = weight
            got = {"y": np.array(ours.forward(x, training=training)), "dx": ours.backward(dy)}
        got.update({f"gradient of {key}": gradient for key, gradient in ours.grads.items()}, **ours.state)
        for (what, array), right in zip(got.items(), wanted, strict=True):
            assert (array.shape, array.dtype) == (right.shape, dtype), what
            error = np.abs(array - right).max() / np.abs(right).max()
            assert error <= tolerance, f"{what}, {backend}: relative error {error:.1e}"


def test_max_pooling_of_equal_values_sends_the_gradient_where_tensorflow_does():
    """After ReLU and on flat images windows are full of ties."""
    x = np.random.default_rng(0).integers(0, 2, (2, 6, 7, 3)).astype("float64")
    for arguments in ({"pool_size": 2}, {"pool_size": 3, "strides": 2, "padding": "same"}):
        theirs = keras_side.layer("MaxPooling2D", **arguments, dtype="float64")
        dy = np.random.default_rng(1).standard_normal(theirs.compute_output_shape(x.shape))
        wanted = keras_side.passes(theirs, x, dy, False)
        for backend in ("numpy", "numba"):
            with sn.use_backend(backend):
                ours = sn.layers.MaxPooling2D(**arguments, dtype="float64")
                ours.build(x.shape[1:])
                np.testing.assert_array_equal(ours.forward(x), wanted[0])
                np.testing.assert_allclose(ours.backward(dy), wanted[1], rtol=1e-14, err_msg=backend)


def test_a_residual_block_is_keras_graph_of_layers():
    layers, keras = sn.layers, keras_side.keras()
    ours = layers.Residual(
        body=[
            layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, dtype="float64"),
            layers.BatchNormalization(dtype="float64"),
            layers.ReLU(dtype="float64"),
            layers.Conv2D(4, 3, padding="same", dtype="float64"),
        ],
        shortcut=layers.Conv2D(4, 1, strides=2, dtype="float64"),
    )
    ours.build((7, 6, 3), np.random.default_rng(0))
    with keras_side.floatx("float64"):
        x = keras.layers.Input((7, 6, 3))
        body = keras.layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
        body = keras.layers.ReLU()(keras.layers.BatchNormalization()(body))
        body = keras.layers.Conv2D(4, 3, padding="same")(body)
        around = keras.layers.Conv2D(4, 1, strides=2)(x)
        theirs = keras.Model(x, keras.layers.Add()([body, around]))
    theirs.set_weights([array for layer in ours.walk() for array in (*layer.params.values(), *layer.state.values())])
    x = np.random.default_rng(1).standard_normal((3, 7, 6, 3))
    dy = np.random.default_rng(2).standard_normal((3, *ours.output_shape))
    for training in (True, False):
        got = [ours.forward(x, training), ours.backward(dy)]
        got += [gradient for layer in ours.walk() for gradient in layer.grads.values()]
        got += [array for layer in ours.walk() for array in layer.state.values()]
        for array, wanted in zip(got, keras_side.passes(theirs, x, dy, training), strict=True):
            np.testing.assert_allclose(array, wanted, rtol=1e-11, atol=1e-12)

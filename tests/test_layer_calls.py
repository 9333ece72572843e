"""Layers called by hand: batches that do not fit, arrays of any dtype, weights and configs under Keras's names."""

from __future__ import annotations

import json
from typing import Any

import keras_side
import numpy as np
import pytest
from cases import LAYERS, LayerCase

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import ConfigError, DataError, ShapeError

RNG = np.random.default_rng(3)


def built(layer: Any, *shape: int) -> Any:
    layer.build(shape, np.random.default_rng(0))
    return layer


# The gradient is that of the last forward -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_backward_is_of_as_many_samples_as_forward(case: LayerCase, backend: str) -> None:
    """Kernels would read beyond the arrays otherwise."""
    layer = built(case.make(dtype="float32"), *case.shape[1:])
    with pytest.raises(ShapeError, match="backward comes after forward, and nothing has gone forward yet"):
        layer.backward(np.zeros((2, *layer.output_shape)))
    y = layer.forward(RNG.standard_normal((4, *case.shape[1:])), training=case.training)
    for n in (1, 5):
        expected = ", ".join(map(str, y.shape))
        with pytest.raises(ShapeError, match=rf"expected dy of shape \({expected},?\), got \({n}[,)]"):
            layer.backward(np.ones((n, *layer.output_shape)))
    layer.forward(RNG.standard_normal((1, *case.shape[1:])), training=case.training)
    assert layer.backward(np.ones((1, *layer.output_shape))).shape[0] == 1


def test_a_layer_that_is_built_again_forgets_what_went_forward() -> None:
    layer = built(L.ReLU(), 3)
    layer.forward(np.ones((2, 3)))
    layer.build((4,))
    with pytest.raises(ShapeError, match="layer 'ReLU': backward comes after forward"):
        layer.backward(np.ones((2, 4)))
    with pytest.raises(ShapeError, match="layer 'Dense' is not built"):
        L.Dense(2).backward(np.ones((2, 4)))


def test_a_layer_of_ones_own_may_do_without_check_input() -> None:
    class Plain(L.Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            return 2 * x

        def backward(self, dy: Any) -> Any:
            return 2 * self.check_gradient(dy)

    layer = built(Plain(), 3)
    layer.forward(np.ones((2, 3)))
    assert layer.backward(np.ones((2, 3))).tolist() == [[2] * 3] * 2
    with pytest.raises(ShapeError, match=r"expected dy of shape \(n, 3\), got \(2, 4\)"):
        layer.backward(np.ones((2, 4)))


# Arrays of any dtype --------------------------------------------------------------------------------------------------

ODD = [">f4", ">f8", np.longdouble, np.float16, ">i4", ">u2", bool]


@pytest.mark.parametrize("dtype", ODD, ids=str)
def test_numbers_of_any_dtype_are_converted(dtype: Any, backend: str) -> None:
    x = RNG.integers(0, 2, (6, 3)).astype(dtype)
    dense = built(L.Dense(2, "tanh"), 3)
    y = dense.forward(x)
    np.testing.assert_array_equal(y, dense.forward(x.astype(np.float32)))
    assert y.dtype == dense.backward(np.ones((6, 2)).astype(dtype)).dtype == np.float32
    model = sn.Sequential([L.Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse")
    np.testing.assert_array_equal(model.predict(x), model.predict(x.astype(np.float32)))
    assert np.isfinite(model.fit(x, np.ones((6, 2)), batch_size=4, verbose=0).history["loss"][0])


BAD = {"text": "abc", "texts": [["a", "b", "c"]], "ragged": [[1, 2], [1]], "objects": [[None, object(), 1]]}


@pytest.mark.parametrize("x", BAD.values(), ids=BAD)
def test_what_is_no_array_of_numbers_is_refused(x: Any, backend: str) -> None:
    layer = built(L.Dense(2, name="d"), 3)
    with pytest.raises(DataError, match="layer 'd': expected an array of numbers") as caught:
        layer.forward(x)
    assert "\n" not in str(caught.value)


# Keras's names --------------------------------------------------------------------------------------------------------


def test_weights_out_of_a_layer_and_into_it(backend: str) -> None:
    layer = built(L.Residual([L.Dense(3, name="one"), L.BatchNormalization(name="two")]), 3)
    assert [w.shape for w in layer.weights] == [(3, 3), *[(3,)] * 5]
    assert layer.weights[0] is layer.body.layers[0].params["kernel"]
    assert layer.count_params() == 9 + 5 * 3
    saved = layer.get_weights()
    layer.weights[0][...] = 7
    assert (saved[0] != 7).any()
    layer.set_weights([w.astype(">f8") + 1 for w in saved])
    for now, before in zip(layer.get_weights(), saved, strict=True):
        np.testing.assert_allclose(now, before + 1)
        assert now.dtype == np.float32


def test_weights_before_the_layer_is_built() -> None:
    layer = L.Dense(2, name="d")
    assert layer.weights == layer.get_weights() == []
    for call in (layer.count_params, lambda: layer.set_weights([])):
        with pytest.raises(ShapeError, match="layer 'd' is not built"):
            call()
    assert built(L.Flatten(), 3).count_params() == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "set_weights: expected 2 arrays, got 5"),
        ("ab", "set_weights: expected 2 arrays, got 'ab'"),
        (None, "set_weights: expected 2 arrays, got None"),
        ([np.ones((3, 2))], "set_weights: expected 2 arrays, got 1"),
        ([np.ones((3, 2)), np.ones(3)], "set_weights: d/bias: expected shape (2,), got (3,)"),
        ([np.ones((3, 2)), np.array([*"ab"])], "set_weights: d/bias: expected an array of shape (2,), got dtype <U1"),
        ([np.ones((3, 2)), [[1], [1, 2]]], "set_weights: d/bias: expected an array of shape (2,), got a ragged list"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(given: Any, message: str) -> None:
    layer = built(L.Dense(2, name="d"), 3)
    before = layer.get_weights()
    with pytest.raises((ShapeError, DataError)) as caught:
        layer.set_weights(given)
    assert str(caught.value) == message
    for now, was in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, was)


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_from_config(case: LayerCase) -> None:
    layer = case.make(dtype="float64")
    assert type(layer).from_config(layer.get_config()).config() == layer.config()


def test_from_config_of_a_model_and_of_ones_own_class() -> None:
    class Own(L.Dense):
        pass

    model = sn.Sequential([L.Input((3,)), L.Dense(2)])
    again = sn.Sequential.from_config(json.loads(json.dumps(model.get_config())))
    assert (again.layers[0].units, again.built, again.input_shape) == (2, True, (3,))
    late = sn.Sequential([L.Dense(2), sn.Sequential([L.Dense(3, activation="softmax")])])
    assert not sn.Sequential.from_config(late.get_config()).built
    late.build((None, 4))
    again = sn.Sequential.from_config(late.get_config())
    assert (again.config(), again.input_shape, again.output_shape) == (late.config(), (4,), (3,))
    assert late.get_config()["layers"][1]["config"]["layers"][0]["config"]["activation"] == "softmax"
    assert type(Own.from_config(Own(4).get_config())) is Own
    for config, message in [
        ({"unit": 3}, "layer Dense: .*missing 1 required positional argument: 'units'"),
        ({"units": 3, "foo": 1}, "Dense has no argument 'foo'"),
        (3, "Dense: expected its config as a dict, got '3'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            L.Dense.from_config(config)


def test_a_batch_that_is_not_finite_leaves_the_moving_statistics(backend):
    layer = L.BatchNormalization()
    layer.build((2,))
    x = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 1.0]], np.float32)
    layer.forward(x, training=True)
    np.testing.assert_allclose(layer.state["moving_mean"], [0.03, 0.0], 1e-5)
    np.testing.assert_allclose(layer.state["moving_variance"], [0.99 + 0.01 * 8 / 3, 1.0], 1e-6)
    model = sn.Sequential([L.Input((2,)), L.Dense(4), L.BatchNormalization(), L.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(sn.errors.NumericsError):
        model.train_on_batch(np.full((3, 2), np.nan), np.zeros((3, 1)))
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_arrays_that_a_user_puts_in_place(backend: str) -> None:
    """Kernels know addresses alone: a transposed weight was read as if it were none, a broadcast one far outside."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 8)).astype("f4"), rng.standard_normal((3, 8)).astype("f4")
    dense = L.Dense(3)
    dense.build((8,), rng)
    wide = np.repeat(w, 2, axis=1)
    for kernel in (w.T, w[::-1].T, np.asfortranarray(w.T), wide[:, ::2].T, w.T.astype("f8"), w.T.tolist()):
        dense.params["kernel"] = kernel
        dense.params["bias"] = np.broadcast_to(np.float32(0.5), (3,))
        np.testing.assert_allclose(dense.forward(x), x @ np.asarray(kernel, "f4") + 0.5, rtol=1e-5, atol=1e-6)
        dense.grads["kernel"] = np.zeros((3, 8), "f4").T
        dense.backward(np.ones((4, 3)))
        np.testing.assert_allclose(dense.grads["kernel"], x.T @ np.ones((4, 3)), rtol=1e-5, atol=1e-6)
    dense.params["kernel"] = w
    with pytest.raises(
        sn.errors.ShapeError, match=r"^Dense/kernel: expected an array of shape \(8, 3\), got one of \(3, 8\)$"
    ):
        dense.forward(x)
    model = sn.Sequential([L.Input((8,)), L.Dense(3)])
    model.compile("sgd", "mse")
    model.fit(x, x[:, :3], verbose=0)
    model.layers[0].params["kernel"] = w.T
    bias = model.layers[0].params["bias"].copy()
    np.testing.assert_allclose(model.predict(x), x @ w.T + bias, rtol=1e-5, atol=1e-6)
    assert model.evaluate(x, x @ w.T + bias, verbose=0) < 1e-12
    model.fit(x, x[:, :3], verbose=0)
    assert (model.layers[0].params["kernel"] != w.T).any()


def test_statistics_that_a_user_puts_in_place(backend: str) -> None:
    """Of another shape they were read and written outside their memory."""
    x = np.random.default_rng(0).standard_normal((4, 6)).astype("f4")
    norm = built(L.BatchNormalization(), 6)
    norm.state["moving_mean"] = np.arange(12.0)[::2]
    np.testing.assert_allclose(norm.forward(x), (x - np.arange(0, 12, 2)) / np.sqrt(1.001), rtol=1e-5, atol=1e-5)
    for wrong in (np.zeros(1, "f4"), np.zeros((2, 3), "f4")):
        norm.state["moving_variance"] = wrong
        with pytest.raises(
            sn.errors.ShapeError, match=r"moving_variance: expected an array of shape \(6,\), got one of"
        ):
            norm.forward(x, training=True)


def test_only_numbers_go_into_a_layer(backend: str) -> None:
    for given in (np.array([["1", "2"]]), np.array([[1 + 2j, 0]]), np.array([[None, 1.0]]), [["one", "two"]]):
        with pytest.raises(sn.errors.DataError, match=r"^layer 'Dense': expected an array of numbers"):
            built(L.Dense(2), 2).forward(given)


@pytest.mark.parametrize("which", ["parameters", "gradients"])
def test_an_optimizer_takes_contiguous_vectors(backend: str, which: str) -> None:
    optimizer = sn.optimizers.SGD(0.1)
    optimizer.build(4, [(0, 4)], "float32")
    good = np.ones(4, "f4")
    for bad in (np.ones(8, "f4")[::2], np.ones((2, 2), "f4"), np.ones(4)):
        given = (bad, good) if which == "parameters" else (good, bad)
        with pytest.raises(sn.errors.ShapeError, match=f"SGD: {which}: expected a contiguous vector of float32, got "):
            optimizer.apply(*given)
    assert (good == 1).all()


# Keras's names for what a layer holds, and its ways to build and call one --------------------------------------------


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_a_shape_may_have_kerass_batch_axis(case: LayerCase) -> None:
    shape = case.shape[1:]
    ours, kerass = built(case.make(dtype="float32"), *shape), case.make(dtype="float32")
    kerass.build((None, *shape))
    assert (kerass.input_shape, kerass.output_shape) == (ours.input_shape, ours.output_shape)
    assert [array.shape for array in kerass.weights] == [array.shape for array in ours.weights]


def test_a_shape_may_have_kerass_batch_axis_in_a_class_of_ones_own() -> None:
    class Shifted(L.Dense):
        def build(self, input_shape: Any, rng: Any = None) -> None:
            super().build(input_shape, rng)
            self.seen = input_shape

    layer = Shifted(2)
    layer.build([None, 5])
    assert layer.seen == layer.input_shape == (5,)


def test_weights_are_attributes_under_their_names() -> None:
    norm, dense = built(L.BatchNormalization(), 3), built(L.Dense(2, use_bias=False), 3)
    for name in ("gamma", "beta"):
        assert getattr(norm, name) is norm.params[name]
    for name in ("moving_mean", "moving_variance"):
        assert getattr(norm, name) is norm.state[name]
    assert dense.kernel is dense.params["kernel"]
    for layer, name, hint in (
        (dense, "gamma", "'Dense' object has no attribute 'gamma'$"),
        (norm, "kernel", "'BatchNormalization' object has no attribute 'kernel'$"),
        (L.Dense(2), "kernel", "no attribute 'kernel': the layer is not built, and has no weights yet$"),
    ):
        with pytest.raises(AttributeError, match=hint):
            getattr(layer, name)


@pytest.mark.parametrize("x", [L.Input((4,)), [L.Input((4,)), L.Dense(2)], L.Flatten()])
def test_there_is_no_functional_api(x: Any) -> None:
    for layer in (L.Dense(3), built(L.Dense(3), 4), sn.Sequential([L.Dense(3)])):
        with pytest.raises(ConfigError, match=r"got a layer: there is no functional API: use Sequential\(\[\.\.\.\]\)"):
            layer(x)


def test_the_list_of_layers_is_a_copy() -> None:
    model = sn.Sequential([L.Dense(3, input_shape=(4,)), L.Dense(2)])
    first, last = model.layers
    model.layers.pop()
    model.layers[0] = last
    assert model.layers == [first, last]
    assert model.pop() is last
    assert (model.layers, model.output_shape) == ([first], (3,))
    assert model.pop() is first
    with pytest.raises(ConfigError, match="sequential: there is no layer to take off"):
        model.pop()


def test_a_layer_that_was_taken_off_can_be_put_back_above_another() -> None:
    """As in greedy layer-wise training: a new layer gets another name, as in Keras."""
    model = sn.Sequential([L.Dense(3, input_shape=(4,)), L.Dense(2)])
    last = model.pop()
    model.add(L.Dense(3))
    model.add(last)
    assert [layer.name for layer in model.layers] == ["dense", "dense_2", "dense_1"]
    model.pop()
    model.add(L.Dense(5, name="dense_1"))  # a name that is free may be asked for
    with pytest.raises(ConfigError, match="layer names are unique, and 'dense_1' is taken"):
        model.add(last)


def test_a_weight_is_set_under_its_name(backend: str) -> None:
    model = sn.Sequential([L.Input((3,)), L.Dense(2), L.BatchNormalization()])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    dense, norm = model.layers
    place = dense.params["kernel"]
    dense.kernel, dense.bias, norm.moving_mean = np.ones((3, 2), int), [1.0, 2.0], np.zeros(2)
    norm.gamma = np.zeros(2)
    assert dense.params["kernel"] is place is dense.kernel
    np.testing.assert_array_equal(dense.forward(np.ones((1, 3))), [[4, 5]])
    np.testing.assert_array_equal(model.predict(np.ones((1, 3))), [norm.beta])
    with pytest.raises(ShapeError, match=r"^dense/kernel: expected shape \(3, 2\), got \(2, 3\)$"):
        dense.kernel = np.ones((2, 3))
    with pytest.raises(DataError, match=r"^dense/bias: expected an array of shape \(2,\)"):
        dense.bias = "a"

    class Own(L.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.gamma = 3.0

    assert Own().gamma == 3.0
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'kernel': the layer is not built"):
        _ = L.Dense(3).kernel
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'gamma'"):
        _ = dense.gamma


# What a call does without being told --------------------------------------------------------------------------------

IMAGES = np.arange(48, dtype=np.float32).reshape(1, 4, 12, 1)


@keras_side.GROUP
def test_augmentation_acts_in_a_plain_call_as_keras_does() -> None:
    keras = keras_side.keras()
    for layers in (L, keras.layers):
        shift = layers.RandomTranslation((0.25, 0.25), 0, fill_mode="constant")
        stack = (sn if layers is L else keras).Sequential([layers.Rescaling(1.0), shift])
        for part in (shift, stack):
            moved = np.asarray(part(IMAGES))
            np.testing.assert_array_equal(moved[:, 1:], IMAGES[:, :-1])
            assert not moved[:, 0].any()
            np.testing.assert_array_equal(part(IMAGES, training=False), IMAGES)
        np.testing.assert_array_equal(stack.predict(IMAGES, verbose=0), IMAGES)
        for cls in (layers.Dropout, layers.GaussianNoise):
            np.testing.assert_array_equal(cls(0.5)(IMAGES), IMAGES)
            np.testing.assert_array_equal(layers.RandomFlip()(IMAGES, training=False), IMAGES)


def test_the_other_layers_of_a_stack_that_augments_are_in_inference() -> None:
    stack = L.Stack([L.RandomTranslation((0.25, 0.25), 0), L.Dropout(0.9), L.BatchNormalization()])
    y = stack(IMAGES)
    assert (y[:, 2:] > 0).all()
    assert stack.get_layer("batch_normalization").moving_mean == 0
    residual = L.Residual([L.RandomTranslation((0.25, 0.25), 0, "constant")])
    np.testing.assert_array_equal(residual(IMAGES)[:, 0], IMAGES[:, 0])
    np.testing.assert_array_equal(residual.forward(IMAGES), 2 * IMAGES)


def test_the_argument_is_called_inputs_as_in_keras() -> None:
    np.testing.assert_array_equal(L.ReLU()(inputs=-IMAGES), 0 * IMAGES)
    np.testing.assert_array_equal(sn.Sequential([L.ReLU()])(inputs=-IMAGES, training=True), 0 * IMAGES)


@pytest.mark.parametrize(
    "make", [L.ReLU, lambda: L.Stack([L.ReLU(), L.Dropout(0.5)]), lambda: sn.Sequential([L.ReLU()])]
)
def test_a_layer_without_weights_takes_any_shape_in_a_call(make: Any) -> None:
    layer = make()
    for shape in ((2, 3), (1, 4, 5), (2, 3)):
        np.testing.assert_array_equal(layer(-np.ones(shape)), np.zeros(shape))
    assert L.MaxPooling2D(2)(np.ones((1, 8, 6, 2))).shape == (1, 4, 3, 2)


def test_a_layer_with_weights_or_in_a_stack_keeps_its_shape() -> None:
    dense, relu, fixed = L.Dense(2), L.ReLU(), built(L.ReLU(), 3)
    dense(np.ones((1, 3)))
    relu(np.ones((1, 4)))
    sn.Sequential([L.Input((3,)), relu])
    for layer in (dense, relu, fixed):
        with pytest.raises(ShapeError, match=r"expected input of shape \(n, 3\), got \(1, 4\)"):
            layer(np.ones((1, 4)))


# Shapes and penalties without a call --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_output_shapes_are_known_before_the_layer_is_built(case: LayerCase) -> None:
    layer = case.make(dtype="float32")
    state = sn.initializers.default_rng().bit_generator.state
    shape = layer.compute_output_shape((None, *case.shape[1:]))
    assert not layer.built
    assert sn.initializers.default_rng().bit_generator.state == state
    assert shape == (None, *built(layer, *case.shape[1:]).output_shape)
    weights = layer.get_weights()
    assert layer.compute_output_shape((7, *case.shape[1:])) == (7, *shape[1:])
    assert all((one == other).all() for one, other in zip(weights, layer.get_weights(), strict=True))


def test_output_shapes_for_other_inputs() -> None:
    conv = L.Conv2D(4, 3, strides=2, padding="same")
    conv(np.ones((1, 8, 8, 2)))
    assert conv.compute_output_shape([None, 5, 7, 2]) == (None, 3, 4, 4)
    assert conv.input_shape == (8, 8, 2)
    model = sn.Sequential([L.Flatten(), L.Dense(5)])
    assert model.compute_output_shape((None, 4, 4)) == (None, 5)
    assert not model.built
    with pytest.raises(ShapeError, match="'Conv2D' is built, with weights for inputs"):
        conv.compute_output_shape((None, 8, 8, 3))
    for wrong in ((8, 8, 2), None, 3, (), "shape"):
        with pytest.raises(ShapeError, match="layer 'Conv2D'"):
            L.Conv2D(4, 3).compute_output_shape(wrong)


def test_losses_are_the_penalties() -> None:
    dense = L.Dense(2, kernel_regularizer="l2", bias_regularizer=sn.regularizers.L1(0.5), bias_initializer="ones")
    assert dense.losses == []
    model = sn.Sequential([dense])
    model.build((3,))
    assert model.losses == dense.losses == [pytest.approx(0.01 * (dense.kernel**2).sum(), rel=1e-6), 1.0]
    depthwise = built(L.DepthwiseConv2D(1, depthwise_regularizer="l1"), 2, 2, 1)
    assert depthwise.losses == [pytest.approx(0.01 * abs(depthwise.params["kernel"]).sum(), rel=1e-6)]
    assert L.ReLU().losses == []


def test_a_batch_axis_given_to_build_is_named() -> None:
    expected = "; the shape given to build has no batch axis, or None for it$"
    with pytest.raises(ShapeError, match=r"got \(n, 2, 8, 8, 3\)" + expected):
        L.Conv2D(1, 3).build((2, 8, 8, 3))
    with pytest.raises(ShapeError, match=r"expected input of shape \(n, 1, 3\), got \(5, 3\)" + expected):
        built(L.Dense(2), 1, 3).forward(np.ones((5, 3)))
    with pytest.raises(ShapeError, match=r"got \(1, 3\); one sample is x\[None\]$"):
        built(L.Dense(2), 1, 3).forward(np.ones((1, 3)))

"""Layers that are in several models, models in models, and copies of models: what was learned stays, as in Keras."""

from __future__ import annotations

import copy
import gc
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet.errors import ConfigError, ShapeError

L = sn.layers
RNG = np.random.default_rng(0)
X = RNG.random((90, 4)).astype(np.float32)
Y = (X.sum(axis=1) * 1.4).astype(int) % 3


def trained() -> sn.Sequential:
    model = sn.Sequential([L.Input((4,)), L.Dense(16, activation="relu"), L.BatchNormalization(), L.Dense(3)])
    model.compile(sn.optimizers.Adam(0.01), sn.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=3, verbose=0)
    return model


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_trained_model_in_a_new_one_keeps_its_weights(backend: str) -> None:
    model = trained()
    before, logits = model.get_weights(), model.predict(X, verbose=0)
    probabilities = sn.Sequential([model, L.Softmax()]).predict(X, verbose=0)
    assert same(model.get_weights(), before)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize(
    "use",
    [
        lambda model: sn.Sequential([L.Input((4,)), model, L.Dense(2)]),
        lambda model: sn.Sequential([L.Input((4,)), *model.layers[:-1]]),
        lambda model: sn.Sequential([L.Input((4,)), L.Residual(model, L.Dense(3))]),
        lambda model: model.build((4,)),
        lambda model: sn.Sequential(model.layers).build((None, 4)),
    ],
    ids=["inside", "features", "residual", "again", "its-layers"],
)
def test_no_other_use_of_layers_draws_their_weights_anew(use: Any) -> None:
    model = trained()
    before = model.get_weights()
    use(model)
    assert same(model.get_weights(), before)


def test_a_layer_that_was_called_keeps_its_weights() -> None:
    layer = L.Dense(3)
    y = layer(X)
    model = sn.Sequential([L.Input((4,)), layer])
    np.testing.assert_array_equal(model.predict(X, verbose=0), y)


@pytest.mark.parametrize("capture", [True, False])
def test_two_models_train_the_layers_that_both_have(capture: bool, backend: str) -> None:
    model = trained()
    outer = sn.Sequential([model, L.Softmax()])
    outer.compile("sgd", "sparse_categorical_crossentropy", capture=capture)
    iterations = int(model.optimizer.iterations)
    for one in (outer, model, outer, model):
        before = model.get_weights()
        one.fit(X, Y, verbose=0)
        assert not same(model.get_weights(), before)
        assert same(model.get_weights(), outer.get_weights())
    assert int(model.optimizer.iterations) == iterations + 2 * 3  # its optimizer went on where it was


def test_weights_for_another_shape_are_refused_and_stay() -> None:
    model = trained()
    before, logits = model.get_weights(), model.predict(X, verbose=0)
    with pytest.raises(ShapeError, match=r"^layer 'dense' is built, .* \(n, 4\): it cannot take \(n, 5\); make a new"):
        sn.Sequential([L.Input((5,)), model.layers[0]])
    assert same(model.get_weights(), before)
    np.testing.assert_array_equal(model.predict(X, verbose=0), logits)


def test_a_network_that_fits_images_of_any_size_keeps_its_weights() -> None:
    model = sn.Sequential([L.Input((8, 7, 2)), L.Conv2D(4, 3), L.BatchNormalization(), L.GlobalAveragePooling2D()])
    before = model.get_weights()
    model.build((12, 9, 2))
    assert same(model.get_weights(), before)
    assert model.predict(np.ones((2, 12, 9, 2)), verbose=0).shape == (2, 4)


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda model: pickle.loads(pickle.dumps(model))}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_learns_what_the_original_would_and_by_itself(how: str, backend: str) -> None:
    model = trained()
    other, before = COPIES[how](model), model.get_weights()
    assert same(other.get_weights(), before)
    losses = other.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert same(model.get_weights(), before)
    assert model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"] == losses
    assert same(model.get_weights(), other.get_weights())


def test_a_callback_copies_the_model(backend: str) -> None:
    """In the middle of fit it could not be copied, and what its layers gave was overwritten by the next call."""

    class Copy(sn.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                taken.append(copy.deepcopy(self.model))

    x, taken = np.random.default_rng(0).standard_normal((40, 4)).astype("f4"), []
    model = sn.Sequential([L.Dense(3, input_shape=(4,)), L.Dense(2)])
    model.compile("adam", "mse")
    history = model.fit(x, x[:, :2], epochs=4, batch_size=8, shuffle=False, verbose=0, callbacks=[Copy()]).history
    other = taken[0]
    first, again = other.layers[0].forward(x), other.layers[0].forward(-x)
    assert (first != again).any()
    rest = other.fit(x, x[:, :2], epochs=2, batch_size=8, shuffle=False, verbose=0).history
    assert rest["loss"] == history["loss"][2:]


def test_a_copy_of_a_model_that_was_never_trained() -> None:
    model = copy.deepcopy(sn.Sequential([L.Dense(3)]))
    model.compile("sgd", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert model.fit(X, Y, epochs=2, verbose=0).history["loss"][1] > 0


def test_two_models_share_a_convolution_for_images_of_two_sizes(backend: str) -> None:
    shared = L.Conv2D(3, 3)
    large = sn.Sequential([L.Input((8, 8, 1)), shared, L.GlobalMaxPooling2D(), L.Dense(2)])
    x = RNG.random((3, 8, 8, 1)).astype(np.float32)
    before = large.predict(x, verbose=0)
    small = sn.Sequential([L.Input((6, 6, 1)), shared, L.Flatten(), L.Dense(2)])
    models = [(large, x), (small, x[:, :6, :6])]
    for model, _ in models:
        model.compile(sn.optimizers.SGD(0.0), "mse")
    for _ in range(3):
        for model, images in models:
            np.testing.assert_allclose(
                model.train_on_batch(images, np.zeros((3, 2))), (model(images) ** 2).mean(), 1e-5
            )
    np.testing.assert_array_equal(large.predict(x, verbose=0), before)
    np.testing.assert_array_equal(small.predict(x[:, :6, :6], verbose=0), small(x[:, :6, :6]))


def test_an_optimizer_serves_the_model_that_took_it_last(backend: str, tmp_path: Path) -> None:
    optimizer = sn.optimizers.Adam(0.01)
    first, second = (sn.Sequential([L.Dense(3, input_shape=(4,), name=name)], name=name) for name in ("one", "two"))
    for model in (first, second):
        model.compile(optimizer, sn.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.train_on_batch(X, Y)
    assert optimizer.iterations == 1
    with pytest.raises(ConfigError, match=r"model 'two' trains with this optimizer since: .* compile model 'one'"):
        first.train_on_batch(X, Y)
    first.save(tmp_path / "first.safetensors")
    assert sn.load_model(tmp_path / "first.safetensors").optimizer.iterations == 0
    second.train_on_batch(X, Y)
    twin = copy.deepcopy(second)
    twin.train_on_batch(X, Y)
    assert (second.optimizer.iterations, twin.optimizer.iterations) == (2, 3)
    first.compile(optimizer, first.loss)
    first.fit(X, Y, verbose=0)
    del first
    gc.collect()
    second.compile(optimizer, second.loss)
    second.fit(X, Y, verbose=0)


def test_models_in_a_model_that_nobody_named() -> None:
    encoder, decoder = sn.Sequential([L.Dense(2)]), sn.Sequential([L.Dense(4)])
    model = sn.Sequential([L.Input((4,)), encoder, decoder])
    assert [layer.name for layer in model.layers] == ["sequential", "sequential_1"]
    assert model.name == "sequential"
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    with pytest.raises(ConfigError, match="layer names are unique, and 'mine' is taken"):
        sn.Sequential([sn.Sequential([L.Dense(2)], name="mine"), sn.Sequential([L.Dense(2)], name="mine")])


@pytest.mark.parametrize("started", [True, False])
def test_a_layer_that_does_not_fit_is_not_left_in_the_model(started: bool) -> None:
    model = sn.Sequential([L.Dense(5, input_shape=(4,))] if started else [])
    with pytest.raises(ShapeError):
        model.add(L.Conv2D(3, 3) if started else L.Conv2D(3, 3, input_shape=(4,)))
    model.add(L.Dense(3, input_shape=(4,)))
    assert [layer.name for layer in model.layers] == (["dense", "dense_1"] if started else ["dense"])
    assert model.predict(X, verbose=0).shape == (90, 3)


@pytest.mark.parametrize("make", [L.LeakyReLU, L.Sigmoid, lambda: L.Activation("elu"), L.Softmax])
def test_an_activation_layer_for_several_layers(backend: str, make: Any) -> None:
    """As in Keras. Each has its own: the second forward pass would overwrite what the first one needs."""
    act = make()
    model = sn.Sequential(
        [L.Input((6, 5, 2)), L.Conv2D(3, 2, activation=act), L.Flatten(), L.Dense(6, activation=act), L.Dense(4, act)]
    )
    assert sn.check_gradients(model, np.random.default_rng(0).standard_normal((3, 6, 5, 2))).ok
    model.layers[-1].activation = act
    assert model.layers[-1].activation is not act


def test_a_layer_is_in_a_model_once() -> None:
    a, message = L.Dense(5, name="a"), "^Sequential: the layer 'a' is in the model already$"
    for wrong in (
        lambda: sn.Sequential([L.Input((5,)), a, sn.Sequential([a])]),
        lambda: sn.Sequential([L.Input((5,)), sn.Sequential([a]), a]),
        lambda: sn.Sequential([L.Residual([a]), L.Residual([L.Dense(5), a])]),
    ):
        with pytest.raises(ConfigError, match=message.replace("Sequential", "(?i:sequential)")):
            wrong()
    with pytest.raises(ConfigError, match="a layer is in body and shortcut: expected one of its own for each"):
        L.Residual(a, a)
    model = sn.Sequential([L.Dense(5)])
    for other in (model, L.Residual(model), sn.Sequential([model])):
        with pytest.raises(ConfigError, match="a model cannot be inside itself"):
            model.add(other)


@pytest.mark.parametrize("activation", [L.Dense(3), L.Flatten()])
def test_an_activation_keeps_the_shape(activation: Any) -> None:
    layer = L.Dense(5, activation=activation, name="d")
    with pytest.raises(sn.errors.ShapeError, match=r"layer 'd': activation: expected outputs in the shape of inputs, "):
        layer.build((2, 4))


@pytest.mark.parametrize("inside", [False, True])
def test_clones_drop_other_units(inside: bool, backend: str) -> None:
    """As in Keras: the key was drawn, and is not in the config; one that was given is."""
    ones = np.ones((1, 200), np.float32)

    def alike(seed: int | None) -> bool:
        inner = L.Residual([L.Dropout(0.5, seed=seed)]) if inside else L.Dropout(0.5, seed=seed)
        model = sn.Sequential([L.Input((200,)), inner])
        return np.array_equal(model(ones, training=True), sn.models.clone_model(model)(ones, training=True))

    assert not alike(None)
    assert alike(7)

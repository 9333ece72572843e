"""Frozen layers: what is not trainable when a model is compiled keeps its bits, and everything else learns."""

from __future__ import annotations

from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812

RNG = np.random.default_rng(0)
X, LABELS = RNG.random((40, 8, 8, 1)).astype("f4"), np.arange(40) % 3


def network() -> sn.Sequential:
    encoder = sn.Sequential([L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(), L.MaxPooling2D()])
    model = sn.Sequential([L.Input((8, 8, 1)), encoder, L.Flatten(), L.Dense(5, activation="relu"), L.Dense(3)])
    return compiled(model)


def compiled(model: sn.Sequential, optimizer: Any = "adam", **settings: Any) -> sn.Sequential:
    model.compile(
        optimizer, sn.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"], **settings
    )
    return model


def changed(model: sn.Sequential, **fit: Any) -> list[bool]:
    """Whether a fit changes each of the weights."""
    before = model.get_weights()
    model.fit(X, LABELS, batch_size=16, epochs=3, verbose=0, **fit)
    return [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]


@pytest.mark.parametrize("capture", [True, False])
def test_frozen_layers_keep_their_bits(backend: str, capture: bool) -> None:
    model = network()
    model.layers[0].trainable = False
    assert [layer.trainable for layer in model.layers[0].layers] == [False] * 3
    assert changed(compiled(model, capture=capture)) == 6 * [False] + 4 * [True]
    model.layers[0].trainable, model.layers[2].trainable = True, False
    assert changed(compiled(model, capture=capture)) == 6 * [True] + 2 * [False] + 2 * [True]
    model.trainable = False
    assert changed(compiled(model, capture=capture)) == 10 * [False]


def test_what_trains_learns_as_if_the_rest_were_another_model(backend: str) -> None:
    model = network()
    model.layers[0].trainable = False
    compiled(model, sn.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5))
    features = model.layers[0].predict(X)
    head = sn.Sequential([L.Input(features.shape[1:]), L.Flatten(), L.Dense(5, activation="relu"), L.Dense(3)])
    head.set_weights(model.get_weights()[6:])
    compiled(head, sn.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5))
    losses = []
    for one, x in ((model, X), (head, features)):
        sn.utils.set_random_seed(3)
        losses.append(one.fit(x, LABELS, batch_size=16, epochs=3, verbose=0).history["loss"])
    np.testing.assert_array_equal(losses[0], losses[1])
    for ours, theirs in zip(model.get_weights()[6:], head.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_it_counts_from_compile_on() -> None:
    model = network()
    model.layers[0].trainable = False
    with pytest.warns(UserWarning, match="trainable was set since compile: it counts from the next compile on"):
        done = changed(model)
    assert all(done[:2])  # BatchNormalization does without its batch at once, as in Keras
    assert not any(changed(compiled(model))[:6])


def test_a_frozen_critic_behind_a_generator() -> None:
    """A GAN's two models: one layer is frozen in the one and trained in the other."""
    critic = compiled(sn.Sequential([L.Input((4,)), L.Dense(3)], name="critic"))
    critic.trainable = False
    generator = sn.Sequential([L.Input((2,)), L.Dense(4)], name="generator")
    both = compiled(sn.Sequential([generator, critic]))
    noise, real, labels = RNG.random((8, 2)), RNG.random((8, 4)), np.arange(8) % 3
    for _ in range(3):
        before = critic.get_weights(), generator.get_weights()
        both.train_on_batch(noise, labels)
        np.testing.assert_array_equal(before[0][0], critic.get_weights()[0])
        assert (before[1][0] != generator.get_weights()[0]).any()
        critic.train_on_batch(real, labels)
        assert (before[0][0] != critic.get_weights()[0]).any()
    assert critic.optimizer.iterations == both.optimizer.iterations == 3


def test_what_says_so(tmp_path: Any) -> None:
    model = network()
    model.layers[0].trainable = False
    lines: list[str] = []
    compiled(model).summary(print_fn=lines.append)
    assert lines[-3:] == ["Total params: 259", "Trainable params: 203", "Non-trainable params: 56"]
    assert [w.shape for w in model.trainable_weights] == [(36, 5), (5,), (5, 3), (3,)]
    assert len(model.non_trainable_weights) == 6
    assert len(model.weights) == len(model.variables) == 10
    assert sn.check_gradients(model, X[:3], LABELS[:3]).ok
    model.fit(X, LABELS, epochs=1, verbose=0)
    model.save(tmp_path / "m.safetensors")
    loaded = sn.load_model(tmp_path / "m.safetensors")
    assert loaded.layers[0].trainable is False
    assert changed(loaded) == 6 * [False] + 4 * [True]
    assert loaded.optimizer.iterations == 2 + 9


def test_a_frozen_part_in_a_part_that_is_frozen_as_it_is_made(backend: str) -> None:
    """`trainable=False` of a composite holds for what is inside, which has not been told."""
    inner = L.Dense(4)
    model = compiled(
        sn.Sequential([L.Input((8, 8, 1)), L.Flatten(), sn.Sequential([inner], trainable=False), L.Dense(3)])
    )
    assert inner.trainable
    assert changed(model) == [False, False, True, True]


def test_a_resumed_fit_of_a_model_with_frozen_layers(tmp_path: Any) -> None:
    def train(epochs: int, progress: Any = None) -> tuple[list[np.ndarray], sn.Sequential]:
        sn.utils.set_random_seed(5)
        model = network()
        model.layers[0].trainable = False
        compiled(model)
        if progress is not None:
            progress = sn.checkpoint.resume(tmp_path, model)
        model.fit(
            X, LABELS, batch_size=16, epochs=epochs, verbose=0, progress=progress,
            callbacks=[sn.callbacks.TrainingCheckpoint(tmp_path)] if epochs < 4 or progress else [],
        )  # fmt: skip
        return model.get_weights(), model

    whole, _ = train(4)
    train(2)
    resumed, _ = train(4, progress=True)
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_compiling_once_more_with_the_same_optimizer_goes_on(backend: str, optimizer: str) -> None:
    def train(anew: bool) -> list[np.ndarray]:
        sn.utils.set_random_seed(5)
        model = network()
        model.optimizer.learning_rate = sn.optimizers.schedules.PiecewiseConstantDecay([4], [0.01, 0.001])
        for _ in range(2):
            sn.utils.set_random_seed(6)
            model.fit(X, LABELS, batch_size=16, epochs=1, verbose=0)
            if anew:
                compiled(model, model.optimizer)
        assert model.optimizer.iterations == 6
        return model.get_weights()

    for one, other in zip(train(True), train(False), strict=True):
        np.testing.assert_array_equal(one, other)


@keras_side.GROUP
def test_against_keras() -> None:
    keras = keras_side.keras()
    sn.config.set_floatx("float64")
    with keras_side.floatx("float64"):
        theirs = keras.Sequential([
            keras.layers.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax"),
        ])  # fmt: skip
        layers = (
            L.Conv2D(4, 3, activation="relu"),
            L.BatchNormalization(),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        )
        ours = sn.Sequential([L.Input((8, 8, 1)), *layers])
        sn.config.set_floatx("float32")
        theirs.set_weights(ours.get_weights())
        for model, optimizers in ((ours, sn.optimizers), (theirs, keras.optimizers)):
            model.layers[1].trainable = False
            model.compile(optimizers.SGD(0.125), "sparse_categorical_crossentropy", metrics=["accuracy"])
            model.fit(X, LABELS, batch_size=16, epochs=3, verbose=0, shuffle=False)
        for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)

"""Regularizers: the penalty in the loss and its derivative in the gradients, as Keras has them."""

from __future__ import annotations

from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet import regularizers
from scratchnet.errors import ConfigError

RNG = np.random.default_rng(0)
X, LABELS = RNG.random((40, 6, 6, 2)), np.arange(40) % 3


def network(**settings: Any) -> sn.Sequential:
    model = sn.Sequential([
        L.Input((6, 6, 2)),
        L.Conv2D(4, 3, activation="relu", kernel_regularizer="l1", bias_regularizer=regularizers.L2(0.25)),
        L.BatchNormalization(gamma_regularizer=regularizers.L1L2(0.125, 0.5)),
        L.Flatten(),
        sn.Sequential([L.Dense(5, activation="tanh", kernel_regularizer=regularizers.l2(0.125))]),
        L.Dense(3),
    ])  # fmt: skip
    loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(sn.optimizers.Adam(0.01), loss, metrics=["accuracy"], **settings)
    return model


def penalty(model: sn.Sequential) -> float:
    conv, norm, dense = model.layers[0], model.layers[1], model.layers[3].layers[0]
    return float(
        0.01 * np.abs(conv.kernel).sum() + 0.25 * (conv.bias**2).sum() + 0.125 * np.abs(norm.gamma).sum()
        + 0.5 * (norm.gamma**2).sum() + 0.125 * (dense.kernel**2).sum()
    )  # fmt: skip


def test_the_penalty_is_in_every_loss(backend: str) -> None:
    model = network()
    plain = model.loss(LABELS, model.predict(X))
    expected = plain + penalty(model)
    assert model.evaluate(X, LABELS, batch_size=7, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
    assert model.test_on_batch(X, LABELS)[0] == pytest.approx(expected, rel=1e-5)
    assert sn.check_gradients(model, X[:4], LABELS[:4]).ok
    w = np.array([[1.0, -2.0]])
    assert (regularizers.L1()(w), regularizers.L2()(w)) == (pytest.approx(0.03), pytest.approx(0.05))
    assert regularizers.L1L2(1, 2)(w) == 13


@pytest.mark.parametrize("samples", [40, 39])
def test_replayed_steps_have_it_too(samples: int) -> None:
    found = []
    for capture, l1 in ((True, 0.5), (False, 0.5), (True, 0.01)):
        sn.utils.set_random_seed(1)
        model = network(capture=capture)
        model.fit(X[:samples], LABELS[:samples], batch_size=8, epochs=3, verbose=0)
        model.layers[0].regularizers["kernel"].l1 = l1  # is noticed
        history = model.fit(X[:samples], LABELS[:samples], batch_size=8, epochs=3, verbose=0).history
        found.append((model.get_weights(), history))
    assert found[0][1] == found[1][1]
    for one, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(found[0][0][0]).sum() < 0.9 * np.abs(found[2][0][0]).sum()


def test_frozen_layers_have_no_penalty() -> None:
    model = network()
    before = model.evaluate(X, LABELS, verbose=0)[0]
    kernel = model.layers[3].layers[0].kernel
    model.layers[3].trainable = False
    model.compile("sgd", model.loss)
    assert before - model.evaluate(X, LABELS, verbose=0) == pytest.approx(0.125 * (kernel**2).sum(), rel=1e-4)


def test_the_penalties_of_a_model_are_its_losses() -> None:
    model = network()
    assert len(model.losses) == 4
    assert sum(model.losses) == pytest.approx(penalty(model), rel=1e-6)
    assert model.losses[0].numpy() == model.layers[0].losses[0]
    model.layers[0].trainable = False
    assert len(model.losses) == 2
    assert (L.Dense(3).losses, L.Dense(3, kernel_regularizer="l2").losses) == ([], [])


def test_they_are_saved(tmp_path: Any) -> None:
    model = network()
    model.save(tmp_path / "m.safetensors")
    loaded = sn.load_model(tmp_path / "m.safetensors")
    assert loaded.evaluate(X, LABELS, verbose=0) == model.evaluate(X, LABELS, verbose=0)
    config = loaded.layers[1].get_config()
    assert config["gamma_regularizer"] == {"class_name": "L1L2", "config": {"l1": 0.125, "l2": 0.5}}
    assert repr(loaded.layers[0].regularizers) == "{'kernel': L1(l1=0.01), 'bias': L2(l2=0.25)}"


def test_names_and_refusals() -> None:
    assert regularizers.get(None) is None
    for name, cls in (("l1", "L1"), ("L2", "L2"), ("l1_l2", "L1L2"), ("L1L2", "L1L2")):
        made = regularizers.get(name)
        assert type(made).__name__ == cls
        assert regularizers.get(regularizers.serialize(made)).get_config() == made.get_config()
        assert type(made).from_config(made.get_config()).config() == made.config()
    for make, message in (
        (
            lambda: L.Dense(3, kernel_regularizer="l3"),
            "regularizer: expected one of l1, l2, l1_l2, or a Regularizer, got",
        ),
        (lambda: L.Dense(3, kernel_regularizer=lambda w: 0), "regularizer: expected one of"),
        (lambda: regularizers.L2(-1), r"L2: l2: expected a number in \[0, inf\), got -1"),
        (lambda: regularizers.L2(l1=1), "L2 has no argument 'l1'"),
        (lambda: L.Flatten(kernel_regularizer="l2"), "Flatten has no argument 'kernel_regularizer'"),
        (lambda: L.Dense(3, activity_regularizer="l2"), "activity_regularizer: expected None, .*only weights"),
        (lambda: L.Dense(3, kernel_constraint="max_norm"), "kernel_constraint: expected None"),
    ):
        with pytest.raises(ConfigError, match=message):
            make()


@keras_side.GROUP
def test_against_keras() -> None:
    keras = keras_side.keras()
    sn.config.set_floatx("float64")
    with keras_side.floatx("float64"):
        ours, of = network(), keras.regularizers
        theirs = keras.Sequential([
            keras.layers.Input((6, 6, 2)),
            keras.layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l1", bias_regularizer=of.L2(0.25)),
            keras.layers.BatchNormalization(gamma_regularizer=of.L1L2(0.125, 0.5)),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="tanh", kernel_regularizer=of.L2(0.125)),
            keras.layers.Dense(3),
        ])  # fmt: skip
        sn.config.set_floatx("float32")
        theirs.set_weights(ours.get_weights())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        theirs.compile(keras.optimizers.SGD(0.0625), loss, metrics=["accuracy"])
        ours.compile(sn.optimizers.SGD(0.0625), ours.loss, metrics=["accuracy"])
        arguments = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0, "validation_split": 0.25}
        found, wanted = (model.fit(X, LABELS, **arguments).history for model in (ours, theirs))
        for key, values in wanted.items():
            np.testing.assert_allclose(found[key], values, rtol=1e-7, err_msg=key)
        for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)

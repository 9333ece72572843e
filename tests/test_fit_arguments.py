"""What fit, evaluate, predict and the single steps are given: taken as Keras takes it, or refused in one line before
anything is trained.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet.errors import ConfigError, DataError, ScratchnetError, ShapeError

RNG = np.random.default_rng(4)
X, Y, W = RNG.random((20, 4)), np.arange(20) % 3, RNG.uniform(0.5, 2, 20)

pytestmark = pytest.mark.usefixtures("backend")


def network() -> sn.Sequential:
    sn.utils.set_random_seed(0)
    layers = sn.layers
    model = sn.Sequential(
        [layers.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    model.compile(sn.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(x: Any = X, y: Any = Y, **arguments: Any) -> sn.Sequential:
    model = network()
    model.fit(x, y, **{"verbose": 0, **arguments})
    return model


def same(one: sn.Sequential, other: sn.Sequential) -> bool:
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


# Weights --------------------------------------------------------------------------------------------------------------

WRONG_WEIGHTS = [
    (np.ones(3), r"expected shape \(20,\), got \(3,\)"),
    (np.ones((4, 5)), r"expected shape \(20,\), got \(4, 5\)"),
    (np.ones((1, 20)), r"expected shape \(20,\), got \(1, 20\)"),
    (2.0, r"expected shape \(20,\), got \(\)"),
    (["a"] * 20, "expected one number per sample, got dtype <U1"),
    ([[1], [1, 2]] * 10, "expected one number per sample, got a ragged list"),
]


@pytest.mark.parametrize(("weights", "message"), WRONG_WEIGHTS)
def test_weights_that_do_not_fit_are_refused_everywhere(weights: Any, message: str) -> None:
    model = network()
    before = model.get_weights()
    for call in (
        model.train_on_batch, model.test_on_batch, model.loss_and_gradients, model.evaluate, model.fit,
        lambda x, y, sample_weight: model.fit(x, y, sample_weight=sample_weight, validation_split=0.2),
        lambda x, y, sample_weight: model.fit(x, y, sample_weight=sample_weight, class_weight={0: 2.0}),
    ):  # fmt: skip
        with pytest.raises(sn.errors.DataError, match=f"^sample_weight: {message}$"):
            call(X, Y, sample_weight=weights)
    with pytest.raises(sn.errors.DataError, match=f"^validation_data: sample_weight: {message}$"):
        model.fit(X, Y, validation_data=(X, Y, weights))
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_column_of_weights_is_taken_as_a_row() -> None:
    column = W[:, None]
    for call in ("train_on_batch", "test_on_batch", "loss_and_gradients"):
        values = [getattr(network(), call)(X, Y, sample_weight=weights) for weights in (W, column, column.tolist())]
        assert values[0] == values[1] == values[2]
    assert network().evaluate(X, Y, sample_weight=column, verbose=0) == network().evaluate(
        X, Y, sample_weight=W, verbose=0
    )
    assert same(fit(sample_weight=W), fit(sample_weight=column))
    assert same(
        fit(sample_weight=W, validation_split=0.3, class_weight={1: 3.0}),
        fit(sample_weight=column, validation_split=0.3, class_weight={1: 3.0}),
    )


def test_class_weights_of_a_single_step() -> None:
    expected = np.where(Y == 1, 3.0, np.where(Y == 2, 0.25, 1.0))
    one, other, both = network(), network(), network()
    value = one.train_on_batch(X, Y, class_weight={1: 3.0, 2: 0.25})
    assert value == other.train_on_batch(X, Y, sample_weight=expected)
    assert same(one, other)
    both.train_on_batch(X, Y, sample_weight=W, class_weight={1: 3.0, 2: 0.25})
    other = network()
    other.train_on_batch(X, Y, sample_weight=expected * W)
    for a, b in zip(both.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@keras_side.GROUP
def test_single_steps_weigh_as_keras_does() -> None:
    keras = keras_side.keras()
    theirs = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    theirs.compile("sgd", "sparse_categorical_crossentropy")
    ours = sn.Sequential([sn.layers.Input((4,)), sn.layers.Dense(3, activation="softmax")])
    ours.compile("sgd", "sparse_categorical_crossentropy")
    for arguments in ({"sample_weight": W[:, None]}, {"class_weight": {1: 3.0}}):
        ours.set_weights(theirs.get_weights())
        expected = float(theirs.train_on_batch(X, Y, **arguments))
        assert ours.train_on_batch(X, Y, **arguments) == pytest.approx(expected, rel=1e-5)
    assert ours.test_on_batch(X, Y, W[:, None]) == pytest.approx(
        float(theirs.test_on_batch(X, Y, W[:, None])), rel=1e-5
    )


def test_class_weights_round_labels_as_keras_does() -> None:
    model = sn.Sequential([sn.layers.Input((4,)), sn.layers.Dense(1)])
    model.compile("sgd", "mse")
    y = np.linspace(0, 1, 20)  # 0 below a half, 1 above
    value = model.evaluate(X, y, sample_weight=np.where(y > 0.5, 5.0, 1.0), verbose=0)
    assert model.train_on_batch(X, y, class_weight={1: 5.0}) == pytest.approx(value, rel=1e-6)


# Arguments of fit -----------------------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"validation_batch_size": -1}, "validation_batch_size: expected an integer of at least 1, got -1"),
    ({"validation_batch_size": 2.5}, "validation_batch_size: expected an integer of at least 1, got 2.5"),
    ({"validation_batch_size": "a"}, "validation_batch_size: expected an integer of at least 1, got 'a'"),
    ({"validation_steps": 0}, "validation_steps: expected an integer of at least 1, got 0"),
    ({"validation_freq": 0}, "validation_freq: expected an integer of at least 1, or the epochs .*, got 0"),
    ({"validation_freq": -1}, "validation_freq: expected an integer of at least 1, or .*, got -1"),
    ({"validation_freq": "a"}, "validation_freq: expected an integer of at least 1, or .*, got 'a'"),
    ({"validation_freq": [1, 0]}, r"validation_freq: .*, got \[1, 0\]"),
    ({"validation_freq": None}, "validation_freq: .*, got None"),
    ({"validation_freq": np.array(0)}, r"validation_freq: .*, got array\(0\)"),
    ({"validation_data": (X,)}, r"validation_data: expected \(x, y\) or \(x, y, sample_weight\), got a tuple of 1"),
    ({"validation_data": ()}, "validation_data: expected .*, got a tuple of 0"),
    ({"validation_data": 5}, "validation_data: expected .*, got 5"),
    ({"validation_data": X}, "validation_data: expected .*, got array.*"),
    ({"validation_data": (X, Y, W, 1)}, "validation_data: expected .*, got a tuple of 4"),
    ({"validation_data": (X, None)}, "validation_data: targets are missing"),
    ({"validation_data": (X, Y[:3])}, "validation_data: 20 samples but 3 targets"),
    ({"validation_split": "a"}, r"validation_split: expected a fraction in \[0, 1\), got 'a'"),
    ({"validation_split": 1.0}, r"validation_split: expected a fraction in \[0, 1\), got 1.0"),
    ({"validation_split": 0.99}, "validation_split: 0.99 of 20 samples leaves none to train on, or none to hold out"),
    ({"validation_split": 0.5, "y": None}, "x: targets are missing"),
    ({"validation_split": 0.5, "y": Y[:4]}, "x: 20 samples but 4 targets"),
    ({"validation_split": 0.5, "y": 4}, "x: 20 samples but no targets"),
    ({"validation_split": 0.5, "y": [[1], [1, 2]] * 10}, "y: expected numbers for targets, got a ragged list"),
    ({"steps_per_epoch": 0}, "steps_per_epoch: expected an integer of at least 1, got 0"),
    ({"steps_per_epoch": "a"}, "steps_per_epoch: expected an integer of at least 1, got 'a'"),
    ({"initial_epoch": -1}, "initial_epoch: expected an integer of at least 0, got -1"),
    ({"epochs": 1.5}, "epochs: expected an integer of at least 0, got 1.5"),
    ({"batch_size": "a"}, "batch_size: expected an integer of at least 1, got 'a'"),
    ({"verbose": "a"}, "verbose: expected 'auto', 0, 1 or 2, got 'a'"),
    ({"verbose": np.zeros(2)}, "verbose: expected 'auto', 0, 1 or 2, got array.*"),
    ({"progress": 3}, "progress: expected what checkpoint.resume gives, got 3"),
    ({"class_weight": [1, 2, 3]}, r"class_weight: expected a dict of class number to weight, got \[1, 2, 3\]"),
    ({"class_weight": "balanced"}, "class_weight: expected a dict of class number to weight, got 'balanced'"),
    ({"class_weight": {"a": 1.0}}, "class_weight: expected a dict .*, got {'a': 1.0}"),
    ({"class_weight": {0: "a"}}, "class_weight: expected a dict .*, got {0: 'a'}"),
    ({"class_weight": {0: 1.0}, "y": None}, "x: targets are missing"),
    ({"class_weight": {0: 1.0}, "y": ["a"] * 20}, ".*expected numbers for targets, got dtype <U1"),
    ({"y": None}, "x: targets are missing"),
    ({"x": (X, Y), "y": None}, "x: targets are missing; samples and targets are two arguments"),
    ({"x": (X, Y)}, "x: expected an array, .*, got a ragged tuple; samples and targets are two arguments"),
    ({"x": [[1, 2], [3]]}, "x: expected an array, all samples of one shape, got a ragged list"),
    ({"x": [["a"] * 4] * 20}, "x: expected an array of numbers, got dtype <U1"),
    ({"x": 5}, r"x: expected at least one sample, got an array of shape \(\)"),
    ({"epoch": 2}, "fit has no argument 'epoch': did you mean 'epochs'.*"),
    ({"workers": 2}, "fit has no argument 'workers': it has: x, y, batch_size, .*"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=lambda value: str(value)[:60])
def test_fit_refuses_in_one_line_before_it_trains(arguments: dict[str, Any], message: str) -> None:
    model = network()
    given = {"x": X, "y": Y, "verbose": 0, "validation_data": None, **arguments}
    with pytest.raises(ScratchnetError, match=f"^{message}$") as caught:
        model.fit(**given)
    assert "\n" not in str(caught.value)
    assert model.optimizer.iterations == 0


def test_what_cannot_be_trained_on_does_not_build_the_model() -> None:
    def unbuilt() -> Any:
        model = sn.Sequential([sn.layers.Dense(3)])
        model.compile("sgd", "mse")
        return model

    for arguments in ({"x": [["a"]] * 20}, {"x": []}, {"y": None}, {"validation_freq": 0}, {"steps_per_epoch": 0}):
        model = unbuilt()
        with pytest.raises(ScratchnetError):
            model.fit(**{"x": X, "y": X[:, :3], **arguments})
        assert not model.built
    for arguments in ({"x": [["a"]] * 20}, {"x": []}, {"y": None}):
        for step in ("train_on_batch", "test_on_batch", "loss_and_gradients"):
            model = unbuilt()
            with pytest.raises(ScratchnetError):
                getattr(model, step)(**{"x": X, "y": X[:, :3], **arguments})
            assert not model.built


def test_data_build_the_model_whoever_sees_them_first() -> None:
    calls: dict[str, Any] = {
        "fit": lambda m: m.fit(X, X[:, :3], verbose=0),
        "evaluate": lambda m: m.evaluate(X, X[:, :3], verbose=0),
        "predict": lambda m: m.predict(X),
        "predict_classes": lambda m: m.predict_classes(X.tolist()),
        "train_on_batch": lambda m: m.train_on_batch(sn.datasets.Pixels(np.ones((2, 4), np.uint8)), X[:2, :3]),
        "test_on_batch": lambda m: m.test_on_batch(X, X[:, :3]),
        "loss_and_gradients": lambda m: m.loss_and_gradients(X.tolist(), X[:, :3]),
    }
    for name, call in calls.items():
        model = sn.Sequential([sn.layers.Dense(3)])
        model.compile("sgd", "mse")
        assert model.get_weights() == model.weights == []
        call(model)
        assert [array.shape for array in model.get_weights()] == [(4, 3), (3,)], name
    with pytest.raises(ShapeError, match="model 'sequential' is not built"):
        sn.Sequential().predict(X)


def a_generator() -> Any:
    yield X, Y


STREAMS = [
    (a_generator, "generator"), (lambda: iter([X]), "list_iterator"), (lambda: {"x": X}, "dict"),
    (lambda: type("Set", (), {"__iter__": a_generator, "__module__": "tensorflow.data"})(), "Set of tensorflow"),
    (lambda: type("Loader", (), {"__getitem__": int, "__module__": "torch.utils"})(), "Loader of torch"),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "came"), STREAMS, ids=[came for _, came in STREAMS])
def test_what_gives_samples_one_after_the_other_is_refused(stream: Any, came: str) -> None:
    model = network()
    for call in (
        lambda x: model.fit(x),
        lambda x: model.fit(x, epochs=2, validation_split=0.2),
        lambda x: model.fit(x, Y),
        model.evaluate,
        model.predict,
        model.train_on_batch,
        model.test_on_batch,
    ):
        with pytest.raises(DataError, match=f"^x: expected an array of all samples, got {came}: there are no generato"):
            call(stream())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.evaluate(X, Y, batchsize=3), "evaluate has no argument 'batchsize': did you mean 'batch_size'.*"),
        (lambda m: m.evaluate(X, Y, steps=0), "steps: expected an integer of at least 1, got 0"),
        (lambda m: m.evaluate(X, Y, batch_size=-1), "batch_size: expected an integer of at least 1, got -1"),
        (lambda m: m.evaluate(X, Y, verbose="a"), "verbose: expected 'auto', 0, 1 or 2, got 'a'"),
        (lambda m: m.evaluate(X), "x: targets are missing"),
        (lambda m: m.evaluate([[1, 2], [3]], Y), "x: expected an array, .* ragged list"),
        (lambda m: m.evaluate(X, Y, callbacks=[5]), "callbacks: expected Callback objects, got 5"),
        (lambda m: m.predict(X, y=Y), "predict has no argument 'y': it has: x, batch_size, .*"),
        (lambda m: m.predict(X, steps="a"), "steps: expected an integer of at least 1, got 'a'"),
        (lambda m: m.predict([[1, 2], [3]]), "x: expected an array, .* ragged list"),
        (lambda m: m.predict(X, verbose=3), "verbose: expected 'auto', 0, 1 or 2, got 3"),
        (lambda m: m.train_on_batch(X[:0], Y[:0]), r"x: expected at least one sample, got an array of shape \(0, 4\)"),
        (lambda m: m.test_on_batch(X[:0], Y[:0]), r"x: expected at least one sample, got an array of shape \(0, 4\)"),
        (lambda m: m.loss_and_gradients(X[:0], Y[:0]), "x: expected at least one sample, got .*"),
        (lambda m: m.train_on_batch(X), "x: targets are missing"),
        (lambda m: m.train_on_batch(X, Y, class_weight=[1, 2]), "class_weight: expected a dict .*"),
        (lambda m: m.train_on_batch(X, Y[:3]), "x: 20 samples but 3 targets"),
    ],
)
def test_the_other_ways_in_refuse_in_one_line(call: Any, message: str) -> None:
    model = network()
    with pytest.raises(ScratchnetError, match=f"^{message}$"):
        call(model)
    assert model.optimizer.iterations == 0


def test_a_model_that_is_not_compiled() -> None:
    model = sn.Sequential([sn.layers.Dense(3, input_shape=(4,))])
    for call in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ConfigError, match="is not compiled"):
            call(X, Y)


@pytest.mark.parametrize("collection", [[1, 3], (1, 3), {3, 1}, range(1, 4, 2), np.array([3, 1])])
def test_validation_after_these_epochs(collection: Any) -> None:
    model = fit(epochs=4, validation_data=(X, Y), validation_freq=collection)
    assert len(model.history.history["val_loss"]) == 2
    assert len(model.history.history["loss"]) == 4
    seen: list[bool] = []
    note = sn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append("val_loss" in logs))
    fit(epochs=4, validation_split=0.5, validation_freq=collection, callbacks=[note])
    assert seen == [True, False, True, False]


# Steps ----------------------------------------------------------------------------------------------------------------


def test_steps_are_the_first_batches() -> None:
    model = network()
    assert model.evaluate(X, Y, batch_size=6, steps=2, verbose=0) == pytest.approx(
        model.evaluate(X[:12], Y[:12], verbose=0), rel=1e-6
    )
    np.testing.assert_array_equal(model.predict(X, batch_size=6, steps=2), model.predict(X[:12], batch_size=6))
    np.testing.assert_allclose(model.predict(X, steps=3), model.predict(X), rtol=1e-5)  # batches of 7
    with pytest.warns(UserWarning, match="9 batches of 6 were asked for, there are 4"):
        assert model.predict(X, batch_size=6, steps=9).shape == (20, 3)
    trained = fit(validation_data=(X, Y), validation_steps=2, validation_batch_size=5)
    expected = trained.evaluate(X[:10], Y[:10], verbose=0, return_dict=True)
    assert trained.history.history["val_loss"][0] == pytest.approx(expected["loss"], rel=1e-6)
    trained = fit(validation_data=(X, Y), validation_steps=2, batch_size=4)  # of the size of fit's
    expected = trained.evaluate(X[:8], Y[:8], verbose=0, return_dict=True)
    assert trained.history.history["val_loss"][0] == pytest.approx(expected["loss"], rel=1e-6)


# Types of numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">u2", ">f2", "float16", "longdouble", "bool", "int64"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_numbers_of_any_type_and_byte_order(dtype: str, shuffle: bool) -> None:
    x = np.rint(X * 4)
    x = (x > 2).astype(float) if dtype == "bool" else x
    trained = []
    for samples, labels, weights in ((x, Y, W), (x.astype(dtype), Y.astype(">i4"), W.astype(">f8"))):
        model = network()
        arguments: dict[str, Any] = {"sample_weight": weights, "epochs": 3, "shuffle": shuffle, "verbose": 0}
        history = model.fit(samples, labels, batch_size=4, validation_data=(samples, labels), **arguments)
        evaluated, predicted = model.evaluate(samples, labels, verbose=0), model.predict(samples)
        stepped = model.train_on_batch(samples, labels)
        trained.append((history.history, evaluated, predicted.tolist(), stepped))
    assert trained[0] == trained[1]


def test_targets_of_foreign_byte_order() -> None:
    losses = []
    for dtype in ("f4", ">f4", "longdouble", "f2"):
        model = sn.Sequential([sn.layers.Dense(2, input_shape=(4,), kernel_initializer="ones")])
        model.compile("sgd", "mse", metrics=["mae"])
        y = np.rint(X[:, :2] * 4).astype(dtype)
        losses.append([model.evaluate(X, y, verbose=0), model.fit(X, y, shuffle=False, verbose=0).history])
    assert losses[0] == losses[1] == losses[2] == losses[3]


def test_metrics_that_are_none_are_refused_by_compile() -> None:
    for metrics in (5, ["accuracy", 5]):
        with pytest.raises(ConfigError, match=r"^metric: expected one of accuracy, .*, got 5$"):
            network().compile("sgd", "mse", metrics=metrics)
    model = network()
    model.compile("sgd", "mse", metrics=sn.metrics.MeanAbsoluteError())
    assert [metric.name for metric in model.metrics] == ["mean_absolute_error"]


def test_batches_of_one_sort_give_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(validation_split=0.25, batch_size=4)


def test_one_batch_is_predicted_and_its_numbers_have_names(backend: str) -> None:
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    np.testing.assert_array_equal(model.predict_on_batch(X), model.predict(X, batch_size=20, verbose=0))
    assert model.metrics_names == ["loss", "accuracy"]
    assert len(model.test_on_batch(X, Y)) == len(model.metrics_names)


def test_arguments_under_keras_names(tmp_path: Path) -> None:
    model = sn.Sequential([sn.Input((3,)), sn.layers.Dense(2, "relu"), sn.layers.Dense(2, "softmax")])
    model.compile("adam", "mse", weighted_metrics=[], jit_compile=True, run_eagerly=True)
    assert model.capture is False
    model.save(filepath=tmp_path / "m.safetensors")
    model.save_weights(filepath=tmp_path / "w.safetensors")
    model.load_weights(filepath=tmp_path / "w.safetensors")
    assert sn.load_model(tmp_path / "m.safetensors", safe_mode=True).count_params() == model.count_params()
    with pytest.raises(sn.errors.ConfigError, match="load_model: safe_mode: expected True, got False: nothing in a"):
        sn.load_model(tmp_path / "m.safetensors", safe_mode=False)
    model.layers[0].set_weights(weights=model.layers[0].get_weights())
    assert [layer.activation.__name__ for layer in model.layers] == ["relu", "softmax"]
    assert sn.utils.to_categorical(x=[1], num_classes=2).tolist() == [[0, 1]]
    sn.config.set_floatx(value="float32")
    assert len(sn.datasets.mnist.load_data(path="mnist.npz")[0][0]) == 60_000

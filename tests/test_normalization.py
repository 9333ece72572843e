"""Normalization: its statistics against Keras's, and what a model with it does, saves and exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import ConfigError, DataError, ShapeError

RNG = np.random.default_rng(0)
TABLE = RNG.standard_normal((50, 3)) * [1, 20, 0] + [5, -300, 7]  # the last feature is always the same
TARGETS = RNG.standard_normal((50, 1))


@keras_side.GROUP
@pytest.mark.parametrize(
    ("data", "axis"),
    [
        (TABLE, -1),
        (TABLE.astype(np.float32), 1),
        (TABLE, (-1,)),
        (TABLE, None),
        (RNG.integers(0, 256, (6, 4, 5, 2)), -1),
        (RNG.integers(0, 256, (6, 4, 5, 2), np.uint8), None),
    ],
    ids=["table", "float32", "tuple", "one", "pictures", "bytes"],
)
def test_statistics_and_outputs_are_those_of_keras(data: Any, axis: Any, backend: str) -> None:
    theirs, ours = keras_side.keras().layers.Normalization(axis=axis), L.Normalization(axis=axis)
    for layer in (theirs, ours):
        layer.adapt(data)
    for name in ("mean", "variance"):
        wanted = np.asarray(getattr(theirs, name))
        assert getattr(ours, name).numpy().shape == wanted.shape
        np.testing.assert_allclose(getattr(ours, name), wanted, rtol=1e-5, atol=1e-6)
    wanted = np.asarray(theirs(data.astype(np.float32)))
    np.testing.assert_allclose(ours(data), wanted, rtol=1e-4, atol=2e-4)
    assert ours.count_params() == theirs.count_params()
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.get_weights()]


def model_of(norm: Any, dtype: str = "float32") -> sn.Sequential:
    sn.utils.set_random_seed(1)
    model = sn.Sequential([norm, L.Dense(4, "tanh", dtype=dtype), L.Dense(1, dtype=dtype)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("capture", [True, False])
def test_training_is_that_on_data_normalized_before(backend: str, capture: bool) -> None:
    norm = L.Normalization(input_shape=(3,), dtype="float64")
    model = model_of(norm, "float64")
    model.compile("adam", "mse", capture=capture)
    norm.adapt(TABLE)  # after compile, as in the book by Géron
    got = model.fit(TABLE, TARGETS, epochs=3, verbose=0, validation_split=0.2).history
    spread = np.maximum(TABLE.std(axis=0), 1e-7)
    plain = model_of(L.Activation("linear", input_shape=(3,), dtype="float64"), "float64")
    wanted = plain.fit(
        (TABLE - TABLE.mean(axis=0)) / spread, TARGETS, epochs=3, verbose=0, validation_split=0.2
    ).history
    for name, values in wanted.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-9)
    np.testing.assert_allclose(norm.state["mean"], TABLE.mean(axis=0), rtol=1e-12)  # training leaves them as they are


def test_one_feature_as_a_vector() -> None:
    """TensorFlow's tutorial of regression: a column of a table, and a layer for one feature."""
    norm = L.Normalization(input_shape=[1], axis=None)
    norm.adapt(TABLE[:, 1])
    model = sn.Sequential([norm, L.Dense(units=1)])
    assert model.predict(TABLE[:, 1]).shape == (50, 1)
    np.testing.assert_allclose(norm(TABLE[:, 1:2]).std(), 1, rtol=1e-5)


def test_a_model_is_saved_and_loaded(tmp_path: Path) -> None:
    norm = L.Normalization()
    norm.adapt(TABLE)
    model = model_of(norm)
    model.fit(TABLE, TARGETS, verbose=0)
    for name in ("model.safetensors", "model.keras"):
        model.save(tmp_path / name)
        again = sn.load_model(tmp_path / name)
        np.testing.assert_array_equal(again.predict(TABLE), model.predict(TABLE))
    assert repr(again.layers[0]) == "Normalization()"
    model.save_weights(tmp_path / "m.weights.h5")
    again.set_weights([0 * weight for weight in again.get_weights()])
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(again.predict(TABLE), model.predict(TABLE))


@keras_side.GROUP
@pytest.mark.parametrize("axis", [-1, None])
def test_keras_reads_and_writes_the_same_files(tmp_path: Path, axis: Any) -> None:
    keras = keras_side.keras()
    norm = L.Normalization(axis=axis)
    norm.adapt(TABLE)
    model = model_of(norm)
    model.fit(TABLE, TARGETS, verbose=0)
    model.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(theirs.predict(TABLE, verbose=0), model.predict(TABLE), rtol=1e-4, atol=1e-5)
    theirs.layers[0].adapt(TABLE * 2)
    theirs.save(tmp_path / "theirs.keras")
    again = sn.load_model(tmp_path / "theirs.keras")
    wanted = np.asarray(theirs(TABLE.astype(np.float32)))  # its predict has the statistics of its first call
    np.testing.assert_allclose(again.predict(TABLE), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [-1, None])
def test_onnx(tmp_path: Path, axis: Any) -> None:
    runtime = pytest.importorskip("onnxruntime")
    norm = L.Normalization(axis=axis)
    norm.adapt(TABLE)
    model = model_of(norm)
    model.build((3,))
    sn.interop.onnx.export(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(str(tmp_path / "m.onnx"))
    x = TABLE.astype(np.float32)
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(y, model.predict(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: L.Normalization(mean=3.0), ConfigError, r"mean: expected None, got 3\.0: adapt\(data\) sets it"),
        (lambda: L.Normalization(invert=True), ConfigError, "invert: expected False, got True: y . sqrt"),
        (lambda: L.Normalization(axis=(1, 2)), ConfigError, r"axis: expected an integer, got \(1, 2\)"),
        (
            lambda: L.Normalization(axis=1).adapt(np.ones((2, 3, 4))),
            ShapeError,
            "axis: expected the last, -1 or 2, got 1",
        ),
        (lambda: L.Normalization().adapt([[1, np.nan]]), DataError, "data: expected finite numbers, got NaN or Inf"),
        (lambda: L.Normalization().adapt(np.ones((0, 3))), DataError, "data: expected finite numbers, got none"),
        (lambda: L.Normalization().adapt("table"), DataError, "data: expected an array of numbers"),
        (lambda: L.Normalization(input_shape=(3,)).mean, ShapeError, "'Normalization' is not built"),
    ],
)
def test_what_is_refused(call: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=f"Normalization.*{says}" if "built" not in says else says):
        call()


def test_data_of_another_shape_are_refused() -> None:
    model = sn.Sequential([L.Normalization(input_shape=(3,))])
    with pytest.raises(
        ShapeError, match=r"layer 'normalization': adapt: expected input of shape \(n, 3\), got \(50, 2\)"
    ):
        model.layers[0].adapt(TABLE[:, :2])

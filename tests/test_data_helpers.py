"""The bundled digits, pixels, labels and splits."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import keras_side
import numpy as np
import pytest

from scratchnet import errors, utils
from scratchnet.datasets import Pixels, digits, to_categorical, train_validation_split
from scratchnet.datasets.labels import class_numbers
from scratchnet.errors import ConfigError, DataError, DependencyError, ShapeError


@pytest.fixture
def images():
    return digits.load_data()[0][0]


def test_digits_split_is_fixed_and_stratified():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert (x_train.shape, x_test.shape) == ((1438, 8, 8), (359, 8, 8))
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert x_train.max() * digits.scale == 1
    share = np.bincount(y_test) / (np.bincount(y_train) + np.bincount(y_test))
    assert np.abs(share - 0.2).max() < 0.003
    sum_ = hashlib.sha256(x_test.tobytes() + y_test.tobytes()).hexdigest()
    assert sum_ == "e6e0c11bc22dd65ab54c742833ab1e0509b023d20db958a850437fbd7a19a913"


def test_digits_are_those_of_scikit_learn(monkeypatch):
    expected = digits._rows()
    monkeypatch.setattr(Path, "is_file", lambda self: False)  # a scikit-learn that keeps its table elsewhere
    assert np.array_equal(digits._rows(), expected)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="pip install scikit-learn"):
        digits.load_data()


def test_digits_of_another_version(monkeypatch):
    monkeypatch.setattr(digits, "_rows", lambda: np.zeros((1797, 65), np.uint8))
    with pytest.raises(DataError, match="expected SHA-256"):
        digits.load_data()


def test_pixels_are_scaled_only_when_read(images):
    x = Pixels(images, digits.scale)
    assert x.array is images
    assert (x.shape, x.ndim, x.dtype, len(x)) == (images.shape, 3, np.uint8, len(images))
    full = np.asarray(x)
    assert full.dtype == np.float32
    assert np.array_equal(full, images / 16)
    assert np.asarray(x, np.float64).dtype == np.float64
    assert repr(x) == "Pixels(uint8 (1438, 8, 8), scale=0.0625)"


def test_pixels_index_as_numpy_does(images):
    x = Pixels(images, digits.scale)
    keys = [slice(5), slice(None, None, -2), [3, 1], np.arange(4), images[:, 4, 4] > 8, 7, (slice(2), 3)]
    for key in keys:
        assert isinstance(x[key], Pixels)
        assert np.array_equal(np.asarray(x[key]), images[key] / 16)
    assert x[:5].array.base is not None  # a view, not a copy
    assert x[0, 2, 3] == images[0, 2, 3] / 16
    assert x[0, 2, 3].dtype == np.float32
    assert sum(1 for _ in x[:3]) == 3


def test_pixels_reshape_each_sample(images):
    x = Pixels(images, digits.scale)
    assert x.reshape(64).shape == (1438, 64)
    assert x.reshape((8, 8, 1)).shape == x.reshape(8, 8, 1).shape == (1438, 8, 8, 1)
    assert np.shares_memory(x.reshape(64).array, images)
    for wrong in ((-1, 64), (1438, 64), (63,), (-8, -8)):
        with pytest.raises(ShapeError, match=r"one sample's shape \(64 elements, no batch axis\)"):
            x.reshape(*wrong)


@pytest.mark.parametrize("array", [np.zeros((3, 3)), np.zeros((3, 3), np.int8), np.uint8(1), [[1]], None])
def test_pixels_must_be_bytes(array):
    with pytest.raises(DataError, match="expected a uint8 array"):
        Pixels(array)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), "1/255", None])
def test_pixels_scale_must_be_positive(images, scale):
    with pytest.raises(ConfigError, match="expected a finite positive scale"):
        Pixels(images, scale)


def test_pixels_never_lend_their_bytes_as_floats(images):
    with pytest.raises(ValueError, match="always a new one"):
        np.asarray(Pixels(images), copy=False)


def test_to_categorical_as_keras_has_it():
    assert np.array_equal(to_categorical([0, 1, 2, 3], num_classes=4), np.eye(4))
    assert to_categorical([2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert to_categorical([2, 0]).dtype == np.float64
    assert to_categorical([[1], [0]]).shape == (2, 2)
    assert to_categorical([[1, 0], [0, 1]], 3).shape == (2, 2, 3)
    assert to_categorical(1, 3).tolist() == [0, 1, 0]
    assert to_categorical([1.0, 0.0]).tolist() == [[0, 1], [1, 0]]
    assert to_categorical([], 3).shape == (0, 3)
    labels = digits.load_data()[0][1]
    assert np.array_equal(class_numbers(to_categorical(labels, 10)), labels)
    assert np.array_equal(class_numbers(labels[:, None]), labels)


@pytest.mark.parametrize(
    ("y", "classes", "says"),
    [
        ([0, 3], 3, "expected labels from 0 to 2, got 3"),
        ([0, -1], 3, "expected labels from 0 to 2, got -1"),
        ([-3, -1], None, "expected labels from 0, got -3"),
        ([0.5], None, "expected whole class numbers"),
        ([float("nan")], None, "expected whole class numbers"),
        (["cat"], None, "expected class numbers"),
        ([[0], [1, 2]], None, "expected class numbers"),
        ([], None, "expected labels, or num_classes"),
        ([2**60], None, "no memory for 1 x"),
    ],
)
def test_to_categorical_refuses(y, classes, says):
    with pytest.raises(DataError, match=says):
        to_categorical(y, classes)


@pytest.mark.parametrize("classes", [0, -1, 2.5, "ten"])
def test_to_categorical_number_of_classes(classes):
    with pytest.raises(ConfigError, match="num_classes of at least 1"):
        to_categorical([0], classes)


def test_train_validation_split(images):
    y = np.arange(len(images))
    (x_train, y_train), (x_validation, y_validation) = train_validation_split(Pixels(images), y, first=100)
    assert (x_train.shape, x_validation.shape) == ((1338, 8, 8), (100, 8, 8))
    assert (y_train[0], y_validation[0]) == (100, 0)
    with pytest.raises(ShapeError, match="one label per sample"):
        train_validation_split(images, y[1:], 10)
    for first in (0, -5, len(y), 2.5):
        with pytest.raises(ConfigError, match="expected first from 1 to 1437"):
            train_validation_split(images, y, first)


def test_errors_are_what_callers_expect_and_survive_pickling():
    for name in errors.__all__:
        kind = getattr(errors, name)
        error = pickle.loads(pickle.dumps(kind("what came")))
        assert isinstance(error, errors.ScratchnetError)
        assert (type(error), str(error)) == (kind, "what came")
    assert all(issubclass(kind, ValueError) for kind in (ShapeError, ConfigError, DataError))
    error = errors.NumericsError("NaN", step=3, layer="dense", array="kernel")
    error = pickle.loads(pickle.dumps(error))
    assert (error.step, error.layer, error.array) == (3, "dense", "kernel")


def test_normalize():
    x = np.random.default_rng(0).standard_normal((3, 4))
    for order in (1, 2, 3, np.inf):
        for axis in (0, -1):
            got = utils.normalize(x, axis, order)
            np.testing.assert_allclose(np.linalg.norm(got, order, axis), 1)
            np.testing.assert_allclose(got * np.linalg.norm(x, order, axis, keepdims=True), x)
    assert utils.normalize([[0, 0], [3, 4]]).tolist() == [[0, 0], [0.6, 0.8]]
    assert utils.normalize([3, -4], order=1).tolist() == [3 / 7, -4 / 7]
    with pytest.raises(ConfigError, match="normalize: axis=2, order=2: axis 2 is out of bounds"):
        utils.normalize(x, axis=2)
    with pytest.raises(ConfigError, match="normalize: axis=-1, order='a': Invalid norm order"):
        utils.normalize(x, order="a")
    with pytest.raises(DataError, match="normalize: expected an array of numbers, got dtype"):
        utils.normalize(["a"])


@keras_side.GROUP
def test_normalize_as_keras_has_it():
    x = np.random.default_rng(0).standard_normal((3, 4))
    for order in (1, 2):
        np.testing.assert_allclose(utils.normalize(x, -1, order), keras_side.keras().utils.normalize(x, -1, order))

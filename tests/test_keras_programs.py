"""What programs written for Keras do besides building and training a model: idioms found in public ones."""

from __future__ import annotations

import copy
import importlib.util
import json
import pickle
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import keras
from scratchnet.errors import CheckpointError, ConfigError, ShapeError

K = keras.backend
X, Y = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32), np.arange(20) % 3


def compiled() -> sn.Sequential:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_tensorflows_quickstart_for_beginners() -> None:
    tf = sn
    model = tf.keras.models.Sequential(
        [
            tf.keras.layers.Flatten(input_shape=(4, 1)),
            tf.keras.layers.Dense(8, activation=tf.nn.relu),
            tf.keras.layers.Dense(3),
        ]
    )
    x = X[..., tf.newaxis]
    predictions = model(x[:1]).numpy()
    assert type(predictions) is np.ndarray
    np.testing.assert_allclose(tf.nn.softmax(predictions).numpy().sum(), 1, rtol=1e-6)
    loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert isinstance(loss_fn(Y[:1], predictions).numpy(), np.float64)
    model.compile(optimizer="adam", loss=loss_fn, metrics=["accuracy"])
    model.fit(x, Y, epochs=1, verbose=0)
    probability_model = tf.keras.Sequential([model, tf.keras.layers.Softmax()])
    assert probability_model(x[:5]).numpy().shape == (5, 3)


@pytest.mark.parametrize(
    "call",
    [
        keras.layers.Dense(2),
        keras.Sequential([keras.layers.Dense(2)]),
        keras.activations.relu,
        keras.activations.softmax,
        lambda x: keras.activations.elu(x, 0.5),
        lambda x: keras.activations.tanh(x[:0]),
    ],
)
def test_results_have_numpy_and_what_is_computed_from_them_is_numpys(call: Any) -> None:
    result = call(X)
    assert type(result.numpy()) is np.ndarray
    assert type(result[:1].numpy()) is np.ndarray
    assert type(result * 2) is type(result > 0) is np.ndarray
    assert isinstance(result.sum(), np.float32)  # not an array of shape ()
    assert np.shares_memory(result, result.numpy()) or result.size == 0
    assert pickle.loads(pickle.dumps(result)).numpy().shape == result.shape


def test_numbers_that_metrics_return_have_numpy() -> None:
    metric = keras.metrics.MeanAbsoluteError()
    metric.update_state([[1.0], [2.0]], [[2.0], [4.0]])
    assert metric.result().numpy() == 1.5


def test_the_learning_rate_is_read_and_set_in_the_ways_of_keras() -> None:
    optimizer = keras.optimizers.SGD(0.5)
    assert isinstance(optimizer.learning_rate, float)
    assert optimizer.learning_rate.numpy() == K.get_value(optimizer.learning_rate) == 0.5
    optimizer.learning_rate.assign(0.25)
    assert optimizer.learning_rate == 0.25
    K.set_value(optimizer.learning_rate, optimizer.learning_rate * 0.5)
    assert optimizer.learning_rate == 0.125
    for copied in (copy.deepcopy(optimizer.learning_rate), pickle.loads(pickle.dumps(optimizer.learning_rate))):
        assert (type(copied), copied) == (float, 0.125)
    with pytest.raises(ConfigError, match="learning_rate: expected a number"):
        optimizer.learning_rate.assign(-1)


def test_a_callback_that_changes_the_rate_after_every_batch() -> None:
    """Geron, Hands-On Machine Learning, chapter 10: the search for a learning rate."""

    class ExponentialLearningRate(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.rates: list[float] = []

        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            self.rates.append(K.get_value(self.model.optimizer.learning_rate))
            K.set_value(self.model.optimizer.learning_rate, self.model.optimizer.learning_rate * 2)

    model, rates = compiled(), ExponentialLearningRate()
    model.fit(X, Y, batch_size=5, epochs=1, verbose=0, callbacks=[rates])
    assert rates.rates == [0.5, 1.0, 2.0, 4.0]


def test_the_names_of_old_for_the_learning_rate_are_refused_where_keras_would_ignore_them() -> None:
    optimizer = keras.optimizers.Adam()
    with pytest.raises(AttributeError, match="'Adam' object has no attribute 'lr': it is called learning_rate"):
        _ = optimizer.lr
    with pytest.raises(AttributeError, match="'Adam' object has no attribute 'lr': it is called learning_rate"):
        optimizer.lr = 0.1
    assert not hasattr(optimizer, "get_gradients")
    assert keras.optimizers.RMSprop(decay=0.0).config() == keras.optimizers.RMSprop().config()
    with pytest.raises(ConfigError, match=r"SGD: decay: expected None, got 0\.1: .*InverseTimeDecay"):
        keras.optimizers.SGD(decay=0.1)

    class Own(keras.optimizers.Optimizer):
        def __init__(self) -> None:
            super().__init__(0.1)
            self.decay = 3

    assert Own().decay == 3


def test_a_list_of_one_input_is_that_input() -> None:
    model = compiled()
    np.testing.assert_array_equal(model.predict([X]), model.predict(X))
    assert model.evaluate([X], Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    model.fit([X], Y, verbose=0, validation_data=([X], Y))
    assert model.predict([X[0]]).shape == (1, 3)  # a list of one sample
    with pytest.raises(ShapeError):
        model.predict([X, X])


def test_functions_of_kerass_backend() -> None:
    K.clear_session()
    assert (K.image_data_format(), K.floatx(), K.epsilon()) == ("channels_last", "float32", 1e-7)
    K.set_image_data_format("channels_last")
    with pytest.raises(ConfigError, match="expected 'channels_last', got 'channels_first'"):
        K.set_image_data_format("channels_first")
    layer = compiled().layers[0]
    K.set_value(layer.kernel, np.ones((4, 3)))
    assert (K.get_value(layer.kernel) == 1).all()
    with pytest.raises(ShapeError, match=r"set_value: expected values of shape \(4, 3\), got \(3,\)"):
        K.set_value(layer.kernel, np.ones(3))
    with pytest.raises(
        ConfigError, match=r"set_value: expected optimizer\.learning_rate or an array of weights, got 3"
    ):
        K.set_value(3, 4)


def test_a_seed_of_tensorflows() -> None:
    drawn = []
    for _ in range(2):
        sn.random.set_seed(3)
        drawn.append(compiled().get_weights()[0])
    np.testing.assert_array_equal(*drawn)


def test_a_model_as_json_and_its_weights() -> None:
    model = compiled()
    twin = keras.models.model_from_json(model.to_json())
    assert (twin.built, twin.optimizer, twin.to_json()) == (True, None, model.to_json())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    for wrong in ("{", None, "3", '{"class_name": "Dense", "config": {"units": 3}}'):
        with pytest.raises(ConfigError):
            keras.models.model_from_json(wrong)


def test_save_model_is_save(tmp_path: Any) -> None:
    model, path = compiled(), tmp_path / "model.safetensors"
    keras.models.save_model(model, path, overwrite=True)
    np.testing.assert_array_equal(keras.models.load_model(path).predict(X), model.predict(X))
    with pytest.raises(ConfigError, match="save_model: expected a Sequential, got 3"):
        keras.models.save_model(3, path)
    model.save(tmp_path / "mnist.keras")
    model.save_weights(tmp_path / "mnist.weights.h5")
    again = keras.models.load_model(tmp_path / "mnist.keras")
    again.load_weights(tmp_path / "mnist.weights.h5")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    with pytest.raises(CheckpointError, match=r"mnist\.h5: a model can be saved as \.keras, for Keras, or as \.safe"):
        keras.models.save_model(model, tmp_path / "mnist.h5")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("from scratchnet.models import Sequential, Model", "'scratchnet.models': there is no functional API: "),
        ("from scratchnet import Model", "'scratchnet': there is no functional API: "),
        ("from scratchnet.layers import Dens", "'scratchnet.layers': did you mean 'Dense'?"),
        ("from scratchnet.layers import LSTM", "'scratchnet.layers': there is none: "),
        ("from scratchnet.layers import SpatialDropout2D", "'scratchnet.layers': a layer of your own, "),
        ("from scratchnet.losses import BinaryFocalCrossentropy", "'scratchnet.losses': a loss of your own, "),
    ],
)
def test_a_name_that_cannot_be_imported_says_what_to_do(code: str, says: str) -> None:
    name = code.split()[-1]
    with pytest.raises(ImportError) as caught:
        exec(code, {})
    assert str(caught.value).startswith(f"cannot import name {name!r} from {says}")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "from scratchnet.preprocessing.image import ImageDataGenerator",
            "RandomFlip and RandomTranslation vary pictures",
        ),
        ("from scratchnet.constraints import max_norm", "there are none: a callback can change layer.kernel"),
        ("from scratchnet.wrappers.scikit_learn import KerasClassifier", "interop.sklearn.SequentialClassifier is one"),
        ("from scratchnet.keras.layers import Dense", "its modules are scratchnet's: scratchnet.layers"),
        ("import scratchnet.applications.vgg16", "there are no pretrained networks"),
        ("from scratchnet.layers.core import Dense", "all layers are in scratchnet.layers"),
        ("from scratchnet.optimizers.legacy import Adam", "there is one of each, and it is Keras 3's"),
        ("from scratchnet.layers.experimental import preprocessing", "what is here has its stable name"),
    ],
)
def test_a_module_that_cannot_be_imported_says_what_to_do(code: str, says: str) -> None:
    parts = code.split()[1].split(".")
    module = ".".join(parts[: 3 if parts[1] in ("layers", "optimizers") else 2])
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(code, {})
    assert str(caught.value).startswith(f"No module named {module!r}: ")
    assert says in str(caught.value)
    assert caught.value.name == module


def test_other_modules_are_looked_for_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'scratchnet\.nothing'$"):
        exec("import scratchnet.nothing", {})
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'keras_of_old'$"):
        exec("import keras_of_old.preprocessing", {})
    assert importlib.util.find_spec("preprocessing") is None


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda f: keras.layers.Dense(3, activation=f),
            "activation: .* a function of your own has no derivative",
        ),
        (lambda f: keras.layers.Activation(f), "activation: .* a function of your own has no derivative"),
        (
            lambda f: keras.layers.Dense(3, kernel_initializer=f),
            "initializer: .* a subclass of initializers",
        ),
        (lambda f: keras.layers.Dense(3, kernel_regularizer=f), "regularizer: .* instead of a function L1, L2 or L1L2"),
        (lambda f: compiled().compile("adam", f), "loss: .* a function has no derivative: a loss is a class"),
    ],
)
@pytest.mark.parametrize("function", [lambda *_: 0, compiled], ids=["lambda", "function"])
def test_a_function_of_ones_own_is_refused_with_what_takes_its_place(call: Any, says: str, function: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{says}") as caught:
        call(function)
    assert "\n" not in str(caught.value)


def test_a_list_of_one_loss_is_that_loss() -> None:
    model = compiled()
    model.compile("adam", loss=["mse"])
    assert model.loss.name == "mean_squared_error"
    with pytest.raises(ConfigError, match="loss: expected one of"):
        model.compile("adam", loss=["mse", "mae"])


def test_a_constant_from_an_array_of_one_number() -> None:
    """TensorFlow's tutorial of imbalanced data: ``np.log([pos / neg])`` for the last bias."""
    for value in (np.log([0.25]), [np.log(0.25)], np.log(np.array(0.25))):
        layer = keras.layers.Dense(2, bias_initializer=keras.initializers.Constant(value), input_shape=(3,))
        layer.build((3,))
        np.testing.assert_allclose(layer.bias, np.log(0.25), rtol=1e-6)
        assert json.dumps(layer.get_config()["bias_initializer"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sn.Dense", "it is layers.Dense"),
        ("sn.Layer", "it is layers.Layer"),
        ("sn.argmax", "it is np.argmax"),
        ("sn.random.normal", "it is np.random.normal"),
        ("sn.data", "fit takes arrays"),
        ("sn.function", "kernels are compiled"),
        ("sn.wrappers", "SequentialClassifier"),
        ("sn.datasets.cifar10", "load_npz"),
        ("sn.utils.plot_model", "model.summary()"),
        ("K.square", "it is np.square"),
        ("sn.reduce_mean", "arrays are NumPy's"),
        ("sn.layers.UnitNormalization", "did you mean 'Normalization'?"),
        ("keras.metrics.R2Score", "a function f(y_true, y_pred)"),
        ("keras.metrics.Accuracy().reset_states", "it is called reset_state"),
        ("keras.metrics.Metric().add_weight", "its state is its attributes"),
        ("compiled().export", "model.save"),
        ("compiled().optimizer.minimize", "train_on_batch(x, y) takes a step"),
        ("compiled().layers[0].output", "there is no graph: layer(x)"),
    ],
)
def test_a_missing_name_says_what_takes_its_place(name: str, says: str) -> None:
    with pytest.raises(AttributeError) as caught:
        eval(name)
    assert says in str(caught.value)


def test_a_missing_name_is_still_missing() -> None:
    assert not any(hasattr(place, name) for place, name in [(sn, "Model"), (sn.layers, "LSTM"), (sn, "data")])


def test_second_names_of_layers() -> None:
    assert keras.layers.Convolution2D is keras.layers.Conv2D

"""Model files: what is saved is what is loaded, with or without user-defined layers, whichever file it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from checkpoints import X, Y, layers, refused, same, tiny

import scratchnet as sn
from scratchnet.errors import ScratchnetError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _numpy_backend():
    with sn.use_backend("numpy"):
        yield


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam", "AdamW", "Nadam", "RMSprop", "Adagrad", "Adadelta"])
def test_a_saved_model_is_the_model(tmp_path, name, dtype):
    arguments = {
        "momentum": {"momentum": 0.9}, "RMSprop": {"centered": True, "momentum": 0.5}, "Adam": {"amsgrad": True},
    }  # fmt: skip
    rate = sn.optimizers.schedules.ExponentialDecay(0.01, 7, 0.9)
    cls = getattr(sn.optimizers, "SGD" if name == "momentum" else name)
    optimizer = cls(rate, global_clipnorm=0.5, **arguments.get(name, {}))
    model = tiny(optimizer, dtype)
    model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "one.safetensors")
    twin = sn.load_model(tmp_path / "one.safetensors")
    twin.save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert twin.evaluate(X, Y, verbose=0, return_dict=True) == model.evaluate(X, Y, verbose=0, return_dict=True)
    assert twin.predict(X).dtype == dtype
    # Training continues alike: slots, steps, schedule and dropout keys are the same.
    for one in (model, twin):
        sn.utils.set_random_seed(9)
        one.fit(X, Y, epochs=1, batch_size=8, verbose=0)
    assert same(model, twin)


def test_what_was_not_compiled_or_not_trained(tmp_path):
    model = sn.Sequential([layers.Dense(2, input_shape=(3,))])
    model.save(tmp_path / "bare.safetensors")
    assert sn.load_model(tmp_path / "bare.safetensors").optimizer is None
    model.compile("adam", "mse")
    model.save(tmp_path / "compiled.safetensors")
    twin = sn.load_model(tmp_path / "compiled.safetensors")
    assert (twin.optimizer.iterations, twin.loss.name) == (0, model.loss.name)
    assert (twin.precision, twin.capture) == ("float32", True)
    model.compile("adam", "mse", precision="tf32", capture=False)
    model.save(tmp_path / "settings.safetensors")
    other = sn.load_model(tmp_path / "settings.safetensors")
    assert (other.precision, other.capture) == ("tf32", False)
    assert sn.load_model(tmp_path / "compiled.safetensors", compile=False).optimizer is None
    assert same(model, twin)
    with pytest.raises(ScratchnetError, match="not built"):
        sn.Sequential([layers.Dense(2)]).save(tmp_path / "unbuilt.safetensors")
    assert not (tmp_path / "unbuilt.safetensors").exists()


def test_loading_draws_no_random_numbers(tmp_path):
    tiny().save(tmp_path / "model.safetensors")
    sn.utils.set_random_seed(4)
    expected = sn.initializers.default_rng().integers(2**40)
    sn.utils.set_random_seed(4)
    sn.load_model(tmp_path / "model.safetensors")
    assert sn.initializers.default_rng().integers(2**40) == expected


def test_the_library_reads_our_files_and_we_refuse_its(tmp_path):
    from safetensors import numpy as library

    model = tiny()
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(tmp_path / "model.safetensors")
    arrays = library.load_file(tmp_path / "model.safetensors")
    places = sn.saved_model.places(model)
    assert set(arrays) == {*places, "optimizer/momentum", "optimizer/velocity"}
    assert "residual/same/same/kernel" in places
    assert "residual/same/kernel" in places
    for key, (where, name) in places.items():
        np.testing.assert_array_equal(arrays[key], where[name])
    library.save_file(arrays, tmp_path / "theirs.safetensors")
    refused(model.load_weights, tmp_path / "theirs.safetensors", match="written by scratchnet, this one is not")


def test_weights_alone(tmp_path):
    model, other = tiny(), tiny()
    model.save_weights(tmp_path / "weights.safetensors")
    assert not same(model, other)
    other.load_weights(tmp_path / "weights.safetensors")
    assert same(model, other)
    double = tiny(dtype="float64")
    double.load_weights(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(double.get_weights()[0], model.get_weights()[0].astype(float))
    refused(sn.load_model, tmp_path / "weights.safetensors", match="holds weights without a network")
    before = other.get_weights()
    other.save(tmp_path / "all.safetensors")
    other.load_weights(tmp_path / "all.safetensors")
    wrong = sn.Sequential([layers.Dense(2, input_shape=(3,))])
    wrong.save_weights(tmp_path / "wrong.safetensors")
    refused(other.load_weights, tmp_path / "wrong.safetensors", match="has no weight 'conv2d/kernel', the model has")
    tiny(name="last").save_weights(tmp_path / "wrong.safetensors")
    refused(other.load_weights, tmp_path / "wrong.safetensors", match="has no weight 'dense/kernel'")
    sn.Sequential([layers.Dense(3, input_shape=(3,))]).save_weights(tmp_path / "wrong.safetensors")
    shapes = r"'dense/kernel' has shape \(3, 3\), the model's has \(3, 2\)"
    refused(wrong.load_weights, tmp_path / "wrong.safetensors", match=shapes)
    assert all((a == b).all() for a, b in zip(before, other.get_weights(), strict=True))


def test_a_model_with_another_last_layer_can_be_saved(tmp_path):
    """The optimizer starts afresh after `pop` and `add`, and so says the file."""
    model = tiny()
    model.fit(X, Y, batch_size=8, verbose=0)
    model.pop()
    model.add(layers.Dense(3, activation="softmax", name="new"))
    model.save(tmp_path / "model.safetensors")
    again = sn.load_model(tmp_path / "model.safetensors")
    assert same(model, again)
    assert again.optimizer.iterations == 0
    again.fit(X, Y, batch_size=8, verbose=0)


class Scale(layers.Layer):
    """A user-defined layer with a weight and a state."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape, rng=None):
        super().build(input_shape, rng)
        self.add_param("gain", (1,), sn.initializers.Ones(), rng)
        self.state["seen"] = np.zeros(2, np.int64)

    def forward(self, x, training=False):
        self.x = self.check_input(x)
        self.state["seen"] += training
        return self.factor * self.params["gain"] * self.x

    def backward(self, dy):
        self.grads["gain"][...] = self.factor * (dy * self.x).sum()
        return self.factor * self.params["gain"] * dy

    def config(self):
        return {"factor": self.factor, **super().config()}


def test_layers_of_your_own(tmp_path):
    model = sn.Sequential([layers.Dense(2, input_shape=(3,)), Scale(0.5)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.safetensors")
    refused(sn.load_model, tmp_path / "model.safetensors", match="unknown class 'Scale'.*register.*custom_objects")
    twin = sn.load_model(tmp_path / "model.safetensors", custom_objects={"Scale": Scale})
    assert twin.layers[1].factor == 0.5
    assert twin.layers[1].state["seen"].tolist() == [1, 1]
    assert same(model, twin)
    refused(
        sn.load_model, tmp_path / "model.safetensors", match="unknown class 'Scale'"
    )  # it was known in that call only
    refused(
        sn.load_model, tmp_path / "model.safetensors", {"Scale": print}, match="'Scale': expected a subclass of Layer"
    )


def test_what_cannot_be_restored_is_said(tmp_path):
    class Own(sn.losses.MeanSquaredError):
        pass

    model = sn.Sequential([layers.Dense(2, input_shape=(3,))])
    model.compile("adam", Own(), metrics=["mae", lambda y, p: np.abs(y - p)])
    model.save(tmp_path / "model.safetensors")
    refused(
        sn.load_model, tmp_path / "model.safetensors", match=r"compile settings \(compile=False leaves them out\).*Own"
    )
    assert same(sn.load_model(tmp_path / "model.safetensors", compile=False), model)
    model.compile("adam", "mse", metrics=["mae", lambda y, p: np.abs(y - p)])
    model.save(tmp_path / "model.safetensors")
    assert [metric.name for metric in sn.load_model(tmp_path / "model.safetensors").metrics] == ["mae"]


def test_a_file_of_the_first_format_loads():
    model = sn.load_model(HERE / "golden" / "format-1.safetensors")
    expected = json.loads((HERE / "golden" / "format-1.json").read_text())
    np.testing.assert_allclose(model.predict(X[:2]), expected["predictions"], rtol=1e-5)
    assert model.optimizer.iterations == expected["iterations"]
    assert model.progress.epoch == 2


@pytest.mark.parametrize("name", ["m", "m.ckpt", "m.st"])
def test_any_other_name_will_do(tmp_path, name):
    model = tiny()
    model.save(tmp_path / name)
    assert (sn.load_model(tmp_path / name).get_weights()[0] == model.get_weights()[0]).all()


@pytest.mark.parametrize("path", [None, 3, b"m.safetensors"])
def test_a_path_that_is_none(path):
    refused(tiny().save, path, match="expected the path of a file to write, got")
    refused(tiny().save_weights, path, match="expected the path of a file to write, got")


def test_dropout_goes_on_where_it_stood(tmp_path, backend):
    x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
    sn.utils.set_random_seed(1)
    model = sn.Sequential([layers.Dropout(0.5, input_shape=(4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    for _ in range(3):
        model.train_on_batch(x, y)
    model.save(tmp_path / "model.safetensors")
    loaded = sn.load_model(tmp_path / "model.safetensors")
    assert [loaded.train_on_batch(x, y) for _ in range(3)] == [model.train_on_batch(x, y) for _ in range(3)]

"""User-defined layers and losses: how files name them, and on which backends they say they run."""

from __future__ import annotations

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import custom, layers
from scratchnet.errors import BackendError, CheckpointError, ConfigError


class Shift(layers.Layer):
    """``y = x + 1``."""

    def forward(self, x, training=False):
        return x + 1

    def backward(self, dy):
        return self.check_gradient(dy).copy()


class Quartic(sn.losses.Loss):
    """``loss_i = mean_j (y_ij - t_ij)^4``."""

    def prepare_targets(self, y, output_shape):
        return np.asarray(y, np.float64).reshape(-1, *output_shape)

    def evaluate(self, y_pred, targets, weights, logits, totals, dy):
        error = y_pred - targets
        totals[0] += weights @ (error**4).mean(axis=1)
        if dy.size:
            dy[...] = weights[:, None] * 4 * error**3 / error.size


X, Y = np.random.default_rng(0).standard_normal((2, 20, 3))


def trained():
    model = sn.Sequential([layers.Dense(3, input_shape=(3,)), Shift()])
    model.compile("sgd", Quartic())
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def test_they_train_save_and_load(backend, tmp_path):
    report = sn.check_gradients(Quartic(), X[:5], Y[:5])
    assert report.ok, report
    model, path = trained(), tmp_path / "model.safetensors"
    model.save(path)
    again = sn.load_model(path, custom_objects={"Shift": Shift, "Quartic": Quartic})
    assert type(again.loss) is Quartic
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    for one in (again, model):
        sn.utils.set_random_seed(1)
        one.fit(X, Y, verbose=0)
    assert (again.predict(X) == model.predict(X)).all()
    with pytest.raises(CheckpointError, match=r"@sn\.losses\.register, or custom_objects.*Quartic"):
        sn.load_model(path, custom_objects={"Shift": Shift})
    assert sn.load_model(path, custom_objects={"Shift": Shift}, compile=False).loss is None


class Factor(layers.Layer):
    """``y = a x``; the gradient is a new array, as a beginner writes it."""

    def build(self, input_shape, rng=None):
        super().build(input_shape, rng)
        self.add_param("a", (1,), sn.initializers.Ones(), rng)

    def forward(self, x, training=False):
        self.x = self.check_input(x)
        return self.x * self.params["a"]

    def backward(self, dy):
        self.grads["a"] = self.gradient(dy)
        return dy * self.params["a"]

    def gradient(self, dy):
        return np.array([(dy * self.x).sum()])


def test_a_gradient_that_backward_replaces_counts_all_the_same(backend):
    """It was left out of the flat vector: the layer did not train, and nothing said so."""
    model = sn.Sequential([layers.Dense(3, input_shape=(3,)), Factor()])
    model.compile(sn.optimizers.SGD(0.1), "mse")
    assert sn.check_gradients(model, X[:5], Y[:5]).ok
    model.loss_and_gradients(X, Y)
    gradient = float(model.layers[1].grads["a"][0])
    model.train_on_batch(X, Y)
    assert gradient != 0
    assert model.layers[1].params["a"][0] == pytest.approx(1 - 0.1 * gradient, rel=1e-6)

    class Broken(Factor):
        def gradient(self, dy):
            return (dy * self.x).sum(axis=0)

    model = sn.Sequential([layers.Dense(3, input_shape=(3,)), Broken()])
    model.compile("sgd", "mse")
    with pytest.raises(sn.errors.ShapeError, match=r"^broken/a: expected shape \(1,\), got \(3,\)$"):
        model.train_on_batch(X, Y)


class Momentum(sn.optimizers.Optimizer):
    """``v = momentum v + g; p = p - rate v``."""

    arguments = ("momentum",)

    def __init__(self, learning_rate=0.1, momentum=0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def slot_values(self):
        return {"v": 0.0}

    def update(self, params, grads, rate, decay):
        v = self.slot("v")
        v[...] = self.momentum * v + grads
        params -= rate * v


class Worst(sn.metrics.Metric):
    """How far off a sample's worst output is."""

    def values(self, y_true, y_pred):
        return abs(y_pred - y_true).max(axis=1)


def test_optimizers_and_metrics_of_ones_own_are_saved_and_loaded(backend, tmp_path):
    model = sn.Sequential([layers.Dense(3, input_shape=(3,))])
    model.compile(Momentum(0.05, momentum=0.8), "mse", metrics=[Worst()])
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = sn.load_model(tmp_path / "model.safetensors", custom_objects={"Momentum": Momentum, "Worst": Worst})
    assert (again.optimizer.momentum, type(again.metrics[0])) == (0.8, Worst)
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    for one in (again, model):
        sn.utils.set_random_seed(1)
        one.fit(X, Y, verbose=0)
    assert (again.predict(X) == model.predict(X)).all()
    with pytest.raises(CheckpointError, match=r"(optimizer|metric): expected one of .*(Momentum|Worst)"):
        sn.load_model(tmp_path / "model.safetensors")


def test_a_registered_loss_is_known_by_its_name(monkeypatch):
    monkeypatch.setattr(custom, "_registered", [])
    with pytest.raises(ConfigError, match="expected one of"):
        sn.losses.get("Quartic")
    assert sn.losses.register(Quartic) is Quartic
    assert type(sn.losses.get("Quartic")) is Quartic
    with pytest.raises(ConfigError, match="expected a subclass of Layer, Loss, Metric, Optimizer, got <class 'int'>"):
        sn.layers.register(int)


def test_a_class_says_on_which_backends_it_runs():
    class Everywhere(Shift):
        backends = ("numpy", "numba", "cupy")

    class Too(Everywhere):
        pass

    assert Shift.backends == Quartic.backends == custom.HOST == ("numpy", "numba")
    assert Everywhere.backends == Too.backends == layers.Dense.backends == sn.losses.MeanSquaredError.backends
    assert "cupy" in layers.Dense.backends


def test_plain_numpy_is_refused_on_a_gpu_in_one_line(monkeypatch):
    """The emulated GPU of test_cuda_training.py refuses it for real; here each way to get there."""
    model = trained()
    monkeypatch.setattr(custom, "get_backend", lambda: "cupy")
    told = r"^Shift \(shift\) is a class of your own in NumPy and runs on numpy and numba, not on cupy: [^\n]*$"
    for call in (lambda: model.predict(X), lambda: model.fit(X, Y, verbose=0)):
        with pytest.raises(BackendError, match=told):
            call()
    for call in (lambda: model.evaluate(X, Y, verbose=0), lambda: Quartic()(Y, X)):
        with pytest.raises(BackendError, match=r"^Quartic \(quartic\) is a class of your own"):
            call()
    with pytest.raises(BackendError, match=r"^Shift \(no name\)"):
        Shift().add_param("gain", (1,), sn.initializers.Ones(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("base", "hook", "instead"),
    [
        (layers.Layer, "call", r"define forward\(x, training=False\) and backward\(dy\)"),
        (layers.Dense, "call", "define forward"),
        (layers.Dense, "get_config", r"define config\(\)"),
        (sn.losses.Loss, "call", "define prepare_targets.* and evaluate"),
        (sn.losses.MeanSquaredError, "get_config", r"define config\(\)"),
        (sn.optimizers.Optimizer, "update_step", r"define update\(params, grads, rate, decay\)"),
        (sn.optimizers.Adam, "get_config", "name the arguments in the class's `arguments`"),
        (sn.Sequential, "call", "define forward"),
        *(
            (sn.Sequential, hook, "write the loop yourself, with train_on_batch, or with loss_and_gradients")
            for hook in ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")
        ),
    ],
)
def test_a_hook_of_keras_that_nobody_would_call_is_refused(base, hook, instead):
    with pytest.raises(ConfigError, match=rf"^Own: {hook} is a hook of Keras's, which is not called here: {instead}"):
        type("Own", (base,), {hook: lambda self: None})


@pytest.mark.parametrize(
    ("base", "hook", "own"),
    [
        (layers.Dense, "call", "forward"),
        (layers.Layer, "get_config", "config"),
        (sn.losses.MeanSquaredError, "call", "prepare_targets"),
        (sn.optimizers.Optimizer, "update_step", "update"),
        (sn.Sequential, "call", "forward"),
    ],
)
def test_a_class_that_is_written_for_both_is_taken(base, hook, own):
    assert issubclass(type("Both", (base,), {hook: lambda self: None, own: base.__dict__.get(own, len)}), base)

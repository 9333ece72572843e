"""Models in Keras's files, there and back: architecture, compile settings, weights, the optimizer's state."""

from __future__ import annotations

import io
import json
import os
import random
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faults
import h5py
import keras_side
import numpy as np
import pytest
from test_keras_weights import DECODER, LAYERS, POOLS, deviation, model_of

import scratchnet as sn
from scratchnet import checkpoint
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import CheckpointError, ConfigError, DependencyError
from scratchnet.keras_format import parts

pytestmark = keras_side.GROUP
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((8, 6, 6, 2)).astype(np.float32), rng.integers(0, 3, 8)
WORDS = ("metadata.json", "config.json", "model.weights.h5")


@pytest.fixture(autouse=True)
def _numpy_backend():
    with sn.use_backend("numpy"):
        yield


def network(optimizer: Any = "adam") -> Any:
    """A model inside, layers of one kind twice, a frozen one, and a name that Keras would give to another.

    No bias before BatchNormalization: its gradient is 0 up to rounding, which Adam scales up.
    """
    model = sn.Sequential([
        L.Input((6, 6, 2)), L.Conv2D(4, 3, padding="same", groups=2, dilation_rate=2, use_bias=False),
        L.BatchNormalization(), L.MaxPooling2D(2, padding="same"), L.Activation("gelu"), L.Sigmoid(), L.Dropout(0),
        L.Conv2D(3, 1, activation="relu", kernel_regularizer="l2"), L.Flatten(),
        L.Dense(5, use_bias=False, activation=L.LeakyReLU(0.2), kernel_initializer="he_normal"),
        sn.Sequential([L.Dense(4, "tanh", trainable=False), L.BatchNormalization()], name="inner"),
        L.Dense(3, activation="softmax", name="dense_7"),
    ])  # fmt: skip
    draw = np.random.default_rng(1)
    model.set_weights([w + draw.uniform(-0.3, 0.3, w.shape) for w in model.get_weights()])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dense(*names: str) -> Any:
    return sn.Sequential([L.Input((4,)), *(L.Dense(2, name=name) for name in names or ("a",))])


def equal(one: Any, other: Any) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(a.dtype == b.dtype and (a == b).all() for a, b in pairs)


def refused(call: Callable[..., Any], *arguments: Any, match: str) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)


# Both ways with Keras -------------------------------------------------------------------------------------------------


RANDOM = [L.GaussianNoise(0.1), L.RandomFlip("horizontal"), L.RandomTranslation(0.1, (-0.2, 0.1), seed=3)]
SEQUENCES = [LAYERS, [*RANDOM, L.Normalization(), *DECODER], *([*LAYERS[:7], *pool, L.Dense(4)] for pool in POOLS)]


@pytest.mark.parametrize("layers", SEQUENCES, ids=("plain", "decoder", "global-max", "global-average"))
def test_every_layer_there_and_back(layers, tmp_path):
    model = model_of([one for one in layers if not getattr(one, "approximate", False)])
    x = np.random.default_rng(1).standard_normal((6, 14, 13, 3)).astype(np.float32)
    model.save(tmp_path / "ours.keras")
    theirs = keras_side.keras().models.load_model(tmp_path / "ours.keras")
    assert deviation(model.predict(x), theirs(x, training=False)) <= 1e-5
    theirs.save(tmp_path / "theirs.keras")
    for name in ("ours", "theirs"):
        again = sn.models.load_model(tmp_path / f"{name}.keras")
        assert equal(again, model)
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        for one, other in zip(again.layers, model.layers, strict=True):
            assert told(one) == told(other) or (one.activation, one.name) == (
                parts.FUNCTIONS[type(other).__name__],
                other.name,
            )


def told(layer: Any) -> tuple[str, Any]:
    """Class and config, without the name that Keras gives to the activation inside a layer."""
    config = layer.get_config()
    if isinstance(config.get("activation"), dict):
        config["activation"]["config"].pop("name")
    return type(layer).__name__, config


def test_the_table_has_every_layer_of_the_test():
    assert {*parts.SAME} <= {type(one).__name__ for layers in SEQUENCES for one in layers}


O = sn.optimizers  # noqa: E741
OPTIMIZERS = [
    O.SGD(0.1), O.SGD(0.1, momentum=0.9, nesterov=True), O.Adam(0.01), O.Adam(0.01, amsgrad=True), O.AdamW(0.01),
    O.Nadam(0.01), O.RMSprop(0.01), O.RMSprop(0.01, momentum=0.5, centered=True), O.Adagrad(0.1), O.Adadelta(1.0),
    O.Adam(O.schedules.ExponentialDecay(0.01, 2, 0.5), clipnorm=0.5),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", [None, *OPTIMIZERS], ids=lambda one: type(one).__name__)
def test_training_goes_on_in_keras_and_back(optimizer, tmp_path):
    """Three steps here, then three by each from the file; then Keras's file, and three more."""
    model = network()
    if optimizer is not None:  # Keras compiles a small model sooner
        model = sn.Sequential([L.Input((6, 6, 2)), L.Flatten(), L.Dense(4, "tanh"), L.Dense(3, "softmax")])
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.save(tmp_path / "ours.keras")
    again = sn.load_model(tmp_path / "ours.keras")
    theirs = keras_side.keras().models.load_model(tmp_path / "ours.keras")
    assert repr(again.optimizer) == repr(model.optimizer)
    assert (again.optimizer.iterations, again.metrics_names) == (3, ["loss", "accuracy"])
    for _ in range(3):
        for one in (model, theirs, again):
            results = one.train_on_batch(X, Y)
        assert len(results) == 2
    assert equal(again, model)
    apart = [deviation(a, b) for a, b in zip(model.get_weights(), theirs.get_weights(), strict=True)]
    assert max(apart) <= 1e-5
    theirs.save(tmp_path / "theirs.keras")
    mine = sn.load_model(tmp_path / "theirs.keras")
    for _ in range(3):
        model.train_on_batch(X, Y), mine.train_on_batch(X, Y)
    assert max(deviation(a, b) for a, b in zip(model.get_weights(), mine.get_weights(), strict=True)) <= 1e-5


@pytest.mark.filterwarnings("error:Skipping variable loading")
def test_a_model_before_its_first_step_and_one_that_is_not_compiled(tmp_path):
    library = keras_side.keras()
    model = network(sn.optimizers.Adagrad())
    model.save(tmp_path / "m.keras")
    theirs = library.models.load_model(tmp_path / "m.keras")
    assert [float(one.numpy().mean()) for one in theirs.optimizer.variables[2:4]] == pytest.approx([0.1, 0.1])
    assert sn.load_model(tmp_path / "m.keras").optimizer.iterations == 0
    dense().save(tmp_path / "m.keras")
    assert not library.models.load_model(tmp_path / "m.keras").compiled
    assert sn.load_model(tmp_path / "m.keras").optimizer is None
    fresh = library.Sequential([library.layers.Input((4,)), library.layers.Dense(2)])
    fresh.compile(library.optimizers.SGD(0.25), [library.losses.mean_squared_error], metrics=[["mae"]])
    fresh.save(tmp_path / "m.keras")  # its optimizer has no slots yet
    mine = sn.load_model(tmp_path / "m.keras")
    assert (mine.optimizer.learning_rate, mine.loss.name) == (0.25, "mean_squared_error")
    assert mine.metrics_names == ["loss", "mae"]


def test_a_frozen_model_inside(tmp_path):
    inner = sn.Sequential([L.Dense(3), L.Dense(3)], trainable=False)  # of its layers none says so
    model = sn.Sequential([L.Input((4,)), inner, L.Dense(2)])
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 2)))
    theirs = keras_side.keras().models.load_model(saved(model, tmp_path / "m.keras"))
    again = sn.load_model(tmp_path / "m.keras")
    assert len(theirs.trainable_weights) == len(again.trainable_weights) == len(model.trainable_weights) == 2
    assert again.optimizer.iterations == int(theirs.optimizer.iterations) == 1


def test_weights_alone(tmp_path):
    model, library = network(), keras_side.keras()
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    theirs = library.models.load_model(tmp_path / "m.keras", compile=False)
    theirs.set_weights([0 * one for one in theirs.get_weights()])
    theirs.load_weights(tmp_path / "m.weights.h5")
    assert deviation(theirs.predict(X, verbose=0), model.predict(X)) <= 1e-5
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    for name in ("m.keras", "m.weights.h5", "theirs.weights.h5"):
        other = network()
        other.set_weights([0 * one for one in other.get_weights()])
        other.load_weights(tmp_path / name)
        assert equal(other, model)
    refused(dense().load_weights, tmp_path / "m.keras", match=r"m\.keras: layer 'a': kernel: expected shape \(4, 2\)")
    refused(sn.load_model, tmp_path / "m.weights.h5", match="holds weights without a network")


def test_doubles(tmp_path):
    model = sn.Sequential([L.Input((6,)), L.Dense(4, dtype="float64"), L.BatchNormalization(dtype="float64")])
    model.save(tmp_path / "m.keras")
    assert equal(sn.load_model(tmp_path / "m.keras"), model)
    assert keras_side.keras().models.load_model(tmp_path / "m.keras").layers[-1].dtype == "float64"


def test_a_whole_model_of_keras_2(tmp_path):
    library = keras_side.keras()
    model = library.models.load_model(saved(network(), tmp_path / "m.keras"))
    model.save(tmp_path / "m.h5")
    mine = sn.load_model(tmp_path / "m.h5")
    assert deviation(mine.predict(X), model.predict(X, verbose=0)) <= 1e-5
    assert (type(mine.optimizer).__name__, mine.loss.name) == ("Adam", "sparse_categorical_crossentropy")
    with h5py.File(tmp_path / "m.h5", "r+") as file:  # in the words of Keras 2
        layer = {"class_name": "Dense", "config": {
            "name": "d", "trainable": True, "batch_input_shape": [None, 4], "dtype": "float32", "units": 2,
            "activation": "relu", "use_bias": False, "bias_initializer": {"class_name": "Zeros", "config": {}},
        }}  # fmt: skip
        whole = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
        file.attrs["model_config"] = json.dumps(whole)
        file.attrs["training_config"] = json.dumps({
            "loss": {"class_name": "SparseCategoricalCrossentropy",
                     "config": {"reduction": "auto", "name": "s", "from_logits": True}},
            "metrics": [[{"class_name": "MeanMetricWrapper",
                          "config": {"name": "accuracy", "dtype": "float32", "fn": "sparse_categorical_accuracy"}}]],
            "weighted_metrics": None, "loss_weights": None,
            "optimizer_config": {"class_name": "SGD", "config": {
                "name": "SGD", "learning_rate": 0.5, "decay": 0.0, "momentum": 0.0, "nesterov": False,
                "is_legacy_optimizer": False, "jit_compile": True}},
        })  # fmt: skip
        del file["model_weights"]
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"d"]
        group["d/d/kernel:0"] = np.ones((4, 2), np.float32)
        group["d"].attrs["weight_names"] = [b"d/kernel:0"]
    mine = sn.load_model(tmp_path / "m.h5")
    assert (mine.input_shape, mine.predict(np.ones((1, 4))).tolist()) == ((4,), [[4.0, 4.0]])
    assert (mine.optimizer.learning_rate, mine.loss.from_logits, mine.metrics_names) == (
        0.5,
        True,
        ["loss", "accuracy"],
    )
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.attrs["training_config"] = "[]"
    assert sn.load_model(tmp_path / "m.h5").optimizer is None


def saved(model: Any, path: Path) -> Path:
    model.save(path)
    return path


# The command's and the callbacks' files -------------------------------------------------------------------------------


def test_a_suffix_chooses_the_format(tmp_path):
    model = dense()
    for call, name, says in [
        (model.save, "m.h5", r"m\.h5: a model can be saved as \.keras, for Keras, or as \.safetensors"),
        (model.save, "M.HDF5", r"a model can be saved as \.keras"),
        (model.save, "m.weights.h5", r"a model can be saved as \.keras"),
        (model.save_weights, "m.keras", r"weights can be saved as \.weights\.h5, for Keras, or as \.safetensors"),
        (model.save_weights, "m.h5", r"weights can be saved as \.weights\.h5"),
        (sn.callbacks.ModelCheckpoint, "m.h5", r"a model can be saved as \.keras"),
        (lambda path: sn.callbacks.ModelCheckpoint(path, save_weights_only=True), "m.keras", r"as \.weights\.h5"),
    ]:
        (tmp_path / name).write_bytes(b"before")
        refused(call, tmp_path / name, match=says)
        assert (tmp_path / name).read_bytes() == b"before"
    model.save(tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").rename(tmp_path / "now.keras")
    assert equal(sn.load_model(tmp_path / "now.keras"), model)  # a file of ours, whatever its name
    model.save(tmp_path / "M.KERAS")
    assert zipfile.is_zipfile(tmp_path / "M.KERAS")
    assert equal(sn.load_model(tmp_path / "M.KERAS"), model)
    before = (tmp_path / "M.KERAS").read_bytes()
    model.save(tmp_path / "M.KERAS")
    assert (tmp_path / "M.KERAS").read_bytes() == before  # the same model, the same bytes


def test_model_checkpoint(tmp_path):
    model, classes = dense(), np.arange(8) % 2
    model.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
    every = sn.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    best = sn.callbacks.ModelCheckpoint(tmp_path / "new" / "best.keras", "loss", save_best_only=True)
    model.fit(np.ones((8, 4)), classes, epochs=2, verbose=0, callbacks=[every, best])
    again = sn.load_model(tmp_path / "new" / "best.keras")
    assert equal(again, model)
    assert again.optimizer.iterations == 2
    other = dense()
    other.load_weights(tmp_path / "2.weights.h5")
    assert equal(other, model)
    refused(checkpoint.resume, tmp_path / "new" / "best.keras", model, match="this is a zip file; load_model")


def test_without_h5py(tmp_path, monkeypatch):
    model = dense()
    path = saved(model, tmp_path / "m.keras")
    monkeypatch.setitem(sys.modules, "h5py", None)
    for call in (
        lambda: model.save(path),
        lambda: model.save_weights(tmp_path / "w.weights.h5"),
        lambda: model.load_weights(path),
        lambda: sn.load_model(path),
        lambda: sn.callbacks.ModelCheckpoint(path),
    ):
        with pytest.raises(DependencyError, match=r"needs h5py, .*pip install 'scratchnet\[interop\]'") as caught:
            call()
        assert "\n" not in str(caught.value)
    model.save(tmp_path / "m.safetensors")
    assert sorted(os.listdir(tmp_path)) == ["m.keras", "m.safetensors"]


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_a_failing_disk_never_damages_what_was_there(name, tmp_path):
    model, path = dense(), tmp_path / name
    save = model.save if name == "m.keras" else model.save_weights
    for number in range(1, 20):
        save(path)
        before = path.read_bytes()
        model.set_weights([w + 1 for w in model.get_weights()])
        with faults.injected(f"any:{number}:once") as fault:
            said = problem(save, path)
        assert re.fullmatch(rf"(.*{name}: cannot be written: (No space left on device|Input/output error))?", said)
        if not fault.struck:
            break
        other = dense()
        other.load_weights(path)  # whole, whichever it is
        assert path.read_bytes() == before or equal(other, model)
        assert os.listdir(tmp_path) == [name]
    assert number >= 4


def problem(call: Any, path: Path) -> str:
    try:
        call(path)
    except checkpoint.SaveError as error:
        return str(error)
    return ""


# What Keras does not have, and what we do not -------------------------------------------------------------------------


class Swish(L.Layer):
    def forward(self, x, training=False):
        return self.check_input(x)

    def backward(self, dy):
        return self.check_gradient(dy)


class Own(sn.Sequential):
    pass


class Penalty(sn.regularizers.L2):
    pass


def test_what_keras_does_not_have(tmp_path):
    plain = dense()
    plain.compile(type("Mine", (sn.optimizers.SGD,), {})(0.1), "mse")
    smooth = dense()
    smooth.compile("adam", sn.losses.SparseCategoricalCrossentropy(label_smoothing=0.1))
    for model, says in [
        (sn.Sequential([L.Input((4,)), Swish(name="mine")]), "layer 'mine': Keras has no Swish"),
        (sn.Sequential([L.Input((4,)), L.Dense(4, activation=Swish(name="m"))]), "layer 'm': Keras has no Swish"),
        (sn.Sequential([L.Input((4,)), L.Residual(L.Dense(4), name="r")]), "layer 'r': Keras has no Residual"),
        (sn.Sequential([L.Input((4,)), L.GELU(approximate=True, name="g")]), "layer 'g': Keras cannot save a GELU"),
        (sn.Sequential([L.Input((4,)), L.Dense(4, name="a/b")]), "layer 'a/b': Keras's names have no '/'"),
        (Own([L.Input((4,)), L.Dense(4)], name="own"), "layer 'own': Keras has no Own"),
        (sn.Sequential([L.Input((4,)), Own([L.Dense(4)], name="in")]), "layer 'in': Keras has no Own"),
        (plain, "Keras has no Mine"),
        (smooth, "Keras has no label_smoothing"),
        (sn.Sequential([L.Input((4,)), L.Dense(4, kernel_regularizer=Penalty())]), "Keras has no Penalty"),
    ]:
        words = rf"m\.keras: cannot be saved for Keras: {re.escape(says)}.*; a \.safetensors file keeps everything"
        refused(model.save, tmp_path / "m.keras", match=words)
    refused(
        sn.Sequential([L.Input((4,)), Swish(name="mine")]).save_weights, tmp_path / "m.weights.h5",
        match="layer 'mine': Keras has no Swish; a .safetensors",
    )  # fmt: skip
    assert os.listdir(tmp_path) == []


def rewritten(path: Path, change: Callable[[Any], Any]) -> Path:
    """The file with another config.json."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in WORDS}
    config = json.loads(members["config.json"])
    members["config.json"] = json.dumps(change(config) or config).encode()
    with zipfile.ZipFile(other := path.with_name("changed.keras"), "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return other


def dense_of(config: Any) -> Any:
    return config["config"]["layers"][1]["config"]


def in_layer(**values: Any) -> Callable[[Any], None]:
    def change(config: Any) -> None:
        layer = config["config"]["layers"][1]
        for name, value in values.items():
            (layer["config"] if name in layer["config"] else layer)[name] = value

    return change


FUNCTION = {"module": "builtins", "class_name": "__lambda__", "config": {"value": "4wAAAA=="}}
REFUSALS = [
    (lambda c: c.update(class_name="Functional"), "expected a Sequential, this is a Functional"),
    (lambda c: c.update(module="os", class_name="system"), "system is not one of Keras's own classes, but of os"),
    (lambda c: {"a": 1}, "model: expected a class_name and a config"),
    (lambda c: [c], "model: expected a class_name and a config"),
    (lambda c: c["config"].update(layers=3), "expected a list of layers"),
    (lambda c: c["config"].update(layers=[3]), "layer: expected a class_name and a config, got 3"),
    (in_layer(class_name="LSTM"), "layer 'a': there is no LSTM in scratchnet"),
    (in_layer(class_name="Lambda"), "layer 'a': there is no Lambda in scratchnet"),
    (in_layer(module="mine"), "Dense is not one of Keras's own classes, but of mine"),
    (in_layer(registered_name="Custom>Dense"), "Dense is not one of Keras's own classes"),
    (
        in_layer(activation=FUNCTION),
        "layer 'a': activation: __lambda__ is not one of Keras's own classes, but of builtins",
    ),
    (
        lambda c: dense_of(c).update(bias_regularizer={"class_name": "Own", "config": {}}),
        "regularizer: expected one of l1",
    ),
    (lambda c: dense_of(c).update(kernel_constraint={}), "kernel_constraint: expected None"),
    (in_layer(units=2**40), r"a parameter of shape \(4, 1099511627776\) is larger than what there is for it"),
    (in_layer(units="a"), "units"),
    (in_layer(dtype="mixed_bfloat16"), "mixed_bfloat16"),
    (in_layer(units=3), r"layer 'a': kernel: expected shape \(4, 3\), got \(4, 2\)"),
    (
        lambda c: c["config"].update(layers=c["config"]["layers"][:1]),
        "the model has no layer for the file's layers/dense",
    ),
    (lambda c: c["compile_config"].update(optimizer="lion"), r"compile settings \(compile=False .*got 'lion'"),
    (lambda c: c["compile_config"].update(metrics=["r2"]), "compile settings .*got 'r2'"),
    (lambda c: c["compile_config"].update(loss_weights=[1.0]), "compile settings .*loss_weights: expected None"),
    (lambda c: c["compile_config"]["optimizer"].update(class_name="SGD"), "compile settings .*SGD has no argument"),
    (lambda c: c["compile_config"].update(optimizer="sgd"), "compile settings .*expected 2 arrays for SGD, got 6"),
    (lambda c: c["compile_config"].update(loss=FUNCTION), "compile settings .*__lambda__ is not one of Keras's"),
]


@pytest.mark.parametrize(("change", "says"), REFUSALS, ids=range(len(REFUSALS)))
def test_what_scratchnet_does_not_have(change, says, tmp_path):
    model = dense()
    model.compile("adam", "mse")
    path = rewritten(saved(model, tmp_path / "m.keras"), change)
    refused(sn.load_model, path, match=rf"changed\.keras: .*{says}")
    if says.startswith("compile"):
        assert equal(sn.load_model(path, compile=False), model)


# Damaged files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_damage_is_noticed(name, tmp_path):
    model, path, draw = dense(), tmp_path / name, random.Random(0)
    model.compile("adam", "mse")
    (model.save if name == "m.keras" else model.save_weights)(path)
    data, said = path.read_bytes(), []
    for number in range(300):
        bad = bytearray(data)
        if number % 3:
            bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        else:
            del bad[draw.randrange(len(bad)) :]
        path.write_bytes(bad)
        other = dense()
        try:
            if name == "m.keras":
                other = sn.load_model(path)
            else:
                other.load_weights(path)
        except CheckpointError as error:
            said.append(str(error))
        else:
            assert equal(other, model), number
    assert len(said) > 250
    assert [line for line in said if "\n" in line or not line.startswith(str(path))] == []


def test_hostile_archives(tmp_path):
    path = saved(dense(), tmp_path / "m.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in WORDS}

    def written(**others: bytes) -> Path:
        with zipfile.ZipFile(other := tmp_path / "bad.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**members, **{f"{key}.json": value for key, value in others.items()}}.items():
                archive.writestr(name, content)
        return other

    deep = b"[" * 100_000 + b"]" * 100_000
    twice = b'{"class_name": "Sequential", "class_name": "Sequential", "config": {}}'
    for content in (b" " * (9 << 20), deep, twice, b"\xff", b"", b"null", b'{"a":' * 500 + b"1" + b"}" * 500):
        refused(sn.load_model, written(config=content), match=r"bad\.keras: ")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(written(), "a") as archive:
        archive.writestr("config.json", members["config.json"])
    refused(sn.load_model, tmp_path / "bad.keras", match="twice")
    refused(sn.load_model, tmp_path / "none.keras", match="no such file")
    refused(sn.load_model, tmp_path, match="this is a folder|expected a file")
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as tree:
        del tree["layers/dense/vars/0"]
        tree["layers/dense/vars/0"] = h5py.ExternalLink(str(tmp_path / "x.h5"), "/layers/dense/vars/0")
    members["model.weights.h5"] = buffer.getvalue()
    refused(sn.load_model, written(), match="a link out of the tree, which is not followed")


def test_arguments_of_keras_3_15_that_do_nothing_by_default():
    assert sn.initializers.GlorotUniform(input_axes=None, output_axes=None).config() == {"seed": None}
    with pytest.raises(ConfigError, match="HeNormal: input_axes: expected None, got 1"):
        sn.initializers.HeNormal(input_axes=1)


@pytest.mark.parametrize("sparse", [False, True])
def test_every_metric_there_and_back(sparse, tmp_path):
    """The ReLU changes nothing, but hides the softmax: Keras would compute a binary cross-entropy from its input."""
    library, loss = keras_side.keras(), "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
    x, y = np.random.default_rng(0).random((8, 4)).astype(np.float32), np.arange(8) % 3
    y = y if sparse else np.eye(3, dtype=np.float32)[y]
    both = {name for name in sn.metrics.__all__ if name[0].isupper() and hasattr(library.metrics, name)}
    names = sorted(
        name for name in both - {"Metric", "Mean", "MeanMetricWrapper"} if name.startswith("Sparse") is sparse
    )
    assert len(names) >= 3
    model = sn.Sequential([L.Input((4,)), L.Dense(3, "softmax"), L.ReLU()])
    model.compile("sgd", loss, metrics=["acc", *(getattr(sn.metrics, name)(name=f"m_{name}") for name in names)])
    theirs = library.models.load_model(saved(model, tmp_path / "m.keras"))
    theirs.save(tmp_path / "theirs.keras")
    expected = model.evaluate(x, y, verbose=0)
    for one, other in zip(theirs.evaluate(x, y, verbose=0), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    again = sn.load_model(tmp_path / "theirs.keras")
    assert again.metrics_names == model.metrics_names
    np.testing.assert_array_equal(np.hstack(again.evaluate(x, y, verbose=0)), np.hstack(expected))


def test_given_initial_values_go_both_ways(tmp_path: Path) -> None:
    keras, values = keras_side.keras(), np.arange(6.0).reshape(3, 2)
    theirs = keras.Sequential([
        keras.layers.Input((3,)), keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(values)),
    ])  # fmt: skip
    theirs.save(tmp_path / "theirs.keras")
    mine = sn.load_model(tmp_path / "theirs.keras")
    assert mine.layers[0].kernel_initializer.value == values.tolist()
    mine.save(tmp_path / "mine.keras")
    again = keras.models.load_model(tmp_path / "mine.keras")
    np.testing.assert_array_equal(keras.Sequential.from_config(again.get_config()).layers[0].kernel, values)

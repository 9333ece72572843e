"""Keras's weights in our models and ours in Keras's, and the Keras tutorial with only its imports changed."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras_side
import numpy as np
import pytest
from servers import real_data

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import CheckpointError, ConfigError, ShapeError
from scratchnet.layers.serialization import deserialize

pytestmark = keras_side.GROUP

LAYERS = [
    L.Rescaling(0.5, -0.25), L.ZeroPadding2D(((1, 0), (2, 1))), L.Conv2D(6, 3, 2, "same", activation="relu"),
    L.Conv2D(6, 3, dilation_rate=2, padding="same", groups=2, use_bias=False), L.BatchNormalization(), L.LeakyReLU(0.1),
    L.MaxPooling2D(2, padding="same"), L.Conv2D(8, 1, activation=L.LeakyReLU(0.2)), L.AveragePooling2D(2, 1, "same"),
    L.ReLU(2.0, 0.1, 0.05), L.Conv2D(4, 2, activation="gelu"), L.GELU(approximate=True), L.Sigmoid(), L.ELU(0.3),
    L.Activation("leaky_relu"), L.Tanh(), L.Softmax(), L.Reshape((-1, 4)), L.Dense(5),
    L.BatchNormalization(center=False), L.LayerNormalization(epsilon=0.01), L.Flatten(), L.Dropout(0.4),
    L.Dense(7, "tanh"), L.LayerNormalization(center=False), L.Dense(3, activation="softmax"),
]  # fmt: skip
DECODER = [
    L.DepthwiseConv2D(3, 2, "same", depth_multiplier=2), L.SeparableConv2D(5, 3, depth_multiplier=2, activation="relu"),
    L.UpSampling2D(), L.Cropping2D(((1, 0), (0, 2))), L.Conv2DTranspose(4, 3, 2, "same", activation="relu"),
    L.Conv2DTranspose(2, (2, 3), (2, 3), output_padding=1), L.GlobalAveragePooling2D(),
]  # fmt: skip
POOLS = [[L.GlobalMaxPooling2D()], [L.GlobalAveragePooling2D(keepdims=True), L.Flatten()]]


def model_of(layers: list[Any], seed: int = 0) -> Any:
    """A new model of such layers, with weights that are none of the defaults."""
    specs = [{"class_name": type(one).__name__, "config": {**one.config(), "name": None}} for one in layers]
    model = sn.Sequential([L.Input((14, 13, 3)), *map(deserialize, specs)])
    rng = np.random.default_rng(seed)
    model.set_weights([w + rng.uniform(-0.3, 0.3, w.shape) if w.ndim else w for w in model.get_weights()])
    return model


def deviation(ours: Any, theirs: Any) -> float:
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())


@pytest.mark.parametrize(
    "layers",
    [LAYERS, DECODER, *([*LAYERS[:7], *pool, L.Dense(4)] for pool in POOLS)],
    ids=["sequence", "decoder", "global-max", "global-average"],
)
def test_there_and_back(layers, tmp_path, record_property):
    keras_side.keras()
    model = model_of(layers)
    x = np.random.default_rng(1).standard_normal((6, 14, 13, 3)).astype(np.float32)
    theirs = sn.interop.keras.to_keras(model)
    y = model.predict(x)
    worst = deviation(y, theirs(x))
    record_property("to_keras", worst)
    print(f"to_keras: {worst:.1e}")
    assert worst <= 1e-5
    theirs.save_weights(tmp_path / "m.weights.h5")
    sources = [theirs, tmp_path / "m.weights.h5"]
    if not any(getattr(layer, "approximate", False) for layer in layers):  # a function with an argument there
        theirs.save(tmp_path / "m.keras")
        sources.append(str(tmp_path / "m.keras"))
    for source in sources:
        ours = model_of(layers, seed=5)
        assert deviation(ours.predict(x), y) > 1e-4
        sn.interop.keras.load_weights(ours, source)
        np.testing.assert_array_equal(ours.predict(x), y)


@pytest.mark.parametrize("layer", [L.GELU(), L.Dense(4, activation="gelu"), L.Dense(4, activation=L.GELU())], ids=repr)
def test_keras_saves_a_gelu(layer, tmp_path):
    keras = keras_side.keras()
    ours = sn.Sequential([L.Input((4,)), layer])
    sn.interop.keras.to_keras(ours).save(tmp_path / "m.keras")
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    assert deviation(ours.predict(x), theirs(x)) <= 1e-6


def old_file(path: Path) -> Any:
    """A model with a model inside, all its weights different, in a file as Keras 2 wrote them."""
    keras = keras_side.keras()
    keras.utils.clear_session()  # layers are numbered anew, whatever other tests have made
    K = keras.layers
    inner = keras.Sequential([K.Input((4,)), K.BatchNormalization(), K.Dense(3)])
    model = keras.Sequential([
        K.Input((2, 2, 1)), K.Conv2D(2, 2, padding="same"), K.BatchNormalization(), K.Dropout(0.3), K.Flatten(),
        K.Dense(4, use_bias=False), inner, K.Dense(3),
    ])  # fmt: skip
    rng = np.random.default_rng(0)
    model.set_weights([rng.random(w.shape) for w in model.get_weights()])
    model.compile("adam", "mse")
    model.save(path)
    return model


def test_files_of_keras_2(tmp_path):
    theirs = old_file(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as whole, h5py.File(tmp_path / "w.h5", "w") as weights:  # model.save_weights's
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", weights)
        names = [name.encode() for name in whole["model_weights"].attrs["layer_names"]]  # bytes in those days
        weights.attrs["layer_names"] = names

    def ours(inner: Any, last: int) -> Any:
        return sn.Sequential([
            L.Input((2, 2, 1)), L.Conv2D(2, 2, padding="same"), L.BatchNormalization(), L.Dropout(0.3), L.Flatten(),
            L.Dense(4, use_bias=False), inner, L.Dense(last),
        ])  # fmt: skip

    for file in ("m.h5", "w.h5"):
        model = ours(sn.Sequential([L.BatchNormalization(), L.Dense(3)]), 3)
        sn.interop.keras.load_weights(model, tmp_path / file)
        for mine, wanted in zip(model.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, wanted)
    for model, words in [
        (ours(L.Dense(3), 3), "layer 'dense_1': expected 2 weights, the file's .* has 6"),
        (ours(L.ReLU(), 3), "expected 4 layers with weights, the file, one of Keras 2, has 5"),
        (ours(sn.Sequential([L.Dense(3), L.BatchNormalization()]), 3), r"kernel: expected shape \(4, 3\), got \(4,\)"),
        (ours(sn.Sequential([L.BatchNormalization(), L.Dense(3)]), 5), r"expected shape \(3, 5\), got \(3, 3\)"),
    ]:
        before = model.get_weights()
        with pytest.raises(ShapeError, match=words):
            sn.interop.keras.load_weights(model, tmp_path / "m.h5")
        for was, now in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(was, now)
    residual = sn.Sequential([L.Input((2, 2, 1)), *(L.Residual(L.Conv2D(1, 1)) for _ in range(5))])
    with pytest.raises(CheckpointError, match="Keras has no Residual"):
        sn.interop.keras.load_weights(residual, tmp_path / "m.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file["dense_2"]
        file["dense_2"] = h5py.ExternalLink(str(tmp_path / "m.h5"), "/model_weights/dense_2")
    with pytest.raises(CheckpointError, match="link out of the tree"):
        sn.interop.keras.load_weights(small(), tmp_path / "w.h5")


def test_our_own_file_under_one_of_kerass_names(tmp_path):
    small().save_weights(tmp_path / "w.safetensors")
    path = (tmp_path / "w.safetensors").rename(tmp_path / "w.weights.h5")
    words = r"w\.weights\.h5: a \.safetensors file, not one of Keras's: model\.load_weights"
    with pytest.raises(CheckpointError, match=words):
        sn.interop.keras.load_weights(small(), path)
    small().load_weights(path)
    with pytest.raises(ConfigError, match="source: expected a Keras model"):
        sn.interop.keras.load_weights(small(), small())


def small() -> Any:
    return sn.Sequential([L.Input((4,)), L.Dense(3), L.Dense(2)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras model that was compiled and trained, in a .keras file with its optimizer."""
    keras = keras_side.keras()
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 4)), np.zeros((8, 2)), verbose=0)
    model.save(path := tmp_path_factory.mktemp("keras") / "trained.keras")
    return path


def test_files_need_no_tensorflow(trained):
    code = (
        "import sys, scratchnet as sn; L = sn.layers\n"
        "m = sn.Sequential([L.Input((4,)), L.Dense(3), L.Dense(2)])\n"
        f"sn.interop.keras.load_weights(m, {str(trained)!r})\n"
        "print([n for n in ('tensorflow', 'keras') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_weights_that_do_not_fit(trained):
    for layers, words in [
        ([L.Dense(3), L.Dense(5)], r"layer 'dense_1': kernel: expected shape \(3, 5\), got \(3, 2\)"),
        ([L.Dense(3)], "the model has no layer for the file's layers/dense_1"),
        ([L.Dense(3), L.Dense(2), L.Dense(2)], "layer 'dense_2': expected its kernel"),
        ([L.Dense(3), L.BatchNormalization(), L.Dense(2)], "layer 'batch_normalization': expected its gamma"),
    ]:
        model = sn.Sequential([L.Input((4,)), *layers])
        before = model.get_weights()
        with pytest.raises(ShapeError, match=words):
            sn.interop.keras.load_weights(model, trained)
        for was, now in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(was, now)
    with pytest.raises(ShapeError, match="expected the weights kernel, bias; got kernel, bias, kernel, bias"):
        sn.interop.keras.load_weights(sn.Sequential([L.Input((4,)), L.Dense(3)]), sn.interop.keras.to_keras(small()))
    with pytest.raises(ConfigError, match="source: expected a Keras model"):
        sn.interop.keras.load_weights(small(), 3)
    with pytest.raises(ConfigError, match="layer 'residual': Keras has no Residual"):
        sn.interop.keras.to_keras(sn.Sequential([L.Input((4,)), L.Residual(L.Dense(4))]))


def test_hostile_files(trained, tmp_path):
    with zipfile.ZipFile(trained) as archive:
        (tmp_path / "good.weights.h5").write_bytes(archive.read("model.weights.h5"))
    sn.interop.keras.load_weights(small(), tmp_path / "good.weights.h5")
    data = (tmp_path / "good.weights.h5").read_bytes()
    bad = tmp_path / "bad.weights.h5"
    for content in (b"", b"not HDF5", data[:500], data[: len(data) // 2], trained.read_bytes()[:200]):
        bad.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"bad\.weights\.h5") as caught:
            sn.interop.keras.load_weights(small(), bad)
        assert "\n" not in str(caught.value)
    (tmp_path / "kernel.raw").write_bytes(np.ones(12, np.float32).tobytes())
    for kind in ("external link", "soft link", "external storage"):
        bad.write_bytes(data)
        with h5py.File(bad, "r+") as file:
            group = file["layers/dense/vars"]
            del group["0"]
            if kind == "external link":
                group["0"] = h5py.ExternalLink(str(tmp_path / "good.weights.h5"), "/layers/dense/vars/0")
            elif kind == "soft link":
                group["0"] = h5py.SoftLink("/layers/dense_1/vars/0")
            else:
                group.create_dataset("0", (4, 3), "f4", external=[(str(tmp_path / "kernel.raw"), 0, 48)])
        with pytest.raises(CheckpointError, match=r"link out of the tree|outside of the file"):
            sn.interop.keras.load_weights(small(), bad)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_with_a_flipped_bit_is_refused_or_read_alike(trained, tmp_path, method):
    with zipfile.ZipFile(trained) as archive, zipfile.ZipFile(tmp_path / "good.keras", "w", method) as good:
        good.writestr("model.weights.h5", archive.read("model.weights.h5"))
    sn.interop.keras.load_weights(good := small(), tmp_path / "good.keras")
    data, bad, said = (tmp_path / "good.keras").read_bytes(), tmp_path / "bad.keras", []
    for place in range(60, len(data) // 2, len(data) // 100):
        bad.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        try:
            sn.interop.keras.load_weights(model := small(), bad)
        except CheckpointError as error:
            said.append(str(error))
        else:  # zeros copied from other zeros: the content is the same
            for one, other in zip(good.get_weights(), model.get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)
    assert len(said) > 30
    line = re.compile(r"\S+bad\.keras: damaged: model\.weights\.h5 in the archive cannot be read: .+")
    assert [one for one in said if not line.fullmatch(one)] == []


def is_python(line: str) -> bool:
    """Whether this is code, not prose that begins with a function's name."""
    try:
        compile(line, "line", "exec")
    except SyntaxError:
        return False
    return True


def test_the_keras_tutorial_with_only_its_imports_changed(monkeypatch):
    """The code of text 004, line by line, on the first 6,000 training images and for one epoch."""
    monkeypatch.setenv("SCRATCHNET_DATA", str(real_data()))
    text = Path(real_data().parent / "seeds" / "004_4f13087a971776bb.txt")
    if not text.is_file():
        pytest.skip(f"no {text}")
    code = [line for line in text.read_text().splitlines() if re.match(CODE, line) and is_python(line)]
    assert len(code) >= 35
    source = "\n".join(code)
    for theirs, ours in [
        ("import tensorflow as tf", "import scratchnet as tf"),
        ("from tensorflow import keras", "import scratchnet as keras"),
        ("from tensorflow.keras", "from scratchnet"),
    ]:
        assert theirs in source
        source = source.replace(theirs, ours)
    source = source.replace("epochs = 10", "epochs = 1")
    loaded = "y_test) = mnist.load_data()"
    source = source.replace(loaded, f"{loaded}; X_train, y_train = X_train[:6000], y_train[:6000]")
    names: dict[str, Any] = {}
    exec("import matplotlib; matplotlib.use('Agg')\n" + source, names)
    assert names["X_train"].shape == (6000, 28, 28)
    assert names["model"].count_params() == 101_770
    assert 0.7 < names["test_acc"] < 0.9
    assert np.mean(names["y_pred"] == names["y_test"]) == pytest.approx(names["test_acc"])
    assert names["pred"].shape == (10_000, 10)


CODE = (
    r"(import|from tensorflow|from sklearn|print\(|mnist = |type\(|\(X_train|X_train|X_test|np\.|y_train$|class_names"
    r"|plt\.|model|test_loss|y_pred|accuracy_score\(|pred)"
)

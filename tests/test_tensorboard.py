"""The TensorBoard callback, read back by TensorBoard's own reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.callbacks import TensorBoard
from scratchnet.errors import ConfigError, ShapeError

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", exc_type=ImportError)

NAMES = [f"digit {number}" for number in range(10)]


def read(folder: Path) -> Any:
    """What TensorBoard finds in a folder."""
    events = accumulator.EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0, "histograms": 0})
    events.Reload()
    return events


def scalars(events: Any, tag: str) -> list[float]:
    return [event.value for event in events.Scalars(tag)]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A small network trained on the digits with everything logged: (folder, model, history)."""
    folder = tmp_path_factory.mktemp("logs")
    (x, y), (x_test, y_test) = sn.datasets.digits.load_data()
    sn.utils.set_random_seed(0)
    model = sn.Sequential([
        L.Input(x.shape[1:]), L.Rescaling(1 / 16), L.Reshape((8, 8, 1)), L.Conv2D(4, 3, padding="same"),
        L.Residual([L.Conv2D(4, 3, padding="same", activation="tanh")]), L.Flatten(), L.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    callback = TensorBoard(
        folder, histogram_freq=1, update_freq=10, images=(x_test, y_test), class_names=NAMES, hparams={"note": "first"}
    )
    history = model.fit(x, y, epochs=2, validation_data=(x_test, y_test), callbacks=[callback], verbose=0)
    return folder, model, history


def test_scalars_are_the_history(logged):
    folder, model, history = logged
    train, validation = read(folder / "train"), read(folder / "validation")
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(scalars(train, f"epoch_{name}"), history.history[name], rtol=1e-6)
        np.testing.assert_allclose(scalars(validation, f"epoch_{name}"), history.history[f"val_{name}"], rtol=1e-6)
    assert scalars(train, "epoch_learning_rate") == pytest.approx([0.001, 0.001])
    steps = [event.step for event in train.Scalars("batch_loss")]
    assert steps == list(range(10, int(model.optimizer.iterations) + 1, 10))


def test_histograms_of_weights_and_gradients(logged):
    folder, model, _ = logged
    train = read(folder / "train")
    layers = ["conv2d", "residual/body/conv2d", "dense"]
    assert set(train.Tags()["histograms"]) == {
        f"{layer}/{array}{what}" for layer in layers for array in ("kernel", "bias") for what in ("", "/gradient")
    }
    last = train.Histograms("dense/kernel")[-1].histogram_value
    kernel = model.get_layer("dense").params["kernel"]
    assert last.num == kernel.size
    assert (last.min, last.max) == pytest.approx((kernel.min(), kernel.max()), rel=1e-6)
    assert train.Histograms("dense/kernel/gradient")[-1].histogram_value.sum_squares > 0


def test_misclassified_examples(logged):
    folder, model, _ = logged
    (_, _), (x_test, y_test) = sn.datasets.digits.load_data()
    train = read(folder / "train")
    assert [event.step for event in train.Images("misclassified")] == [0, 1]
    image = train.Images("misclassified")[-1]
    assert (image.width, image.height) == (5 * (x_test.shape[2] + 1) + 1, image.height)
    table = train.Tensors("misclassified/text_summary")[-1].tensor_proto.string_val[0].decode().splitlines()[2:]
    predicted = model.predict_classes(x_test)
    wrong = np.flatnonzero(predicted != y_test)[:25]
    assert table == [
        f"| {place + 1} | {i} | {NAMES[y_test[i]]} | {NAMES[predicted[i]]} |" for place, i in enumerate(wrong)
    ]


def test_the_graph(logged):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graph = GraphDef.FromString(read(logged[0] / "train").Graph().SerializeToString())
    inputs = {node.name: list(node.input) for node in graph.node}
    assert inputs["residual/add"] == ["residual/body/conv2d", "conv2d"]
    assert inputs["flatten"] == ["residual/add"]
    dense = next(node for node in graph.node if node.name == "dense")
    assert [d.size for d in dense.attr["_output_shapes"].list.shape[0].dim] == [-1, 10]


def test_hyperparameters_with_final_metrics(logged):
    from tensorboard.plugins.hparams import metadata

    folder, _, history = logged
    events = read(folder / "train" / "hparams")
    found = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(found).hparams
    assert values["optimizer"].string_value == "Adam"
    assert values["optimizer_learning_rate"].number_value == 0.001
    assert values["epochs"].number_value == 2
    assert values["note"].string_value == "first"
    assert scalars(events, "final_val_accuracy") == pytest.approx([history.history["val_accuracy"][-1]])


def test_it_is_imported_only_where_it_is_used(tmp_path):
    code = (
        "import sys, scratchnet as sn; sn.callbacks.TensorBoard; assert 'tensorboardX' not in sys.modules\n"
        "sys.modules['tensorboardX'] = None\n"
        "m = sn.Sequential([sn.layers.Input((2,)), sn.layers.Dense(1)]); m.compile('sgd', 'mse')\n"
        f"m.fit([[1., 2.]], [[1.]], callbacks=[sn.callbacks.TensorBoard({str(tmp_path)!r})])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("scratchnet.errors.DependencyError: TensorBoard needs tensorboardX")
    assert last.endswith("pip install 'scratchnet[interop]'")


def test_bad_arguments(tmp_path):
    for arguments, words in [
        ({"histogram_freq": -1}, "histogram_freq: expected an integer of at least 0, got -1"),
        ({"grid": 0}, "grid: expected"),
        ({"update_freq": "batch"}, "update_freq: expected 'epoch' or a positive integer, got 'batch'"),
    ]:
        with pytest.raises(ConfigError, match=words):
            TensorBoard(tmp_path, **arguments)
    model = sn.Sequential([L.Input((2,)), L.Dense(2)])
    model.compile("sgd", "mse")
    x, y = np.eye(2), np.eye(2)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        model.fit(x, y, callbacks=[TensorBoard(tmp_path / "file")], verbose=0)
    labels = 1 - model.predict_classes(x)
    with pytest.raises(ShapeError, match=r"images: expected shape .* got \(2, 2\)"):
        model.fit(x, y, callbacks=[TensorBoard(tmp_path, images=(x, labels))], verbose=0)

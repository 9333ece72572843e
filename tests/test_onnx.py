"""ONNX files: onnxruntime computes what we compute, and what we read back is what we wrote."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from cases import LAYERS, LayerCase
from onnx import TensorProto, helper, numpy_helper
from servers import real_data

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet import recipes
from scratchnet.errors import CheckpointError, ConfigError, ShapeError

RECIPES = ["fashion-dnn", "mnist-mlp", "fashion-keras", "fashion-cnn-same", "fashion-cnn-dropout"]


def run(path: Path, x: np.ndarray) -> np.ndarray:
    """What onnxruntime computes from the file."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def shaken(model: Any, seed: int = 0) -> Any:
    """The model with weights that are none of the defaults: biases, means and variances that count."""
    rng = np.random.default_rng(seed)
    model.set_weights([w + rng.uniform(-0.3, 0.3, w.shape) for w in model.get_weights()])
    return model


def exported(model: Any, path: Path) -> Path:
    sn.interop.onnx.export(model, path)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.opset_import[0].version == sn.interop.onnx.OPSET
    for end in (proto.graph.input[0], proto.graph.output[0]):
        assert end.type.tensor_type.shape.dim[0].dim_param == "batch"
    return path


def deviation(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    # 400 products in float32 sum up to numbers above 10, whose last bits are worth more than 1e-6.
    return float(np.abs(ours - theirs).max(initial=0.0)) / max(1.0, float(np.abs(ours).max(initial=0.0)))


@pytest.mark.parametrize("name", RECIPES)
def test_tutorial_networks_on_real_images(name, tmp_path, record_property):
    recipe = recipes.load(name)
    x = np.asarray(recipe.load_data(real_data()).test[0][:300]).astype(np.float32)
    model = recipe.make_model()
    model.set_weights([w + (0.02 if w.ndim == 1 else 0) for w in model.get_weights()])
    path = exported(model, tmp_path / f"{name}.onnx")
    y = model.predict(x)
    worst = max(deviation(y, run(path, x)), deviation(y[:1], run(path, x[:1])))
    record_property(f"{name}, onnxruntime", worst)
    print(f"{name}: {worst:.1e}")
    assert worst <= 1e-5
    back = sn.interop.onnx.import_model(path)
    assert back.count_params() == model.count_params()
    assert deviation(y, back.predict(x)) <= 1e-5


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_every_layer(case: LayerCase, tmp_path, record_property):
    layer = case.make(dtype="float32")
    if isinstance(layer, L.Stack) or len(case.shape) == 1:
        layers = [layer] if len(case.shape) > 1 else [L.Reshape((1,), dtype="float32"), layer]
    else:
        layers = [layer]
    shape = case.shape[1:]
    if not shape:
        pytest.skip("a model's sample has at least one axis in ONNX")
    model = sn.Sequential(layers)
    model.build(shape)
    model = shaken(model)
    path = exported(model, tmp_path / "layer.onnx")
    x = np.random.default_rng(1).standard_normal((5, *shape)).astype(np.float32)
    y = model.predict(x)
    worst = deviation(y, run(path, x))
    record_property("onnxruntime", worst)
    print(f"{case.id}: {worst:.1e}")
    assert worst <= 1e-5
    if type(layer) is L.ReLU and layer.threshold:
        with pytest.raises(CheckpointError, match="no layer does this"):  # a threshold takes four operators
            sn.interop.onnx.import_model(path)
        return
    assert deviation(y, sn.interop.onnx.import_model(path).predict(x)) <= 1e-5


def test_no_needless_transposes(tmp_path):
    model = recipes.load("fashion-cnn-same").make_model()
    nodes = [node.op_type for node in onnx.load(exported(model, tmp_path / "m.onnx")).graph.node]
    assert nodes.count("Transpose") == 2  # into NCHW, and back before Flatten


def test_layers_between_images_and_rows(tmp_path):
    """Every change between the two orders of axes, in one network."""
    model = sn.Sequential([
        L.Input((9, 7, 3)), L.RandomFlip(), L.RandomTranslation(0.2, 0.2), L.GaussianNoise(0.1), L.Rescaling(2.0, -0.5),
        L.ZeroPadding2D(((1, 0), (2, 1))),
        L.Conv2D(6, 3, strides=2, padding="same", activation="tanh"), L.BatchNormalization(), L.ReLU(1.0),
        L.Residual([L.Conv2D(8, 1), L.LeakyReLU()], [L.Conv2D(8, 1, use_bias=False)]),
        L.ZeroPadding2D(1), L.LayerNormalization(), L.Dense(5, activation="gelu"), L.Conv2D(4, 2, activation="softmax"),
        L.AveragePooling2D(2, 1, "same"), L.Reshape((-1, 6)), L.BatchNormalization(), L.Dense(7), L.Flatten(),
        L.BatchNormalization(center=False),
        L.Dropout(0.5), L.LayerNormalization(epsilon=0.01, center=False), L.Dense(4, activation="softmax"),
    ])  # fmt: skip
    shaken(model)
    x = np.random.default_rng(2).standard_normal((4, 9, 7, 3)).astype(np.float32)
    path = exported(model, tmp_path / "mixed.onnx")
    assert deviation(model.predict(x), run(path, x)) <= 1e-5
    assert deviation(model.predict(x), sn.interop.onnx.import_model(path).predict(x)) <= 1e-5


def save(
    path: Path, nodes: list[Any], shape: Any, constants: dict[str, np.ndarray], output: Any = ("n", 5), opset: int = 18
) -> Path:
    """A file that somebody else wrote."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, extents)
        for name, extents in (("x", shape), ("y", output))
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_a_channels_first_file_is_read_as_channels_last(tmp_path):
    """A network as PyTorch writes it: NCHW input, flattened channels first, transposed matrices, odd paddings."""
    rng = np.random.default_rng(0)
    constants = {
        "k": rng.standard_normal((4, 2, 3, 3)).astype(np.float32), "b": rng.standard_normal(4).astype(np.float32),
        "w": rng.standard_normal((5, 4 * 3 * 4)).astype(np.float32), "c": rng.standard_normal(5).astype(np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "k", "b"], ["1"], pads=[2, 0, 0, 1]), helper.make_node("Relu", ["1"], ["2"]),
        helper.make_node("MaxPool", ["2"], ["3"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["3"], ["4"]), helper.make_node("Gemm", ["4", "w", "c"], ["y"], transB=1),
    ]  # fmt: skip
    path = save(tmp_path / "torch.onnx", nodes, ["n", 2, 7, 9], constants)
    x = rng.standard_normal((3, 2, 7, 9)).astype(np.float32)
    model = sn.interop.onnx.import_model(path)
    assert model.input_shape == (7, 9, 2)
    assert deviation(model.predict(x.transpose(0, 2, 3, 1)), run(path, x)) <= 1e-5


def test_layers_of_an_autoencoder_are_read_back_as_they_were(tmp_path):
    model = sn.Sequential([
        L.Input((8, 6, 3)), L.DepthwiseConv2D(3, 2, "same", depth_multiplier=2), L.Conv2DTranspose(4, 3, 2, "same"),
        L.Conv2DTranspose(3, 2, (1, 3)), L.UpSampling2D((1, 2)), L.Cropping2D(((1, 0), (3, 2))), L.Conv2D(1, 3),
    ])  # fmt: skip
    x = np.random.default_rng(0).standard_normal((3, 8, 6, 3)).astype(np.float32)
    path = exported(shaken(model), tmp_path / "m.onnx")
    assert deviation(model.predict(x), run(path, x)) <= 1e-5
    back = sn.interop.onnx.import_model(path)
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in model.layers]
    assert deviation(model.predict(x), back.predict(x)) <= 1e-5


ENLARGED: list[tuple[Any, dict[str, Any]]] = [
    (
        helper.make_node(
            "ConvTranspose", ["0", "k", "b"], ["1"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
        ), {},
    ),
    (helper.make_node("ConvTranspose", ["0", "k"], ["1"], strides=[3, 1], pads=[0, 1, 2, 0]), {}),
    (helper.make_node("ConvTranspose", ["0", "k"], ["1"], dilations=[2, 1]), {}),
    (helper.make_node("Resize", ["0", "", "s"], ["1"], mode="nearest"), {"s": np.array([1, 1, 2, 3], np.float32)}),
    (helper.make_node("Resize", ["0", "", "", "s"], ["1"], mode="nearest"), {"s": np.array([4, 2, 12, 4], np.int64)}),
    (helper.make_node("Resize", ["0", "", "s"], ["1"], axes=[3, 2]), {"s": np.array([2, 3], np.float32)}),
    (helper.make_node("Resize", ["0", "", "", "s"], ["1"], axes=[1, 2, 3]), {"s": np.array([2, 12, 8], np.int64)}),
    (helper.make_node("Pad", ["0", "s"], ["1"]), {"s": np.array([0, 0, 1, -2, 0, 0, -1, 3], np.int64)}),
    (
        helper.make_node("Slice", ["0", "s", "e", "a"], ["1"]),
        {"s": np.array([1, -3]), "e": np.array([2**31 - 1, -1]), "a": np.array([2, -1])},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("node", "constants"), ENLARGED, ids=lambda value: value.op_type if hasattr(value, "op_type") else ""
)
def test_other_forms_of_what_enlarges_and_crops(node, constants, tmp_path):
    """As other frameworks write it, in a channels-first file; a 1x1 convolution before it, to say so."""
    rng = np.random.default_rng(0)
    constants = {
        "k": rng.standard_normal((2, 3, 3, 2)).astype(np.float32), "b": rng.standard_normal(3).astype(np.float32),
        "one": np.eye(2, dtype=np.float32)[:, :, None, None], **constants,
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "one"], ["0"]), node,
        helper.make_node("Transpose", ["1"], ["y"], perm=[0, 2, 3, 1]),
    ]  # fmt: skip
    path = save(tmp_path / "m.onnx", nodes, ["n", 2, 6, 4], constants, output=["n", "h", "w", "c"])
    x = rng.standard_normal((4, 2, 6, 4)).astype(np.float32)
    model = sn.interop.onnx.import_model(path)
    assert deviation(model.predict(x.transpose(0, 2, 3, 1)), run(path, x)) <= 1e-5


def test_forms_of_older_files(tmp_path):
    """Borders as attributes, and a layer without a bias as PyTorch wrote it: a transposed constant, and a product."""
    rng = np.random.default_rng(0)
    constants = {
        "one": np.eye(2, dtype=np.float32)[:, :, None, None], "w": rng.standard_normal((5, 70)).astype(np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "one"], ["0"]),
        helper.make_node("Pad", ["0"], ["1"], pads=[0, 0, 1, 0, 0, 0, 0, 2], mode="constant", value=0.0),
        helper.make_node("Slice", ["1"], ["2"], starts=[0, 1], ends=[5, 100], axes=[2, 3]),
        helper.make_node("Flatten", ["2"], ["3"]), helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["3", "t"], ["y"]),
    ]  # fmt: skip
    path = save(tmp_path / "m.onnx", nodes, ["n", 2, 6, 6], constants, opset=9)
    x = rng.standard_normal((4, 2, 6, 6)).astype(np.float32)
    model = sn.interop.onnx.import_model(path)
    assert deviation(model.predict(x.transpose(0, 2, 3, 1)), run(path, x)) <= 1e-5
    ones = [nodes[0], helper.make_node("Pad", ["0"], ["y"], pads=[0, 0, 1, 0, 0, 0, 0, 2], value=1.0)]
    with pytest.raises(CheckpointError, match=r"value: expected 0, got 1\.0"):
        sn.interop.onnx.import_model(save(tmp_path / "ones.onnx", ones, ["n", 2, 6, 6], constants, opset=9))


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (helper.make_node("LSTM", ["x", "k", "k"], ["y"], hidden_size=2), "operator LSTM.*no layer does this"),
        (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], ceil_mode=1), "ceil_mode: expected 0, got 1"),
        (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], pads=[1, 1, 0, 0]), "pads: expected none or"),
        (helper.make_node("Conv", ["x", "k"], ["y"], auto_pad="SAME_LOWER"), "got SAME_LOWER"),
        (helper.make_node("Conv", ["x", "x"], ["y"]), "expected a constant"),
        (helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 1, 3]), "perm: expected channels"),
        (helper.make_node("Softmax", ["x"], ["y"], axis=0), "axis: expected"),
        (helper.make_node("LayerNormalization", ["x", "k"], ["y"], axis=1), "axis: expected -1 or 3, got 1"),
        (helper.make_node("ConvTranspose", ["x", "k"], ["y"], output_shape=[9, 9]), "output_shape: expected pads"),
        (helper.make_node("ConvTranspose", ["x", "k"], ["y"], group=2), "group: expected 1, got 2"),
        (helper.make_node("Resize", ["x", "", "f"], ["y"], mode="linear"), "mode: expected b'nearest'"),
        (helper.make_node("Resize", ["x", "", "f"], ["y"]), r"the factors \[1.0, 1.0, 1.5, 2.0\]"),
        (helper.make_node("Resize", ["x", "", "f"], ["y"], nearest_mode="ceil"), "got half_pixel, ceil"),
        (
            helper.make_node("Resize", ["x", "", "", "f"], ["y"], keep_aspect_ratio_policy="not_larger"),
            "got b'not_larger'",
        ),
        (
            helper.make_node("Resize", ["x", "", "f"], ["y"], axes=[2, 3]),
            r"a number for each of the axes \[2, 3\], got",
        ),
        (helper.make_node("Slice", ["x", "i", "j", "a"], ["y"]), "got axis 3, step 1"),
    ],
    ids=lambda value: value.op_type if hasattr(value, "op_type") else "",
)
def test_what_no_layer_does_is_named(node, words, tmp_path):
    constants = {
        "k": np.ones((1, 2, 3, 3), np.float32), "f": np.array([1, 1, 1.5, 2], np.float32),
        "i": np.array([1]), "j": np.array([2]), "a": np.array([3]),
    }  # fmt: skip
    path = save(tmp_path / "m.onnx", [node], ["n", 2, 6, 6], constants)
    with pytest.raises(CheckpointError, match=words):
        sn.interop.onnx.import_model(path)


def test_an_output_with_channels_first_is_refused(tmp_path):
    """Its columns came in another order than onnxruntime's."""
    kernel = {"k": np.ones((4, 2, 3, 3), np.float32)}
    conv = helper.make_node("Conv", ["x", "k"], ["1"])
    for nodes, words in (
        ([conv, helper.make_node("Flatten", ["1"], ["y"])], "output 'y': expected channels last, got images flattened"),
        (
            [helper.make_node("Transpose", ["x"], ["y"], perm=[0, 3, 1, 2])],
            "expected channels last, got images channels",
        ),
    ):
        with pytest.raises(CheckpointError, match=words):
            sn.interop.onnx.import_model(save(tmp_path / "m.onnx", nodes, ["n", 2, 6, 6], kernel))


def test_damaged_files(tmp_path):
    model = sn.Sequential([L.Input((3,)), L.Dense(4)])
    path = exported(model, tmp_path / "m.onnx")
    data = path.read_bytes()
    for length in (0, 1, 20, len(data) // 2, len(data) - 3):
        (tmp_path / "cut.onnx").write_bytes(data[:length])
        with pytest.raises(CheckpointError, match=r"cut\.onnx") as caught:
            sn.interop.onnx.import_model(tmp_path / "cut.onnx")
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="no such file"):
        sn.interop.onnx.import_model(tmp_path / "nothing.onnx")


def test_constants_in_another_file_are_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(np.ones(12, np.float32).tobytes())
    path = save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], ["n", 3], {})
    proto = onnx.load(path)
    tensor = TensorProto(name="w", data_type=1, dims=[3, 4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=str(tmp_path / "secret"))
    proto.graph.initializer.append(tensor)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(CheckpointError, match=r"m\.onnx"):
        sn.interop.onnx.import_model(path)


def test_refusals_of_export(tmp_path):
    class Own(L.Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            return x

    with pytest.raises(ConfigError, match="layer 'own': a Own has no form in ONNX"):
        sn.interop.onnx.export(sn.Sequential([L.Input((3,)), Own()]), tmp_path / "m.onnx")
    with pytest.raises(ShapeError, match="not built"):
        sn.interop.onnx.export(sn.Sequential([L.Dense(3)]), tmp_path / "m.onnx")
    with pytest.raises(CheckpointError, match="cannot be written"):
        sn.interop.onnx.export(sn.Sequential([L.Input((3,)), L.Dense(3)]), tmp_path / "no" / "m.onnx")


FLOAT64: list[tuple[Any, str | None]] = [
    (lambda: [L.Conv2D(2, 2)], "Conv"),
    (lambda: [L.Conv2DTranspose(2, 2)], "ConvTranspose"),
    (lambda: [L.UpSampling2D()], "Resize"),
    (lambda: [L.Cropping2D(1)], None),
    (lambda: [L.AveragePooling2D(2)], "AveragePool"),
    (lambda: [L.GlobalAveragePooling2D()], "GlobalAveragePool"),
    (lambda: [L.GlobalMaxPooling2D()], "GlobalMaxPool"),
    (lambda: [L.LeakyReLU(), L.GELU(), L.Conv2D(1, 1)], "Conv, Erf, LeakyRelu"),
    (lambda: [L.Dense(2, activation="gelu")], "Erf"),
    (lambda: [L.GELU(approximate=True)], None),
    (lambda: [L.MaxPooling2D(2), L.BatchNormalization(), L.Dropout(0.5), L.Flatten(), L.Dense(3, "tanh")], None),
    (lambda: [L.LayerNormalization(), L.Flatten(), L.LayerNormalization(scale=False)], None),
]


@pytest.mark.parametrize(("layers", "unknown"), FLOAT64)
def test_float64_that_onnxruntime_does_not_run_is_said_and_float32_offered(layers, unknown, tmp_path):
    sn.config.set_floatx("float64")
    try:
        model = sn.Sequential(layers())
    finally:
        sn.config.set_floatx("float32")
    model.build((4, 4, 2))
    shaken(model)
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 2))
    y = model.predict(x)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exported(model, tmp_path / "m.onnx")
    if unknown is None:
        assert caught == []
        assert deviation(y, run(tmp_path / "m.onnx", x)) <= 1e-7  # attributes such as epsilon are float32 in ONNX
        return
    (warning,) = caught
    assert f"onnxruntime has no float64 {unknown}: export(model, path, dtype='float32')" in str(warning.message)
    assert warning.filename == __file__
    with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
        run(tmp_path / "m.onnx", x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sn.interop.onnx.export(model, tmp_path / "m.onnx", dtype="float32")
    assert deviation(y.astype(np.float32), run(tmp_path / "m.onnx", x.astype(np.float32))) <= 1e-5
    with pytest.raises(ConfigError, match="dtype: expected 'float32' or 'float64', got 'int8'"):
        sn.interop.onnx.export(model, tmp_path / "m.onnx", dtype="int8")

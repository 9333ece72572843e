"""Unintended input: one clear line of ours says what was expected and what was given, whatever it was."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import activations, datasets, errors
from scratchnet import callbacks as C  # noqa: N812
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import ConfigError, DataError, ScratchnetError, ShapeError
from scratchnet.results import Result

PAIR, MATRIX = np.ones(2), np.eye(2)
HUGE = 10**400
BATCH = np.ones((2, 3), np.float32)


def model() -> sn.Sequential:
    return sn.Sequential([L.Dense(2, input_shape=(3,))])


def refusal(do: Callable[[], Any], kind: type[ScratchnetError] = ScratchnetError) -> str:
    with pytest.raises(kind) as caught:
        do()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    return said


A_SHAPE = "expected a shape of positive integers such as (28, 28, 1), without the batch axis, got "

STACKS = {
    "5": (lambda: sn.Sequential(5), "sequential: expected a list of layers, got 5"),
    "layer": (lambda: sn.Sequential(L.Dense(3)), "sequential: expected a list of layers, got Dense(3)"),
    "dict": (lambda: sn.Sequential({}), "sequential: expected a list of layers, got {}"),
    "array": (lambda: sn.Sequential(PAIR), "sequential: expected a layer, got np.float64(1.0)"),
    "no layers": (lambda: sn.Sequential([])(BATCH), "model 'sequential' cannot be built: it has no layers"),
    "index": (lambda: model().get_layer(index=9), "get_layer: index: expected an integer from -1 to 0, got 9"),
    "index word": (lambda: model().get_layer(index="a"), "get_layer: index: expected an integer from -1 to 0, got 'a'"),
    "name": (lambda: model().get_layer("dens"), "expected one of dense, got 'dens': did you mean 'dense'?"),
    "no name": (lambda: model().get_layer(), "get_layer: name: expected one of dense, got None"),
    "mask": (lambda: model()(BATCH, mask=PAIR), "mask: expected None, got array([1., 1.]): there are no masks"),
    "clone": (
        lambda: sn.models.clone_model(model(), clone_function=copy.copy),
        "clone_model: clone_function: expected None, got <function copy",
    ),
    "clone of 3": (lambda: sn.models.clone_model(3), "clone_model: expected a Sequential, got 3"),
}

PATHS = {
    "save": (lambda: model().save(""), "expected the path of a file to write, got ''"),
    "onnx": (lambda: sn.interop.onnx.export(model(), 3), "expected the path of a file to write, got 3"),
    "onnx model": (lambda: sn.interop.onnx.export("m", "m.onnx"), "onnx.export: expected a Sequential, got 'm'"),
    "weights": (lambda: sn.interop.keras.load_weights("m", "m.h5"), "load_weights: expected a Sequential, got 'm'"),
    "to_keras": (lambda: sn.interop.keras.to_keras("m"), "to_keras: expected a Sequential, got 'm'"),
    "folder": (lambda: datasets.load_image_folder(3), "expected the path of a folder, got 3"),
    **{
        f"NUL {callback.__name__}": (lambda callback=callback: callback("a\0b"), r": expected a path, got 'a\x00b'")
        for callback in (C.ModelCheckpoint, C.TensorBoard, C.TrainingCheckpoint)
    },
    "NUL": (lambda: C.CSVLogger("a\0b"), r"CSVLogger: filename: expected a path, got 'a\x00b'"),
}

WORDS = {
    "color": (lambda: datasets.load_image_folder(".", color_mode=PAIR), "expected 'grayscale' or 'rgb', got array"),
    "padding": (lambda: L.Conv2D(2, 3, padding=PAIR), "Conv2D: padding: expected 'valid' or 'same', got array([1"),
    "format": (lambda: L.Flatten(data_format=PAIR), "data_format: expected 'channels_last', got array([1., 1.])"),
    "backend": (lambda: sn.set_backend(PAIR), "unknown backend array([1., 1.]); expected one of auto, numpy"),
    "relu": (lambda: L.Dense(2, activation="rellu"), "got 'rellu': did you mean 'relu'?"),
    "Relu": (lambda: L.Activation("Re_LU"), "got 'Re_LU': did you mean 'relu'?"),
    "function": (lambda: activations.get("tahn"), "got 'tahn': did you mean 'tanh'?"),
    "optimizer": (lambda: sn.optimizers.get("adamm"), "or an Optimizer, got 'adamm': did you mean 'adam'?"),
    "optimizer dict": (lambda: sn.optimizers.get({1: 2}), "or an Optimizer, got {1: 2}"),
    "keywords": (
        lambda: sn.optimizers.get({"class_name": "SGD", "config": {1: 2}}),
        "SGD: expected its config as a dict, got '{1: 2}'",
    ),
    "axis": (lambda: L.BatchNormalization(axis=1.0), "BatchNormalization: axis: expected an integer, got 1.0"),
    "softmax": (lambda: L.Softmax(axis=PAIR), "Softmax: axis: expected an integer, got array([1., 1.])"),
    "interpolation": (lambda: L.UpSampling2D(interpolation="bilinear"), "expected 'nearest', got 'bilinear'"),
    "beyond": (lambda: L.Conv2DTranspose(1, 3, 2, output_padding=2), "less than the strides (2, 2), got (2, 2)"),
    "no window": (
        lambda: L.Conv2DTranspose(1, 2, 2, "same", output_padding=0).build((3, 3, 1)),
        "expected an output_padding with which a convolution with padding 'same' takes the output back to (3, 3), got",
    ),
    "cropped": (lambda: L.Cropping2D(2).build((4, 5, 1)), "expected a cropping that leaves something of (4, 5), got"),
    "synchronized": (lambda: L.BatchNormalization(synchronized=True), "synchronized: expected False, got True"),
    "lora": (lambda: L.Dense(2, lora_rank=4), "Dense: lora_rank: expected None, got 4: there is no LoRA"),
}


@pytest.mark.parametrize(("do", "message"), [*STACKS.values(), *PATHS.values(), *WORDS.values()])
def test_one_line(do: Callable[[], Any], message: str) -> None:
    assert message in refusal(do)


@pytest.mark.parametrize("shape", [5, (-3,), (0, 2), "abc", (2.7,), {}, (None, None, 3), ((1, 2), (3, 4)), "x" * 500])
@pytest.mark.parametrize("make", [L.Flatten, lambda: L.Dense(2), lambda: sn.Sequential([L.Conv2D(2, 3)])])
def test_shapes(make: Callable[[], Any], shape: Any) -> None:
    said = refusal(lambda: make().build(shape), ShapeError)
    assert A_SHAPE in said
    assert said.startswith("layer ")


@pytest.mark.parametrize("shape", [5, (-3,), "abc", (2.7,), {}, (None,), ((1, 2), (3, 4)), np.array(3), PAIR])
def test_shapes_as_arguments(shape: Any) -> None:
    assert refusal(lambda: L.ReLU(input_shape=shape), ConfigError).startswith(f"ReLU: input_shape: {A_SHAPE}")
    assert L.ReLU(input_shape=np.array([3, 4])).requested_input_shape == (3, 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sn.Sequential([L.Dense(10**30, input_shape=(3,))]),
        lambda: L.Dense(10**12).build((10**6,)),
        lambda: L.Conv2D(99999999999999999999, 3).build((8, 8, 1)),
    ],
)
def test_weights_beyond_memory(make: Callable[[], Any]) -> None:
    said = refusal(make, ConfigError)
    assert ": kernel: a parameter of shape (" in said
    assert "bytes of memory, this machine has" in said


@pytest.mark.parametrize("value", [HUGE, -HUGE, True, np.complex64(0.5), "1", None, MATRIX, float("nan")])
@pytest.mark.parametrize(
    "make",
    [sn.optimizers.SGD, L.LeakyReLU, L.Rescaling, L.Dropout, lambda v: L.BatchNormalization(epsilon=v)],
)
def test_numbers(make: Callable[[Any], Any], value: Any) -> None:
    assert ": expected a number in " in refusal(lambda: make(value), ConfigError)


@pytest.mark.parametrize("name", [["x"], 3, float("nan"), (), {}, b"x", "", PAIR, False])
def test_names(name: Any) -> None:
    assert refusal(lambda: L.Dense(2, name=name), ConfigError).startswith("Dense: name: expected a word, or None, got ")
    assert "Sequential: name: expected a word" in refusal(lambda: sn.Sequential(name=name), ConfigError)
    assert type(L.Dense(2, name=np.str_("x")).name) is str


@pytest.mark.parametrize("dtype", [{"class_name": "x"}, False, 0, "", [], MATRIX, "float16", (1, 2, 3), "f4,f4"])
def test_dtypes(dtype: Any) -> None:
    expected = "dtype: expected 'float32' or 'float64', got "
    assert refusal(lambda: L.Dense(2, dtype=dtype), ConfigError).startswith(expected)
    assert refusal(lambda: sn.config.set_floatx(dtype), ConfigError).startswith(expected)
    assert refusal(lambda: sn.config.set_floatx(None), ConfigError).startswith(expected)
    assert sn.config.floatx() == "float32"


FLAGS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda flag: L.Dense(2, use_bias=flag), "Dense: use_bias"),
    (lambda flag: L.Conv2D(2, 3, use_bias=flag), "Conv2D: use_bias"),
    (lambda flag: L.Dense(2, trainable=flag), "Dense: trainable"),
    (lambda flag: setattr(L.Flatten(), "trainable", flag), "Flatten: trainable"),
    (lambda flag: L.GELU(approximate=flag), "GELU: approximate"),
    (lambda flag: L.BatchNormalization(center=flag), "BatchNormalization: center"),
    (lambda flag: L.GlobalMaxPooling2D(keepdims=flag), "GlobalMaxPooling2D: keepdims"),
    (lambda flag: sn.optimizers.SGD(nesterov=flag), "SGD: nesterov"),
    (lambda flag: sn.optimizers.Adam(amsgrad=flag), "Adam: amsgrad"),
    (lambda flag: sn.optimizers.RMSprop(centered=flag), "RMSprop: centered"),
    (lambda flag: C.CSVLogger("a", append=flag), "CSVLogger: append"),
    (lambda flag: C.EarlyStopping(restore_best_weights=flag), "EarlyStopping: restore_best_weights"),
    (lambda flag: C.ModelCheckpoint("a", save_best_only=flag), "ModelCheckpoint: save_best_only"),
    (lambda flag: C.ModelCheckpoint("a", save_weights_only=flag), "ModelCheckpoint: save_weights_only"),
    (lambda flag: C.TensorBoard(write_graph=flag), "TensorBoard: write_graph"),
    (lambda flag: C.TerminateOnNaN(flag), "TerminateOnNaN: raise_error"),
]


@pytest.mark.parametrize(("make", "label"), FLAGS, ids=[label for _, label in FLAGS])
def test_flags(make: Callable[[Any], Any], label: str) -> None:
    for flag in (PAIR, "no", None, 2, 1.0):
        assert refusal(lambda flag=flag: make(flag), ConfigError).startswith(f"{label}: expected True or False, got ")
    for flag in (True, False, 1, 0, np.True_, np.int64(0)):
        make(flag)


@pytest.mark.parametrize("x", ["abc", {}, [[1], [1, 2]], None, [1j], [object()]])
def test_arrays_that_are_none(x: Any, backend: str) -> None:
    for do in (activations.relu, activations.softmax, L.Dense(2), L.Flatten(), model()):
        assert ": expected an array of numbers" in refusal(lambda do=do: do(x), DataError)


def test_keras_defaults_pass() -> None:
    layer = L.BatchNormalization(synchronized=False, renorm=False, renorm_clipping=None, renorm_momentum=0.99)
    assert layer(BATCH, mask=None).shape == (2, 3)
    assert L.Dense(2, lora_rank=None, lora_alpha=None, quantization_config=None).units == 2
    assert sn.models.clone_model(model(), input_tensors=None, recursive=False).built


def test_axes_of_numpy_are_saved(tmp_path: Any) -> None:
    saved = sn.Sequential([L.BatchNormalization(axis=np.int64(-1)), L.Softmax(axis=np.int64(-1))])
    saved.build((3,))
    saved.save(tmp_path / "m.safetensors")
    assert sn.load_model(tmp_path / "m.safetensors").layers[0].axis == -1


def test_a_matrix_in_a_message_makes_no_lines_of_it() -> None:
    """Every class of ours, whatever is in its message; and what else an exception carries stays."""
    for name in errors.__all__:
        error = getattr(errors, name)("expected a number, got\n [[1. 0.]\r\n [0. 1.]]")
        assert str(error) == "expected a number, got [[1. 0.] [0. 1.]]"
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert errors.ConfigError("a", 3).args == ("a", 3)
    assert str(errors.DataError()) == ""
    there = pickle.loads(pickle.dumps(errors.NumericsError("x\ny", step=3, layer="dense", array="kernel")))
    assert (str(there), there.step, there.layer, there.array) == ("x y", 3, "dense", "kernel")
    do: list[Callable[[], Any]] = [
        lambda: sn.optimizers.SGD(MATRIX),
        lambda: L.Dense(MATRIX),
        lambda: L.Reshape(MATRIX),
        lambda: L.Residual(MATRIX),
        lambda: model().add(MATRIX),
        lambda: sn.utils.set_random_seed(MATRIX),
        lambda: sn.initializers.get(MATRIX),
        lambda: sn.regularizers.get(MATRIX),
        lambda: C.LambdaCallback(on_epoch_end=MATRIX),
    ]
    for one in do:
        assert "array([[1., 0.], [0., 1.]])" in refusal(one)


@pytest.mark.parametrize(
    ("module", "name", "hint"),
    [
        (sn, "squential", ": did you mean 'Sequential'?"),
        (sn, "fit", ""),
        (L, "Conv2d", ": did you mean 'Conv2D'?"),
        (L, "dense_", ": did you mean 'Dense'?"),
        (C, "EarlyStoping", ": did you mean 'EarlyStopping'?"),
        (sn.losses, "MeanSquaredEror", ": did you mean 'MeanSquaredError'?"),
        (sn.optimizers, "Adamm", ": did you mean 'Adam'?"),
        (activations, "Tahn", ": did you mean 'tanh'?"),
        (sn.initializers, "__wrapped__", ""),
        (sn, "Model", ": there is no functional API: Sequential, and Residual for a way around layers"),
        (L, "GroupNormalization", ": LayerNormalization and BatchNormalization are here"),
        (L, "UpSampling3D", ": did you mean 'UpSampling2D'?"),
    ],
)
def test_misspelt_names_of_modules(module: Any, name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert str(caught.value) == f"module {module.__name__!r} has no attribute {name!r}{hint}"
    assert "".join(traceback.format_exception(caught.value)).count("id you mean") == hint.count("id you mean")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: sn.optimizers.SGD(0.1, decay=1e-6),
            "SGD: decay: expected None, got 1e-06: a schedule does this: learning_rate=",
        ),
        (lambda: sn.optimizers.Adam(lr=0.1), "Adam has no argument 'lr': it is called learning_rate"),
        (lambda: L.Dense(3, init="zeros"), "Dense has no argument 'init': it is called kernel_initializer"),
        (lambda: model().fit(BATCH, BATCH, nb_epoch=3), "fit has no argument 'nb_epoch': it is called epochs"),
    ],
)
def test_what_keras_has_under_another_name(make: Callable[[], Any], said: str) -> None:
    assert refusal(make).startswith(said)


def test_methods_of_keras_and_keras_itself() -> None:
    arrays = "fit takes arrays of all samples; for data too large for memory, a loop with train_on_batch"
    with pytest.raises(AttributeError, match=f"'Sequential' object has no attribute 'fit_generator': {arrays}$"):
        _ = sn.Sequential([L.Dense(3)]).fit_generator
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'kernel': the layer is not built, and"):
        _ = L.Dense(3).kernel
    with pytest.raises(AttributeError, match=r"'Dense' object has no attribute 'kernle'$"):
        _ = L.Dense(3).kernle
    assert sn.keras is sn


class ThatBuildsAsInKeras(L.Layer):
    def build(self, input_shape: Any, rng: Any = None) -> None:
        self.add_param("w", (input_shape[-1], 2), "glorot_uniform", rng or np.random.default_rng(0))
        super().build(input_shape, rng)


def test_build_of_a_class_of_ones_own() -> None:
    layer = ThatBuildsAsInKeras()
    layer.build((3,))
    assert layer.w.shape == (3, 2)
    assert np.ptp(layer.w) > 0
    build = {"build": lambda self, input_shape: None}
    said = refusal(lambda: type("Short", (L.Layer,), build))
    assert said == "Short: expected build(self, input_shape, rng=None), got build(self, input_shape)"


def test_modules_show_what_is_for_users() -> None:
    assert {"Sequential", "layers", "interop", "load_model", "__version__"} < set(dir(sn))
    assert {"Conv2D", "MaxPool2D", "register", "Layer"} < set(dir(L))
    assert {"Adam", "schedules", "get"} < set(dir(sn.optimizers))
    assert {"relu", "get"} < set(dir(activations))
    inner = {"os", "Any", "np", "checks", "configured", "host_arrays", "replay", "annotations", "base", "ConfigError"}
    for module in (sn, L, C, datasets, activations, sn.losses, sn.metrics, sn.optimizers, sn.initializers, sn.utils):
        assert not inner & set(dir(module)), module.__name__
        assert all(hasattr(module, name) for name in dir(module))


def test_one_sample_is_no_batch() -> None:
    images = sn.Sequential([L.Flatten(input_shape=(4, 4, 1)), L.Dense(2)])
    assert refusal(lambda: model()(BATCH[0])).endswith("input of shape (n, 3), got (3,); one sample is x[None]")
    assert refusal(lambda: model().predict(BATCH[0])).endswith("(n, 3), got (3,); one sample is x[None]")
    assert refusal(lambda: images.predict(np.ones((4, 4)))).endswith("got (4, 4); one sample is x[None]")
    assert refusal(lambda: model()(PAIR)).endswith("expected input of shape (n, 3), got (2,)")
    assert refusal(lambda: L.Dense(3)(PAIR)).endswith("(n, ..., in), got (n,); x has the shape (2,)")


# What a user gives as an array, and as a setting ----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "make",
    [
        *(lambda name=name: L.Activation(name) for name in ("silu", "softmax", "tanh", "gelu", "softplus", "linear")),
        lambda: L.BatchNormalization(),
        lambda: L.Rescaling(2.0, 1.0),
        lambda: L.Dense(2, "silu", kernel_initializer="ones"),
        lambda: L.Dropout(0.0),
        lambda: sn.Sequential([L.Dense(2, kernel_initializer="ones"), L.Softmax()]),
    ],
)
def test_subclasses_of_arrays_are_arrays(make: Callable[[], Any], backend: str) -> None:
    """NumPy's matrices multiply their own way, and masked arrays leave out what is masked."""
    x = np.array([[1, 2], [3, -4]], np.float32)
    plain, dy = make(), x[::-1].copy()
    y, dx = np.array(plain(x, training=True)), np.array(plain.backward(dy))
    for given in (np.matrix, np.ma.MaskedArray):
        layer = make()
        out = layer(given(x), training=True)
        assert type(out) is Result
        assert type(out.numpy()) is np.ndarray
        np.testing.assert_array_equal(out, y)
        back = layer.backward(given(dy))
        assert type(back) is np.ndarray
        np.testing.assert_array_equal(back, dx)


def test_settings_of_activations_count_when_they_are_changed(backend: str) -> None:
    x = np.array([[-1.0, 0.25, 9.0]])
    leaky, relu, gelu, named = L.LeakyReLU(0.1), L.ReLU(), L.GELU(), L.Activation("relu")
    before = np.array(gelu(x))
    leaky.negative_slope, gelu.approximate, named.activation = 0.5, True, "leaky_relu"
    relu.max_value, relu.threshold, relu.negative_slope = 6, 0.5, 0.2
    np.testing.assert_allclose(leaky(x), [[-0.5, 0.25, 9.0]])
    np.testing.assert_allclose(relu(x), [[-0.3, -0.05, 6.0]], rtol=1e-6)
    np.testing.assert_allclose(named(x), [[-0.2, 0.25, 9.0]], rtol=1e-6)
    np.testing.assert_array_equal(gelu(x), L.GELU(approximate=True)(x))
    assert np.abs(gelu(x) - before).max() > 0
    relu.max_value = None
    assert relu(x)[0, 2] == 9
    assert relu.config()["max_value"] is None
    for layer, name in ((leaky, "negative_slope"), (relu, "threshold"), (relu, "max_value")):
        for value in (-1, "1", float("nan"), PAIR):
            said = refusal(lambda layer=layer, name=name, value=value: setattr(layer, name, value), ConfigError)
            assert said.startswith(f"{type(layer).__name__}: {name}: expected a number in [0, inf), got ")
    assert "got 'rleu': did you mean 'relu'" in refusal(lambda: setattr(named, "activation", "rleu"), ConfigError)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda: L.LeakyReLU(0.1), "negative_slope", 0.7),
        (lambda: L.ReLU(), "max_value", 0.5),
        (lambda: L.GELU(), "approximate", True),
        (lambda: L.Activation("relu"), "activation", "tanh"),
    ],
)
def test_a_recorded_step_sees_a_changed_setting(make: Callable[[], Any], name: str, value: Any, backend: str) -> None:
    trained = []
    x, y = np.random.default_rng(0).standard_normal((2, 8, 3))
    for capture in (True, False):
        layer = make()
        sn.utils.set_random_seed(0)
        model = sn.Sequential([L.Dense(3, input_shape=(3,)), layer, L.Dense(3)])
        model.compile("sgd", "mse", capture=capture)
        for changed in (False, True, True):
            if changed:
                setattr(layer, name, value)
            for _ in range(3):
                model.train_on_batch(x, y)
        trained.append(model.get_weights())
    for replayed, stepped in zip(*trained, strict=True):
        np.testing.assert_array_equal(replayed, stepped)


@pytest.mark.parametrize("labels", [[np.nan], [np.inf], [[1], [2, 3]], ["a"], [0.5]], ids=str)
def test_a_confusion_matrix_of_something_else(labels: Any) -> None:
    assert refusal(lambda: sn.metrics.confusion_matrix(labels, [0])).startswith("confusion matrix: expected ")


@pytest.mark.parametrize("classes", ["3", 2.5, 0])
def test_a_confusion_matrix_of_no_number_of_classes(classes: Any) -> None:
    said = refusal(lambda: sn.metrics.confusion_matrix([0, 1], [0, 1], classes))
    assert said == f"classes: expected an integer of at least 1, got {classes!r}"
    assert refusal(lambda: sn.metrics.classification_report([0, 1], [0, 1], digits=2.5)).startswith("digits: expected")


def test_activations_of_nothing() -> None:
    assert activations.relu(np.zeros((0, 3))).shape == (0, 3)
    assert activations.softmax(np.zeros((2, 0), "float32")).dtype == np.float32


def test_a_tensor_that_is_part_of_a_graph() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")

        shape, ndim, dtype = (2, 3), 2, np.dtype("float32")

        def __len__(self) -> int:
            return 2

    made = model()
    made.compile("sgd", "mse")
    for do in (
        lambda: made.predict(Tensor()), lambda: made(Tensor()), lambda: made.fit(Tensor(), BATCH),
        lambda: L.Dense(2)(Tensor()), lambda: sn.losses.MeanSquaredError()(Tensor(), BATCH),
        lambda: sn.losses.MeanSquaredError()(BATCH, Tensor()),
    ):  # fmt: skip
        assert "requires grad" in refusal(do, DataError)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: L.MaxPooling2D(10**9, padding="same"),
        lambda: L.Conv2D(2, 10**9, padding="same"),
        lambda: L.Conv2D(2, 3, dilation_rate=10**9, padding="same"),
        lambda: L.Conv2D(2, 3, strides=2**70),
        lambda: L.ZeroPadding2D(10**9),
        lambda: L.UpSampling2D(10**9),
        lambda: L.Conv2DTranspose(2, 10**9),
        lambda: L.Conv2DTranspose(2, 3, strides=10**9, padding="same"),
    ],
)
def test_enormous_windows(layer: Callable[[], L.Layer], backend: str) -> None:
    with sn.use_backend(backend):
        said = refusal(lambda: sn.Sequential([L.Input((8, 8, 1)), layer()]).predict(np.zeros((1, 8, 8, 1))), ShapeError)
    assert "expected at most 2,147,483,647 pixels with the padding" in said


def test_an_interruption_while_the_optimizer_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slots that were there by then were taken for all of them."""

    def trained(interrupted: bool) -> list[np.ndarray]:
        sn.utils.set_random_seed(1)
        made = model()
        made.compile("adam", "mse")
        if interrupted:
            made_so_far: list[Any] = []

            def stop(*given: Any) -> Any:
                made_so_far.append(given)
                if len(made_so_far) == 2:
                    raise KeyboardInterrupt
                return np.empty(*given)

            monkeypatch.setattr(sn.optimizers.base, "empty", stop)
            with pytest.raises(KeyboardInterrupt):
                made.train_on_batch(BATCH, BATCH[:, :2])
            monkeypatch.undo()
        made.train_on_batch(BATCH, BATCH[:, :2])
        return made.get_weights()

    assert [w.tolist() for w in trained(True)] == [w.tolist() for w in trained(False)]


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda: C.TensorBoard(hparams="x"), "TensorBoard: hparams: expected a dict of names and values, got 'x'"),
        (lambda: C.TensorBoard(images=5), "TensorBoard: images: expected (x, y), got 5"),
        (lambda: sn.losses.MeanSquaredError(name=PAIR), "MeanSquaredError: name: expected a word, or None, got array"),
        (lambda: sn.metrics.Accuracy(name=PAIR), "Accuracy: name: expected a word, or None, got array"),
        (lambda: sn.optimizers.SGD(name=3), "SGD: name: expected a word, or None, got 3"),
        (
            lambda: sn.optimizers.schedules.PiecewiseConstantDecay(np.array(3), [1, 2]),
            "PiecewiseConstantDecay: boundaries: expected a list of numbers, got array(3)",
        ),
        (lambda: sn.losses.BinaryCrossentropy(label_smoothing=True), "BinaryCrossentropy: label_smoothing: expected a"),
        (lambda: sn.utils.to_categorical([0], True), "to_categorical: expected num_classes of at least 1, got True"),
        (lambda: model().set_weights(np.array(3)), "set_weights: expected 2 arrays, got array(3)"),
        (lambda: sn.check_gradients(L.Dense(2), BATCH, seed="x"), "seed: expected an integer of at least 0, got 'x'"),
        (lambda: sn.check_gradients(L.Dense(2), BATCH, projections=PAIR), "projections: expected an integer of at"),
    ],
)
def test_more_arguments_of_another_kind(do: Callable[[], Any], said: str) -> None:
    assert refusal(do).startswith(said)

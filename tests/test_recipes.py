"""Recipes: the tutorials' networks to the last parameter, and TOML of any content refused in one helpful line."""

from __future__ import annotations

import os
import re
import shutil
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import real_data

import scratchnet as sn
from scratchnet import recipes, run
from scratchnet.errors import DataError, RecipeError
from scratchnet.recipes import toml
from scratchnet.recipes.recipe import Recipe

FOLDER = Path(recipes.__file__).parent

# What TUTORIALS.md says of each: parameters, output shapes of the layers that have one of their own, batch, length.
TUTORIALS = {
    "fashion-dnn": (118_282, [128, 128, 10], 64, {"epochs": 20}),
    "mnist-mlp": (159_010, [200, 10], 100, {"epochs": 10}),
    "fashion-cnn-same": (356_234, [28, 14, 14, 7, 7, 4, 2048, 128, 10], 128, {"epochs": 200}),
    "fashion-cnn-dropout": (1_447_946, [28, 14, 14, 7, 7, 7, 3, 3, 1152, 1024, 1024, 10], 100, {"steps": 1500}),
    "fashion-keras": (101_770, [784, 128, 10], 32, {"epochs": 10}),
}


RECORDS = {"fashion-record": 251_962, "mnist-record": 131_754}


@pytest.fixture(autouse=True)
def _numpy_backend():
    with sn.use_backend("numpy"):
        yield


@pytest.fixture
def written(tmp_path):
    """Write a recipe file; returns its path."""

    def write(text: str, name: str = "own.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


QUICKSTART = (FOLDER / "quickstart.toml").read_text()
FASHION = (FOLDER / "fashion-cnn-dropout.toml").read_text()


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_tutorials_networks(name):
    parameters, sizes, batch, length = TUTORIALS[name]
    recipe = recipes.load(name)
    model = recipe.make_model()
    assert model.count_params() == parameters == recipe.content.expect.parameters
    assert [layer.output_shape[0] for layer in model.layers] == sizes
    training = recipe.content.training
    assert training.batch_size == batch
    assert {key: getattr(training, key) for key in ("epochs", "steps") if getattr(training, key)} == length
    assert training.shuffle
    assert not training.drop_last
    assert type(model.optimizer).__name__ == "Adam"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
    assert "CategoricalCrossentropy" in type(model.loss).__name__
    assert model.loss.from_logits is (name != "fashion-keras")


@pytest.mark.parametrize("name", RECORDS)
def test_the_records_networks(name):
    recipe = recipes.load(name)
    model = recipe.make_model()
    assert model.count_params() == RECORDS[name] == recipe.content.expect.parameters
    data = recipe.content.data
    steps = -(-(60_000 - data.validation) // recipe.content.training.batch_size) * recipe.content.training.epochs
    schedule = model.optimizer.rate_or_schedule
    assert schedule.warmup_steps + schedule.decay_steps == steps  # the rate is 0 at the end


def test_every_recipe_carries_its_evidence():
    assert recipes.names()[0] == "quickstart"
    assert set(recipes.names()) == {"quickstart", *TUTORIALS, *RECORDS}
    for name in recipes.names():
        content = recipes.load(name).content
        assert content.recipe.name == name
        assert content.expect.accuracy is not None
        assert len(content.expect.evidence) > 80, name
        assert "scratchnet-train" in content.expect.evidence, name


def test_the_texts_accuracy_is_the_one_after_the_recipes_own_training():
    """The text of this one has 90.42% after 10 epochs; the recipe trains the whole 200, as the text does."""
    content = recipes.load("fashion-cnn-same").content
    assert (content.training.epochs, content.expect.text) == (200, "91.87%")


def test_initial_weights_are_the_texts():
    model = recipes.load("mnist-mlp").make_model()
    kernel, bias = model.layers[0].params["kernel"], model.layers[0].params["bias"]
    assert np.abs(kernel).max() <= 0.02  # truncated at two standard deviations
    assert kernel.std() == pytest.approx(0.0088, rel=0.01)  # 0.01 times the deviation of a normal truncated at 2
    assert not bias.any()
    for layer in recipes.load("fashion-cnn-same").make_model().layers:
        if layer.params:
            limit = np.sqrt(3 / layer.params["bias"].size)  # Glorot for a vector of n: sqrt(6 / (n + n))
            assert 0.5 * limit < np.abs(layer.params["bias"]).max() <= limit
            fan = np.prod(layer.params["kernel"].shape[:-2]) * sum(layer.params["kernel"].shape[-2:])
            assert 0.9 * np.sqrt(6 / fan) < np.abs(layer.params["kernel"]).max() <= np.sqrt(6 / fan)
    dnn = recipes.load("fashion-dnn").make_model().layers[0]
    assert 0.99 * np.sqrt(6 / 912) < np.abs(dnn.params["kernel"]).max() <= np.sqrt(6 / 912)
    assert not dnn.params["bias"].any()


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("mnist-mlp", (55_000, 5_000, 10_000)), ("fashion-cnn-dropout", (60_000, 0, 10_000))],
)
def test_real_data_in_the_texts_splits(name, sizes):
    data = recipes.load(name).load_data(real_data())
    assert data.sizes == sizes
    x, y = data.train
    assert x.array.dtype == np.uint8  # bytes stay bytes
    assert np.asarray(x[:10]).max() <= 1.0
    if name == "mnist-mlp":
        (raw, labels), _ = sn.datasets.mnist.load_data(real_data())
        np.testing.assert_array_equal(data.validation[0].array, raw[:5000].reshape(5000, 784))
        np.testing.assert_array_equal(y.argmax(1), labels[5000:])
        assert y.shape == (55_000, 10)
    else:
        assert x.shape == (60_000, 28, 28, 1)
        assert data.class_names[9] == "Ankle boot"


def edited(text: str, old: str, new: str) -> tuple[str, int]:
    """The text with ``old`` replaced once, and the line where ``new`` stands."""
    assert old in text
    return text.replace(old, new, 1), text[: text.index(old)].count("\n") + 1 + new.count("\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch_size = 100", "batchsize = 100", r"\[training\] batchsize: unknown key, did you mean 'batch_size'\?"),
        ("[training]", "[trainig]", r"\[trainig\]: unknown key, did you mean 'training'\?"),
        ("units = 1024", "unit = 1024", r"layer 10, unit: Dense has no argument 'unit': did you mean 'units'\?"),
        ('type = "Flatten"', 'type = "Flaten"', r"layer 9, type: there is no layer 'Flaten': did you mean 'Flatten'\?"),
        ('type = "Flatten"', 'type = "dense"', r"there is no layer 'dense': did you mean 'Dense'\?"),
        ('name = "adam"', 'name = "adam_ww"', r"there is no optimizer 'adam_ww': did you mean 'adamw'\?"),
        ('name = "adam"', 'name = "adm"', r"optimizer.*: there is no optimizer 'adm': did you mean 'adam'\?"),
        ("learning_rate", "learningrate", r"Adam has no argument 'learningrate': did you mean 'learning_rate'\?"),
        ("learning_rate = 0.001", "learning_rate = -1", r"learning_rate: expected a number in \[0, inf\), got -1"),
        ("learning_rate = 0.001", "learning_rate = nan", r"learning_rate: expected a number in \[0, inf\), got nan"),
        ("sparse_categorical_crossentropy", "crossentropy", r"there is no loss 'crossentropy': did you mean "),
        ("units = 1024", "units = -3", r"layer 10: Dense: units: expected a positive integer, got -3"),
        ("units = 1024", "", r"layer 10: Dense needs the argument 'units'"),
        ("rate = 0.25", "rate = 1.5", r"layer 5: .*1\.5"),
        ("batch_size = 100", "batch_size = 0", r"\[training\] batch_size: expected .* or equal to 1, got 0"),
        ("batch_size = 100", 'batch_size = "many"', r"\[training\] batch_size: expected a valid integer, got 'many'"),
        ("steps = 1500", "", r"\[training\]: expected either epochs or steps"),
        ("steps = 1500", "steps = 1500\nepochs = 3", r"\[training\]: expected either epochs or steps"),
        ("fashion_mnist", "fashion_mnits", r"there is no data set 'fashion_mnits': did you mean 'fashion_mnist'\?"),
        ("seed = 0", "seed = -1", r"\[training\] seed: .*got -1"),
        ("shape = [28, 28, 1]", "shape = [28, 0, 1]", r"\[data\] shape\[2\]: .*got 0"),
        ("kernel_size = 5", "kernel_size = 5\nkernel_initializer = 'he_norml'", "did you mean 'he_normal'"),
        (
            "kernel_size = 5",
            "kernel_size = 5\nkernel_initializer = { name = 'TruncatedNormal', sigma = 1 }",
            "TruncatedNormal has no argument 'sigma'",
        ),
        ("accuracy = 0.896", "accuracy = 88.4", r"\[expect\] accuracy: .*less than or equal to 1, got 88\.4"),
        ("[data]", "[data\n", "not valid TOML"),
    ],
)
def test_a_wrong_recipe_names_the_key_the_line_and_the_remedy(written, old, new, message):
    text, line = edited(FASHION, old, new)
    path = written(text)
    with pytest.raises(RecipeError) as caught:
        recipes.load(path)
    said = str(caught.value)
    assert re.search(message, said), said
    assert "\n" not in said
    assert said.startswith(str(path))
    if new and "epochs or steps" not in message and "needs" not in message and "valid TOML" not in message:
        number = int(re.search(r", line (\d+):", said)[1])
        assert abs(number - line) <= (3 if "layer 10: Dense" in message or "layer 5" in message else 1), said


def test_the_number_of_parameters_is_checked(written):
    path = written(edited(FASHION, "parameters = 1447946", "parameters = 1447945")[0])
    with pytest.raises(RecipeError, match=r"\[expect\] parameters: expected 1,447,945, the network has 1,447,946"):
        recipes.load(path).make_model()


def test_layers_that_do_not_fit_name_the_layer(written):
    path = written(edited(FASHION, "shape = [28, 28, 1]", "shape = [784]")[0])
    with pytest.raises(RecipeError, match=r"own\.toml: .*conv2"):
        recipes.load(path).make_model()


def test_a_network_beyond_memory_is_refused(written):
    path = written(edited(FASHION, "units = 1024", "units = 900_000_000_000")[0])
    with pytest.raises(RecipeError, match=r"kernel: a parameter of shape .*: would take .* bytes of memory"):
        recipes.load(path).make_model()


def test_nested_layers_and_schedules(written):
    text = edited(
        QUICKSTART,
        '[[layers]]\ntype = "Flatten"',
        '[[layers]]\ntype = "Residual"\nbody = [{ type = "Conv2D", filters = 64, kernel_size = 3, padding = "same" }]\n'
        '\n[[layers]]\ntype = "Flatten"',
    )[0]
    text = re.sub(
        r"optimizer = .*",
        'optimizer = { name = "sgd", learning_rate = { name = "exponential_decay", '
        "initial_learning_rate = 0.1, decay_steps = 10, decay_rate = 0.5 } }",
        text,
    )
    text = re.sub(r"parameters = \d+", "", text)
    model = recipes.load(written(text)).make_model()
    assert [type(layer).__name__ for layer in model.layers].count("Residual") == 1
    assert float(model.optimizer.rate_or_schedule(10)) == pytest.approx(0.05)


@pytest.mark.parametrize("layer", ["ReLU", "LeakyReLU", "Softmax", "Sigmoid", "Tanh", "GELU"])
def test_activations_are_layers_of_recipes(written, layer):
    """Each was refused for lack of an argument that its constructor does not have."""
    text = QUICKSTART.replace(
        '[[layers]]\ntype = "Flatten"', f'[[layers]]\ntype = "{layer}"\n\n[[layers]]\ntype = "Flatten"'
    )
    model = recipes.load(written(text)).make_model()
    assert layer in [type(one).__name__ for one in model.layers]


def test_unknown_names_suggest_a_recipe():
    with pytest.raises(RecipeError, match=r"there is no recipe 'fashion-kers': did you mean 'fashion-keras'\?"):
        recipes.load("fashion-kers")
    with pytest.raises(RecipeError, match="there are quickstart, fashion-cnn-dropout"):
        recipes.load("xyzzy")
    with pytest.raises(RecipeError, match=r"nowhere\.toml: no such file"):
        recipes.load("nowhere.toml")


@pytest.mark.parametrize("name", ["quickstart", *TUTORIALS, *RECORDS])
def test_a_resolved_recipe_reads_back_as_the_same(name, written):
    recipe = recipes.load(name)
    again = recipes.load(written(recipe.as_toml()))
    assert again.content == recipe.content


def test_names_in_both_spellings(written):
    text = FASHION.replace('"fashion_mnist"', '"fashion-mnist"').replace('"adam"', '"adam_w"')
    recipe = recipes.load(written(text))
    assert recipe.content.data.dataset == "fashion_mnist"
    assert type(recipe.make_optimizer()) is sn.optimizers.AdamW


def test_replace_swaps_epochs_for_steps_and_checks():
    recipe = recipes.load("fashion-cnn-dropout")
    assert recipe.replace(epochs=2).content.training.steps is None
    assert recipe.replace(steps=7).content.training.steps == 7
    with pytest.raises(RecipeError, match=r"given options: \[training\] optimizer.*did you mean 'sgd'"):
        recipe.replace(optimizer={"name": "sgdd"})


def test_own_data_beside_the_recipe(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "lecture"
    folder.mkdir()
    x, y = rng.integers(0, 255, (40, 8, 8), dtype=np.uint8), np.arange(40) % 10
    np.savez(folder / "own.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    (folder / "own.toml").write_text(QUICKSTART.replace('"digits"', '"own.npz"').replace("= 138", "= 8"))
    monkeypatch.chdir(tmp_path)
    recipe = recipes.load("lecture/own.toml")
    data = recipe.load_data()
    assert data.sizes == (32, 8, 9)
    np.testing.assert_array_equal(data.train[0].array, x[8:].reshape(32, 8, 8, 1))
    # The resolved recipe finds the data from anywhere.
    (tmp_path / "elsewhere.toml").write_text(recipe.as_toml())
    monkeypatch.chdir("/")
    assert recipes.load(tmp_path / "elsewhere.toml").load_data().sizes == (32, 8, 9)

    (folder / "own.toml").write_text(QUICKSTART.replace('"digits"', '"own.npz"'))
    with pytest.raises(RecipeError, match="fewer than the 40 training samples, got 138"):
        recipes.load(folder / "own.toml").load_data()
    (folder / "own.toml").write_text(QUICKSTART.replace('"digits"', '"own.npz"').replace("[8, 8, 1]", "[9, 8, 1]"))
    with pytest.raises(RecipeError, match=r"\[9, 8, 1\] does not hold the data's samples of shape \[8, 8\]"):
        recipes.load(folder / "own.toml").load_data()


def test_labels_beyond_the_outputs_are_seen_before_training(tmp_path):
    x, y = np.zeros((12, 8, 8), np.uint8), np.arange(12)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y % 10, x_test=x, y_test=y)
    (tmp_path / "own.toml").write_text(QUICKSTART.replace('"digits"', '"own.npz"').replace("= 138", "= 0"))
    data = recipes.load(tmp_path / "own.toml").load_data()
    with pytest.raises(DataError, match=r"y_test: expected labels from 0 to 9, the network's outputs, got 11"):
        data.check_labels(10)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"sparse_categorical_crossentropy", from_logits = true', '"mean_squared_error"',
         "mean_squared_error does not take the labels as class numbers for the network's 10 outputs: set .* = true"),
        ("[data]", "[data]\none_hot = true",
         "sparse_categorical_crossentropy does not take the labels as one-hot rows .*: set .* one_hot = false"),
    ],
)  # fmt: skip
def test_a_loss_that_takes_other_labels_is_named_with_its_line(written, old, new, message):
    text, _ = edited(QUICKSTART, old, new)
    recipe = recipes.load(written(text))
    line = text[: text.index("loss =")].count("\n") + 1
    with pytest.raises(RecipeError, match=rf"own\.toml, line {line}: \[training\] loss: {message}"):
        recipe.check_fit(recipe.make_model(), recipe.load_data())
    with pytest.raises(RecipeError, match="does not take the labels"):
        run.train(recipe, Path(recipe.where).parent / "x", backend_name="numpy")
    assert not (Path(recipe.where).parent / "x").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = " + b"[" * 10_000, "nested too deeply"),
        (b"a = " + b"{a=" * 10_000, "nested too deeply"),
        (b".".join([b"a"] * 20_000) + b" = 1", "at most 200 dots"),
        (b"a = " + b"9" * 5_000, "not valid TOML"),
        (b"\xff\xfe\x00", "expected UTF-8"),
        (b"\x00" * 100, "not valid TOML"),
        (b"# " + b"x" * (1 << 18), "expected a recipe of at most 262,144 bytes"),
        (b"", "missing"),
        (b"recipe = 3\nlayers = 4", "got 3|got 4|missing"),
        (b"[[layers]]\ntype = 1979-05-27\n", "missing|name of a layer"),
        (b"[recipe]\nname = '../../etc'\n", r"\[recipe\] name|missing"),
    ],
)
def test_hostile_toml_is_one_line_and_quick(tmp_path, content, message):
    path = tmp_path / "hostile.toml"
    path.write_bytes(content)
    began = time.perf_counter()
    with pytest.raises(RecipeError) as caught:
        recipes.load(path)
    assert time.perf_counter() - began < 2
    assert re.search(message, str(caught.value)), str(caught.value)
    assert str(caught.value).isprintable()


def test_folders_and_pipes_are_no_recipes(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RecipeError, match="this is a folder"):
        recipes.load(tmp_path / "folder.toml")
    with pytest.raises(RecipeError, match="this is a pipe"):
        recipes.load(tmp_path / "pipe.toml")


def refusal_of(path: Path) -> str | None:
    """What the recipe is refused with, None if it is right; nothing but RecipeError may come."""
    try:
        Recipe.from_file(path)
    except RecipeError as error:
        return str(error)
    return None


def test_mutated_recipes_are_right_or_refused(tmp_path):
    rng = np.random.default_rng(5)
    originals = [(FOLDER / f"{name}.toml").read_bytes() for name in recipes.names()]
    path = tmp_path / "mutant.toml"
    refused = 0
    for _ in range(400):
        content = bytearray(originals[rng.integers(len(originals))])
        for _ in range(rng.integers(1, 4)):
            match rng.integers(4):
                case 0:
                    content[rng.integers(len(content))] = rng.integers(256)
                case 1:
                    del content[rng.integers(len(content)) :]
                case 2:
                    start = rng.integers(len(content))
                    del content[start : start + rng.integers(1, 30)]
                case 3:
                    other = originals[rng.integers(len(originals))]
                    start = rng.integers(len(other))
                    place = rng.integers(len(content))
                    content[place:place] = other[start : start + rng.integers(1, 200)]
            content = content or bytearray(b"x")
        path.write_bytes(content)
        if (message := refusal_of(path)) is not None:
            refused += 1
            assert message.isprintable()
    assert refused > 200


plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.one_of(st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.booleans(), plain),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(plain, inner, max_size=3)),
    max_leaves=8,
)
tables = st.dictionaries(plain, values, max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(plain, st.one_of(tables, st.lists(tables, min_size=1, max_size=3)), max_size=3))
def test_what_the_writer_writes_tomllib_reads(content):
    assert tomllib.loads(toml.write(content)) == content


def test_lines_are_found_through_multiline_texts():
    text = '[a]\nnote = """\nunits = 1\n[b]\n"""\nunits = 2\n[[c]]\nx = 1\n[c.d]\ny = 2\n[[c]]\nx = 3\n'
    where = toml.line_numbers(text)
    assert where[("a", "units")] == 6
    assert where[("c", 0, "x")] == 8
    assert where[("c", 0, "d", "y")] == 10
    assert where[("c", 1, "x")] == 12
    assert ("b",) not in where
    assert toml.line_of(text, ("c", 1, "x", "inner", 3)) == 12


def test_recipes_travel_with_the_package(tmp_path):
    """Every TOML that the loader lists is package data, so an installed copy has it too."""
    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert "*.toml" in declared["tool"]["setuptools"]["package-data"]["scratchnet.recipes"]
    shutil.copy(FOLDER / "quickstart.toml", tmp_path / "copy.toml")
    assert recipes.load(tmp_path / "copy.toml").name == "quickstart"

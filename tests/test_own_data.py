"""A user's own data: folders of pictures and CSV files, good ones and hostile ones."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hostile import SLACK, mutants, peak, survive
from PIL import Image

import scratchnet as sn
from scratchnet import recipes
from scratchnet.cli import main
from scratchnet.errors import ConfigError, DataError, RecipeError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 6, 5)).astype(np.uint8)
LABELS = np.arange(40) % 4


def folder_of(root, pixels=PIXELS, labels=LABELS, names="abcd"):
    for number, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        place = root / names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{number:03}.png")
    return root


def csv_of(path, pixels=PIXELS, labels=LABELS, header=None, separator=","):
    lines = [separator.join(map(str, [label, *row.ravel()])) for row, label in zip(pixels, labels, strict=True)]
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n")
    return path


# Folders --------------------------------------------------------------------------------------------------------------


def test_a_folder_gives_its_pictures_split_by_class(tmp_path):
    root = folder_of(tmp_path / "p")
    (root / ".hidden").write_text("")
    (root / "a" / "Thumbs.db").write_text("")
    (x, y), (x_test, y_test), names = sn.datasets.load_image_folder(root)
    assert names == ("a", "b", "c", "d")
    assert (x.shape, x.dtype, x_test.shape) == ((32, 6, 5), np.uint8, (8, 6, 5))
    assert np.bincount(y).tolist() == [8] * 4
    assert np.bincount(y_test).tolist() == [2] * 4
    where = {picture.tobytes(): label for picture, label in zip(PIXELS, LABELS, strict=True)}
    both = zip(np.concatenate([x, x_test]), np.concatenate([y, y_test]), strict=True)
    assert sorted((picture.tobytes(), label) for picture, label in both) == sorted(where.items())
    again = sn.datasets.load_image_folder(root)
    other = sn.datasets.load_image_folder(root, seed=1)
    assert (again[1][0] == x_test).all()
    assert not (other[1][0] == x_test).all()


def test_train_and_test_folders_sizes_and_colors(tmp_path):
    folder_of(tmp_path / "train", PIXELS[:30], LABELS[:30])
    folder_of(tmp_path / "test", PIXELS[30:], LABELS[30:])
    (x, _), (x_test, _), _ = sn.datasets.load_image_folder(tmp_path)
    assert (len(x), len(x_test)) == (30, 10)
    assert {picture.tobytes() for picture in x_test} == {picture.tobytes() for picture in PIXELS[30:]}
    (x, _), _, _ = sn.datasets.load_image_folder(tmp_path, image_size=(3, 4), color_mode="rgb")
    assert x.shape == (30, 3, 4, 3)
    assert (x[..., 0] == x[..., 2]).all()
    (tmp_path / "test" / "d").rename(tmp_path / "test" / "e")
    with pytest.raises(DataError, match=r"train/d: expected the same classes in train and test, test lacks it"):
        sn.datasets.load_image_folder(tmp_path)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "b" / "x.png").write_text("hello"), r"b/x\.png: not a picture"),
        (lambda p: (p / "b" / "x.png").write_bytes(b""), r"b/x\.png: .* empty"),
        (lambda p: (p / "b" / "x.png").write_bytes((p / "b" / "001.png").read_bytes()[:60]), r"x\.png: a damaged"),
        (lambda p: (p / "b" / "x.png").write_bytes(bomb(60_000)), r"x\.png: expected a picture of at most 67,108,864"),
        (
            lambda p: (p / "b" / "x.png").write_bytes(bomb(9_000)),
            r"x\.png: .*at most 67,108,864 pixels, .* 9,000 x 9,0",
        ),
        (lambda p: Image.new("L", (7, 6)).save(p / "b" / "x.png"), r"b/x\.png: is 7 x 6 pixels, 000\.png is 5 x 6"),
        (lambda p: (p / "b" / "x.txt").write_text(""), r"b/x\.txt: expected pictures alone \(\.png"),
        (lambda p: (p / "b" / "x").mkdir(), r"b/x: expected pictures alone .*got a folder"),
        (lambda p: (p / "e").mkdir(), r"e: a class without pictures"),
        (lambda p: (p / "b" / "x.png").symlink_to("/etc/passwd"), r"b/x\.png: a link that leads out of the folder"),
        (lambda p: (p / "e").symlink_to("/etc"), r"e: a link that leads out of the folder"),
        (lambda p: (p / "b" / "x.png").symlink_to("x.png"), r"b/x\.png: cannot be read"),
        (lambda p: (p / "b" / "x.png").symlink_to(p / "gone.png"), r"b/x\.png: no such file"),
    ],
)
def test_a_folder_that_is_not_as_it_should_be(tmp_path, spoil, message):
    root = folder_of(tmp_path / "p")
    spoil(root)
    with pytest.raises(DataError, match=message) as caught:
        sn.datasets.load_image_folder(root)
    assert str(caught.value).startswith(str(root))
    assert "\n" not in str(caught.value)


def test_bombs_take_no_memory(tmp_path):
    root = folder_of(tmp_path / "p")
    (root / "b" / "x.png").write_bytes(bomb(60_000))
    assert peak(lambda: sn.datasets.load_image_folder(root)) < SLACK


def test_arguments_that_make_no_sense(tmp_path):
    root = folder_of(tmp_path / "p")
    for arguments, message in (
        ({"image_size": 1e9}, "image_size"), ({"image_size": (1, 2, 3)}, "image_size"), ({"seed": -1}, "seed"),
        ({"color_mode": "cmyk"}, "color_mode"), ({"test_split": 1.0}, "test_split"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            sn.datasets.load_image_folder(root, **arguments)
    with pytest.raises(DataError, match="leaves no sample for testing"):
        sn.datasets.load_image_folder(root, test_split=0.01)
    with pytest.raises(DataError, match="two classes or more, got 0"):
        sn.datasets.load_image_folder(root / "a")
    with pytest.raises(DataError, match="expected a folder"):
        sn.datasets.load_image_folder(root / "nowhere")


def test_mutants_of_pictures_are_read_or_refused_in_one_line(tmp_path):
    from scratchnet.datasets.pictures import read_picture

    def first(path):
        return read_picture(path)[0]

    seeds = []
    for ending in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm"):
        Image.fromarray(PIXELS[0]).convert("RGB").save(tmp_path / f"seed.{ending}")
        seeds.append((tmp_path / f"seed.{ending}").read_bytes())
    tracemalloc.start()
    try:
        read = [survive(tmp_path / "mutant", content, first) for content in mutants(seeds, 350, 1)]
    finally:
        tracemalloc.stop()
    assert 20 < sum(one is None for one in read) < 330


# CSV ------------------------------------------------------------------------------------------------------------------

PIXEL_NAMES = [f"p{i}" for i in range(30)]


@pytest.mark.parametrize(
    ("header", "separator"), [(None, ","), ("label," + ",".join(PIXEL_NAMES), ","), (None, ";"), (None, "\t")]
)
def test_a_csv_gives_its_pixels(tmp_path, header, separator):
    path = csv_of(tmp_path / "a.csv", header=header, separator=separator)
    (x, y), (x_test, y_test) = sn.datasets.load_csv(path, image_size=(6, 5))
    assert (x.shape, x.dtype, x_test.shape, y.dtype) == ((32, 6, 5), np.uint8, (8, 6, 5), np.int64)
    where = {picture.tobytes(): label for picture, label in zip(PIXELS, LABELS, strict=True)}
    assert all(where[picture.tobytes()] == label for picture, label in zip(x_test, y_test, strict=True))
    (x, y), (x_test, y_test) = sn.datasets.load_csv(path, csv_of(tmp_path / "b.csv", PIXELS[:7], LABELS[:7]))
    assert (x == PIXELS.reshape(40, 30)).all()
    assert (y_test == LABELS[:7]).all()


def test_the_column_of_the_labels(tmp_path):
    table = np.column_stack([PIXELS.reshape(40, 30)[:, :2], LABELS, PIXELS.reshape(40, 30)[:, 2:]])
    path = tmp_path / "a.csv"
    for header, label in (("0,1,Label,", None), ("a,b,kind,", "kind"), ("", 2)):
        names = header + ",".join(map(str, range(2, 30))) + "\r\n" if header else ""
        path.write_text("\ufeff" + names + "".join(",".join(map(str, row)) + "\r\n\r\n" for row in table))
        (x, y), _ = sn.datasets.load_csv(path, path, label_column=label)
        assert (y == LABELS).all()
        assert (x == PIXELS.reshape(40, 30)).all()
    with pytest.raises(DataError, match=r"a\.csv, line 1: expected a column named 'kind', it has no header"):
        sn.datasets.load_csv(path, label_column="kind")
    with pytest.raises(DataError, match="label_column: expected 0 to 30, got 31"):
        sn.datasets.load_csv(path, label_column=31)
    with pytest.raises(DataError, match=r"a\.csv: expected 36 pixels in a line for image_size \(6, 6\), got 30"):
        sn.datasets.load_csv(path, image_size=6, label_column=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2\n1,2\n", "line 2: expected 3 columns as in the first line, got 2"),
        ("0,1,2\n\n1,2,x\n", "line 3: column 3: expected a pixel from 0 to 255, got 'x'"),
        ("label,a,b\n0,1,2\n1,300,2\n", r"line 3: column 2 \(a\): expected a pixel from 0 to 255, got '300'"),
        ("0,1,-1\n", "line 1: column 3: expected a pixel from 0 to 255, got '-1'"),
        ("0,1,0.5\n", "line 1: column 3: expected a pixel .* got '0.5'"),
        ("0,1,\n", "line 1: column 3: .* got nothing"),
        ("0,1,2\n10000,1,2\n", "line 2: column 1: expected a class number from 0 to 9,999, got '10000'"),
        ("0,1,2\ncat,1,2\n", "line 2: column 1: expected a class number .* got 'cat'"),
        ("", "expected a line of numbers for each picture, got none"),
        ("label,a,b\n", "expected a line of numbers for each picture, got none"),
        ("5\n6\n", "line 1: expected a label and pixels, separated by commas, got one column"),
        ("0,1,99999999999999999999\n", "line 1: column 3: expected a pixel"),
        ("0,1,2\n1,2,3\n", "leaves no sample for testing"),
        ("0,\x00,2\n", r"line 1: column 2: .* got '\\x00'"),
    ],
)
def test_a_csv_that_is_not_as_it_should_be(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        sn.datasets.load_csv(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_mutants_of_csv_are_read_or_refused_in_one_line(tmp_path):
    seeds = [
        csv_of(tmp_path / "a.csv", header=header).read_bytes() for header in (None, "label," + ",".join(PIXEL_NAMES))
    ]
    tracemalloc.start()
    try:
        read = [survive(tmp_path / "m.csv", content, sn.datasets.load_csv) for content in mutants(seeds, 200, 2)]
    finally:
        tracemalloc.stop()
    assert 20 < sum(one is None for one in read) < 200


def test_a_line_without_an_end_takes_no_memory(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"1" * (1 << 26))
    assert peak(lambda: sn.datasets.load_csv(tmp_path / "a.csv")) < 5 * (1 << 23)


# Recipes --------------------------------------------------------------------------------------------------------------

RECIPE = """
[recipe]
name = "own"
[data]
dataset = "{dataset}"
{keys}
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
units = 4
[training]
loss = {{ name = "sparse_categorical_crossentropy", from_logits = true }}
optimizer = "adam"
epochs = 1
"""


def recipe_of(tmp_path, dataset, keys=""):
    (tmp_path / "own.toml").write_text(RECIPE.format(dataset=dataset, keys=keys))
    return tmp_path / "own.toml"


def test_recipes_take_folders_and_csv(tmp_path):
    folder_of(tmp_path / "pictures")
    data = recipes.load(recipe_of(tmp_path, "pictures", 'image_size = [4, 3]\ncolor_mode = "rgb"')).load_data()
    assert data.train[0].shape == (32, 4, 3, 3)
    assert data.class_names == ("a", "b", "c", "d")
    assert data.described()["background"] == pytest.approx(127, abs=40)
    csv_of(tmp_path / "a.csv")
    csv_of(tmp_path / "b.csv", PIXELS[:8], LABELS[:8])
    recipe = recipes.load(recipe_of(tmp_path, "a.csv", 'test_dataset = "b.csv"\nimage_size = [6, 5]'))
    data = recipe.load_data()
    assert data.sizes == (40, 0, 8)
    (tmp_path / "elsewhere").mkdir()
    again = tmp_path / "elsewhere" / "again.toml"
    again.write_text(recipe.as_toml())
    assert recipes.load(again).load_data().sizes == (40, 0, 8)
    for dataset, keys, message in (
        ("picture", "", r"line 5: \[data\] dataset: there is no data set 'picture'.*a folder of pictures"),
        ("digits", "image_size = 3", r"line 6: \[data\] image_size: is for a folder, digits is none"),
        ("pictures", 'test_dataset = "x"', r"\[data\] test_dataset: is for a csv, pictures is none"),
        ("pictures", 'color_mode = "x"', r"line 6: \[data\] color_mode"),
        ("pictures", "image_size = [1, 2, 3]", r"image_size: expected a side or \(height, width\)"),
    ):
        with pytest.raises((RecipeError, ConfigError), match=message):
            recipes.load(recipe_of(tmp_path, dataset, keys)).load_data()


def test_wrong_data_end_a_run_with_one_line_and_nothing_left(tmp_path, capsys):
    folder_of(tmp_path / "pictures")
    (tmp_path / "pictures" / "c" / "x.png").write_text("hello")
    recipe = recipe_of(tmp_path, "pictures")
    with sn.use_backend("numpy"):
        assert main([str(recipe), "--backend", "numpy", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pictures/c/x.png: not a picture" in said
    assert not (tmp_path / "run").exists()


def test_a_run_on_pictures_can_be_asked_about_pictures(tmp_path, capsys):
    """Light backgrounds with a dark bar, up, down, left or right."""
    pixels = np.full((40, 8, 8), 250, np.uint8)
    for picture, label in zip(pixels, LABELS, strict=True):
        picture[[slice(0, 3), slice(5, 8), slice(None), slice(None)][label],
                [slice(None), slice(None), slice(0, 3), slice(5, 8)][label]] = RNG.integers(0, 60)  # fmt: skip
    folder_of(tmp_path / "pictures", pixels, LABELS, names=["up", "down", "left", "right"])
    recipe, run = recipe_of(tmp_path, "pictures"), tmp_path / "run"
    recipe.write_text(recipe.read_text().replace('"adam"', '{ name = "adam", learning_rate = 0.02 }'))
    with sn.use_backend("numpy"):
        assert main([str(recipe), "--backend", "numpy", "--epochs", "60", "--out", str(run), "-q"]) == 0
        Image.fromarray(pixels[1]).resize((100, 100)).save(tmp_path / "mine.jpg")
        capsys.readouterr()
        assert main(["predict", str(run), str(tmp_path / "mine.jpg"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["class"] == "down"
    assert answer["done"] == ["100 x 100 pixels stretched to 8 x 8"]

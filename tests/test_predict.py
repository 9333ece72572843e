"""``scratchnet-train predict``: a user's own pictures, whatever they look like, and what is said about them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from test_own_data import bomb

import scratchnet as sn
from scratchnet import recipes
from scratchnet.cli import main
from scratchnet.own_picture import Samples, prepare

MNIST = Samples((28, 28), dataset="mnist")


@pytest.fixture(scope="module")
def digits(data_dir):
    """MNIST's test digits."""
    return sn.datasets.mnist.load_data(data_dir)


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits):
    """A run's folder with a network that reads digits; as much of it as the command looks at."""
    folder = tmp_path_factory.mktemp("run")
    recipe = recipes.load("mnist-mlp")
    (x, y), _ = digits
    with sn.use_backend("numpy"):
        sn.utils.set_random_seed(0)
        model = recipe.make_model((784,))
        targets = sn.datasets.to_categorical(y[:10000])
        model.fit(sn.datasets.Pixels(x[:10000]).reshape(784), targets, batch_size=100, epochs=3, verbose=0)
        model.save(folder / "model.safetensors")
    (folder / "recipe.toml").write_text(recipe.as_toml())
    return folder


@pytest.fixture(autouse=True)
def numpy_backend():
    with sn.use_backend("numpy"):
        yield


def on_paper(pixels, size=(500, 400), at=(150, 40), side=280):
    """A digit as ink on a larger sheet."""
    sheet = Image.new("L", size, 255)
    sheet.paste(Image.fromarray(255 - pixels).resize((side, side), Image.Resampling.BICUBIC), at)
    return sheet


def photographed(pixels):
    """The sheet, lit from the left, with the noise of a cheap camera, a little yellow, as JPEG."""
    sheet = np.asarray(on_paper(pixels), float) / 255
    y, x = np.indices(sheet.shape)
    noise = np.random.default_rng(int(pixels.sum())).normal(0, 5, sheet.shape)
    levels = np.clip(60 + sheet * (150 - 0.1 * x - 0.05 * y) + noise, 0, 255)
    return Image.fromarray(np.stack([levels, levels, 0.85 * levels], -1).astype(np.uint8))


@pytest.mark.parametrize(("make", "least"), [(on_paper, 0.8), (photographed, 0.8), (Image.fromarray, 0.9)])
def test_digits_are_read_from_any_picture(run, digits, tmp_path, make, least):
    x, y = digits[1][0][:60], digits[1][1][:60]
    samples = []
    for number, pixels in enumerate(x):
        make(pixels).save(tmp_path / f"{number}.jpg" if make is photographed else tmp_path / f"{number}.png")
        samples += [prepare(next(tmp_path.glob(f"{number}.*")), MNIST)[0]]
    model = sn.load_model(run / "model.safetensors")
    assert (model.predict_classes(np.array(samples).reshape(-1, 784)) == y).mean() >= least


def test_a_sample_of_the_data_set_stays_as_it_is(digits, tmp_path):
    for pixels in digits[1][0][:20]:
        for levels, said in ((pixels, "nothing: it has 28 x 28"), (255 - pixels, "inverted: it is dark on light")):
            Image.fromarray(levels).save(tmp_path / "a.png")
            sample, done = prepare(tmp_path / "a.png", MNIST)
            assert (sample == np.float32(pixels / 255)).all()
            assert len(done) == 1
            assert done[0].startswith(said)


def test_it_is_put_into_the_frame_as_mnist_was(digits, tmp_path):
    on_paper(digits[1][0][0]).save(tmp_path / "a.png")
    sample, _ = prepare(tmp_path / "a.png", MNIST)
    rows, columns = (np.flatnonzero(sample.any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    for axis in (0, 1):
        mass = sample.sum(axis=1 - axis)
        assert (mass * (np.arange(28) + 0.5)).sum() / mass.sum() == pytest.approx(14, abs=0.51)
    assert sample.max() == 1


def test_several_shapes_are_said(digits, tmp_path):
    """Two digits are squeezed into one; a speck next to one digit, or a gap in its stroke, is not a second one."""
    one, five = digits[1][0][2], digits[1][0][8]
    speck, gap = np.zeros((28, 28), np.uint8), one.copy()
    speck[3:5, 12:14] = 255
    gap[14] = 0
    for pixels, shapes in (
        (np.concatenate([one, five], axis=1), "2 separate shapes"), (np.concatenate([one] * 3, axis=1), "3 separate"),
        (np.concatenate([five, speck], axis=1), None), (gap, None),
    ):  # fmt: skip
        Image.fromarray(255 - np.kron(pixels, np.ones((9, 9), np.uint8))).save(tmp_path / "a.png")
        _, done = prepare(tmp_path / "a.png", MNIST)
        assert [words for words in done if "shapes" in words] == [done[-1]] * (shapes is not None)
        assert done[-1].startswith(shapes or "cut out")


def lying(picture):
    """Turned, with the EXIF tag that says so."""
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # 'turn by 90 degrees clockwise'
    turned.info["exif"] = exif.tobytes()
    return turned


def drawn_on_nothing(picture, color):
    image = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    image.paste(Image.new("RGBA", picture.size, color), mask=Image.eval(picture, lambda level: 255 - level))
    return image


@pytest.mark.parametrize(
    ("change", "ending", "said"),
    [
        (lambda p: p, "png", []),
        (lambda p: p.convert("RGB"), "png", ["color to gray"]),
        (lambda p: p.convert("1"), "png", []),
        (lambda p: p.convert("P"), "gif", []),
        (lambda p: p.convert("CMYK"), "jpg", ["color to gray"]),
        (lambda p: p.convert("LA"), "png", ["color to gray"]),
        (lambda p: drawn_on_nothing(p, (0, 40, 160, 255)), "png", ["transparency on white", "color to gray"]),
        (lambda p: drawn_on_nothing(p, (255, 240, 230, 255)), "webp", ["transparency on black", "color to gray"]),
        (lying, "jpg", ["turned upright as its EXIF data say"]),
        (lambda p: Image.fromarray(np.asarray(p).astype(np.uint16) * 257), "png", ["gray levels to 8 bits"]),
        (lambda p: Image.fromarray(255 - np.asarray(p)), "bmp", []),
    ],
)
def test_colors_transparency_rotation_and_depth(run, digits, tmp_path, capsys, change, ending, said):
    picture = change(on_paper(digits[1][0][0]))
    exif = {"exif": picture.info["exif"]} if "exif" in picture.info else {}
    picture.save(tmp_path / f"seven.{ending}", **exif)
    assert main(["predict", str(run), str(tmp_path / f"seven.{ending}"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["class"] == "7"
    assert answer["done"][: len(said)] == said
    inverted = [one for one in answer["done"] if one.startswith("inverted")]
    assert len(inverted) == (ending not in ("webp", "bmp"))
    assert answer["done"][-1] == (
        "cut out, fitted into 20 x 20 and put by its center of mass into the middle of 28 x 28 pixels"
    )


def test_the_answer_is_that_of_the_model(run, digits, tmp_path, capsys):
    Image.fromarray(digits[1][0][3]).save(tmp_path / "a.png")
    assert main(["predict", str(run), str(tmp_path / "a.png")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    logits = sn.load_model(run / "model.safetensors").predict(digits[1][0][3:4].reshape(1, 784) / np.float32(255))[0]
    chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    one, two, three = np.argsort(-chances)[:3]
    shown = f"{one} ({chances[one]:.1%}); then {two} ({chances[two]:.1%}), {three} ({chances[three]:.1%})"
    assert first == f"{tmp_path / 'a.png'}: {shown}"
    assert second == "    done to it: nothing: it has 28 x 28 pixels as the training data"


def test_bad_pictures_are_said_and_the_others_answered(run, digits, tmp_path, capsys):
    Image.fromarray(digits[1][0][0]).save(tmp_path / "good.png")
    Image.new("L", (50, 40), 200).save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "bomb.png").write_bytes(bomb(60_000))
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:200])
    names = ["text.png", "good.png", "bomb.png", "none.png", "blank.png", "cut.png", "good.png"]
    assert main(["predict", str(run), *(str(tmp_path / name) for name in names), "--json"]) == 2
    said = capsys.readouterr()
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert [answer.get("class") for answer in answers] == [None, "7", None, None, None, None, "7"]
    errors = said.err.splitlines()
    assert len(errors) == 5
    for error, name, what in zip(
        errors,
        ["text", "bomb", "none", "blank", "cut"],
        ["not a picture", "at most 67,108,864 pixels", "no such file", "nothing is drawn on it", "damaged"],
        strict=True,
    ):  # fmt: skip
        assert error.startswith(f"scratchnet-train: {tmp_path / name}.png: ")
        assert what in error
    assert [answer["error"] for answer in answers if "error" in answer] == [
        error.removeprefix("scratchnet-train: ") for error in errors
    ]


def test_what_is_no_run(run, tmp_path, capsys):
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "x.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:1000])
    sn.Sequential([sn.layers.Dense(3, input_shape=(5,))]).save(tmp_path / "rows.safetensors")
    for arguments, what in (
        ([tmp_path / "nowhere"], "nowhere: no such file"),
        ([tmp_path], "expected the folder of a run, there is no model.safetensors in it"),
        ([tmp_path / "a.png"], "expected a .safetensors file"),
        ([tmp_path / "x.safetensors"], "x.safetensors: "),
        ([tmp_path / "rows.safetensors"], "expected a network from pictures to classes"),
        ([run, "--dataset", "cifar"], "--dataset: expected one of digits, fashion_mnist, mnist, got 'cifar'"),
    ):
        assert main(["predict", *map(str, arguments), str(tmp_path / "a.png")]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert what in said.err


def test_a_model_file_alone_can_be_told_what_it_was_trained_on(run, digits, tmp_path, capsys):
    (tmp_path / "m.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    on_paper(digits[1][0][0]).save(tmp_path / "a.png")
    words = ["predict", str(tmp_path / "m.safetensors"), str(tmp_path / "a.png"), "--json"]
    assert main([*words, "--dataset", "mnist"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["class"] == "7"
    names = []
    for spelling in ("fashion_mnist", "fashion-mnist"):
        assert main([*words, "--dataset", spelling]) == 0
        names += [json.loads(capsys.readouterr().out)["class"]]
    assert names[0] == names[1] in sn.datasets.fashion_mnist.CLASS_NAMES
    sn.load_model(tmp_path / "m.safetensors").save(tmp_path / "m.keras")
    assert main(["predict", str(tmp_path / "m.keras"), *words[2:], "--dataset", "mnist"]) == 0
    assert json.loads(capsys.readouterr().out) == answer
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["done"] == ["500 x 400 pixels stretched to 28 x 28"]

"""The web pages of a run and of several: read back by a parser, and looked at in a real browser where there is one."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from browser import browser, chromium

from scratchnet import ladder, recipes, run, run_report
from scratchnet.cli import main
from scratchnet.datasets import digits, fashion_mnist
from scratchnet.pages import charts, files, measures, network, pictures
from scratchnet.recipes.recipe import Recipe
from scratchnet.run_report import describe_table

HOSTILE = '<script>alert("0")</script><img src=x onerror=alert(1)>'
NAMES = (HOSTILE, "one & only", "'two'", *(str(label) for label in range(3, 10)))
VOID = {"meta", "link", "img", "br", "wbr"}
SMALL = """
[recipe]
name = "small"
title = "</h1><script src='https://example.org/x.js'></script>"
[data]
dataset = "{dataset}"
validation = {validation}
shape = {shape}
[[layers]]
type = "Conv2D"
filters = 8
kernel_size = 3
activation = "relu"
[[layers]]
type = "MaxPooling2D"
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
units = 10
activation = "softmax"
[training]
loss = "sparse_categorical_crossentropy"
optimizer = "adam"
epochs = 3
"""


class Reader(HTMLParser):
    """What a page is made of; refuses tags that are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two short runs on digits whose classes have hostile names, and one on data that are no images."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 21)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    np.savez(folder / "own.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    images = SMALL.format(dataset="digits", validation=100, shape="[8, 8, 1]")
    dense = SMALL.format(dataset="own.npz", validation=0, shape="[21]").partition("[[layers]]")
    (folder / "images.toml").write_text(images)
    (folder / "table.toml").write_text(dense[0] + "[[layers]]" + images.rpartition("[[layers]]")[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "CLASS_NAMES", NAMES)
        patch.setattr(
            run_report, "draw", lambda *_: []
        )  # the PNG files take most of the time, and are tested elsewhere
        recipe = recipes.load(folder / "images.toml")
        run.train(recipe, folder / "a", backend_name="numpy")
        changed = recipe.replace(optimizer={"name": "sgd", "learning_rate": 0.1}, batch_size=64)
        run.train(changed, folder / "b", backend_name="numpy")
        run.train(recipes.load(folder / "table.toml"), folder / "table", backend_name="numpy")
        assert main(["compare", str(folder / "a"), str(folder / "b"), "--out", str(folder / "compare.html")]) == 0
        patch.setattr(digits, "CLASS_NAMES", fashion_mnist.CLASS_NAMES)
        run.train(recipe.replace(epochs=1), folder / "clothes", backend_name="numpy")
    return folder


PAGES = ("a/report.html", "table/report.html", "compare.html")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_itself(runs, name):
    raw = (runs / name).read_text()
    page = Reader(raw)
    assert len(raw) < 5_000_000
    assert not page.all("script", "iframe", "object", "embed", "form", "base")
    links = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")]
    assert links
    assert [link for link in links if not link.startswith(("data:", "#"))] == []
    assert "url(" not in raw
    assert "@import" not in raw
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert "default-src 'none'" in raw


@pytest.mark.parametrize("name", PAGES)
def test_a_page_speaks_to_those_who_do_not_see_it(runs, name):
    page = Reader((runs / name).read_text())
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert page.all("html")[0]["lang"] == "en"
    for landmark in ("header", "nav", "main", "footer", "title", "h1"):
        assert len([tag for tag, _ in page.tags if tag == landmark]) >= 1, landmark
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(picture["alt"].strip() for picture in page.all("img"))
    for drawing in page.all("svg"):
        if drawing.get("aria-hidden") != "true":
            assert drawing["role"] == "img"
            assert set(drawing["aria-labelledby"].split()) <= set(ids)
    for attributes in page.all("section"):
        assert attributes["aria-labelledby"] in ids
    assert [link["href"] for link in page.all("a") if link["href"][1:] not in ids] == []
    assert len(page.all("caption")) == len(page.all("table")) > 0
    assert all(cell["scope"] in ("col", "row") for cell in page.all("th"))
    for region in page.all("div"):
        assert region.get("class") != "scroll" or (region["tabindex"] == "0" and region["aria-label"])


@pytest.mark.parametrize("name", ["a/report.html", "compare.html"])
def test_what_strangers_write_stays_text(runs, name):
    raw = (runs / name).read_text()
    page = Reader(raw)
    assert HOSTILE in page.words
    assert "<script" not in raw
    assert "onerror=alert(1)>" not in raw
    assert [picture for picture in page.all("img") if not picture["src"].startswith("data:image/png;base64,")] == []


def test_the_report_says_what_the_run_found(runs):
    results = json.loads((runs / "a" / "results.json").read_text())
    words = Reader((runs / "a" / "report.html").read_text()).words
    for figure in (
        f"{results['test']['accuracy']:.2%}",
        f"{results['test']['loss']:.4f}",
        f"{results['parameters']:,}",
    ):
        assert figure in words
    for score in results["classes"]["f1"]:
        assert f"{score:.4f}" in words
    for row in results["confusion_matrix"]:
        assert " ".join(map(str, row)) in words
    for layer in ("conv2d", "max_pooling2d", "flatten", "dense"):
        assert layer in words
    assert "Yes: the gradient of every array of parameters of the trained network was compared, along random" in words
    assert "Drawn as ink, dark where the numbers of the data are large." in words
    assert "scratchnet-train recipe.toml --backend numpy" in words
    assert str(np.__version__) in words


@pytest.mark.parametrize("logits", [False, True])
def test_the_last_layers_values_have_their_classes_and_what_they_are(runs, tmp_path, logits):
    page = runs / "a" / "report.html"
    if logits:
        recipe = recipes.load("quickstart").replace(epochs=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_report, "draw", lambda *_: [])
            run.train(recipe, tmp_path / "run", backend_name="numpy")
        page = tmp_path / "run" / "report.html"
    table = page.read_text().partition("<caption>The last layer, class by class")[2].partition("</table>")[0]
    assert ("logits: softmax makes the probabilities of them" in table) == logits
    cells = re.findall(r"<td>([^<]*)</td>", table)
    chances = [float(cell.rstrip("%")) / 100 for cell in cells if cell.endswith("%")]
    assert sum(chances) == pytest.approx(1, abs=0.01)
    assert len(chances) == 10
    values = np.array([float(cell) for cell in cells if not cell.endswith("%")])
    assert len(values) == 10 * logits
    if logits:
        assert np.exp(values) / np.exp(values).sum() == pytest.approx(chances, abs=0.01)


def test_the_pictures_show_the_samples(runs):
    """The misclassified example of which the network was surest, read back out of the page."""
    import base64
    import io

    from matplotlib.image import imread

    page = Reader((runs / "a" / "report.html").read_text())
    wrong = [picture for picture in page.all("img") if "taken for" in picture["alt"]]
    assert wrong
    row = int(re.match(r"Test sample (\d+)", wrong[0]["alt"])[1])
    shown = imread(io.BytesIO(base64.b64decode(wrong[0]["src"].partition(",")[2])), format="png")
    _, (x, _) = digits.load_data()
    np.testing.assert_allclose(shown[..., 0], 1 - x[row] / 16, atol=1 / 128)


def test_data_that_are_no_images_leave_the_pictures_out(runs):
    page = Reader((runs / "table" / "report.html").read_text())
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {"result", "network", "curves", "classes", "gradients", "times", "again"} <= ids
    assert not {"examples", "inside"} & ids
    assert not page.all("img")


def test_colors_and_many_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(run_report, "draw", lambda *_: [])
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (90, 6, 6, 3), dtype=np.uint8), np.arange(90) % 45
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x[:60], y_test=y[:60])
    text = SMALL.format(dataset="own.npz", validation=0, shape="[6, 6, 3]").replace("units = 10", "units = 45")
    (tmp_path / "own.toml").write_text(text)
    run.train(recipes.load(tmp_path / "own.toml"), tmp_path / "x", backend_name="numpy")
    page = Reader((tmp_path / "x" / "report.html").read_text())
    assert "input channel 0" in page.words
    assert len([picture for picture in page.all("img") if "taken for" in picture["alt"]]) == 12
    assert "Confusion matrix" not in page.words  # 45 x 45 numbers are no help; the mistakes are listed
    assert "Most frequent mistakes" in page.words


@pytest.mark.parametrize("name", recipes.names())
def test_the_command_in_the_report_makes_the_same_recipe(name):
    from scratchnet.pages.report_page import command

    recipe = recipes.load(name)
    assert command(recipe, "numba") == f"scratchnet-train {name} --seed 0 --backend numba"
    changed = recipe.replace(epochs=3, batch_size=7, seed=5)
    assert command(changed, "numpy") == f"scratchnet-train {name} --epochs 3 --batch-size 7 --seed 5 --backend numpy"
    other = recipe.replace(optimizer={"name": "nadam"})
    assert command(other, "numpy") == "scratchnet-train recipe.toml --backend numpy"


def test_compare_prints_what_it_puts_on_the_page(runs, tmp_path, capsys):
    folders = [str(runs / "a"), str(runs / "b")]
    assert main(["compare", *folders, "--json", "--out", str(tmp_path / "deep" / "page.html")]) == 0
    *told, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert last == {"event": "page", "out": str(tmp_path / "deep" / "page.html")}
    assert [run["name"] for run in told] == ["a", "b"]
    words = Reader((tmp_path / "deep" / "page.html").read_text()).words
    for one, name in zip(told, "ab", strict=True):
        results = json.loads((runs / name / "results.json").read_text())
        assert one["test"]["accuracy"] == results["test"]["accuracy"]
        assert list(one["f1"].values()) == results["classes"]["f1"]
        assert f"{results['test']['accuracy']:.2%}" in words
    assert told[0]["differs"] == {"optimizer": "adam, learning_rate 0.001", "batch size": "32"}
    assert told[1]["differs"] == {"optimizer": "sgd, learning_rate 0.1", "batch size": "64"}
    assert main(["compare", *folders, "--out", str(tmp_path / "deep" / "page.html")]) == 0  # its own page is replaced
    table = capsys.readouterr().out
    assert re.search(rf"^a +{told[0]['test']['accuracy']:.2%}", table, re.MULTILINE)
    assert re.search(r"^optimizer +adam, learning_rate 0\.001 +sgd, learning_rate 0\.1", table, re.MULTILINE)


def test_a_default_that_is_written_out_is_no_difference(runs):
    """Optimizer, loss and layers are compared as they are made, not as their tables are written."""
    from scratchnet import run_records

    record = run_records.read(runs / "a")
    content = record.recipe.as_dict()
    content["training"]["optimizer"] = {"name": "Adam", "learning_rate": 0.001}
    content["training"]["loss"] |= {"from_logits": False}
    content["layers"][-1]["use_bias"] = True
    other = dataclasses.replace(record, recipe=Recipe(content, "", "other", record.recipe.folder))
    every = run_records.settings([record, other])
    assert run_records.differing(every) == {}
    assert every["optimizer"] == ["adam, learning_rate 0.001"] * 2


def test_runs_on_different_data_have_no_best_one(runs, tmp_path, capsys):
    folders = [str(runs / name) for name in ("a", "b", "table")]
    assert main(["compare", *folders, "--out", str(tmp_path / "page.html")]) == 0
    said = capsys.readouterr().out
    assert "(no best one: they were tested on different data)" in said
    assert " *" not in said
    page = Reader((tmp_path / "page.html").read_text())
    assert "The runs were tested on different data: their accuracies and losses cannot be compared" in page.words
    captions = re.findall(r"(\S+): F1 on the test set(; the best of each class has a star)?", page.words)
    assert [(Path(data).name, bool(star)) for data, star in captions] == [("digits", True), ("own.npz", False)]
    tables = (tmp_path / "page.html").read_text().split("<table>")
    assert 'best"' not in tables[1]  # of the results
    classes = next(table for table in tables if "own.npz: F1" in table)
    assert "–" not in classes  # no run that has no such class
    assert 'best"' not in classes


def test_a_place_that_cannot_be_written_is_bad_input(runs, tmp_path, capsys, monkeypatch):
    folders = [str(runs / "a"), str(runs / "b")]
    assert main(["compare", *folders, "--out", "/proc/page.html"]) == 2
    assert "/proc/page.html: cannot be written: " in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
        assert main(["compare", *folders, "--out", str(tmp_path / "new" / "page.html")]) == 2
    assert f"cannot be written: no permission to write into {tmp_path}" in capsys.readouterr().err
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(files, "write_atomically", lambda *_: (_ for _ in ()).throw(full))
    code = main(["compare", *folders, "--out", str(tmp_path / "page.html")])
    assert code == 1  # the place is right, the disk is full


def spoil(folder: Path, how: str) -> None:
    results = json.loads((folder / "results.json").read_text())
    match how:
        case "unfinished":
            results["finished"] = False
        case "lengths":
            results["classes"]["f1"].pop()
        case "words":
            results["test"]["accuracy"] = "good"
        case "metrics":
            (folder / "metrics.jsonl").write_text("[]\n")
        case "json":
            (folder / "results.json").write_text("{")
            return
        case "begun":
            (folder / "results.json").unlink()
            return
        case "other":
            (folder / "recipe.toml").unlink()
    (folder / "results.json").write_text(json.dumps(results))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("unfinished", "bad: the run is not finished: go on with it .*--resume"),
        ("begun", "bad: the run is not finished"),
        ("other", "bad: expected the folder of a run, and there is no recipe.toml in it"),
        ("json", r"bad/results.json: damaged: not valid JSON"),
        ("words", r"bad/results.json: damaged: test.accuracy: "),
        ("lengths", r"bad/results.json: damaged: expected classes.f1 with 10 numbers"),
        ("metrics", r"bad/metrics.jsonl, line 1: damaged: expected a JSON object"),
    ],
)
def test_a_folder_that_cannot_be_compared_is_refused_in_one_line(runs, tmp_path, capsys, how, message):
    shutil.copytree(runs / "b", tmp_path / "bad", ignore=shutil.ignore_patterns("checkpoints"))
    spoil(tmp_path / "bad", how)
    assert main(["compare", str(runs / "a"), str(tmp_path / "bad"), "--out", str(tmp_path / "page.html")]) == 2
    said = capsys.readouterr()
    assert re.search(message, said.err), said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_compare_loses_nothing(runs, tmp_path, capsys):
    (tmp_path / "notes.html").write_text("<p>mine</p>")
    folders = [str(runs / "a"), str(runs / "b")]
    for arguments, message in (
        ([*folders, "--out", str(tmp_path / "notes.html")], "holds something else"),
        ([*folders, "--out", str(tmp_path)], "expected the name of a file, this is a folder"),
        ([str(runs / "a")], "expected the folders of two or more runs, got 1"),
        ([str(runs / "a")] * 2, "one of them twice"),
        ([str(runs / "a"), str(tmp_path / "nowhere")], "nowhere: no such folder"),
    ):
        assert main(["compare", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert (tmp_path / "notes.html").read_text() == "<p>mine</p>"


def test_the_rungs_of_the_ladder_differ_in_one_thing_each():
    from scratchnet import run_records

    wanted = [ladder.recipe_of(rung, seed=3) for rung in ladder.RUNGS]
    whole = recipes.load(ladder.RECIPE).replace(seed=3).content
    assert wanted[-1].content.layers == whole.layers
    assert wanted[-1].content.training == whole.training
    said = [
        {"network": run_records.words.network(one.content.layers), "optimizer": one.content.training.optimizer["name"],
         "steps": one.content.training.steps}
        for one in wanted
    ]  # fmt: skip
    changes = [[key for key in b if a[key] != b[key]] for a, b in itertools.pairwise(said)]
    assert changes == [["optimizer"], ["network"], ["steps"], ["network"]]
    assert said[0]["network"] == "conv 5x5 32, max-pool, conv 5x5 64, max-pool, dense 1024, dropout 0.4, dense 10"
    assert said[3]["network"] == said[0]["network"].replace(", dense 1024", ", conv 5x5 128, max-pool, dense 1024")


def test_the_ladder_goes_on_where_it_was_and_trains_nothing_twice(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (24, 28, 28), dtype=np.uint8), np.arange(24) % 10
    np.savez(tmp_path / "few.npz", x_train=x[:12], y_train=y[:12], x_test=x[12:], y_test=y[12:])
    true_recipe = ladder.recipe_of

    def on_few_images(rung, seed, scale):
        content = true_recipe(rung, seed, scale).as_dict()
        content["data"]["dataset"] = str(tmp_path / "few.npz")
        content["layers"] = [
            {**layer, "units": 16} if layer.get("units") == 1024 else layer for layer in content["layers"]
        ]
        return Recipe(content, "", "ladder", tmp_path)

    monkeypatch.setattr(ladder, "recipe_of", on_few_images)
    monkeypatch.setattr(run_report, "draw", lambda *_: [])
    command = ["ladder", "--backend", "numpy", "--out", str(tmp_path / "x")]
    first = [on_few_images(rung, 0, 0.001) for rung in ladder.RUNGS][:2]
    for rung, recipe in zip(ladder.RUNGS, first, strict=False):
        run.train(recipe, tmp_path / "x" / rung.name, backend_name="numpy")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "x").glob("*/results.json")}
    assert len(before) == 2
    assert main([*command, "--scale", "0.001", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["number"] for one in told if one["event"] == "rung"] == [3, 4, 5]
    assert [one["name"] for one in told if one["event"] == "run"] == [rung.name for rung in ladder.RUNGS]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    words = Reader((tmp_path / "x" / "ladder.html").read_text()).words
    for rung in ladder.RUNGS:
        assert rung.title in words
        assert rung.text in words
    assert "Only 0.1% of the steps were trained." in words
    assert main([*command, "--scale", "0.0005"]) == 2
    assert "holds a rung of 2 steps, and 1 are asked for" in capsys.readouterr().err


def test_charts_have_round_ticks_and_say_their_course():
    points = [(float(epoch), 0.5 + 0.025 * epoch) for epoch in range(1, 21)]
    chart = charts.line_chart("accuracy", "Accuracy", "epoch", [charts.Series("training", points)], percent=True)
    assert chart.description == "training: from 52.50% at epoch 1 to 100.00% at 20, highest 100.00% at epoch 20."
    assert [label for _, label in chart.y_ticks] == ["50%", "60%", "70%", "80%", "90%", "100%"]
    assert [int(label) for _, label in chart.x_ticks] == sorted(int(label) for _, label in chart.x_ticks)
    fine = charts.line_chart("x", "x", "epoch", [charts.Series("x", [(1, 0.82), (2, 0.95)])], percent=True)
    assert all(re.fullmatch(r"\d+(\.5)?%", label) for _, label in fine.y_ticks)
    one = charts.line_chart("loss", "Loss", "epoch", [charts.Series("training", [(1.0, 0.0)])])
    assert one.x_ticks == []
    assert one.below == "epoch 1, the only one"
    assert one.height < chart.height
    assert one.lines[0].value[2:] == ("start", "training 0.0000")
    assert charts.line_chart("none", "None", "epoch", [charts.Series("training", [])]) is None
    many = [(float(step), 1.0 / step) for step in range(1, 100_001)]
    assert len(charts.thinned(many)) <= charts.MOST_POINTS + 1
    assert charts.thinned(many)[-1] == many[-1]


def test_a_report_of_one_epoch(runs):
    page = Reader((runs / "clothes" / "report.html").read_text())
    assert "epoch 1, the only one" in page.words
    assert "42 steps of 32, 1 epoch, seed 0" in page.words  # not "1 epochs"
    assert "Wrong of 359" in page.words


def test_the_drawing_has_no_empty_lines():
    flatten = network.LayerRow("flatten", "Flatten", "", (4,), 0)
    drawn, _ = network.drawing((2, 2), [flatten, network.LayerRow("dense", "Dense", "4 units", (4,), 20)])
    assert [row.words for row in drawn] == [
        ["input", "one sample", "2 × 2"],
        ["flatten (Flatten)", "4, no parameters"],
        ["dense (Dense)", "4 units", "4, 20 parameters"],
    ]


def test_a_long_name_leaves_no_room_for_the_class():
    rows = [
        network.LayerRow(name, "BatchNormalization", "", (4,), 0) for name in ("bn", "batch_normalization", 40 * "x")
    ]
    drawn, _ = network.drawing((4,), rows)
    assert [row.words[0] for row in drawn[1:]] == ["bn (BatchNormalization)", "batch_normalization", 30 * "x" + "…"]


def test_a_schedule_is_said_in_parentheses():
    schedule = {"name": "cosine_decay", "decay_steps": 4}
    table = {"name": "sgd", "learning_rate": schedule, "momentum": 0.9}
    assert describe_table(table) == "sgd, learning_rate (cosine_decay, decay_steps 4), momentum 0.9"


def test_a_deep_network_is_drawn_in_part_and_listed_whole():
    rows = [network.LayerRow(f"dense_{i}", "Dense", "", (4,), 20) for i in range(300)]
    drawn, height = network.drawing((4,), rows)
    assert len(drawn) == network.MOST_DRAWN + 1
    assert height < 3000


def test_sheets_keep_every_image():
    images = pictures.colored(np.arange(5 * 4).reshape(5, 2, 2), "gray", 0, 19)
    sheet = pictures.sheet(images, 3)
    assert sheet.shape == (5, 8, 4)
    np.testing.assert_array_equal(sheet[3:5, 3:5], images[4])
    assert not sheet[3:5, 6:8].any()


@pytest.fixture(scope="module")
def tab():
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with browser(program) as page:
        yield page


CONTRASTS = """
(() => {
  const parts = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    const [r, g, b] = numbers.slice(0, 3).map((n) => n * scale);
    return [r, g, b, numbers.length > 3 ? numbers[3] : 1];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = parts(getComputedStyle(element).backgroundColor);
      if (color[3] > 0) return color;
    }
    return [255, 255, 255, 1];
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || ["TITLE", "title", "desc"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const front = parts(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(front), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${texts.currentNode.data.trim().slice(0, 30)}`);
  }
  return poor;
})()
"""


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_complaint(runs, tab, name, width):
    grounds = []
    for dark in (False, True):
        tab.open(runs / name, width, dark)
        assert tab.complaints() == []
        assert tab.value("document.documentElement.scrollWidth") <= width
        assert tab.value("[...document.images].filter((image) => !image.naturalWidth).length") == 0
        assert tab.value(CONTRASTS) == []
        grounds.append(tab.value("getComputedStyle(document.body).backgroundColor"))
        assert len(tab.screenshot()) > 20_000
    assert grounds[0] == "rgb(255, 255, 255)"
    assert grounds[1] != grounds[0]
    assert tab.pdf().startswith(b"%PDF")


HIDDEN = """
[...document.querySelectorAll(".scroll")].filter((region) => region.scrollWidth > region.clientWidth)
  .map((region) => region.ariaLabel)
"""


@pytest.mark.parametrize("width", [1440, 1280, 420])
def test_tables_are_whole_where_there_is_room(runs, tab, width):
    """With the names of Fashion-MNIST; on a phone some tables go on behind a shade, and can be scrolled."""
    tab.open(runs / "clothes" / "report.html", width)
    allowed = {"Metrics by epoch", "Gradient check"} if width < 600 else set()
    assert set(tab.value(HIDDEN)) <= allowed
    heights = "[...document.querySelectorAll('.facts dd, .facts dt')].map((one) => one.getClientRects()[0].height)"
    assert max(tab.value(heights)) < 40  # no tile has its figure in two lines


def test_points_do_not_hide_each_other(runs, tab):
    tab.open(runs / "compare.html", 1280)
    inside = "[...document.querySelectorAll('.mark')].map((mark) => getComputedStyle(mark).fill)"
    assert set(tab.value(inside)) == {"none"}


def test_layers_are_timed_as_they_are_trained(monkeypatch):
    """The first layer's input gradient, which training does without, was timed as well, and its kernels compiled."""
    recipe, asked = recipes.load("quickstart"), []
    timed = measures._timed_step

    def step(trainer, x, targets):
        asked.append(trainer.first_trainable.needs_input_gradient)
        return timed(trainer, x, targets)

    monkeypatch.setattr(measures, "_timed_step", step)
    times, batch = measures.layer_times(recipe.make_model(), recipe, recipe.load_data())
    assert len(times) == len(recipe.make_model().layers)
    assert batch == recipe.content.training.batch_size
    assert set(asked) == {False}

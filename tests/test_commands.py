"""Bundles of the data, the dry run and shell completion."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import scratchnet as sn
from scratchnet import recipes
from scratchnet.cli import COMMANDS, main

PROGRAM = shutil.which("scratchnet-train", path=str(Path(sys.executable).parent))


def said(capsys, *words, code=0):
    """What a command that ends with this code writes on standard output and standard error."""
    assert main([str(word) for word in words]) == code
    written = capsys.readouterr()
    return written.out, written.err


# Bundles --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp("bundles")
    for name in ("folder", "file.zip"):
        words = ["data", "export", folder / name, "--dataset", "mnist", "--data-dir", data_dir]
        assert main([str(word) for word in words]) == 0
    return folder


def test_export_and_verify_count_alike(bundle, tmp_path, capsys):
    said_by_export = said(
        capsys, "data", "export", tmp_path / "b", "--dataset", "mnist", "--data-dir", bundle / "folder"
    )[0]
    assert "b: 4 data files and their list SHA256SUMS; " in said_by_export
    assert "b: 4 data files, all as they should be" in said(capsys, "data", "verify", tmp_path / "b")[0]


def test_a_bundle_is_read_as_it_is(bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SCRATCHNET_DATA", raising=False)
    monkeypatch.setenv("SCRATCHNET_CACHE", str(tmp_path))
    monkeypatch.setenv("SCRATCHNET_MIRRORS", "https://127.0.0.1:9/")  # no internet
    with zipfile.ZipFile(bundle / "file.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    for place in (bundle / "folder", tmp_path / "unpacked"):
        (x, y), (x_test, y_test) = sn.datasets.mnist.load_data(place)
        assert (len(x), len(y), len(x_test), len(y_test)) == (60000, 60000, 10000, 10000)
    lines = (bundle / "folder" / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == 4
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((bundle / "folder" / name).read_bytes()).hexdigest() == digest
    assert sorted(os.listdir(bundle)) == ["file.zip", "folder"]  # nothing left of the writing
    for name in ("folder", "file.zip"):
        assert (
            "4 data files, all as they should be by their list SHA256SUMS"
            in said(capsys, "data", "verify", bundle / name)[0]
        )


def test_a_zip_has_to_be_unpacked_and_the_command_says_so(bundle, capsys):
    _, errors = said(capsys, "mnist-mlp", "--data-dir", bundle / "file.zip", code=2)
    assert "file.zip: expected a folder, this is a file; unpack it first" in errors
    text = " ".join(said(capsys, "data", "export", "--help")[0].split())
    assert "From a folder, --data-dir DIR trains directly. Unpack a .zip first" in text


def test_verify_names_every_file_that_is_not_as_it_should_be(bundle, tmp_path, capsys):
    place = shutil.copytree(bundle / "folder", tmp_path / "b")
    (place / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    (place / "notes.txt").write_text("")
    wrong = bytearray((place / "mnist" / "train-labels-idx1-ubyte.gz").read_bytes())
    wrong[1000] ^= 1
    (place / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(wrong)
    forged = place / "mnist" / "t10k-images-idx3-ubyte.gz"  # somebody else's, with a list that says so
    shutil.copy(place / "mnist" / "train-images-idx3-ubyte.gz", forged)
    sums = (place / "SHA256SUMS").read_text()
    digest = hashlib.sha256(forged.read_bytes()).hexdigest()
    (place / "SHA256SUMS").write_text(re.sub(r"\w+(?=  mnist/t10k-images)", digest, sums) + "nonsense\n")
    _, errors = said(capsys, "data", "verify", place, code=2)
    problems = [line.removeprefix(f"scratchnet-train: {place}: ") for line in errors.splitlines()]
    assert len(problems) == 5
    assert problems[0].startswith("SHA256SUMS, line 5: expected a SHA-256 and a file, got nonsense")
    assert problems[1] == "mnist/t10k-images-idx3-ubyte.gz: wrong: its content is not that of the data set"
    assert problems[2] == "mnist/t10k-labels-idx1-ubyte.gz: missing"
    assert problems[3].startswith("mnist/train-labels-idx1-ubyte.gz: wrong: expected SHA-256 ")
    assert problems[4] == "notes.txt: extra: it is not in SHA256SUMS"
    answer = json.loads(said(capsys, "data", "verify", place, "--json", code=2)[0])
    assert answer["good"] == ["mnist/train-images-idx3-ubyte.gz"]
    assert answer["problems"] == problems


def test_a_damaged_zip(bundle, tmp_path, capsys):
    content = bytearray((bundle / "file.zip").read_bytes())
    content[5000] ^= 255
    (tmp_path / "b.zip").write_bytes(content)
    _, errors = said(capsys, "data", "verify", tmp_path / "b.zip", code=2)
    assert re.fullmatch(r"scratchnet-train: \S+b\.zip: mnist/\S+\.gz: wrong: cannot be read: [^\n]+\n", errors)
    (tmp_path / "b.zip").write_bytes(content[: len(content) // 2])
    assert "b.zip: expected a bundle" in said(capsys, "data", "verify", tmp_path / "b.zip", code=2)[1]


def test_an_export_overwrites_nothing_and_leaves_nothing_half(bundle, tmp_path, data_dir, capsys, monkeypatch):
    monkeypatch.setenv("SCRATCHNET_DATA", str(data_dir))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    for words, what in (
        ([tmp_path / "mine"], "mine: is there already"),
        ([bundle / "file.zip"], "file.zip: is there already"),
        ([tmp_path / "mine" / "file" / "x"], "x: cannot be written"),
        ([tmp_path / "x", "--dataset", "digits"], "expected mnist or fashion_mnist; the digits come with scikit-learn"),
        ([tmp_path / "x", "--data-dir", tmp_path / "none"], "none: no such folder"),
    ):
        _, errors = said(capsys, "data", "export", "--dataset", "mnist", *words, code=2)
        assert what in errors
        assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "file"]
    assert "Missing command" in said(capsys, "data", code=2)[1]


# The dry run ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_a_training_needs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with sn.use_backend("numpy"):
        words = ("quickstart", "--dry-run", "--backend", "numpy", "--batch-size", 16)
        found = json.loads(said(capsys, *words, "--json")[0])
        text = said(capsys, *words)[0]
        short = said(capsys, *words, "-q")[0]
    assert not any(tmp_path.iterdir())
    assert (found["event"], found["parameters"], found["steps_per_epoch"]) == ("dry-run", 21_386, 82)
    assert found["sizes"] == {"train": 1300, "validation": 138, "test": 359}
    assert found["steps"] == 20 * 82
    need = found["bytes"]
    assert need["parameters"] == need["gradients"] == 4 * 21_386
    assert need["optimizer"] == 2 * need["parameters"]  # Adam's two moments
    assert need["data"] >= 64 * (1300 + 138 + 359)
    assert need["buffers"] >= 4 * 256 * 8 * 8 * 32  # the first layer's output for 256 test samples
    seconds = found["seconds"]
    assert 0 < seconds["step"] * 82 <= seconds["epoch"] < seconds["total"]
    for word in ("conv2d_1 (Conv2D)", "Total params: 21,386", "1,640 steps of 16, 82 an epoch", "optimizer 0.2 MB"):
        assert word in text
    assert re.fullmatch(r"quickstart: 21,386 parameters, [\d.]+ MB, about .* on numpy\n", short)


def test_a_dry_run_refuses_what_the_training_would(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.toml").write_text("")
    for words, what in (
        (["--out", tmp_path / "run"], "holds a run already"),
        (["--resume", "--out", tmp_path / "run"], "expected --dry-run or --resume, got both"),
        (["--optimizer", "adamm"], "there is no optimizer 'adamm'"),
    ):
        assert what in said(capsys, "--dry-run", "--backend", "numpy", *words, code=2)[1]


def test_a_dry_run_downloads_nothing(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCRATCHNET_CACHE", str(tmp_path))
    monkeypatch.setenv("SCRATCHNET_MIRRORS", "http://localhost:9/")  # nobody answers
    words = ("mnist-mlp", "--dry-run", "--backend", "numpy")
    with sn.use_backend("numpy"):
        monkeypatch.setenv("SCRATCHNET_DATA", str(data_dir))
        there = json.loads(said(capsys, *words, "--json")[0])
        monkeypatch.delenv("SCRATCHNET_DATA")
        without, errors = said(capsys, *words, "--json")
        text = said(capsys, *words)[0]
    assert errors == ""
    assert not (tmp_path / "data").exists()
    found = json.loads(without)
    assert found["absent"] == {"dataset": "mnist", "mirrors": ["http://localhost:9/mnist/"]}
    assert "absent" not in there
    for key in ("sizes", "sample", "steps", "bytes", "parameters"):
        assert found[key] == there[key], key
    assert "mnist is not here: noise of the same size has been measured instead" in text
    assert "a training would download it from http://localhost:9/mnist/" in text


# Completion -----------------------------------------------------------------------------------------------------------

BASH = """
source "$1"
COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); COMPREPLY=()
$(complete -p scratchnet-train | sed 's/.*-F \\([^ ]*\\) .*/\\1/') scratchnet-train
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(PROGRAM is None or shutil.which("bash") is None, reason="needs bash and an installed scratchnet")
def test_bash_completes_recipes_commands_and_options(tmp_path):
    home = {**os.environ, "HOME": str(tmp_path), "PATH": f"{Path(str(PROGRAM)).parent}:{os.environ['PATH']}"}
    code = f"{shutil.which('bash')} -c 'scratchnet-train --install-completion; true'"  # it finds out its shell
    done = subprocess.run(code, shell=True, capture_output=True, text=True, env=home)
    script = tmp_path / ".bash_completions" / "scratchnet-train.sh"
    assert script.exists(), done.stderr
    assert str(script) in (tmp_path / ".bashrc").read_text()

    def completed(*words):
        command = ["bash", "--norc", "-c", BASH, "bash", str(script), "scratchnet-train", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=home)
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("fashion-c") == ["fashion-cnn-dropout", "fashion-cnn-same"]
    assert set(completed("")) >= {*recipes.names(), *COMMANDS}
    assert completed("mnist-mlp", "--dry") == ["--dry-run"]
    assert completed("show", "qui") == ["quickstart"]
    assert completed("data", "") == ["export", "verify"]
    assert "--dataset" in completed("data", "export", "--d")


@pytest.mark.parametrize(("shell", "shape"), [("zsh", r'"quickstart"'), ("fish", r"^quickstart")])
def test_other_shells_get_the_words_in_their_own_way(shell, shape):
    asked = {"_SCRATCHNET_TRAIN_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "scratchnet-train show qu",
             "_TYPER_COMPLETE_FISH_ACTION": "get-args"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "scratchnet"], capture_output=True, text=True, env={**os.environ, **asked}
    )
    assert done.returncode == 0, done.stderr
    assert re.search(shape, done.stdout)
    assert "fashion" not in done.stdout


def test_show_prints_json_too(capsys):
    assert json.loads(said(capsys, "show", "mnist-mlp", "--json")[0]) == recipes.load("mnist-mlp").as_dict()


def test_help_names_every_command(capsys):
    text = " ".join(said(capsys, "--help")[0].split())
    for name in COMMANDS:
        assert f"scratchnet-train {name} " in text
    assert "NO_COLOR" in text


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS), ["data", "export"], ["data", "verify"]])
def test_help_is_said_for_people(capsys, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    text = said(capsys, *words, "--help")[0]
    assert not re.search(r"[<>{}]", text)  # no types: <bool>, <list[Path]>, {RUN}
    assert max(map(len, text.splitlines())) <= 80
    paragraphs = [part.splitlines() for part in text.split("\n\n")]
    for first, second in ((a, b) for lines in paragraphs[1:2] for a, b in itertools.pairwise(lines)):
        assert len(first) + 1 + len(second.split()[0]) > 78  # a line ends where the next word has no room
    assert "..." not in text.partition("Commands:")[2]

"""Tables on terminals of every width: names and numbers are never broken, and nothing is cut."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from scratchnet import recipes
from scratchnet.cli import main
from scratchnet.commands.tables import Column, show


@pytest.fixture
def terminal(monkeypatch, capsys):
    """What is printed on a terminal of this width."""

    def printed(width, action):
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            patch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((width, 24)))
            action()
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= width
        return lines

    return printed


@pytest.mark.parametrize("width", [60, 80, 100, 130, 300])
def test_list_breaks_no_name(terminal, width):
    lines = terminal(width, lambda: main(["list"]))
    words = " ".join(lines).split()
    for name in recipes.names():
        assert name in words
        assert f"{recipes.load(name).content.expect.parameters:,}" in words
    assert "network" in words


COLUMNS = (Column("run"), Column("test accuracy", number=True), Column("images/s", number=True))
ROWS = (("fashion-dnn", "88.70% *", "400,000"), ("fashion-cnn-dropout", "9.58%  ", "3,000"))


def test_what_has_no_room_is_turned_and_then_listed(terminal):
    assert terminal(44, lambda: show(COLUMNS, ROWS)) == [
        "run                  test accuracy  images/s",
        "fashion-dnn               88.70% *   400,000",
        "fashion-cnn-dropout        9.58%       3,000",
    ]
    columns = (*COLUMNS, Column("steps", number=True))
    rows = [(*row, "1,500") for row in ROWS]
    assert terminal(50, lambda: show(columns, rows)) == [
        "run            fashion-dnn  fashion-cnn-dropout",
        "test accuracy     88.70% *              9.58%",
        "images/s           400,000                3,000",
        "steps                1,500                1,500",
    ]
    assert terminal(36, lambda: show(columns, rows[:1] * 2))[:4] == [
        "fashion-dnn",
        "  test accuracy  88.70% *",
        "  images/s       400,000",
        "  steps          1,500",
    ]


def test_long_text_is_wrapped_between_words(terminal):
    columns = (Column("recipe"), Column("network", wraps=True), Column("parameters", number=True))
    row = ("fashion-cnn-same", "conv 3x3 32, max-pool, conv 3x3 64, max-pool, dense 10", "356,234")
    lines = terminal(54, lambda: show(columns, [row]))
    assert lines[1].split() == ["fashion-cnn-same", "conv", "3x3", "32,", "max-pool,", "356,234"]
    assert len(lines) == 4
    assert "-pool" not in "".join(line.replace("max-pool", "") for line in lines)

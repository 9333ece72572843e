"""The reader of the user's own data: right on honest .npz files, one line of DataError on anything else."""

from __future__ import annotations

import struct
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import SLACK, mutants, peak, refused, survive

from scratchnet.datasets import load_npz
from scratchnet.errors import DataError


def npz(**changes) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    arrays = {
        "x_train": random.random((20, 6), np.float32),
        "y_train": random.integers(0, 3, 20),
        "x_test": random.random((5, 6), np.float32),
        "y_test": random.integers(0, 3, 5),
    }
    arrays.update(changes)
    return {key: array for key, array in arrays.items() if array is not None}


def saved(path: Path, save=np.savez, **changes) -> Path:
    save(path, **npz(**changes))
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", ["u1", "i2", ">i4", "f2", ">f4", "f8", "?"])
def test_npz_round_trip(tmp_path, save, kind):
    x = np.random.default_rng(0).integers(0, 2, (20, 4, 3)).astype(kind)
    column = np.arange(5)[:, None]
    path = saved(tmp_path / "d.npz", save, x_train=np.asfortranarray(x), x_test=x[:5], y_test=column)
    (x_train, _), (x_test, y_test) = load_npz(path)
    assert (x_train == x).all()
    assert (x_test == x[:5]).all()
    assert x_train.dtype == (np.uint8 if kind == "?" else np.dtype(kind).newbyteorder("="))
    assert x_train.flags.c_contiguous
    assert x_train.flags.writeable
    assert y_test.shape == (5,)


def test_npz_one_hot(tmp_path):
    path = saved(tmp_path / "d.npz", y_train=np.eye(3)[[0, 1] * 10], y_test=np.eye(3)[[2] * 5])
    (_, y_train), (_, y_test) = load_npz(path)
    assert y_train.shape == (20, 3)
    assert (y_test.argmax(1) == 2).all()


HOLE = np.zeros((20, 6))
HOLE[13, 2] = np.nan


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"y_test": None}, "expected x_train, y_train, x_test, y_test; y_test missing, it has x_train"),
        ({"y_test": np.zeros(4, int)}, "expected as many labels as samples"),
        ({"x_test": np.zeros((5, 7))}, "x_train has rows of shape (6,), x_test of shape (7,)"),
        ({"x_train": np.zeros((0, 6)), "y_train": np.zeros(0, int)}, "n > 0"),
        ({"x_train": np.zeros(20)}, "expected samples of shape (n, ...)"),
        ({"x_train": np.zeros(())}, "expected samples of shape (n, ...)"),
        ({"x_train": HOLE}, "x_train: expected finite numbers, row 13 has NaN or Inf"),
        ({"x_train": np.array([["a"] * 6] * 20)}, "x_train: expected an array of numbers"),
        ({"x_train": np.array([[{}] * 6] * 20)}, "x_train: expected an array of numbers"),
        ({"x_train": np.zeros((20, 6), complex)}, "x_train: expected an array of numbers"),
        ({"y_train": np.zeros(20)}, "y_train: expected integers or one-hot rows, got float64"),
        ({"y_train": np.full(20, -1)}, "expected class numbers from 0 to 2^31 - 1, got -1 in row 0"),
        ({"y_train": np.full(20, 2**40)}, "got 1099511627776 in row 0"),
        ({"y_train": np.ones((20, 3))}, "expected one-hot rows (a single 1), row 0 is not"),
        ({"y_train": np.zeros((20, 3, 1), int)}, "expected class numbers (n,) or one-hot rows"),
        ({"y_train": np.eye(4)[[0] * 20], "y_test": np.eye(3)[[0] * 5]}, "y_train has rows of shape (4,)"),
    ],
)
def test_npz_refusals(tmp_path, changes, says):
    assert says in refused(saved(tmp_path / "d.npz", **changes), load_npz)


def crafted(path: Path, header: bytes, body: bytes = b"", method: int = zipfile.ZIP_STORED) -> Path:
    """An npz whose x_train has this .npy header."""
    saved(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["x_train.npy"] = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + body
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


NOT_NUMBERS = "expected an array of numbers"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }", "4,398,046,511,104 bytes"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (20, 6), }", "takes 480 bytes, 0 are there"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 6), }", NOT_NUMBERS),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1" * 5000 + b",), }", NOT_NUMBERS),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1, " * 2000 + b"), }", "at most 32 axes"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (2 0, 6), }", NOT_NUMBERS),
        (b"{'descr': '<f4', 'fortran_order': False 'shape': (20, 6), }", NOT_NUMBERS),
        (b"{" + b" " * 9900 + b"'descr'", NOT_NUMBERS),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", NOT_NUMBERS),
        (b"{'descr': '<b2', 'fortran_order': False, 'shape': (0,), }", NOT_NUMBERS),
        (b"{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", NOT_NUMBERS),
        (b"__import__('os').system('true')", NOT_NUMBERS),
        (b"(" * 9000, NOT_NUMBERS),
        (b"{'descr': '''", NOT_NUMBERS),
        (b" " * 20_000, "expected a header of at most 10,000 bytes, got 20,000"),
    ],
)
def test_npz_crafted_headers(tmp_path, header, says):
    assert says in refused(crafted(tmp_path / "d.npz", header), load_npz)


def test_npz_foreign_files(tmp_path):
    path = tmp_path / "d.npz"
    for content, says in [
        (b"", "is empty"),
        (b"rubbish" * 99, "not a .npz file"),
        (bytes(999), "not a .npz file"),
    ]:
        path.write_bytes(content)
        assert says in refused(path, load_npz)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for key in npz():
            archive.writestr(f"{key}.npy", b"x" * 1000)
    assert "stored or deflated" in refused(path, load_npz)
    assert "is a folder" in refused(tmp_path, load_npz)
    assert "no such file" in refused(tmp_path / "missing", load_npz)


def test_npz_bombs_cost_nothing(tmp_path):
    path = tmp_path / "d.npz"
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 9), }"
    crafted(path, header, bytes(200_000_000), zipfile.ZIP_DEFLATED)
    assert peak(lambda: load_npz(path)) < SLACK
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(40_000):
            archive.writestr(f"{i:032}", b"")
    assert peak(lambda: load_npz(path)) < SLACK
    assert "table of contents" in refused(path, load_npz)
    data = bytearray(saved(path).read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 20 : at + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)  # x_train claims 4 GB, stored
    path.write_bytes(data)
    assert peak(lambda: load_npz(path)) < SLACK
    assert "the file has" in refused(path, load_npz)


def test_npz_reading_runs_nothing(tmp_path):
    """Python's audit hooks see no code compiled, run or imported, no file opened but the one asked for."""
    hostile = [
        crafted(tmp_path / "a.npz", b"{'descr': '<f4', 'fortran_order': False, 'shape': (exit(),)}"),
        saved(tmp_path / "b.npz", x_train=np.array([[{}] * 6] * 20)),
        saved(tmp_path / "c.npz"),
    ]
    with zipfile.ZipFile(hostile[2], "a") as archive:
        archive.writestr("../../escape", b"x")
        archive.writestr("/tmp/escape.npy", b"x")
    events: list[tuple[str, object]] = []
    watching = [True]
    sys.addaudithook(lambda event, args: events.append((event, args[:1])) if watching[0] else None)
    for path in hostile:
        try:
            load_npz(path)
        except DataError:
            assert path is not hostile[2]
    watching[0] = False
    bad = {
        "exec",
        "compile",
        "import",
        "subprocess.Popen",
        "os.system",
        "socket.connect",
        "pickle.find_class",
    }
    assert [event for event, _ in events if event in bad] == []
    assert {args[0] for event, args in events if event == "open"} == set(map(str, hostile))


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_npz_mutants(tmp_path):
    seeds = [saved(tmp_path / "a.npz", save).read_bytes() for save in (np.savez, np.savez_compressed)]
    wanted = npz()
    for content in mutants(seeds, 3000, 5):
        result = survive(tmp_path / "m.npz", content, load_npz)
        if result is not None:  # the checksums in the zip saw to it
            (x_train, y_train), (x_test, y_test) = result
            for key, array in zip(wanted, (x_train, y_train, x_test, y_test), strict=True):
                assert (array == wanted[key]).all()
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (20, 6), }"
    body = wanted["x_train"].tobytes()
    path = tmp_path / "n.npz"
    for content in mutants([header], 500, 6):
        crafted(path, content, body)
        result = survive(path, path.read_bytes(), load_npz)
        if result is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert (np.load(path)["x_train"] == result[0][0]).all()

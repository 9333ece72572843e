"""The IDX reader: right on honest files, one line of DataError on anything else."""

from __future__ import annotations

import gzip
import os
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hostile import SLACK, mutants, peak, refused, survive
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from servers import CODES, idx_bytes, real_data

from scratchnet.datasets import read_idx
from scratchnet.errors import DataError

SHAPES = hnp.array_shapes(max_dims=5, min_side=0)


@given(st.sampled_from(list(CODES)).flatmap(lambda kind: hnp.arrays(kind, SHAPES)))
@settings(max_examples=150, deadline=None)
def test_idx_round_trip(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("idx") / "a"
    for pack in (bytes, gzip.compress):
        path.write_bytes(pack(idx_bytes(array)))
        back = read_idx(path)
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert back.tobytes() == array.tobytes()
        assert back.flags.c_contiguous
        assert back.flags.writeable


def test_idx_real_file():
    labels = read_idx(real_data() / "fashion-mnist" / "train-labels-idx1-ubyte.gz")
    assert labels.shape == (60000,)
    assert [*labels[:3], *labels[-3:]] == [9, 0, 0, 3, 0, 5]


GOOD = idx_bytes(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
HUGE = struct.pack(">BBBB3I", 0, 0, 8, 3, 1 << 20, 1 << 10, 1 << 10)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\0", "not an IDX file"),
        (b"PK\3\4" + GOOD, "not an IDX file: expected 00 00"),
        (b"\0\0\7\1" + GOOD[4:], "not an IDX file"),
        (b"\0\0\10\0\1", "expected 1 to 64 dimensions in the IDX header, got 0"),
        (b"\0\0\10\377" + bytes(2000), "expected 1 to 64 dimensions in the IDX header, got 255"),
        (GOOD[:9], "truncated: expected 16 bytes of header, got 9"),
        (GOOD[:-1], "promises 60 bytes (uint8 (3, 4, 5)), the file holds 59"),
        (GOOD + b"\0", "promises 60 bytes (uint8 (3, 4, 5)), the file holds 61"),
        (HUGE, "promises 1,099,511,627,776 bytes"),
        (gzip.compress(HUGE, mtime=0), "promises 1,099,511,627,776 bytes"),
        (gzip.compress(GOOD[:-1], mtime=0), "truncated: expected 60 bytes (uint8 (3, 4, 5)), got 59"),
        (gzip.compress(GOOD + b"\0", mtime=0), "more bytes follow"),
        (gzip.compress(GOOD, mtime=0) + b"\0", "expected its end after the gzip data"),
        (gzip.compress(GOOD, mtime=0) * 2, "expected its end after the gzip data"),
        (gzip.compress(GOOD, mtime=0)[:-1], "truncated: the gzip data stop"),
        (gzip.compress(GOOD, mtime=0)[:15], "truncated: the gzip data stop"),
        (gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "damaged gzip data"),
        (gzip.compress(b"", mtime=0), "not an IDX file: expected 00 00"),
        (b"\x1f\x8b" + bytes(50), "damaged gzip data"),
        (b"\0\0\10\100" + bytes(4) + b"\377" * 252, "NumPy cannot hold"),
    ],
)
def test_idx_refusals(tmp_path, content, says):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert says in refused(path, read_idx)


def test_idx_things_that_are_no_files(tmp_path):
    assert "is a folder" in refused(tmp_path, read_idx)
    assert "no such file" in refused(tmp_path / "missing", read_idx)
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    refused(tmp_path / "loop", read_idx)
    for nonsense in (3, None, "a\0b", 2.5):
        with pytest.raises(DataError, match="expected the path of a file"):
            read_idx(nonsense)


@pytest.mark.skipif(os.name != "posix", reason="needs named pipes")
def test_idx_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in refused(tmp_path / "pipe", read_idx)


def test_idx_unreadable_and_odd_names(tmp_path):
    path = tmp_path / "two\nlines\udcff"
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


def test_idx_bombs_cost_nothing(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(GOOD + bytes(200_000_000), 6))  # 60 bytes promised, 200 MB there
    assert peak(lambda: read_idx(path)) < SLACK
    empty = gzip.compress(b"", mtime=0)
    path.write_bytes(gzip.compress(GOOD, mtime=0) + empty * 500_000)  # half a million empty streams behind it
    start = time.perf_counter()
    assert peak(lambda: read_idx(path)) < SLACK
    path.write_bytes(b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 30_000_000)  # a file name of 30 MB
    assert peak(lambda: read_idx(path)) < SLACK
    assert time.perf_counter() - start < 5
    noise = np.random.default_rng(0).bytes(300_000)
    header = struct.pack(">BBBB1I", 0, 0, 8, 1, 300_000_000)  # zeros would fit into 300 kB
    path.write_bytes(gzip.compress(header + noise))
    assert peak(lambda: read_idx(path)) < SLACK


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not say how much memory there is")
def test_idx_larger_than_memory(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 59}.get)
    assert "would take 60 bytes of memory, this machine has 59" in refused(path, read_idx)


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_idx_mutants(tmp_path):
    random = np.random.default_rng(7)
    shapes = [(9, 4, 5), (50,), (3, 7), (2, 2, 2, 2), (6, 6), (4, 1)]
    arrays = [random.integers(0, 100, s).astype(kind) for kind, s in zip(CODES, shapes, strict=True)]
    plain = [idx_bytes(array) for array in arrays]
    accepted = 0
    for content in mutants(plain, 3000, 1):
        for pack in (bytes, gzip.compress):
            array = survive(tmp_path / "m", pack(content), read_idx)
            if array is not None:  # then it is exactly what the file says
                accepted += 1
                assert idx_bytes(array) == content
    for content in mutants([gzip.compress(data) for data in plain] + plain, 3000, 2):
        array = survive(tmp_path / "m", content, read_idx)
        if array is not None and content[:2] == b"\x1f\x8b":
            assert idx_bytes(array) in plain  # gzip's own checksum saw to that
    assert 100 < accepted < 5000

"""Data sets: the right arrays from every source, a refusal when a source is wrong, nothing half-written."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from servers import DataServer, idx_bytes, real_data, tiny_dataset

from scratchnet.datasets import digits, fashion_mnist, mnist
from scratchnet.datasets import download as download_module
from scratchnet.datasets.catalog import DATASETS
from scratchnet.datasets.sources import load
from scratchnet.errors import ConfigError, DataError

FILE = "train-images-idx3-ubyte"
TESTS = Path(__file__).resolve().parent
LOAD_TINY = """
import sys, pathlib
from servers import tiny_dataset
from scratchnet.datasets.sources import load
dataset = tiny_dataset(pathlib.Path(sys.argv[1]))
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no folder of the user's."""
    monkeypatch.delenv("SCRATCHNET_DATA", raising=False)
    monkeypatch.setenv("SCRATCHNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "data"


@pytest.fixture
def tiny(tmp_path):
    return tiny_dataset(tmp_path / "origin")


@pytest.fixture
def server(tmp_path, cache, monkeypatch):
    with DataServer(tmp_path / "origin") as running:
        monkeypatch.setenv("SCRATCHNET_MIRRORS", running.base("good"))
        yield running


def is_tiny(loaded) -> bool:
    (x_train, y_train), (x_test, y_test) = loaded
    (a, b), (c, d) = digits.load_data()
    return all(map(np.array_equal, (x_train, y_train, x_test, y_test), (a, b, c, d)))


def refusal(call, kind=DataError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_real_fashion_mnist():
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data(real_data())
    assert (x_train.shape, y_train.shape) == ((60000, 28, 28), (60000,))
    assert (x_test.shape, y_test.shape) == ((10000, 28, 28), (10000,))
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert x_train.mean() == 72.94035223214286
    assert [*y_train[:3], *y_train[-3:]] == [9, 0, 0, 3, 0, 5]
    assert fashion_mnist.CLASS_NAMES[9] == "Ankle boot"
    assert x_train.max() * fashion_mnist.scale == 1


def test_real_mnist_from_the_environment(cache, monkeypatch):
    monkeypatch.setenv("SCRATCHNET_DATA", str(real_data()))
    (x_train, y_train), _ = mnist.load_data()
    assert x_train.mean() == 33.318421449829934
    assert (np.bincount(y_train, minlength=10) > 5000).all()
    assert not cache.exists()


@pytest.mark.parametrize("name", [FILE, f"{FILE}.gz", "train-images.idx3-ubyte", "train-images.idx3-ubyte.gz"])
def test_every_spelling(tmp_path, tiny, cache, name):
    folder = tmp_path / "origin" / "tiny"
    content = gzip.decompress((folder / f"{FILE}.gz").read_bytes())
    (folder / f"{FILE}.gz").unlink()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert is_tiny(load(tiny, tmp_path / "origin"))
    assert is_tiny(load(tiny, str(folder)))  # the data set's own folder will do too


def test_order_of_sources(tmp_path, tiny, server, cache, monkeypatch):
    assert is_tiny(load(tiny, tmp_path / "nothing here"))  # downloaded
    assert sum(server.asked.values()) == 4
    monkeypatch.setenv("SCRATCHNET_MIRRORS", server.base("forbidden"))
    assert is_tiny(load(tiny))  # from the cache
    assert sum(server.asked.values()) == 4
    for file in cache.glob("tiny/*.gz"):
        file.write_bytes(b"rubbish")
    assert is_tiny(load(tiny, tmp_path / "origin"))  # the user's folder comes first
    monkeypatch.setenv("SCRATCHNET_DATA", str(tmp_path / "origin"))
    assert is_tiny(load(tiny))


def test_user_folder_with_wrong_content_is_an_error(tmp_path, tiny, server):
    path = tmp_path / "mine" / "tiny" / FILE
    path.parent.mkdir(parents=True)
    wrong = digits.load_data()[0][0].copy()
    wrong[0, 0, 0] ^= 1
    path.write_bytes(idx_bytes(wrong))
    message = refusal(lambda: load(tiny, tmp_path / "mine"))
    assert message.startswith(str(path))
    assert f"expected SHA-256 {tiny.files[0].sha256}" in message
    assert hashlib.sha256(path.read_bytes()).hexdigest() in message
    path.write_bytes(idx_bytes(wrong[:10]))
    message = refusal(lambda: load(tiny, tmp_path / "mine"))
    assert "expected uint8 (1438, 8, 8), the IDX header says uint8 (10, 8, 8)" in message
    assert not server.asked


def test_mnist_in_the_folder_of_fashion_mnist(tmp_path, cache):
    (tmp_path / "fashion-mnist").symlink_to(real_data() / "mnist")
    message = refusal(lambda: fashion_mnist.load_data(tmp_path))
    assert "not fashion-mnist's train-images-idx3-ubyte: it is mnist's train-images-idx3-ubyte" in message
    assert all(dataset.files[0].sha256 in message for dataset in DATASETS)


def test_mnist_served_as_fashion_mnist(cache, monkeypatch):
    with DataServer(real_data()) as server:
        monkeypatch.setenv("SCRATCHNET_MIRRORS", f"{server.base('swapped')} {server.base('good')}/")
        (x_train, _), _ = fashion_mnist.load_data()
        assert x_train.mean() == 72.94035223214286
        assert sum(path.startswith("swapped") for path in server.asked) == 1  # not asked again
        monkeypatch.setenv("SCRATCHNET_CACHE", str(cache / "another"))
        monkeypatch.setenv("SCRATCHNET_MIRRORS", server.base("swapped"))
        assert "it is mnist's train-images-idx3-ubyte" in refusal(fashion_mnist.load_data)


BAD_MIRRORS = {
    "forbidden": "HTTP 403 Forbidden",
    "rubbish": "not an IDX file: expected 00 00",
    "truncated": "the connection broke after",
    "cut": "truncated: the gzip data stop before their end",
    "stalling": "no answer within 0.6 s, after 100 bytes",
    "dripping": "stalled at",
    "endless": "expected at most",
    "announcing": "the server announces 1,099,511,627,776",
    "bomb": "more bytes follow",
    "elsewhere": "redirects to http://mirror.invalid/file.gz, which is not https://",
}


def test_bad_mirrors_are_named_and_passed_over(tmp_path, tiny, server, cache, monkeypatch):
    monkeypatch.setattr(download_module, "TIMEOUT", 0.6)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        mirrors = [server.base(manner) for manner in BAD_MIRRORS] + [nobody]
        monkeypatch.setenv("SCRATCHNET_MIRRORS", ",".join(mirrors))
        message = refusal(lambda: load(tiny, tmp_path / "mine"))
        for manner, says in BAD_MIRRORS.items():
            reason = message.split(f"{server.base(manner)}/tiny/{FILE}.gz (")[1].split("; http")[0]
            assert says in reason
        assert "Connection refused" in message.split(nobody)[1]
        places = [tmp_path / "mine" / "tiny", cache / "tiny"]
        assert "tried " + "".join(f"{place} (no such file); " for place in places) + "http" in message
        assert "then give data_dir=DIR (--data-dir DIR) or set SCRATCHNET_DATA=DIR" in message
        assert {path.name for path in cache.glob("tiny/*")} == {".lock"}  # nothing doubtful is ever kept
        server.asked.clear()
        monkeypatch.setenv("SCRATCHNET_MIRRORS", " ".join([*mirrors, server.base("good")]))
        assert is_tiny(load(tiny))
    assert len(server.asked) == len(BAD_MIRRORS) + 4  # each bad one once: then the good one comes first


def test_a_mirror_that_serves_the_plain_file(tiny, server, monkeypatch):
    monkeypatch.setenv("SCRATCHNET_MIRRORS", server.base("plain"))
    assert is_tiny(load(tiny))
    assert is_tiny(load(tiny))
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "url", ["http://example.org/data", "ftp://localhost/", "file:///etc", "rubbish", "http://[::1"]
)
def test_mirrors_must_be_https(tiny, cache, monkeypatch, url):
    monkeypatch.setenv("SCRATCHNET_MIRRORS", url)
    assert f"expected https:// URLs, got {url}" in refusal(lambda: load(tiny), ConfigError)


def test_own_mirrors_are_https():
    for dataset in DATASETS:
        assert len(dataset.mirrors) >= 2
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in dataset.mirrors)


def test_data_dir_that_is_no_path(tiny, cache):
    assert "expected a folder's path, got 3" in refusal(lambda: load(tiny, 3), ConfigError)


def test_damaged_cache_is_replaced(tiny, server, cache):
    load(tiny)
    damaged = cache / "tiny" / f"{FILE}.gz"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.warns(RuntimeWarning, match="damaged file of the cache"):
        assert is_tiny(load(tiny))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_tiny(load(tiny))
    assert sum(server.asked.values()) == 5


def test_cache_that_cannot_be_written(tmp_path, tiny, server, monkeypatch):
    (tmp_path / "occupied").write_text("a file where the folder should be")
    monkeypatch.setenv("SCRATCHNET_CACHE", str(tmp_path / "occupied"))
    with pytest.warns(RuntimeWarning, match="cannot be kept for the next time"):
        assert is_tiny(load(tiny))


def test_progress_is_one_line_where_there_is_no_terminal(tiny, server, capsys):
    load(tiny)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines == [f"Downloading {server.base('good')}/tiny/{file.name}.gz" for file in tiny.files]


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True)


def test_eight_processes_at_once_download_once(cache, monkeypatch):
    with DataServer(real_data()) as server:
        monkeypatch.setenv("SCRATCHNET_MIRRORS", server.base("good"))
        code = "from scratchnet.datasets import fashion_mnist as f; print(f.load_data()[0][0].mean())"
        running = [start(code) for _ in range(8)]
        results = [process.communicate(timeout=60) for process in running]
    assert [out for out, _ in results] == ["72.94035223214286\n"] * 8, results
    assert set(server.asked.values()) == {1}
    assert len(server.asked) == 4
    assert sum("Downloading" in err for _, err in results) >= 1
    assert sorted(p.name for p in (cache / "fashion-mnist").iterdir() if p.name != ".lock") == sorted(
        f"{file.name}.gz" for file in DATASETS[1].files
    )


def test_threads_download_once(tiny, server):
    results = []
    threads = [threading.Thread(target=lambda: results.append(is_tiny(load(tiny)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 6
    assert sum(server.asked.values()) == 4


def test_killed_in_the_middle_of_a_download(tmp_path, tiny, server, cache, monkeypatch):
    monkeypatch.setenv("SCRATCHNET_MIRRORS", server.base("half"))
    child = start(LOAD_TINY + "load(dataset)", tmp_path / "origin")
    assert server.halfway.wait(20)
    waiting = start(LOAD_TINY + "load(dataset)", tmp_path / "origin")  # held by the lock of the first
    assert "Waiting for another process" in waiting.stderr.readline()
    child.kill()
    assert child.wait() == -signal.SIGKILL
    child.communicate()
    assert not list(cache.glob("tiny/*.gz"))
    server.hold.set()
    _, err = waiting.communicate(timeout=20)
    assert waiting.returncode == 0, err
    assert server.asked[f"half/tiny/{FILE}.gz"] == 2
    assert is_tiny(load(tiny))
    assert sum(server.asked.values()) == 5


@pytest.mark.parametrize("moment", ["replace", "fsync"])
def test_killed_while_writing(tmp_path, tiny, server, cache, moment):
    """SIGKILL between write and fsync, or fsync and rename: what lies there is never taken for finished."""
    die = f"import os, signal; os.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    child = start(LOAD_TINY + die + "load(dataset)", tmp_path / "origin")
    child.communicate(timeout=20)
    assert child.returncode == -signal.SIGKILL
    assert not list(cache.glob("tiny/*.gz"))
    assert len(list(cache.glob("tiny/*.part"))) == 1
    assert is_tiny(load(tiny))
    assert sum(server.asked.values()) == 5
    assert not list(cache.glob("tiny/*.part"))


def test_disk_errors_while_keeping_a_download(tiny, server, cache, monkeypatch):
    """fsync and rename fail: the data are there all the same, and the cache has no half file."""

    def full(*_):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.warns(RuntimeWarning, match="No space left on device"):
                loaded = load(tiny)
        assert is_tiny(loaded)
        assert {path.name for path in cache.glob("tiny/*")} == {".lock"}
    assert is_tiny(load(tiny))


def test_import_is_light():
    code = "import sys, scratchnet.datasets; print([m for m in sys.argv[1:] if m in sys.modules])"
    out, err = start(code, "sklearn", "scipy", "pooch", "ssl", "numba", "http").communicate(timeout=20)
    assert out == "[]\n", err


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_progress_is_a_counter_on_a_terminal(tiny, server, monkeypatch):
    import pty

    reader, writer = pty.openpty()
    with open(writer, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        load(tiny)
        terminal.flush()
        drawn = os.read(reader, 10_000).decode()
    os.close(reader)
    assert drawn.count("\r\n") == 4
    assert f"\rDownloading {server.base('good')}/tiny/{FILE}.gz  0.0 MB" in drawn

"""A real HTTP server that behaves well or badly, IDX files for it to serve, and where the real data are."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from scratchnet.datasets import digits
from scratchnet.datasets.catalog import Dataset, IdxFile

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """``array`` as an IDX file."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.str[1:]], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


NAMED = os.environ.get("SCRATCHNET_DATA")  # read at once: some tests take it out of the environment


def real_data() -> Path:
    """The folder with the real MNIST and Fashion-MNIST; skips the test if there is none."""
    folder = Path(NAMED) if NAMED else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "fashion-mnist").is_dir():
        pytest.skip(f"no real data: set SCRATCHNET_DATA (looked into {folder})")
    return folder.resolve()


def tiny_dataset(root: Path) -> Dataset:
    """The digits of scikit-learn as four gzip-compressed IDX files below ``root/tiny``."""
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    arrays = {
        "train-images-idx3-ubyte": x_train,
        "train-labels-idx1-ubyte": y_train,
        "t10k-images-idx3-ubyte": x_test,
        "t10k-labels-idx1-ubyte": y_test,
    }
    folder = root / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, array in arrays.items():
        content = idx_bytes(array)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        files.append(IdxFile(name, array.shape, hashlib.sha256(content).hexdigest()))
    return Dataset("tiny", tuple(files), digits.CLASS_NAMES, ("https://mirror.invalid/tiny/",))


class DataServer(ThreadingHTTPServer):
    """Serves ``root`` on localhost; a URL's first part says how: ``/good/tiny/t10k-labels-idx1-ubyte.gz``."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.asked: Counter[str] = Counter()
        self.hold = threading.Event()  # "half" sends the second half only once this is set
        self.halfway = threading.Event()

    def base(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{manner}"

    def __enter__(self) -> DataServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: DataServer

    def log_message(self, *_: object) -> None:
        """Keeps the tests' output clean."""

    def do_GET(self) -> None:
        _, manner, *rest = self.path.split("/")
        self.server.asked["/".join([manner, *rest])] += 1
        path = self.server.root.joinpath(*rest)
        if manner == "forbidden" or not (path.is_file() or manner == "swapped"):
            self.send_error(403 if manner == "forbidden" else 404)
            return
        with contextlib.suppress(ConnectionError):  # the client hung up, as some tests want it to
            getattr(self, manner)(path)

    def _send(self, content: bytes, announced: int | None) -> None:
        self.send_response(200)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def good(self, path: Path) -> None:
        content = path.read_bytes()
        self._send(content, len(content))

    def rubbish(self, path: Path) -> None:
        page = b"<html>Please log in to the wireless network</html>"
        self._send(page, len(page))

    def truncated(self, path: Path) -> None:
        content = path.read_bytes()
        self._send(content[: len(content) // 2], len(content))

    def cut(self, path: Path) -> None:
        """Half of it, with no length announced: only the content shows that something is missing."""
        content = path.read_bytes()
        self._send(content[: len(content) // 2], None)

    def stalling(self, path: Path) -> None:
        content = path.read_bytes()
        self._send(content[:100], len(content))
        self.server.hold.wait(20)

    def dripping(self, path: Path) -> None:
        """A byte every now and then, for ever: no single read takes long."""
        self._send(b"", 1000)
        while not self.server.hold.is_set():
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.02)

    def endless(self, path: Path) -> None:
        self._send(b"", None)
        while not self.server.hold.is_set():
            self.wfile.write(bytes(1 << 16))

    def announcing(self, path: Path) -> None:
        self._send(b"", 1 << 40)

    def bomb(self, path: Path) -> None:
        """A small gzip stream that inflates to a hundred times the honest file."""
        content = gzip.compress(gzip.decompress(path.read_bytes())[:16] + bytes(10_000_000), 1)
        self._send(content, len(content))

    def swapped(self, path: Path) -> None:
        """MNIST under Fashion-MNIST's address."""
        content = (self.server.root / "mnist" / path.name).read_bytes()
        self._send(content, len(content))

    def elsewhere(self, path: Path) -> None:
        self.send_response(302)
        self.send_header("Location", "http://mirror.invalid/file.gz")
        self.end_headers()

    def plain(self, path: Path) -> None:
        content = gzip.decompress(path.read_bytes())
        self._send(content, len(content))

    def half(self, path: Path) -> None:
        content = path.read_bytes()
        self._send(content[: len(content) // 2], len(content))
        self.server.halfway.set()
        self.server.hold.wait(20)
        self.wfile.write(content[len(content) // 2 :])

"""Hostile files, and what every reader must do with them: refuse in one line, in little time and memory."""

from __future__ import annotations

import itertools
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet.errors import DataError

SLACK = 4 << 20  # bytes: the pieces in which files are read, and Python's own


def refused(path: Path, reader: Callable[[Path], Any]) -> str:
    """The message with which ``reader`` refuses ``path``: one line that names it."""
    with pytest.raises(DataError) as caught:
        reader(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def peak(call: Callable[[], Any]) -> int:
    """The most memory in bytes that ``call`` takes; it must refuse."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def mutants(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Bit flips, truncations, insertions, deletions, splices and overwritten numbers of ``seeds``."""
    random = np.random.default_rng(seed)
    values = (0, 1, 255, 1 << 20, 2**31, 2**32 - 1)
    numbers = [struct.pack(form, value) for form, value in itertools.product((">I", "<I"), values)]
    for i in range(count):
        data = bytearray(seeds[i % len(seeds)])
        for _ in range(random.integers(1, 4)):
            front = random.random() < 0.5  # headers are where it hurts
            at = int(random.integers(0, max(1, min(len(data), 40) if front else len(data))))
            match random.integers(6):
                case 0:
                    if data:
                        data[at % len(data)] ^= 1 << int(random.integers(8))
                case 1:
                    del data[at:]
                case 2:
                    data[at:at] = random.bytes(int(random.integers(1, 9)))
                case 3:
                    del data[at : at + int(random.integers(1, 9))]
                case 4:
                    other = seeds[int(random.integers(len(seeds)))]
                    data[at:] = other[int(random.integers(len(other) + 1)) :]
                case 5:
                    data[at : at + 4] = numbers[int(random.integers(len(numbers)))]
        yield bytes(data)


def survive(path: Path, content: bytes, reader: Callable[[Path], Any]) -> Any:
    """Read ``content`` (a few kB) within 5 s and SLACK bytes; None where it is refused in one line."""
    path.write_bytes(content)
    tracemalloc.reset_peak()
    before, start = tracemalloc.get_traced_memory()[0], time.perf_counter()
    result, message = None, str(path)
    try:
        result = reader(path)
    except DataError as error:
        message = str(error)
    assert time.perf_counter() - start < 5
    assert tracemalloc.get_traced_memory()[1] - before < SLACK
    assert message.startswith(str(path))
    assert "\n" not in message
    return result

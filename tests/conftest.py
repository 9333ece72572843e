"""Fixtures for all tests: both CPU backends, the real data, fixed seeds. ``auto`` is numba even with a GPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import real_data

import scratchnet as sn

# For the programs that tests start, too. test_gpu.py names cupy, and what is about the choice itself unsets this.
os.environ.setdefault("SCRATCHNET_BACKEND", "numba")


@pytest.fixture(params=["numpy", "numba"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs on each backend of the CPU."""
    with sn.use_backend(request.param):
        yield request.param


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the real MNIST and Fashion-MNIST."""
    return real_data()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts from the same random numbers, alone or among others."""
    sn.utils.set_random_seed(1234)


@pytest.fixture(autouse=True)
def all_threads() -> Iterator[None]:
    """Every test starts with all threads: a page of the docs that shows `set_threads` left one to those behind it."""
    yield
    if numba := sys.modules.get("numba"):
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)

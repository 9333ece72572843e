"""Our door to cuBLASLt: what it is asked for, against a stand-in on the CPU; the real library where it is installed."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulation import build
from emulation.device import backend
from scratchnet.kernels import registry
from test_benchmarks_gpu import SMALL, small_batches

from benchmarks.gpu import cublaslt, measuring, products
from benchmarks.gpu.adapters import make
from benchmarks.networks import initial_weights
from scratchnet.errors import BackendError

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The stand-in, built."""
    path = tmp_path_factory.mktemp("cublaslt") / "libcublasLt.so"
    source = Path(build.__file__).with_name("cublaslt.cpp")
    command = [build.compiler() or "g++", "-std=c++17", "-O1", "-Wall", "-Werror", "-fPIC", "-shared", str(source)]
    subprocess.run([*command, "-o", str(path)], check=True)
    return ctypes.CDLL(str(path))


@pytest.fixture
def gpu() -> Iterator[Any]:
    with backend() as driver:
        yield driver


def opened(library: ctypes.CDLL, gpu: Any) -> cublaslt.CublasLt:
    return cublaslt.CublasLt(library, gpu.xp.empty(cublaslt.WORKSPACE, np.uint8), lambda: 0)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_it_is_asked_for_our_product(
    transposed: tuple[bool, bool], biased: bool, relu: bool, library: ctypes.CDLL, gpu: Any
) -> None:
    rng, (m, n, k) = np.random.default_rng(0), (5, 3, 7)
    a, b, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n), n))
    wanted = a.astype(np.float64) @ b + (bias if biased else 0)
    stored = [np.ascontiguousarray(x.T if turned else x) for x, turned in zip((a, b), transposed, strict=True)]
    c = gpu.xp.full((m, n), np.nan, np.float32)
    product = cublaslt.Product("", m, n, k, *transposed)
    arrays = *map(gpu.xp.asarray, stored), c, gpu.xp.asarray(bias) if biased else None
    (way,) = opened(library, gpu).ways(product, "tf32", *arrays, relu)
    way()
    np.testing.assert_allclose(c.get(), np.maximum(wanted, 0) if relu else wanted, rtol=1e-6, atol=1e-6)


def test_what_it_refuses_is_one_line(library: ctypes.CDLL, gpu: Any) -> None:
    lt = opened(library, gpu)
    with pytest.raises(BackendError, match=r"^cublasLtMatmulDescCreate failed: cuBLAS status 7$"):
        lt._made("cublasLtMatmulDescCreate", ctypes.c_int(1), ctypes.c_int(0))


def test_products_of_a_step_have_the_sizes_of_its_arrays(
    library: ctypes.CDLL, gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "CALLS", 2)
    monkeypatch.setattr(products, "load", lambda: library)
    monkeypatch.setattr(gpu.xp, "cuda", _Streams, raising=False)
    monkeypatch.setattr(measuring, "Stopwatch", _Clock)
    adapter = make("scratchnet", "", 1, "cpu", "float32")
    adapter.build(SMALL, initial_weights(SMALL))
    adapter.load(*small_batches(1))
    found = measuring.products(adapter)["products"]
    assert [one["op"] for one in found] == ["conv2d_forward", "dense_forward", "dense_backward", "conv2d_backward"]
    pixels, weights = 16 * 8 * 8, 4 * 4 * 4 * 10
    assert [one["flops"] for one in found] == [2 * pixels * 9 * 4, 2 * 16 * weights, 4 * 16 * weights, 2 * pixels * 36]
    assert all(one["seconds"] > 0 and one["cublaslt"] > 0 and one["tried"] for one in found)


class _Streams:
    """What is used of ``cupy.cuda`` besides the driver."""

    class get_current_stream:  # noqa: N801
        ptr = 0


class _Clock:
    """A stopwatch that needs no device."""

    def start(self) -> None:
        pass

    def seconds(self) -> float:
        return 0.01


def test_products_are_the_ops_arithmetic(gpu: Any) -> None:
    """Sizes and transpositions of the products of a backward pass: they give the op's own results."""
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(shape) for shape in ((6, 5), (5, 4), (6, 4)))
    dw, dx = products.of_call("dense_backward", (x, w, dy, dy, False, w, w[0], x))
    assert (dw[1:], dx[1:]) == ((5, 4, 6, True, False), (6, 5, 4, False, True))
    one, _, other = registry.get("dense_backward").reference(x, w, dy, dy, False)
    np.testing.assert_allclose(one, x.T @ dy)
    np.testing.assert_allclose(other, dy @ w.T)


def test_the_real_library_takes_our_descriptions() -> None:
    """All that needs no GPU: the handle is what it refuses first where there is none."""
    try:
        library = cublaslt.load()
    except BackendError as error:
        pytest.skip(str(error))
    made = cublaslt.CublasLt.__new__(cublaslt.CublasLt)
    made._library = library
    description = made._made("cublasLtMatmulDescCreate", ctypes.c_int(77), ctypes.c_int(0))
    value = ctypes.c_int(6)
    made._call("cublasLtMatmulDescSetAttribute", description, ctypes.c_int(7), ctypes.byref(value), ctypes.c_size_t(4))
    assert made._layout(5, 6)

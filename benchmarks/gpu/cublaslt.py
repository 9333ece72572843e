"""cuBLASLt with a handle and a workspace of our own: the library's matrix product, to measure ours against.

CuPy's own cuBLAS refuses to work inside a stream capture (https://github.com/cupy/cupy/issues/6290); this door does
not. It stands here and not in the engine: the product by hand does more than a library's (it reads a convolution's
windows and a ReLU's mask on its way in), and what the difference costs is to be seen, shape by shape.

Source: https://docs.nvidia.com/cuda/cublas/#using-the-cublaslt-api.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_float, c_int, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, NamedTuple

from scratchnet.errors import BackendError

WORKSPACE = 32 * 2**20  # bytes, NVIDIA's recommendation for Hopper
MOST_ALGORITHMS = 8  # that the library may propose for a product, the best first

# From cublasLt.h, library_types.h and cublas_api.h.
REAL_32F, NORMAL, TRANSPOSED = 0, 0, 1
COMPUTE = {"float32": 68, "tf32": 77, "mixed_bfloat16": 75}
DESC_TRANSA, DESC_TRANSB, DESC_EPILOGUE, DESC_BIAS_POINTER, PREF_MAX_WORKSPACE_BYTES = 3, 4, 7, 8, 1
EPILOGUES = {(False, False): 1, (False, True): 2, (True, False): 4, (True, True): 6}  # by (bias, relu)


class Heuristic(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t: an algorithm, and what it needs."""

    _fields_ = (
        ("algorithm", c_uint64 * 8), ("workspace", c_size_t), ("status", c_int), ("waves", c_float),
        ("reserved", c_int * 4),
    )  # fmt: skip


class Product(NamedTuple):
    """C (m, n) = A (m, k) B (k, n), all by rows in memory; an operand may be stored transposed."""

    name: str
    m: int
    n: int
    k: int
    a_transposed: bool = False
    b_transposed: bool = False

    @property
    def flops(self) -> float:
        return 2.0 * self.m * self.n * self.k


def load() -> ctypes.CDLL:
    """The library as CuPy's own dependencies find it: in pip's packages, conda or the CUDA toolkit.

    Raises
    ------
    BackendError
        If it is not there.
    """
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        return ctypes.CDLL(load_nvidia_dynamic_lib("cublasLt").abs_path)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackendError(f"cuBLASLt is not to be had: {reason[:200]}") from None


class CublasLt:
    """The library with its handle and workspace.

    Parameters
    ----------
    library : ctypes.CDLL
    workspace : array of WORKSPACE bytes in the GPU's memory
    stream : callable
        Returns the address of the stream that products go to.
    """

    def __init__(self, library: ctypes.CDLL, workspace: Any, stream: Callable[[], int]) -> None:
        self._library, self._workspace, self._stream = library, workspace, stream
        self._handle = self._made("cublasLtCreate")

    def _call(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            raise BackendError(f"{name} failed: cuBLAS status {status}")

    def _made(self, name: str, *arguments: Any) -> c_void_p:
        made = c_void_p()
        self._call(name, byref(made), *arguments)
        return made

    def _layout(self, rows: int, columns: int) -> c_void_p:
        """A matrix by columns without gaps."""
        made = "cublasLtMatrixLayoutCreate"
        return self._made(made, c_int(REAL_32F), c_uint64(rows), c_uint64(columns), c_int64(rows))

    def ways(
        self, product: Product, precision: str, a: Any, b: Any, c: Any, bias: Any = None, relu: bool = False
    ) -> list[Callable[[], None]]:
        """A call for each algorithm that the library proposes, which puts the product of these arrays on the stream.

        cuBLAS has its matrices by columns. By columns, what we have by rows is the transpose, so it is asked for
        C' = B' A'. ``bias`` (n) and ``relu`` are its epilogue.
        """
        description = self._made("cublasLtMatmulDescCreate", c_int(COMPUTE[precision]), c_int(REAL_32F))
        settings: list[tuple[int, Any]] = [
            (DESC_TRANSA, c_int(TRANSPOSED if product.b_transposed else NORMAL)),
            (DESC_TRANSB, c_int(TRANSPOSED if product.a_transposed else NORMAL)),
            (DESC_EPILOGUE, c_int(EPILOGUES[bias is not None, relu])),
        ]
        if bias is not None:
            settings.append((DESC_BIAS_POINTER, c_void_p(address(bias))))
        for attribute, value in settings:
            self._call(
                "cublasLtMatmulDescSetAttribute", description, c_int(attribute), byref(value),
                c_size_t(ctypes.sizeof(value)),
            )  # fmt: skip
        m, n, k = product.m, product.n, product.k
        first = self._layout(k, n) if product.b_transposed else self._layout(n, k)
        second = self._layout(m, k) if product.a_transposed else self._layout(k, m)
        result = self._layout(n, m)
        preference, size = self._made("cublasLtMatmulPreferenceCreate"), c_size_t(WORKSPACE)
        self._call(
            "cublasLtMatmulPreferenceSetAttribute", preference, c_int(PREF_MAX_WORKSPACE_BYTES), byref(size),
            c_size_t(ctypes.sizeof(size)),
        )  # fmt: skip
        proposed, count = (Heuristic * MOST_ALGORITHMS)(), c_int()
        self._call(
            "cublasLtMatmulAlgoGetHeuristic", self._handle, description, first, second, result, result, preference,
            c_int(MOST_ALGORITHMS), proposed, byref(count),
        )  # fmt: skip

        def way(heuristic: Heuristic) -> Callable[[], None]:
            one, zero = c_float(1), c_float(0)

            def call() -> None:
                self._call(
                    "cublasLtMatmul", self._handle, description, byref(one), c_void_p(address(b)), first,
                    c_void_p(address(a)), second, byref(zero), c_void_p(address(c)), result, c_void_p(address(c)),
                    result, byref(heuristic), c_void_p(address(self._workspace)), c_size_t(WORKSPACE),
                    c_void_p(self._stream()),
                )  # fmt: skip

            return call

        return [way(heuristic) for heuristic in proposed[: count.value] if heuristic.status == 0]


def address(array: Any) -> int:
    """The address of an array on the GPU."""
    return int(array.__cuda_array_interface__["data"][0])

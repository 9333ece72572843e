"""Every CUDA kernel's arithmetic without a GPU: the same sources, built as C++, against the textbook references.

Outputs and shared memory begin as NaN, arrays end at pages that fault, and threads run in several orders that must
give the same bits: see emulation/emulation.h for what that catches.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from cases import OPS
from emulation import build
from emulation.device import Array, Driver, asarray, device, empty
from op_arguments import NORMALIZING, OpCase, assert_close, conv2d, dense, holes, loss
from scratchnet.kernels import elementwise_cuda, gemm_cuda, registry

TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
LARGE = 300_000  # numbers in the arguments: beyond that a case says nothing new and takes seconds

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")


def arguments(case: OpCase, dtype: str) -> tuple[Any, ...]:
    return case.make(np.random.default_rng(zlib.crc32(case.id.encode())), np.dtype(dtype))


def small(case: OpCase, limit: int = LARGE) -> bool:
    return sum(a.size for a in arguments(case, "float32") if isinstance(a, np.ndarray)) < limit


def expected(case: OpCase, dtype: str) -> list[np.ndarray]:
    results = registry.get(case.op).reference(*arguments(case, dtype))
    return list(results) if isinstance(results, tuple) else [results]


def output_dtype(case: OpCase, i: int, result: np.ndarray, dtype: str) -> Any:
    """Floats are of the case's dtype, whatever the reference computes in; a normalization's statistics float64."""
    statistics = case.op in NORMALIZING and i > 0
    return dtype if result.dtype.kind == "f" and not statistics else result.dtype


def shifted(shape: tuple[int, ...], dtype: Any, by: int) -> Array:
    """An array without values that begins a number of elements after a 16-byte boundary."""
    size = int(np.prod(shape))
    return empty(size + by, dtype)[by:].reshape(shape) if size else empty(shape, dtype)


def filled(values: np.ndarray, shift: int) -> Array:
    array = shifted(values.shape, values.dtype, shift)
    array.set(values)
    return array


def run(
    case: OpCase, dtype: str, order: int = 0, end: bool = True, unwanted: tuple[int, ...] = (), shift: int = 0,
    times: int = 1,
) -> list[np.ndarray]:  # fmt: skip
    """The twin's results on the emulated GPU: new values of updated arguments, then outputs; of the last time."""
    op, wanted = registry.get(case.op), expected(case, dtype)
    with device(order, end):
        for _ in range(times):
            args = [filled(a, shift) if isinstance(a, np.ndarray) else a for a in arguments(case, dtype)]
            results = enumerate(wanted[len(op.updates) :])
            outputs = [shifted(result.shape, output_dtype(case, i, result, dtype), shift) for i, result in results]
            for i in unwanted:
                outputs[i] = empty(0, outputs[i].dtype)
            op.implementation("cupy")(*args, *outputs)
        for i, (before, after) in enumerate(zip(arguments(case, dtype), args, strict=True)):
            if isinstance(after, Array) and i not in op.updates:
                np.testing.assert_array_equal(before, after.get())
        return [array.get() for array in [*(args[i] for i in op.updates), *outputs]]


HOLES = [
    OpCase("max_pool_forward", "holes", lambda rng, dtype: (holes(rng, dtype, 2, 6, 5, 4), (3, 2), (2, 1), (0,) * 4)),
    *loss("sparse_softmax_cross_entropy", "holes", 40, 9, 0.0, draw=holes),
]
CASES = [*filter(small, OPS), *HOLES]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}-{case.id}")


@every_case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_twin_equals_reference(case: OpCase, dtype: str) -> None:
    for got, wanted in zip(run(case, dtype), expected(case, dtype), strict=True):
        assert_close(got, wanted, case.cancels * TOLERANCE[dtype])


@every_case
def test_order_of_threads_and_blocks_does_not_matter(case: OpCase) -> None:
    first, *others = (run(case, "float32", order, end) for order, end in ((0, True), (1, False), (2, True)))
    for other in others:
        for one, two in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, two)


@every_case
def test_outputs_that_nobody_wants(case: OpCase) -> None:
    updated = len(registry.get(case.op).updates)
    for absent in case.unwanted:
        got, wanted = run(case, "float32", unwanted=(absent,)), expected(case, "float32")
        for i, (one, other) in enumerate(zip(got, wanted, strict=True)):
            if i != absent + updated:
                assert_close(one, other, case.cancels * TOLERANCE["float32"])


@pytest.mark.parametrize("case", [c for c in CASES if small(c, 3000)], ids=lambda case: f"{case.op}-{case.id}")
def test_arrays_that_begin_anywhere(case: OpCase) -> None:
    for got, wanted in zip(run(case, "float32", shift=1), expected(case, "float32"), strict=True):
        assert_close(got, wanted, case.cancels * TOLERANCE["float32"])


TWICE = ["dense_forward-halves", "batch_norm_forward-large", "clip_by_norm-all", "elementwise_loss-squared-large"]


@pytest.mark.parametrize("name", TWICE)
def test_a_launch_leaves_its_counters_as_they_were(name: str) -> None:
    case = next(case for case in CASES if f"{case.op}-{case.id}" == name)
    for first, second in zip(run(case, "float32"), run(case, "float32", times=2), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_found_wherever_it_stands(value: float) -> None:
    with device():
        for place in range(11):
            numbers = np.zeros(11, np.float32)
            assert elementwise_cuda.all_finite([asarray(numbers)])
            numbers[place] = value
            assert not elementwise_cuda.all_finite([asarray(numbers)])


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_infinite_norm_is_not_hidden() -> None:
    gradients = np.array([1, np.inf, 2, 3], np.float32)
    case = OpCase("clip_by_norm", "infinite", lambda *_: (gradients, np.array([[0, 2], [2, 4]]), 0.7, False))
    np.testing.assert_allclose(run(case, "float32")[0], expected(case, "float32")[0], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_column_that_is_not_finite_leaves_its_moving_statistics() -> None:
    x = np.array([[1, 2], [np.nan, 4], [5, 9]], np.float32)
    ones = np.ones(2, np.float32)
    case = OpCase("batch_norm_forward", "nan", lambda *_: (x, ones, ones, 3 * ones, 4 * ones, 0.5, 1e-3))
    for moving, begun in zip(run(case, "float32")[:2], (3, 4), strict=True):
        assert moving[0] == begun
        assert moving[1] != begun
    for one, other in zip(run(case, "float32"), expected(case, "float32"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_every_op_has_a_kernel_and_a_case_here() -> None:
    ops = registry.ops()
    assert [name for name, op in ops.items() if "cupy" not in op.twins] == []
    assert set(ops) == {case.op for case in CASES}


# The matrix product: every tile, cut into parts or not ----------------------------------------------------------------

PRODUCTS = [
    *dense("ragged", 70, 75, 37, relu=True),
    *dense("whole", 64, 96, 132),
    *conv2d("channels", (3, 9, 7, 8), 12, (3, 3), padding="same", relu=True),
    *conv2d("one-channel", (2, 9, 8, 1), 6, (5, 5), strides=(2, 1), padding="same"),
    *conv2d("groups", (2, 6, 7, 8), 8, (3, 2), padding="same", groups=2, relu=True),
    *conv2d("dilation", (2, 9, 8, 4), 4, (3, 3), dilation=(2, 1), relu=True),
]
TILES = {
    f"{kind}-{'x'.join(map(str, tile[:3]))}": (kind, tile) for kind, tiles in gemm_cuda.TILES.items() for tile in tiles
}
# What rounding the inputs of products costs: TF32 has 10 bits of fraction, bfloat16 7.
PRECISION = {"float32": 2e-6, "float64": 1e-14, "tf32": 2e-3, "mixed_bfloat16": 2e-2}


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize(("kind", "tile"), TILES.values(), ids=TILES)
def test_every_tile(kind: str, tile: gemm_cuda.Tile, splits: int) -> None:
    dtype = "float64" if kind == "float64" else "float32"
    with gemm_cuda.precision(kind), gemm_cuda.force(tile, splits):
        for case in PRODUCTS:
            for got, wanted in zip(run(case, dtype), expected(case, dtype), strict=True):
                assert_close(got, wanted, 30 * PRECISION[kind])


def test_a_sum_in_many_parts_is_added_up_over_two_levels() -> None:
    tile, splits = gemm_cuda.SMALL, 40
    case = dense("long", 8, tile.BK * splits, 40)[0]
    with gemm_cuda.force(tile, splits):
        cut = gemm_cuda.cut(8, 40, tile.BK * splits, np.dtype("f4"))
        assert cut.splits == splits > gemm_cuda.FAN
        assert cut.tiles == 2
        results = [run(case, "float32", order)[0] for order in (0, 1, 2)]
    assert_close(results[0], expected(case, "float32")[0], TOLERANCE["float32"])
    assert all((result == results[0]).all() for result in results)


# The emulator catches what it is for ----------------------------------------------------------------------------------

FAULTS = {
    "race": ("__shared__ int x; if (threadIdx.x % 32 == 0) x = threadIdx.x; y[threadIdx.x] = x;", None),
    "barrier": ("if (threadIdx.x < 32) __syncthreads(); y[threadIdx.x] = 0;", "do not reach"),
    "far": ("y[threadIdx.x] = 0; if (threadIdx.x == 63) y[64 + threadIdx.x] = 0;", "outside of the arrays (thread 63"),
    "misaligned": ("if (threadIdx.x < 8) *(Vec*)(y + 1) = Vec(); ", "undefined behavior"),
    "bounds": ("__shared__ float x[4]; x[threadIdx.x] = 0; y[threadIdx.x] = x[threadIdx.x];", "undefined behavior"),
    "lanes": ("y[threadIdx.x] = threadIdx.x < 7 ? __shfl_xor_sync(ALL_LANES, 1, 1) : 0;", "do not reach"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_kernels_are_caught(fault: str) -> None:
    body, message = FAULTS[fault]
    source = '#include "common.cuh"\n' + f'extern "C" __global__ void faulty(REAL* y) {{ {body} }}'
    from scratchnet.kernels import cuda

    source = source.replace('#include "common.cuh"', cuda.source("elementwise").split("extern")[0])
    results = []
    for order in (0, 1):
        driver = Driver(order)
        y = empty(64, np.float32)
        function = driver.function(source, "faulty", ("-DREAL=float",))
        if message is not None:
            with pytest.raises(RuntimeError, match="faulty: .*" + message.replace("(", r"\(")):
                driver.launch(function, (1,), 64, [y])
            return
        driver.launch(function, (1,), 64, [y])
        results.append(y.get())
    assert (results[0] != results[1]).any()

"""The cupy backend on a real GPU: every kernel, tensor cores, captured steps, gradients, memory.

These tests are marked ``gpu`` and skip, with the reason, if there is none. ``SCRATCHNET_GPU=emulated`` runs them on
the emulated GPU of tests/emulation, which takes minutes: it shows that the tests work, not that a GPU does. With
``SCRATCHNET_GPU=cupy`` it is the real CuPy that makes the emulated GPU work (tests/emulation/real_cupy.py).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cases import LAYERS, LOSSES, OPS, LayerCase, LossCase
from op_arguments import NORMALIZING, OpCase, assert_close, conv2d, dense
from scratchnet.kernels import cuda, gemm_cuda, registry

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812

pytestmark = pytest.mark.gpu
EMULATED = os.environ.get("SCRATCHNET_GPU") in ("emulated", "cupy")
# A sum in another order differs by this much of its largest number; what it has beside that are single roundings.
TOLERANCE = {"float32": 3e-6, "float64": 1e-14}
LARGE = 2_000 if EMULATED else 10**9  # numbers in the arguments of a case that is tried


@pytest.fixture(scope="module")
def gpu() -> Iterator[Any]:
    """The driver of the GPU; skips if there is none."""
    if EMULATED:
        from emulation import device, real_cupy

        with (real_cupy if os.environ["SCRATCHNET_GPU"] == "cupy" else device).backend() as driver:
            yield driver
        return
    try:
        with sn.use_backend("cupy"):
            yield cuda.driver()
    except sn.errors.BackendError as error:
        pytest.skip(f"no GPU: {error}")


def arguments(case: OpCase, dtype: str) -> tuple[Any, ...]:
    made = case.make(np.random.default_rng(zlib.crc32(case.id.encode())), np.dtype(dtype))
    if sum(a.size for a in made if isinstance(a, np.ndarray)) > LARGE:
        pytest.skip("too large for the emulated GPU")
    return made


def reference(case: OpCase, inputs: tuple[Any, ...]) -> list[np.ndarray]:
    """The textbook's results for inputs widened to float64, where that does not change what is right."""

    def wide(a: Any) -> Any:
        return a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a

    results = registry.get(case.op).reference(*(inputs if case.own_type else map(wide, inputs)))
    return list(results) if isinstance(results, tuple) else [results]


def on_gpu(gpu: Any, case: OpCase, inputs: tuple[Any, ...], dtype: str) -> list[np.ndarray]:
    """The twin's results: new values of updated arguments, then outputs, which begin as NaN."""
    op, shapes = registry.get(case.op), registry.get(case.op).reference(*inputs)
    shapes = list(shapes) if isinstance(shapes, tuple) else [shapes]
    args = [gpu.xp.asarray(a) if isinstance(a, np.ndarray) else a for a in inputs]
    outputs = []
    for i, result in enumerate(shapes[len(op.updates) :]):
        wide = case.op in NORMALIZING and i > 0
        kind = dtype if result.dtype.kind == "f" and not wide else result.dtype
        outputs.append(gpu.xp.full(result.shape, np.nan if result.dtype.kind == "f" else 99, kind))
    op.implementation("cupy")(*args, *outputs)
    return [array.get() for array in [*(args[i] for i in op.updates), *outputs]]


# Kernels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", OPS, ids=lambda case: f"{case.op}-{case.id}")
def test_twin_equals_reference(case: OpCase, dtype: str, gpu: Any) -> None:
    inputs = arguments(case, dtype)
    for got, wanted in zip(on_gpu(gpu, case, inputs, dtype), reference(case, inputs), strict=True):
        assert_close(got, wanted, case.cancels * TOLERANCE[dtype])


@pytest.mark.parametrize("case", OPS, ids=lambda case: f"{case.op}-{case.id}")
def test_ten_times_the_same_bits(case: OpCase, gpu: Any) -> None:
    inputs = arguments(case, "float32")
    first, *others = (on_gpu(gpu, case, inputs, "float32") for _ in range(10))
    for other in others:
        for one, two in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, two)


PRODUCTS = [
    *dense("ragged", 70, 75, 37, relu=True),
    *conv2d("channels", (3, 9, 7, 8), 12, (3, 3), padding="same", relu=True),
    *conv2d("one-channel", (2, 9, 8, 1), 6, (5, 5), strides=(2, 1), padding="same"),
    *conv2d("groups", (2, 6, 7, 8), 8, (3, 2), padding="same", groups=2, relu=True),
]
DEEPEST = 16 * 14 * 14  # the longest sum of these: its roundings add up like a random walk
if not EMULATED:
    PRODUCTS += [*dense("whole", 512, 1024, 768), *conv2d("deep", (16, 14, 14, 64), 128, (3, 3), padding="same")]
TILES = {
    f"{kind}-{'x'.join(map(str, tile[:3]))}": (kind, tile) for kind, tiles in gemm_cuda.TILES.items() for tile in tiles
}
# What rounding the factors of a product costs, of a result's size when all products have one sign: TF32 has 10 bits of
# fraction, bfloat16 7.
UNIT = {"float32": 2.0**-24, "float64": 2.0**-53, "tf32": 2.0**-11, "mixed_bfloat16": 2.0**-8}


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize(("kind", "tile"), TILES.values(), ids=TILES)
def test_every_tile_against_float64(kind: str, tile: gemm_cuda.Tile, splits: int, gpu: Any) -> None:
    if kind in ("tf32", "mixed_bfloat16") and gpu.compute_capability < 80:
        pytest.skip("tensor cores of this kind need compute capability 8.0")
    dtype = "float64" if kind == "float64" else "float32"
    with gemm_cuda.precision(kind), gemm_cuda.force(tile, splits):
        for case in PRODUCTS:
            inputs = case.make(np.random.default_rng(1), np.dtype(dtype))
            for got, wanted in zip(on_gpu(gpu, case, inputs, dtype), reference(case, inputs), strict=True):
                assert_close(got, wanted, 16 * UNIT[kind] + DEEPEST**0.5 * UNIT[dtype])


@pytest.mark.parametrize("kind", ["tf32", "mixed_bfloat16"])
def test_tensor_cores_err_no_more_than_their_rounding(kind: str, gpu: Any) -> None:
    """|error| <= 2 u |A| |B| and the rounding of the float32 sums, number by number."""
    if gpu.compute_capability < 80:
        pytest.skip("tensor cores of this kind need compute capability 8.0")
    n, k, m = (40, 70, 50) if EMULATED else (300, 1000, 260)
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((n, k)).astype(np.float32), rng.standard_normal((k, m)).astype(np.float32)
    y = gpu.xp.full((n, m), np.nan, np.float32)
    with gemm_cuda.precision(kind):
        inputs = gpu.xp.asarray(x), gpu.xp.asarray(w), gpu.xp.empty(0, np.float32)
        tile = max(tile for tile in gemm_cuda.TILES[kind] if tile.lanes > 1)  # the smallest products stay exact
        with gemm_cuda.force(tile):
            registry.get("dense_forward").implementation("cupy")(*inputs, False, y)
    error = np.abs(y.get() - x.astype(np.float64) @ w)
    size = np.abs(x).astype(np.float64) @ np.abs(w)
    assert (error <= (2.01 * UNIT[kind] + k * UNIT["float32"]) * size).all()
    assert error.max() > 1e-6 * size.max()  # float32 would be better: tensor cores were at work


# Gradients ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_gradients_of_every_layer(case: LayerCase, gpu: Any) -> None:
    x = np.random.default_rng(zlib.crc32(case.id.encode())).standard_normal(case.shape)
    report = sn.check_gradients(case.make(dtype="float64"), x, training=case.training, max_elements=8, projections=2)
    assert report.ok, report


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_gradients_of_every_loss(case: LossCase, gpu: Any) -> None:
    report = sn.check_gradients(case.loss, *case.make(np.random.default_rng(3)))
    assert report.ok, report


# Captured steps -------------------------------------------------------------------------------------------------------

X = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 1)).astype(np.uint8)
Y = np.random.default_rng(1).integers(0, 10, 70)
OPTIMIZERS = {
    "adam-schedule-clipnorm": lambda: sn.optimizers.Adam(
        sn.optimizers.schedules.ExponentialDecay(1e-2, 3, 0.8), clipnorm=0.5
    ),
    "adamw-amsgrad": lambda: sn.optimizers.AdamW(1e-2, amsgrad=True),
    "sgd-global": lambda: sn.optimizers.SGD(0.01, 0.9, True, global_clipnorm=0.5),
    "nadam": lambda: sn.optimizers.Nadam(),
    "rmsprop": lambda: sn.optimizers.RMSprop(1e-3, momentum=0.5, centered=True),
    "adagrad": lambda: sn.optimizers.Adagrad(0.01),
    "adadelta": lambda: sn.optimizers.Adadelta(0.1),
}


def trained(capture: bool, optimizer: Any = "adam", batch_size: int = 16, **kwargs: Any) -> list[np.ndarray]:
    """Weights and losses of a short fit of a network with every kind of layer."""
    sn.utils.set_random_seed(3)
    model = sn.Sequential([
        L.Input((8, 8, 1)), L.Conv2D(8, 3, padding="same", activation="relu"), L.MaxPooling2D(2), L.Dropout(0.3),
        L.BatchNormalization(), L.Flatten(), L.Dense(16, activation="gelu"), L.Dropout(0.2), L.Dense(10),
    ])  # fmt: skip
    loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], capture=capture, **kwargs)
    history = model.fit(sn.datasets.Pixels(X), Y, batch_size=batch_size, epochs=2, verbose=0).history
    return [*model.get_weights(), np.array(history["loss"]), np.array(history["accuracy"])]


def assert_same_bits(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_captured_steps_give_the_bits_of_eager_ones(name: str, gpu: Any) -> None:
    assert_same_bits(trained(True, OPTIMIZERS[name]()), trained(False, OPTIMIZERS[name]()))


@pytest.mark.parametrize("precision", ["float32", "tf32", "mixed_bfloat16"])
def test_graphs_of_many_steps_ten_times_the_same_bits(precision: str, gpu: Any) -> None:
    first, *others = (trained(True, batch_size=2, precision=precision) for _ in range(2 if EMULATED else 10))
    assert_same_bits(first, trained(False, batch_size=2, precision=precision))
    for other in others:
        assert_same_bits(first, other)


def test_the_gpu_follows_the_cpu(gpu: Any) -> None:
    """Losses, accuracies and weights, dropout's masks among what they depend on."""
    ours = trained(True)
    with sn.use_backend("numba"):
        cpu = trained(False)
    for one, other in zip(ours, cpu, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.skipif(EMULATED, reason="nobody finds the emulated GPU who does not know of it")
def test_auto_is_the_gpu(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRATCHNET_BACKEND")
    with sn.use_backend("auto"):
        assert sn.get_backend() == "cupy"


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(EMULATED, reason="the emulated GPU's memory is tested in test_cuda_training.py")
def test_a_full_gpu_is_answered_with_the_batch_that_would_fit(gpu: Any) -> None:
    pool = gpu.xp.get_default_memory_pool()
    made = sn.Sequential([L.Input((64, 64, 1)), L.Conv2D(32, 3, padding="same"), L.Flatten(), L.Dense(10)])
    made.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.zeros((4000, 64, 64, 1), np.uint8), np.zeros(4000, np.int64)
    pool.set_limit(size=pool.used_bytes() + 2**30)
    try:
        with pytest.raises(sn.errors.BackendError, match=r"batch_size=4000, which takes .* GiB") as caught:
            made.fit(x, y, batch_size=4000, verbose=0)
    finally:
        pool.set_limit(size=0)
    assert "\n" not in str(caught.value)
    made.fit(x, y, batch_size=500, verbose=0)

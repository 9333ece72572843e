"""Same seed, same bits: for any number of threads, from run to run, and with a busy neighbor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import OPS
from op_arguments import OpCase
from scratchnet.kernels import dense, registry

import scratchnet as sn

pytest.importorskip("numba")

# A network with every kernel that splits its work: both convolutions, pooling, batch statistics, dropout, augmentation,
# dense layers large enough for several tasks, Adam over several chunks.
PROGRAM = """
import hashlib
import numpy as np
import scratchnet as sn
from scratchnet import layers as L

sn.set_backend("numba")
sn.utils.set_random_seed(7)
model = sn.Sequential([
    L.Input((14, 14, 3)), L.RandomFlip(), L.RandomTranslation(0.2, 0.2), L.GaussianNoise(0.1),
    L.Conv2D(32, 3, padding="same", activation="relu"), L.MaxPooling2D(2),
    L.Conv2D(48, 3, padding="same", activation="relu"), L.BatchNormalization(),
    L.Conv2D(32, 5, padding="same", activation="relu"), L.AveragePooling2D(2, padding="same"), L.Dropout(0.3),
    L.Flatten(), L.Dense(700, activation="gelu"), L.Dense(10, activation="softmax"),
])
model.compile(sn.optimizers.Adam(clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
rng = np.random.default_rng(3)
x, y = rng.random((130, 14, 14, 3), np.float32), rng.integers(0, 10, 130)
history = model.fit(x, y, batch_size=50, epochs=2, verbose=0).history
digest = hashlib.sha256(repr(history).encode())
for array in [*model.get_weights(), model.predict(x)]:
    digest.update(array.tobytes())
print(digest.hexdigest())
"""


def bits(threads: int) -> str:
    environment = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=280, check=True
    )
    return run.stdout.strip()


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    results = {threads: bits(threads) for threads in (1, 2, 3, 4)}
    assert len(set(results.values())) == 1, results


def test_a_second_run_beside_a_busy_process_gives_the_same_bits() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as neighbor:
        try:
            busy = bits(2)
        finally:
            neighbor.kill()
    assert busy == bits(2)


KERNELS = """
import hashlib
import numpy as np
import scratchnet as sn
from scratchnet import layers as L

sn.set_backend("numba")
rng, digest = np.random.default_rng(0), hashlib.sha256()
optimizer, weights = sn.optimizers.SGD(0.1), rng.normal(size=1003).astype("float32")
optimizer.build(1003, [(0, 1003)], "float32")
for _ in range(20):
    optimizer.apply(weights, rng.normal(size=1003).astype("float32"))
layer, x = L.Activation("gelu", dtype="float64"), rng.normal(size=(50, 7))
layer.build((7,))
for array in (weights, layer.forward(x), layer.backward(x)):
    digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_kernels_just_compiled_have_the_bits_of_those_in_the_cache(tmp_path: Path) -> None:
    environment = {**os.environ, "SCRATCHNET_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", KERNELS]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=True).stdout
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    "case", [case for case in OPS if case.op == "dense_forward" and "zeros" not in case.id], ids=lambda case: case.id
)
def test_copied_weights_give_the_same_bits(case: OpCase, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, b, relu = case.make(np.random.default_rng(0), np.dtype("float32"))
    results = np.full((2, len(x), w.shape[1]), np.nan, np.float32)
    with sn.use_backend("numba"):
        for result in results:
            registry.get("dense_forward").implementation("numba")(x, w, b, relu, result)
            monkeypatch.setattr(dense, "LARGE_BYTES", 0)
            monkeypatch.setattr(dense, "LEAST_ROWS", 0)
    np.testing.assert_array_equal(*results)


def test_copied_weights_of_a_large_layer() -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((200, 700)), rng.standard_normal((700, 300)), rng.standard_normal(300)
    assert w.nbytes > dense.LARGE_BYTES
    y = np.full((200, 300), np.nan)
    with sn.use_backend("numba"):
        registry.get("dense_forward").implementation("numba")(x, w, b, True, y)
    np.testing.assert_allclose(y, np.maximum(x @ w + b, 0), rtol=0, atol=1e-12)

"""Two threads that train at once on the (emulated) GPU: each gets the bits that it gets alone."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from emulation import build
from emulation.device import backend

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")

X = np.random.default_rng(0).random((64, 12), dtype=np.float32)
Y = np.random.default_rng(1).integers(0, 3, 64)


def train(seed: int, precision: str) -> list[Any]:
    made = sn.Sequential([L.Input((12,)), L.Dense(24, activation="relu"), L.Dropout(0.3, seed=seed), L.Dense(3)])
    rng = np.random.default_rng(seed)
    made.set_weights([rng.standard_normal(w.shape) for w in made.get_weights()])
    loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(sn.optimizers.Adam(0.01, global_clipnorm=0.5), loss, precision=precision, capture=False)
    made.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    return made.get_weights()


def test_threads_do_not_meet() -> None:
    jobs = [(3, "float32"), (4, "tf32")]
    with backend():
        alone = [train(*job) for job in jobs]
        found: dict[int, Any] = {}
        threads = [
            threading.Thread(target=lambda i=i, job=job: found.update({i: train(*job)}))  # type: ignore[misc]
            for i, job in enumerate(jobs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i, weights in enumerate(alone):
        for one, other in zip(found[i], weights, strict=True):
            np.testing.assert_array_equal(one, other)

"""A model goes where the backend in use computes: from the CPU to the emulated GPU and back, between two fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from emulation import build
from emulation.device import Driver, backend

import scratchnet as sn
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import BackendError

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="needs g++ to build the kernels for the CPU")

X = np.random.default_rng(0).random((48, 6), dtype=np.float32)
Y = np.random.default_rng(1).integers(0, 3, 48)


@pytest.fixture
def gpu() -> Iterator[Driver]:
    with backend() as driver:
        yield driver


def model(optimizer: Any = None) -> sn.Sequential:
    sn.utils.set_random_seed(3)
    made = sn.Sequential([L.Input((6,)), L.Dense(8, activation="relu"), L.BatchNormalization(), L.Dense(3)])
    loss = sn.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(optimizer or sn.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    return made


def fit(made: sn.Sequential, epochs: int = 2) -> list[float]:
    return list(made.fit(X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0).history["loss"])


def weights(made: sn.Sequential) -> list[np.ndarray]:
    return made.get_weights()


@pytest.mark.parametrize("host", ["numpy", "numba"])
def test_training_goes_on_where_the_backend_is(host: str, gpu: Driver) -> None:
    with sn.use_backend(host):
        alone = model()
        losses = fit(alone, 6)
    moved, found = model(), []
    for name in ("cupy", host, "cupy"):
        with sn.use_backend(name):
            found += fit(moved)
            probabilities = moved.predict(X, batch_size=16, verbose=0)
            assert isinstance(probabilities, np.ndarray)
    assert moved.optimizer.iterations == alone.optimizer.iterations == 18
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    for one, other in zip(weights(moved), weights(alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("host", ["numpy", "numba"])
def test_each_way_in_takes_the_model_along(host: str, gpu: Driver) -> None:
    """Made on one, used on the other: forward, predict, evaluate, a single batch, weights, a file."""
    uses = [
        lambda made: made(X),
        lambda made: made.predict(X, verbose=0),
        lambda made: made.evaluate(X, Y, verbose=0),
        lambda made: made.train_on_batch(X, Y),
        lambda made: made.test_on_batch(X, Y),
        lambda made: made.loss_and_gradients(X, Y),
        lambda made: made.set_weights(made.get_weights()),
    ]
    for there, here in (("cupy", host), (host, "cupy")):
        for use in uses:
            with sn.use_backend(there):
                made = model()
                made.train_on_batch(X, Y)
                before = weights(made)
            with sn.use_backend(here):
                for one, other in zip(weights(made), before, strict=True):
                    np.testing.assert_array_equal(one, other)
                use(made)
                fit(made, 1)
            with sn.use_backend(there):
                fit(made, 1)


def test_a_layer_by_itself_says_where_its_weights_are(gpu: Driver) -> None:
    layer = L.Dense(3)
    with sn.use_backend("numpy"):
        layer(X)
    with pytest.raises(BackendError, match=r"layer .*Dense.*: its weights are not where the cupy backend computes"):
        layer(X)


class Curious(sn.callbacks.Callback):
    """Looks at the model, and takes its own step, while it is trained."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.evaluate(X, Y, batch_size=48, verbose=0)
        self.model.predict(X[:5], verbose=0)
        self.model.train_on_batch(X[:7], Y[:7])


@pytest.mark.parametrize("name", ["cupy", "numba"])
def test_what_callbacks_do_leaves_the_training_its_memory(name: str, gpu: Driver) -> None:
    """A step that is captured after a validation (the short batch comes in the second epoch) has memory that stays."""
    found = []
    for capture in (True, False):
        with sn.use_backend(name):
            made = model()
            made.compile(sn.optimizers.Adam(0.01), made.loss, capture=capture)
            history = made.fit(
                X[:44], Y[:44], batch_size=16, epochs=4, steps_per_epoch=2, validation_data=(X[:20], Y[:20]), verbose=0,
                callbacks=[Curious()],
            )  # fmt: skip
            assert all(layer.workspace is None for layer in made.walk())
            assert all(layer.needs_input_gradient for layer in made.walk())
            found.append((weights(made), history.history))
    assert found[0][1] == found[1][1]
    for one, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_callbacks_and_validation_leave_the_layers_as_fit_has_them() -> None:
    """After the first validation every step took fresh memory; after a callback's own step, dx of the first layer."""
    seen = []

    class Look(Curious):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append(all(layer.workspace is self.model.buffers for layer in self.model.layers))
            seen.append(self.model.trainer().active)

    with sn.use_backend("numba"):
        model().fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0, callbacks=[Look()])
    assert seen == [True] * 6

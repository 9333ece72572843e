"""The five tutorials' networks against the real TensorFlow: same weights, same batches of real data, dropout off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras_side import GROUP, Network
from servers import real_data

import scratchnet as sn
from scratchnet import recipes

pytestmark = GROUP

STEPS = 50
MLPS = ["fashion-dnn", "mnist-mlp", "fashion-keras"]
CNNS = ["fashion-cnn-same", "fashion-cnn-dropout"]
PARAMETERS = {
    "fashion-dnn": 118_282,
    "mnist-mlp": 159_010,
    "fashion-keras": 101_770,
    "fashion-cnn-same": 356_234,
    "fashion-cnn-dropout": 1_447_946,
}


class Pair:
    """A recipe's network in scratchnet and in Keras, with equal weights, and the recipe's batches, not shuffled."""

    def __init__(self, name: str, dtype: str) -> None:
        self.recipe, self.dtype = recipes.load(name), dtype
        sn.utils.set_random_seed(0)
        before = sn.config.floatx()
        sn.config.set_floatx(dtype)
        try:
            self.ours = self.recipe.make_model()
        finally:
            sn.config.set_floatx(before)
        for layer in self.ours.walk():
            if isinstance(layer, sn.layers.Dropout):
                layer.rate = 0.0
        weights = self.ours.get_weights()
        assert {weight.dtype for weight in weights} == {np.dtype(dtype)}
        self.theirs = Network(self.recipe, weights, dtype)
        assert self.theirs.model.count_params() == self.ours.count_params() == PARAMETERS[name]

    def batches(self, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """The first batches of the training set."""
        x, y = self.recipe.load_data(real_data()).train
        size = self.recipe.content.training.batch_size
        rows = [slice(size * i, size * (i + 1)) for i in range(count)]
        return [
            (np.asarray(x[r]).astype(self.dtype), y[r].astype(self.dtype if y.ndim == 2 else y.dtype)) for r in rows
        ]

    def losses(self) -> tuple[np.ndarray, np.ndarray]:
        """The two networks' losses over the steps."""
        batches = self.batches(STEPS)
        theirs = [self.theirs.step(x, y) for x, y in batches]
        ours = [self.ours.train_on_batch(x, y)[0] for x, y in batches]
        return np.array(ours), np.array(theirs)


def show(record: Any, name: str, figure: float) -> None:
    """Put the measured figure into pytest's report (``-rA`` and JUnit XML show it)."""
    record(name, figure)
    print(f"{name}: {figure:.1e}")


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", MLPS)
def test_fully_connected_networks_follow_tensorflow_in_float32(name, backend, record_property):
    with sn.use_backend(backend):
        ours, theirs = Pair(name, "float32").losses()
    worst = float(np.max(np.abs(ours - theirs) / theirs))
    show(record_property, f"{name}, {STEPS} losses in float32, relative", worst)
    assert theirs[-1] < 0.5 * theirs[0]  # it learns
    assert worst <= 1e-4


@pytest.mark.parametrize("name", CNNS)
def test_convolutional_networks_follow_tensorflow_in_float64(name, record_property):
    ours, theirs = Pair(name, "float64").losses()
    worst = float(np.max(np.abs(ours - theirs) / theirs))
    show(record_property, f"{name}, {STEPS} losses in float64, relative", worst)
    assert theirs[-1] < 0.5 * theirs[0]
    assert worst <= 1e-8


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", CNNS)
def test_convolutional_networks_first_step_in_float32(name, backend, record_property):
    with sn.use_backend(backend):
        pair = Pair(name, "float32")
        ((x, y),) = pair.batches(1)
        ours = pair.ours.loss_and_gradients(x, y)
        theirs, slopes = pair.theirs.gradients(x, y)
        names = [(f"{layer.name}/{key}", layer.grads[key]) for layer in pair.ours.layers for key in layer.params]
        show(record_property, f"{name}, first loss in float32, relative", abs(ours - theirs) / theirs)
        assert ours == pytest.approx(theirs, rel=1e-4)
        assert len(slopes) == len(names) == 10
        worst = {}
        for (array, gradient), slope in zip(names, slopes, strict=True):
            assert gradient.shape == slope.shape
            worst[array] = float(np.abs(gradient - slope).max() / np.abs(slope).max())
        show(
            record_property,
            f"{name}, first gradients in float32, relative to each array's largest",
            max(worst.values()),
        )
        assert max(worst.values()) <= 1e-4, worst

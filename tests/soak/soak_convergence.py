"""The five tutorials compared with TensorFlow, from the same weights over the same batches, dropout off."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
from servers import real_data
from soak_common import Context, Figure
from test_tensorflow_parity import PARAMETERS, Pair

import scratchnet as sn

STEPS, SEEDS = 200, 10
# Steps of a float32 training: the whole of the tutorial for fully connected networks, a part of it for the others.
TRAINING = {
    "fashion-dnn": 20 * 938,
    "mnist-mlp": 10 * 600,
    "fashion-keras": 10 * 1875,
    "fashion-cnn-same": 469,
    "fashion-cnn-dropout": 300,
}
MOST = 0.2  # points of test accuracy, in the mean


def parity(context: Context) -> Iterator[Figure]:
    """Two hundred losses in float64."""
    sn.set_backend("numba")
    for name in PARAMETERS:
        pair, steps = Pair(name, "float64"), context.count(STEPS)
        model, worst, last = pair.ours(), 0.0, 0.0
        for x, y in pair.batches(steps):
            theirs = pair.theirs.step(x, y)
            last = float(model.train_on_batch(x, y)[0])
            worst = max(worst, abs(last - theirs) / theirs)
        text = f"{steps} losses (the last one {last:.4f}): at most {worst:.1e} apart, relative"
        yield Figure(f"{name}, float64: as TensorFlow's within 1e-7", text, worst <= 1e-7)


def convergence(context: Context) -> Iterator[Figure]:
    """Test accuracies of float32 trainings from paired seeds."""
    sn.set_backend("numba")
    for name, most in TRAINING.items():
        steps, began = max(50, context.count(most)), time.perf_counter()
        both = np.array([_pair(name, seed, steps) for seed in range(SEEDS)])
        differences = 100 * (both[:, 0] - both[:, 1])
        mean, half = float(differences.mean()), _half_interval(differences)
        ours, theirs = 100 * both.mean(axis=0)
        text = f"{ours:.2f}% here, {theirs:.2f}% there, difference {mean:+.3f} points "
        text += f"(95% interval {mean - half:+.3f} to {mean + half:+.3f}), {time.perf_counter() - began:.0f} s; "
        text += "single differences " + ", ".join(f"{difference:+.2f}" for difference in differences)
        promise = f"{name}, float32, {len(both)} paired seeds, {steps} steps: test accuracy within {MOST} points"
        yield Figure(promise, text, abs(mean) < MOST)


def _half_interval(values: np.ndarray) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))


def _pair(name: str, seed: int, steps: int) -> tuple[float, float]:
    """Train both from one seed; their test accuracies."""
    pair = Pair(name, "float32", seed)
    data = pair.recipe.load_data(real_data())
    x, y = (np.asarray(array) for array in (data.train[0][:], data.train[1]))
    x, labels = x.astype("float32"), y.astype("float32") if y.ndim == 2 else y
    size, model, random = pair.recipe.content.training.batch_size, pair.ours(), np.random.default_rng(seed)
    done = 0
    while done < steps:
        order = random.permutation(len(x))
        for first in range(0, len(x), size):
            if done == steps:
                break
            rows = order[first : first + size]
            pair.theirs.step(x[rows], labels[rows])
            model.train_on_batch(x[rows], labels[rows])
            done += 1
    x_test, y_test = np.asarray(data.test[0][:]).astype("float32"), np.asarray(data.test[1])
    wanted = y_test.argmax(axis=1) if y_test.ndim == 2 else y_test.reshape(-1)
    ours, theirs = model.predict(x_test, verbose=0), pair.theirs.model.predict(x_test, batch_size=500, verbose=0)
    return tuple(float((scores.argmax(axis=1) == wanted).mean()) for scores in (ours, theirs))  # type: ignore[return-value]

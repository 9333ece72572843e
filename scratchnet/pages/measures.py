"""What a report measures on a trained network: the time of every layer, and whether its gradients are right.

Both use a twin with the same weights: the model itself, its optimizer and its dropout counters do not change.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import array_module, get_backend, use_backend
from ..errors import GradientError
from ..gradient_check import LEFT_OUT, Report, check_gradients
from ..kernels import cuda
from ..model import Sequential
from ..recipes.recipe import Recipe, RecipeData

TIMING_SECONDS, FEWEST_ROUNDS, MOST_ROUNDS = 0.6, 4, 30  # seconds of all threads
CHECK_SECONDS, TOO_LONG = 0.6, 4.0
EVALUATIONS = 10  # approximate cost of one direction of the gradient check, in forward passes in float32
FEWEST, MOST = 4, 8  # directions


@dataclass(frozen=True)
class LayerTime:
    """Seconds of a layer for one batch; None if training does not need its backward pass."""

    name: str
    forward: float
    backward: float | None


def twin_of(model: Sequential, recipe: Recipe) -> Sequential:
    """The same network with the same weights on the current backend."""
    twin = recipe.make_model(model.input_shape)
    twin.set_weights(model.get_weights())
    return twin


def layer_times(model: Sequential, recipe: Recipe, data: RecipeData) -> tuple[list[LayerTime], int]:
    """The median time of every layer forward and backward on a training batch, and the size of that batch."""
    twin = twin_of(model, recipe)
    trainer, xp = twin.trainer(), array_module()
    (x, y), batch = data.train, recipe.content.training.batch_size
    x = xp.asarray(np.asarray(x[:batch]), dtype=twin.dtype)
    targets = twin.loss.prepare_targets(y[:batch], twin.output_shape)
    rounds: list[tuple[list[float], list[float]]] = []
    # Not the wall clock: if others use the cores, an interrupted round must remain one of many.
    began = time.process_time()
    trainer.first_trainable.needs_input_gradient = False  # as in training; its kernels would also have to be compiled
    with trainer.running(), np.errstate(all="ignore"):
        while len(rounds) < FEWEST_ROUNDS or (
            time.process_time() - began < TIMING_SECONDS and len(rounds) < MOST_ROUNDS
        ):
            rounds.append(_timed_step(trainer, x, targets))
            if time.process_time() - began > 4 * TIMING_SECONDS:
                break  # such a slow step is timed well enough by its first rounds
    rounds = rounds[1:] or rounds  # the first one allocates the memory
    forward = [statistics.median(times) for times in zip(*(one for one, _ in rounds), strict=True)]
    backward = [statistics.median(times) for times in zip(*(one for _, one in rounds), strict=True)][::-1]
    backward_of: list[float | None] = [None] * (len(forward) - len(backward)) + [*backward]
    names = [str(layer.name) for layer in twin.layers]
    return [LayerTime(*row) for row in zip(names, forward, backward_of, strict=True)], len(x)


def _timed_step(trainer: Any, x: Any, targets: Any) -> tuple[list[float], list[float]]:
    """Seconds of each forward pass, and of each backward pass from the last layer to the first."""
    forward, backward = [], []
    for step in trainer.forwards:
        began = _now()
        x = step(x, True)
        forward.append(_now() - began)
    dy = trainer.model.buffers.take(trainer, "dy", x.shape, x.dtype)
    trainer.loss.evaluate(x, targets, trainer.weights(len(x)), trainer.logits, trainer.totals, dy)
    for step in trainer.backwards:
        began = _now()
        dy = step(dy)
        backward.append(_now() - began)
    return forward, backward


def _now() -> float:
    if get_backend() == "cupy":  # its calls return before the GPU is done
        cuda.driver().wait()
    return time.perf_counter()


def gradient_check(
    model: Sequential, recipe: Recipe, data: RecipeData, scores: np.ndarray, labels: np.ndarray
) -> tuple[Report | None, str]:
    """`check_gradients` of the trained network on the test samples that it finds hardest, and a line about that.

    The hardest, because a sample that the network is sure of leaves no slope to compare. In NumPy's float64, with one
    thread (two on a busy machine wait for each other longer than they compute), along as many directions as a second
    permits.

    Returns
    -------
    report : Report or None
        None if the network is too slow, or too far off, for a check; the line says so.
    note : str
    """
    from threadpoolctl import threadpool_limits

    hardest = np.argsort(scores[np.arange(len(labels)), labels], kind="stable")[:2]
    x, y = np.asarray(data.test[0][hardest]), data.test[1][hardest]
    with use_backend("numpy"), threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        twin = twin_of(model, recipe)
        arrays = sum(len(layer.params) for layer in twin.walk())
        once = _seconds_of_a_pass(twin, x[:1])
        least = once * arrays * FEWEST * EVALUATIONS
        if least > TOO_LONG:
            return None, f"Left out: one forward pass takes {once:.2f} s in NumPy, and the check needs hundreds."
        samples = 2 if 2 * least < CHECK_SECONDS else 1
        directions = int(np.clip(FEWEST * CHECK_SECONDS / max(least * samples, 1e-9), FEWEST, MOST))
        try:
            report = check_gradients(twin, x[:samples], y[:samples], max_elements=0, projections=directions)
        except GradientError as error:
            return None, f"Left out: {error}."
    return report, f"on the {'test sample' if samples == 1 else f'{samples} test samples'} with the largest loss"


def _seconds_of_a_pass(model: Sequential, x: np.ndarray) -> float:
    times = []
    for _ in range(3):
        began = time.thread_time()  # not the wall clock, by which a busy machine would skip the check
        model.forward(x)
        times.append(time.thread_time() - began)
        if times[-1] > 0.5:
            break
    return min(times)


def verdict(row: Any) -> str:
    """What the table says of an array's gradient."""
    if row.ok:
        return "ok"
    return "undecided: kinks all around" if row.note == LEFT_OUT else "WRONG"

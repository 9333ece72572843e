"""evaluate and predict for a `Sequential`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from . import fit_data, gpu_memory
from .backend import array_module, to_numpy
from .batches import Source, one_input
from .callbacks import Hooks, report_evaluation, verbosity
from .checks import arguments_of, refuse_unknown
from .custom import ours
from .metrics import MeanMetricWrapper
from .training import Trainer
from .turns import in_turn

if TYPE_CHECKING:
    from .model import Sequential

PREDICT_BATCH = 256  # rows at a time if the user gives no batch size


def default_batch_size(trainer: Trainer, keras: int = 32) -> int:
    """How many samples are tested at a time by default: Keras's number if a metric is user-defined, which may return
    one number for a whole batch; otherwise results do not depend on it.
    """
    own = any(isinstance(metric, MeanMetricWrapper) or not ours(type(metric)) for metric in trainer.measured)
    return keras if own else PREDICT_BATCH


def run_test(trainer: Trainer, data: fit_data.Prepared, batches: tuple[int, int], run: Hooks) -> dict[str, Any]:
    """Loss and metrics over the first batches of a data set: (samples in each, how many)."""
    trainer.reset()
    model, (source, targets, weights), (size, count), seen = trainer.model, data, batches, 0
    run.call("on_test_begin", {})
    with gpu_memory.explained(model, size, partial(predict_nothing, model)), model.reusing_buffers():
        for batch in range(count):
            run.call("on_test_batch_begin", batch, {})
            x = source.slice(seen, seen + size)
            rows = slice(seen, seen + len(x))
            trainer.test(x, targets[rows], trainer.weights(len(x), None if weights is None else weights[rows]))
            seen += len(x)
            run.on_test_batch_end(batch, trainer, seen)
    results = trainer.results(seen)
    run.call("on_test_end", results)
    return results


def answer(results: dict[str, Any], return_dict: bool) -> Any:
    """Results as the user wants them: a dict, or the loss and the metrics in a list, or the loss alone."""
    if return_dict:
        return results
    values = list(results.values())
    return values[0] if len(values) == 1 else values


@in_turn
def evaluate(
    self: Sequential,
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
    **unknown: Any,
) -> Any:
    """Loss and metrics on a data set: the loss alone, or a list of it and the metrics (or a dict), as in Keras.

    Parameters
    ----------
    steps : int, optional
        Number of batches to use; without a ``batch_size``, all samples are divided into that many.
    callbacks : list of Callback, optional
        Their test hooks are called.

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the model is not compiled, or data and targets do not fit it or each other.
    """
    refuse_unknown("evaluate", unknown, arguments_of(evaluate))
    shown = verbosity(verbose, 0)
    data = fit_data.prepare(self, x, y, "x", sample_weight)
    trainer = Trainer(self)  # a separate one: a callback may evaluate in the middle of an epoch
    batches = fit_data.batches(len(data[0]), batch_size, steps, default_batch_size(trainer))
    run = Hooks(self, callbacks, verbose=verbose, epochs=1, steps=batches[1])
    with self.trainer().apart():  # whose metrics are the same objects
        results = run_test(trainer, data, batches, run)
    report_evaluation(results, shown)
    return answer(results, return_dict)


@in_turn
def predict(
    self: Sequential,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = 0,
    steps: int | None = None,
    callbacks: Any = None,
    **unknown: Any,
) -> np.ndarray:
    """The model's output for every sample, as a fresh NumPy array of shape ``(n, *output_shape)``.

    Parameters
    ----------
    steps : int, optional
        Number of batches to use; without a ``batch_size``, all samples are divided into that many.
    callbacks : list of Callback, optional
        Their prediction hooks are called.

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the samples do not fit the model, which is built if necessary.
    """
    refuse_unknown("predict", unknown, arguments_of(predict))
    verbosity(verbose, 0)
    fit_data.build_for(self, x, "x")
    source = Source(one_input(x, self.input_shape), self.input_shape, self.dtype)
    size, count = fit_data.batches(len(source), batch_size, steps, PREDICT_BATCH)
    result = np.empty((min(size * count, len(source)), *self.output_shape), self.dtype)
    run = Hooks(self, callbacks, verbose=verbose, epochs=1, steps=count)
    run.call("on_predict_begin", {})
    with gpu_memory.explained(self, size, partial(predict_nothing, self)), self.reusing_buffers():
        for batch in range(count):
            run.call("on_predict_batch_begin", batch, {})
            rows = result[batch * size : (batch + 1) * size]
            y = source.slice(batch * size, (batch + 1) * size)
            for layer in self.layers:
                y = layer.forward(y, False)
            rows[...] = to_numpy(y)
            run.call("on_predict_batch_end", batch, {"outputs": rows})
    run.call("on_predict_end", {})
    return result


def predict_nothing(model: Sequential, n: int) -> None:
    """Allocate all memory that predicting n samples takes."""
    model.forward(array_module().empty((n, *model.input_shape), model.dtype))


def predict_classes(self: Sequential, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray:
    """The most probable class of every sample: ``predict(x).argmax(axis=-1)``."""
    return np.asarray(predict(self, x, batch_size, verbose).argmax(axis=-1))

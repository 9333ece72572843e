"""fit, evaluate and predict for a `Sequential`, and its single steps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from . import capture, gpu_memory, initializers
from .backend import array_module, to_numpy
from .batches import Feed, Shuffle, Source
from .callbacks import CallbackList, report_evaluation
from .errors import ConfigError, DataError
from .numerics import require_finite
from .training import Progress, Trainer

if TYPE_CHECKING:
    from .callbacks import History
    from .model import Sequential

TOGETHER = 32  # steps that are taken without Python in between, where nobody looks at them and they can be recorded
PREDICT_BATCH = 256  # rows at a time where the user names no batch size; results do not depend on it


def _targets(model: Sequential, y: Any) -> Any:
    """Targets as the model's loss wants them, in the dtype of the outputs where it would round them anyway."""
    assert model.loss is not None
    targets = model.loss.prepare_targets(y, model.output_shape)
    return array_module().asarray(targets, dtype=model.dtype) if model.loss.rounds_targets else targets


def _prepare(model: Sequential, x: Any, y: Any, what: str, sample_weight: Any = None) -> tuple[Source, Any, Any]:
    """Samples, targets and sample weights, checked against the model and against each other."""
    if not model.built:
        model.build(np.shape(x)[1:] if not hasattr(x, "shape") else tuple(x.shape[1:]))
    source = Source(x, model.input_shape, model.dtype, what)
    if y is None:
        raise DataError(f"{what}: targets are missing")
    targets = _targets(model, y) if model.loss is not None else y
    if len(targets) != len(source):
        raise DataError(f"{what}: {len(source)} samples but {len(targets)} targets")
    if sample_weight is not None:
        sample_weight = np.asarray(to_numpy(sample_weight), model.dtype)
        if sample_weight.shape != (len(source),):
            raise DataError(f"sample_weight: expected shape ({len(source)},), got {sample_weight.shape}")
    return source, targets, sample_weight


def _class_weights(y: Any, class_weight: dict[int, float], sample_weight: Any) -> np.ndarray:
    labels = to_numpy(y)
    labels = labels.argmax(axis=-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels.reshape(-1)
    weights = np.array([class_weight.get(int(label), 1.0) for label in labels])
    return weights if sample_weight is None else weights * to_numpy(sample_weight)


def _positive(name: str, value: Any, least: int = 1) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name}: expected an integer of at least {least}, got {value!r}")
    return int(value)


def fit(
    self: Sequential,
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    drop_last: bool = False,
    progress: Progress | None = None,
) -> History:
    """Train for a number of epochs, with Keras's arguments.

    Every sample is used once per epoch in a new order; the last short batch counts by its size. With
    ``steps_per_epoch`` an epoch is that many steps, and the stream of shuffled samples goes on across epochs.

    Parameters
    ----------
    x : array or Pixels, shape ``(n, *input_shape)``
        Bytes stay bytes in memory and become floats batch by batch (`Pixels` scales them too).
    y : array
        Targets as the loss wants them.
    batch_size : int
        32 when left out.
    verbose : {"auto", 0, 1, 2}
        Nothing, a progress bar, or a line per epoch; "auto" draws the bar on a terminal only.
    validation_split : float
        This last fraction of the samples, before shuffling, is held out for validation.
    validation_data : (x, y)
        Evaluated after each epoch.
    drop_last : bool
        Leave out the last short batch.
    progress : Progress, optional
        Where an interrupted fit stood (`checkpoint.resume` gives it): the fit goes on from there and ends with the
        bits of one that was never interrupted. ``on_epoch_begin`` comes again for an epoch that is taken up inside.

    Returns
    -------
    History
        ``.history`` maps names to lists, one value per epoch.

    Raises
    ------
    ConfigError, DataError, ShapeError
        For arguments, data or shapes that cannot be trained on, before anything is changed.
    NumericsError
        If the loss becomes NaN or infinite, or the weights at the end of an epoch: names step, layer and array.
    """
    batch_size = 32 if batch_size is None else _positive("batch_size", batch_size)
    epochs, initial_epoch = _positive("epochs", epochs, 0), _positive("initial_epoch", initial_epoch, 0)
    if not 0 <= validation_split < 1:
        raise ConfigError(f"validation_split: expected a fraction in [0, 1), got {validation_split!r}")
    if validation_split and validation_data is None:
        first = int(len(x) * (1 - validation_split))
        validation_data = (x[first:], y[first:])
        x, y = x[:first], y[:first]
        if sample_weight is not None:
            sample_weight, held_out_weight = np.split(to_numpy(sample_weight), [first])
            validation_data = (*validation_data, held_out_weight)
    if class_weight is not None:
        sample_weight = _class_weights(y, class_weight, sample_weight)
    source, targets, sample_weight = _prepare(self, x, y, "x", sample_weight)
    trainer = self.trainer()
    trainer.recordings.clear()  # a layer may have been set to something else
    validation = None
    if validation_data is not None:
        validation = _prepare(self, validation_data[0], validation_data[1], "validation_data", *validation_data[2:3])
    seed = int(initializers.default_rng().integers(2**32))  # drawn in a resumed fit too: a second fit then draws alike
    if progress is None:
        progress = Progress(seed, epoch=initial_epoch)
    order = Shuffle(len(source), batch_size, bool(shuffle), drop_last, progress.seed)
    steps = order.steps_per_pass if steps_per_epoch is None else _positive("steps_per_epoch", steps_per_epoch)
    progress.take_up(
        samples=len(source), batch_size=batch_size, steps_per_epoch=steps, shuffle=order.shuffle, drop_last=drop_last
    )
    for layer in self.walk():
        if hasattr(layer, "step"):
            layer.step = int(self.optimizer.iterations)

    run = CallbackList(self, callbacks, verbose, epochs=epochs, steps=steps, samples=len(source))
    self.stop_training = False
    self.progress = progress
    validator = Trainer(self) if validation is not None else None
    feed, captured = Feed(source, targets, sample_weight), None
    if capture.possible(trainer):
        captured = capture.CapturedSteps(trainer, source, targets, sample_weight, order, steps)
    trainer.restore(progress)
    run.on_train_begin()
    run.load_state(progress.callbacks)
    progress.callbacks = {}
    with gpu_memory.explained(self, batch_size, partial(trainer.take_memory, targets)), trainer.running():
        while progress.epoch < epochs and not self.stop_training:
            run.on_epoch_begin(progress.epoch)
            if captured is not None:
                captured.run_epoch(progress, run)
            else:
                _run_epoch(trainer, feed, order, steps, progress, run)
            if progress.step < steps:  # stopped inside the epoch: it is not finished, and can be taken up again
                break
            require_finite(self)  # the loss of the last step says nothing about what that step did to the weights
            logs = trainer.results(progress.samples)
            if validator is not None and validation is not None and (progress.epoch + 1) % validation_freq == 0:
                results = _run_test(validator, *validation, validation_batch_size or PREDICT_BATCH)
                logs.update({f"val_{name}": value for name, value in results.items()})
            epoch = progress.epoch
            progress.epoch, progress.step, progress.samples = epoch + 1, 0, 0
            trainer.reset()
            run.on_epoch_end(epoch, logs)
    run.on_train_end()
    assert self.history is not None
    return self.history


def _run_epoch(trainer: Trainer, feed: Feed, order: Shuffle, steps: int, progress: Progress, run: Any) -> None:
    most = 1 if run.watches_batches else TOGETHER
    while progress.step < steps:
        run.on_train_batch_begin(progress.step)
        indices = order.together(progress.epoch * steps + progress.step, min(most, steps - progress.step))
        taken = trainer.steps(feed, indices)
        progress.step += taken
        progress.samples += taken * indices.shape[1]
        run.on_train_batch_end(progress.step - 1, trainer, progress)
        if trainer.model.stop_training:
            break


def _run_test(trainer: Trainer, source: Source, targets: Any, weights: Any, batch_size: int) -> dict[str, float]:
    trainer.reset()
    model = trainer.model
    with gpu_memory.explained(model, batch_size, partial(_predict_nothing, model)), model.reusing_buffers():
        for start in range(0, len(source), batch_size):
            x = source.slice(start, start + batch_size)
            rows = slice(start, start + len(x))
            batch_weights = trainer.weights(len(x), None if weights is None else weights[rows])
            trainer.test(x, targets[rows], batch_weights)
    return trainer.results(len(source))


def _answer(results: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return results
    values = list(results.values())
    return values[0] if len(values) == 1 else values


def evaluate(
    self: Sequential,
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = "auto",
    sample_weight: Any = None,
    return_dict: bool = False,
) -> Any:
    """Loss and metrics on a data set: the loss alone, or a list with the metrics behind it (or a dict), as in Keras.

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the model is not compiled, or data and targets do not fit it or each other.
    """
    batch_size = PREDICT_BATCH if batch_size is None else _positive("batch_size", batch_size)
    prepared = _prepare(self, x, y, "x", sample_weight)
    trainer = Trainer(self)  # one of its own: a callback may evaluate in the middle of an epoch
    results = _run_test(trainer, *prepared, batch_size)
    report_evaluation(results, verbose)
    return _answer(results, return_dict)


def predict(self: Sequential, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray:
    """The model's output for every sample, as a fresh NumPy array of shape ``(n, *output_shape)``.

    Raises
    ------
    DataError, ShapeError
        If the model is not built, or the samples do not fit it.
    """
    batch_size = PREDICT_BATCH if batch_size is None else _positive("batch_size", batch_size)
    self.require_built()
    source = Source(x, self.input_shape, self.dtype)
    result = np.empty((len(source), *self.output_shape), self.dtype)
    with gpu_memory.explained(self, batch_size, partial(_predict_nothing, self)), self.reusing_buffers():
        for start in range(0, len(source), batch_size):
            y = source.slice(start, start + batch_size)
            for layer in self.layers:
                y = layer.forward(y, False)
            result[start : start + len(y)] = to_numpy(y)
    return result


def _predict_nothing(model: Sequential, n: int) -> None:
    model.forward(array_module().empty((n, *model.input_shape), model.dtype))


def predict_classes(self: Sequential, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray:
    """The most probable class of every sample: ``predict(x).argmax(axis=-1)``."""
    return np.asarray(predict(self, x, batch_size, verbose).argmax(axis=-1))


def train_on_batch(self: Sequential, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
    """One optimizer step on one batch; returns the loss (and metrics) of that batch before the step.

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the model is not compiled, or samples and targets do not fit it or each other.
    NumericsError
        If the loss is not finite; the weights are as they were.
    """
    trainer = self.trainer()
    trainer.reset()
    x, targets, weights = _batch(trainer, x, y, sample_weight)
    with gpu_memory.explained(self, len(x), partial(trainer.take_memory, targets)), trainer.running():
        trainer.step(x, targets, weights)
    return _answer(trainer.results(len(x)), return_dict)


def test_on_batch(self: Sequential, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
    """Loss (and metrics) of one batch."""
    trainer = self.trainer()
    trainer.reset()
    x, targets, weights = _batch(trainer, x, y, sample_weight)
    with gpu_memory.explained(self, len(x), partial(_predict_nothing, self)), self.reusing_buffers():
        trainer.test(x, targets, weights)
    return _answer(trainer.results(len(x)), return_dict)


def loss_and_gradients(self: Sequential, x: Any, y: Any, sample_weight: Any = None) -> float:
    """The loss of one batch in training mode, and its gradient in every layer's ``grads``; no step is taken."""
    trainer = self.trainer()
    trainer.reset()
    x, targets, weights = _batch(trainer, x, y, sample_weight)
    trainer.gradients(x, targets, weights)
    return trainer.results(len(x))["loss"]


def _batch(trainer: Trainer, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    model = trainer.model
    x = model.check_input(np.asarray(x) if hasattr(x, "scale") else x)
    targets = _targets(model, y)
    if len(targets) != len(x):
        raise DataError(f"x: {len(x)} samples but {len(targets)} targets")
    return x, targets, trainer.weights(len(x), sample_weight)

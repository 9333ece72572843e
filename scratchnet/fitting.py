"""fit for a `Sequential`, and its single steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from . import capture, compiling, fit_data, gpu_memory, initializers
from .batches import Feed, Shuffle
from .callbacks import CallbackList, Logs, verbosity
from .checks import arguments_of, refuse_unknown, warn, whole
from .errors import ConfigError, NumericsError
from .numerics import require_finite
from .testing import answer, default_batch_size, predict_nothing, run_test
from .training import Progress, Trainer, set_steps
from .turns import in_turn

if TYPE_CHECKING:
    from .callbacks import History
    from .model import Sequential

TOGETHER = 32  # steps that run without Python in between, if nothing watches them and they can be recorded


@in_turn
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
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
    drop_last: bool = False,
    progress: Progress | None = None,
    **unknown: Any,
) -> History:
    """Train for a number of epochs, with Keras's arguments.

    Every sample is used once per epoch in a new order; a short last batch counts by its size. With
    ``steps_per_epoch`` an epoch is that many steps, and the stream of shuffled samples continues across epochs.

    Parameters
    ----------
    x : array or Pixels, shape ``(n, *input_shape)``
        Bytes stay bytes in memory and become floats batch by batch (`Pixels` scales them too).
    y : array
        Targets as the loss wants them.
    batch_size : int
        Default 32; with ``steps_per_epoch``, such that an epoch is one pass over the samples, as in Keras.
    verbose : {"auto", 0, 1, 2}
        Nothing, a progress bar, or a line per epoch; "auto" draws the bar on a terminal only.
    validation_split : float
        This last fraction of the samples, before shuffling, is held out for validation.
    validation_data : (x, y) or (x, y, sample_weight)
        Evaluated after each epoch.
    validation_steps : int, optional
        Number of its batches to use.
    validation_freq : int or collection of int
        Validate after every n-th epoch, or after these, counted from 1.
    class_weight : dict of class number to weight, optional
        Classes not named have weight 1.
    sample_weight : array, shape ``(n,)`` or ``(n, 1)``, optional
    drop_last : bool
        Drop a short last batch.
    progress : Progress, optional
        The state of an interrupted fit, from `checkpoint.resume`: the fit continues from there and ends with the bits
        of an uninterrupted one. ``on_epoch_begin`` is called again for an epoch that is resumed in the middle.

    Returns
    -------
    History
        ``.history`` maps names to lists, one value per epoch.

    Raises
    ------
    ConfigError, DataError, ShapeError
        For arguments, data or shapes that cannot be trained on, before anything is changed.
    NumericsError
        If the loss, or the weights at the end of an epoch, become NaN or infinite; names step, layer and array.
    """
    refuse_unknown("fit", unknown, arguments_of(fit))
    if validation_batch_size is None and validation_steps is not None:
        validation_batch_size = batch_size
    if batch_size is not None:
        whole("batch_size", batch_size)
    epochs, initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
    counts = {"steps_per_epoch": steps_per_epoch, "validation_steps": validation_steps}
    for name, value in {**counts, "validation_batch_size": validation_batch_size}.items():
        if value is not None:
            whole(name, value)
    is_due, held_out = fit_data.due(validation_freq), fit_data.fraction(validation_split)
    shown = verbosity(verbose, 2)
    if progress is not None and not isinstance(progress, Progress):
        raise ConfigError(f"progress: expected what checkpoint.resume gives, got {progress!r:.80}")
    if held_out and validation_data is None:
        (x, y, sample_weight), validation_data = fit_data.split(x, y, sample_weight, held_out)
    if validation_data is not None:
        validation_data = fit_data.validation(validation_data)
    source, targets, sample_weight = fit_data.prepare(self, x, y, "x", sample_weight, class_weight)
    if {*map(id, self.untrained())} != {*map(id, self.frozen)}:
        warn("a layer's trainable was set since compile: it counts from the next compile on")
    if batch_size is None:
        batch_size = 32 if steps_per_epoch is None else -(-len(source) // steps_per_epoch)
    trainer = self.trainer()
    validate = None
    if validation_data is not None:
        validate = _validation(self, validation_data, validation_batch_size, validation_steps, batch_size, is_due)
    seed = int(initializers.default_rng().integers(2**32))  # in a resumed fit too, so that a second fit draws the same
    if progress is None:
        progress = Progress(seed, epoch=initial_epoch)
    order = Shuffle(len(source), batch_size, bool(shuffle), drop_last, progress.seed)
    steps = order.steps_per_pass if steps_per_epoch is None else int(steps_per_epoch)
    progress.take_up(
        samples=len(source), batch_size=batch_size, steps_per_epoch=steps, shuffle=order.shuffle, drop_last=drop_last
    )
    set_steps(self, int(self.optimizer.iterations))

    run = CallbackList(self, callbacks, verbose, epochs=epochs, steps=steps, samples=len(source))
    self.stop_training = False
    self.progress = progress
    if capture.possible(trainer):
        captured = capture.CapturedSteps(trainer, source, targets, sample_weight, order, steps)
        take_epoch = partial(captured.run_epoch, progress, run)
    else:
        take_epoch = partial(_run_epoch, trainer, Feed(source, targets, sample_weight), order, steps, progress, run)
    trainer.restore(progress)
    run.call("on_train_begin", {})
    run.load_state(progress.callbacks)
    progress.callbacks = {}
    explained = gpu_memory.explained(self, batch_size, partial(trainer.take_memory, targets))
    announced = compiling.announced(shown > 0)
    with explained, announced as run.compiled, trainer.running(), trainer.stepper.recording_anew():
        logs = _run_epochs(trainer, take_epoch, epochs, steps, progress, run, validate)
    run.call("on_train_end", logs)
    assert self.history is not None
    return self.history


def _validation(
    model: Sequential, data: Any, batch_size: Any, steps: Any, in_training: int, is_due: Callable[[int], bool]
) -> Callable[[int, CallbackList], Logs]:
    """A function that returns the results of the validation after an epoch; none if it is not due."""
    x, y, weights = data
    held_out = fit_data.prepare(model, x, y, "validation_data", weights)
    validator = Trainer(model)
    batches = fit_data.batches(len(held_out[0]), batch_size, steps, default_batch_size(validator, in_training))

    def validate(epoch: int, run: CallbackList) -> Logs:
        results = run_test(validator, held_out, batches, run) if is_due(epoch) else {}
        return {f"val_{name}": value for name, value in results.items()}

    return validate


def _run_epochs(
    trainer: Trainer, take_epoch: Callable[[], None], epochs: int, steps: int, progress: Progress, run: CallbackList,
    validate: Callable[[int, CallbackList], Logs] | None,
) -> Logs:  # fmt: skip
    """The epochs that are left; returns the logs of the last one."""
    model, logs = trainer.model, {}
    while progress.epoch < epochs and not model.stop_training:
        model.turns.offer()
        run.call("on_epoch_begin", progress.epoch, {})
        try:
            take_epoch()
            if progress.step == steps or not run.interrupts:
                require_finite(model)  # the last step's loss does not show what the step did to the weights
        except NumericsError:
            if not run.terminates(progress.step):
                raise
        if progress.step < steps and run.interrupts:  # the epoch is not finished, and can be resumed
            break
        epoch = progress.epoch
        logs = trainer.results(max(progress.samples, 1))  # no samples if the first step failed
        if validate is not None:
            logs.update(validate(epoch, run))
        progress.epoch, progress.step, progress.samples = epoch + 1, 0, 0
        trainer.reset()
        run.call("on_epoch_end", epoch, logs)
    return logs


def _run_epoch(trainer: Trainer, feed: Feed, order: Shuffle, steps: int, progress: Progress, run: Any) -> None:
    most = 1 if run.watches_batches else TOGETHER
    while progress.step < steps:
        run.on_train_batch_begin(progress.step)
        trainer.model.reclaim()
        indices = order.together(progress.epoch * steps + progress.step, min(most, steps - progress.step))
        taken = trainer.stepper.steps(feed, indices)
        progress.step += taken
        progress.samples += taken * indices.shape[1]
        run.on_train_batch_end(progress.step - 1, trainer, progress)
        trainer.model.turns.offer()
        if trainer.model.stop_training:
            break


@in_turn
def train_on_batch(
    self: Sequential,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    return_dict: bool = False,
) -> Any:
    """One optimizer step on one batch; returns the loss (and metrics) of that batch before the step.

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the model is not compiled, or samples, targets and weights do not fit it or each other.
    NumericsError
        If the loss is not finite; the weights are then unchanged.
    """
    x, targets, weights = fit_data.batch(self, x, y, sample_weight, class_weight)
    trainer = self.trainer()
    explained = gpu_memory.explained(self, len(x), partial(trainer.take_memory, targets))
    with trainer.apart(), explained, trainer.running():
        trainer.stepper.step(x, targets, trainer.weights(len(x), weights))
        return answer(trainer.results(len(x)), return_dict)


@in_turn
def test_on_batch(self: Sequential, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
    """Loss (and metrics) of one batch. Raises as `train_on_batch` does."""
    x, targets, weights = fit_data.batch(self, x, y, sample_weight)
    trainer = self.trainer()
    explained = gpu_memory.explained(self, len(x), partial(predict_nothing, self))
    with trainer.apart(), explained, self.reusing_buffers():
        trainer.test(x, targets, trainer.weights(len(x), weights))
        return answer(trainer.results(len(x)), return_dict)


@in_turn
def loss_and_gradients(self: Sequential, x: Any, y: Any, sample_weight: Any = None) -> float:
    """The loss of one batch in training mode, and its gradient in every layer's ``grads``; no step is taken."""
    x, targets, weights = fit_data.batch(self, x, y, sample_weight)
    trainer = self.trainer()
    with trainer.apart():
        trainer.gradients(x, targets, trainer.weights(len(x), weights))
        return trainer.results(len(x))["loss"]

"""The arguments of fit, evaluate and the single steps: samples, targets, weights and how to iterate over them, checked
before anything is done with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import host_arrays
from .backend import array_module
from .batches import Source, one_input, refuse_streams, samples
from .checks import is_number, is_whole, warn, whole
from .datasets import Pixels
from .errors import ConfigError, DataError
from .sample_weights import class_weights, sample_weights
from .training import require_compiled

if TYPE_CHECKING:
    from .model import Sequential


Triple = tuple[Any, Any, Any]  # x, y and sample_weight (or None), as the user gave them
Prepared = tuple[Source, Any, Any]  # samples, targets and sample weights (or None)


def prepare(
    model: Sequential, x: Any, y: Any, what: str, sample_weight: Any = None, class_weight: Any = None
) -> Prepared:
    """A data set for a model, which is built if necessary.

    Raises
    ------
    ConfigError, DataError, ShapeError
        Naming ``what``.
    """
    require_compiled(model)
    _require_targets(x, y, what)
    x = _sliceable(one_input(x, model.input_shape) if model.built else x, what)
    build_for(model, x, what)
    source = Source(x, model.input_shape, model.dtype, what)
    targets = targets_of(model, y)
    _require_as_many(what, len(source), targets)
    name = "sample_weight" if what == "x" else f"{what}: sample_weight"
    return source, targets, weights_of(model, y, len(source), sample_weight, class_weight, name)


def build_for(model: Sequential, x: Any, what: str) -> None:
    """Build a model for these samples, if necessary. Raises DataError or ShapeError, naming ``what``."""
    if model.built:
        return
    if not model.layers:
        model.require_built()
    model.build(tuple(_sliceable(x, what).shape[1:]))


def batch(
    model: Sequential, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None
) -> tuple[Any, Any, Any]:
    """Samples, targets and sample weights (or None) of a single step, as arrays of the backend; the model is built if
    necessary.

    Raises
    ------
    ConfigError, DataError, ShapeError
        As `prepare` does.
    """
    require_compiled(model)
    _require_targets(x, y, "x")
    build_for(model, x, "x")
    x = model.check_input(np.asarray(x) if isinstance(x, Pixels) else x)
    if len(x) == 0:
        raise DataError(f"x: expected at least one sample, got an array of shape {x.shape}")
    targets = targets_of(model, y)
    _require_as_many("x", len(x), targets)
    return x, targets, weights_of(model, y, len(x), sample_weight, class_weight)


def targets_of(model: Sequential, y: Any) -> Any:
    """Targets as the model's loss wants them, in the dtype of the outputs if the loss would round them anyway."""
    assert model.loss is not None
    targets = model.loss.prepare_targets(y, model.output_shape)
    return array_module().asarray(targets, dtype=model.dtype) if model.loss.rounds_targets else targets


def weights_of(
    model: Sequential, y: Any, n: int, sample_weight: Any, class_weight: Any, name: str = "sample_weight"
) -> np.ndarray | None:
    """One weight for each of n samples: its own, that of its class, or their product; None without either."""
    own = None if sample_weight is None else sample_weights(sample_weight, n, model.dtype, name)
    if class_weight is None:
        return own
    by_class = class_weights(y, class_weight)
    return (by_class if own is None else by_class * own).astype(model.dtype)


def split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Triple, Triple]:
    """The samples for training, and those for validation: the last fraction.

    Raises
    ------
    DataError
        If they cannot be split.
    """
    _require_targets(x, y, "x")
    x = _sliceable(x, "x")
    y = host_arrays.numbers(y, "y", "numbers for targets")
    _require_as_many("x", len(x), y)
    if sample_weight is not None:
        sample_weight = sample_weights(sample_weight, len(x), np.float64)
    first = int(len(x) * (1 - fraction))
    if not 0 < first < len(x):
        raise DataError(
            f"validation_split: {fraction} of {len(x)} samples leaves none to train on, or none to hold out"
        )

    def part(rows: slice) -> Triple:
        return x[rows], y[rows], None if sample_weight is None else sample_weight[rows]

    return part(slice(first)), part(slice(first, None))


def fraction(value: Any) -> float:
    """``validation_split``, checked."""
    if not is_number(value) or not 0 <= value < 1:
        raise ConfigError(f"validation_split: expected a fraction in [0, 1), got {value!r:.80}")
    return float(value)


def validation(data: Any) -> Triple:
    """``validation_data``, checked: a pair, or with weights."""
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        came = f"a {type(data).__name__} of {len(data)}" if isinstance(data, tuple | list) else f"{data!r:.80}"
        came = came.replace("\n", " ")
        raise ConfigError(f"validation_data: expected (x, y) or (x, y, sample_weight), got {came}")
    x, y, *weights = data
    return x, y, weights[0] if weights else None


def due(freq: Any) -> Callable[[int], bool]:
    """Whether an epoch is followed by a validation, from ``validation_freq``: every n-th epoch, or the listed ones,
    counted from 1.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if is_whole(freq):
        return lambda epoch: (epoch + 1) % freq == 0
    several = isinstance(freq, Iterable) and not isinstance(freq, str | bytes) and getattr(freq, "ndim", None) != 0
    named = list(freq) if several else [None]
    if not all(is_whole(epoch) for epoch in named):
        expected = "an integer of at least 1, or the epochs that end with a validation, from 1 on"
        raise ConfigError(f"validation_freq: expected {expected}, got {freq!r:.80}")
    return lambda epoch: epoch + 1 in named


def batches(n: int, batch_size: Any, steps: Any, default: int) -> tuple[int, int]:
    """Size and number of the batches of a test or a prediction.

    As in Keras, ``steps`` limits the number of batches; without a size, all samples are divided into that many.
    ``default`` is the size if neither is given.

    Raises
    ------
    ConfigError
        If one of them is not a positive integer.
    """
    size = default if batch_size is None else whole("batch_size", batch_size)
    if steps is None:
        return size, -(-n // size)
    count = whole("steps", steps)
    if batch_size is None:
        size = -(-n // count)
    there = -(-n // size)
    if count > there:
        warn(f"{count} batches of {size} were asked for, there are {there}")
    return size, min(count, there)


def _require_targets(x: Any, y: Any, what: str) -> None:
    refuse_streams(x, what)  # which would have included the targets
    if y is None:
        hint = "; samples and targets are two arguments" if isinstance(x, tuple) else ""
        raise DataError(f"{what}: targets are missing{hint}")


def _sliceable(x: Any, name: str) -> Any:
    return x if isinstance(x, Pixels) else samples(x, name)


def _require_as_many(what: str, n: int, targets: Any) -> None:
    count = len(targets) if np.ndim(targets) else "no"
    if count != n:
        raise DataError(f"{what}: {n} samples but {count} targets")

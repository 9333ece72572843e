"""Arguments of Keras's layers: regularizers, and those for what scratchnet does not do, accepted at their defaults."""

from __future__ import annotations

from typing import Any

from ..checks import arguments_of, refuse_unknown, sample_shape, whole
from ..keras_defaults import LAYERS, Rules, take
from ..regularizers import Regularizer, get

BASE = ("name", "dtype", "input_shape", "trainable")  # what every layer takes
_EVERYWHERE: Rules = {
    "autocast": ((True,), "inputs are always converted to the layer's dtype"),
    "activity_regularizer": ((None,), "only weights are regularized"),
}
# What Keras regularizes and constrains, as the arguments call it; a layer's `argument_words` say where a weight has
# another name.
_WORDS = ("kernel", "depthwise", "pointwise", "bias", "beta", "gamma")


def regularizers(layer: Any, unknown: dict[str, Any]) -> dict[str, Regularizer]:
    """The regularizers by weight; ConfigError for the first argument that a layer does not have or support."""
    if not unknown:
        return {}
    classes = [cls for cls in type(layer).__mro__[:-1] if "__init__" in vars(cls)]  # to see object's, code is compiled
    drawn = {name for cls in classes for name in arguments_of(cls)}
    rules, found = dict(_EVERYWHERE), {}
    for cls in classes:
        rules.update(LAYERS.get(cls.__name__, {}))
    weights = {word: weight for weight, word in layer.argument_words.items()}
    for word in _WORDS:
        if f"{word}_initializer" in drawn:
            rules[f"{word}_constraint"] = ((None,), "there are no constraints")
            found[weights.get(word, word)] = get(unknown.pop(f"{word}_regularizer", None))
    take(layer, unknown, rules)
    refuse_unknown(layer, unknown, layer_arguments(type(layer)))
    return {weight: regularizer for weight, regularizer in found.items() if regularizer is not None}


def layer_arguments(cls: type) -> list[str]:
    """What the constructor of a layer class takes, by name."""
    return list(dict.fromkeys([*arguments_of(cls), *BASE]))


def input_shape(layer: Any, shape: Any, others: dict[str, Any]) -> tuple[int, ...] | None:
    """``input_shape=`` as a tuple; ``input_dim=4``, which is removed from the other arguments, is ``(4,)``.

    Raises
    ------
    ConfigError
        If it is not a shape, or ``input_dim`` not a positive integer.
    """
    if (dim := others.pop("input_dim", None)) is not None and shape is None:
        return (whole(f"{type(layer).__name__}: input_dim", dim),)
    return None if shape is None else sample_shape(f"{type(layer).__name__}: input_shape", shape)

"""Keras's arguments for what scratchnet does not do: their defaults are accepted, anything else is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .checks import arguments_of, refuse_unknown
from .errors import ConfigError
from .names import INSTEAD

Rules = Mapping[str, tuple[tuple[Any, ...], str]]
"""For each argument the accepted values, Keras's default first, and why no other is accepted."""

COMPILE: Rules = {
    "loss_weights": ((None,), "a model has one loss"),
    "weighted_metrics": ((None, []), "metrics are not weighted"),
    "steps_per_execution": ((1,), "fit takes many steps at a time by itself"),
    "jit_compile": (("auto", None, False, True), "kernels are compiled, whatever the model"),
    "auto_scale_loss": ((True,), "losses are not scaled"),
}
SUMMARY: Rules = {
    "positions": ((None,), "columns are as wide as what is in them"),
    "expand_nested": ((False,), "a nested model has a summary() of its own"),
    "show_trainable": ((False,), "the last lines say how much is trained"),
    "layer_range": ((None,), "all layers are shown"),
}
SAVE: Rules = {"overwrite": ((True,), "a file of that name is replaced")}
LOAD: Rules = {"safe_mode": ((True,), "nothing in a file is ever executed")}
SAVE_MODEL: Rules = {**SAVE, "include_optimizer": ((True,), "save_weights leaves the optimizer out")}
LOSS: Rules = {
    "reduction": (("sum_over_batch_size",), "a loss is the mean over the batch"),
    "dtype": ((None, "float32", "float64"), "a loss has the dtype of the outputs"),
}
SCALING: Rules = {
    "input_axes": ((None,), "they follow from the shape"),
    "output_axes": ((None,), "they follow from the shape"),
}
METRIC: Rules = {"dtype": ((None, "float32", "float64"), "a metric is summed in doubles")}
CROSSENTROPY: Rules = {**LOSS, "axis": ((-1,), "classes are along the last axis")}
SPARSE_CROSSENTROPY: Rules = {**CROSSENTROPY, "ignore_class": ((None,), "sample_weight leaves samples out")}
OPTIMIZER: Rules = {
    "use_ema": ((False,), "there are no moving averages of weights"),
    "ema_momentum": ((0.99,), "there are no moving averages of weights"),
    "ema_overwrite_frequency": ((None,), "there are no moving averages of weights"),
    "loss_scale_factor": ((None,), "losses are not scaled"),
    "gradient_accumulation_steps": ((None,), "every batch is a step"),
    "decay": ((None, 0, 0.0), INSTEAD["decay"]),
}
TENSORBOARD: Rules = {
    "write_images": ((False,), "images=(x, y) shows those that are misclassified"),
    "write_steps_per_second": ((False,), "steps are not timed"),
    "profile_batch": ((0,), "steps are not profiled"),
    "embeddings_freq": ((0,), "there are no embeddings"),
    "embeddings_metadata": ((None,), "there are no embeddings"),
}
LAYERS: Mapping[str, Rules] = {
    "BatchNormalization": {
        "synchronized": ((False,), "there is one device"),
        "renorm": ((False,), "there is no batch renormalization"),
        "renorm_clipping": ((None,), "there is no batch renormalization"),
        "renorm_momentum": ((0.99,), "there is no batch renormalization"),
    },
    "Normalization": {
        "mean": ((None,), "adapt(data) sets it"),
        "variance": ((None,), "adapt(data) sets it"),
        "invert": ((False,), "y * sqrt(layer.variance) + layer.mean is the inverse"),
    },
    "LayerNormalization": {"rms_scaling": ((False,), "the variance is taken around the mean")},
    "Dense": {
        "lora_rank": ((None,), "there is no LoRA"),
        "lora_alpha": ((None,), "there is no LoRA"),
        "quantization_config": ((None,), "weights are not quantized"),
    },
}
CLONE: Rules = {
    "input_tensors": ((None,), "a model's input is its own"),
    "clone_function": ((None,), "every layer is made again of its config"),
    "call_function": ((None,), "every layer is made again of its config"),
    "recursive": ((False,), "the layers inside layers are made again, too"),
}


def take(owner: Any, arguments: dict[str, Any], rules: Rules) -> None:
    """Remove the arguments that have rules from a call's other arguments.

    The owner is an object of the called class, or the name of a function.

    Raises
    ------
    ConfigError
        For the first one whose value is not accepted.
    """
    for name in [name for name in arguments if name in rules]:
        value, (passing, reason) = arguments.pop(name), rules[name]
        if not any(type(value) is type(one) and value == one for one in passing):
            label = owner if isinstance(owner, str) else type(owner).__name__
            raise ConfigError(f"{label}: {name}: expected {passing[0]!r}, got {value!r:.80}: {reason}")


def refuse_others(method: Callable[..., Any], others: dict[str, Any], rules: Rules) -> None:
    """Raise ConfigError unless all other arguments of a method are Keras's, with accepted values."""
    take(method.__name__, others, rules)
    refuse_unknown(method.__name__, others, arguments_of(method))

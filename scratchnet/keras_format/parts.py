"""Layers, optimizers, losses and metrics in Keras's words, both ways: ``{"module", "class_name", "config"}``.

Arguments have Keras's names already, so a class that Keras has too needs one entry in a table, and no code.
"""

from __future__ import annotations

from typing import Any

from .. import initializers, losses, metrics, optimizers, regularizers
from .. import layers as our_layers
from ..custom import ours
from ..errors import CheckpointError, ConfigError
from ..layers.base import Layer
from ..layers.serialization import make
from ..layers.stack import Stack

SAME = (
    "AveragePooling2D", "BatchNormalization", "Conv2D", "Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D",
    "Dropout", "ELU", "Flatten", "GaussianNoise", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "LayerNormalization",
    "LeakyReLU", "MaxPooling2D", "Normalization", "RandomFlip", "RandomTranslation", "ReLU", "Rescaling", "Reshape",
    "SeparableConv2D", "Softmax", "UpSampling2D", "ZeroPadding2D",
)  # fmt: skip
"""The layers that Keras has, too, with the same arguments and weights."""
FUNCTIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "GELU": "gelu"}
"""Layers of ours that are functions in Keras."""
_PARTS = {"initializer": "initializers", "regularizer": "regularizers"}  # ends of arguments, and Keras's modules
_HOMES: dict[str, Any] = {"initializers": initializers, "regularizers": regularizers}


def keras_class(layer: Layer) -> str:
    """The name of Keras's class for a layer; ConfigError if there is none."""
    name = type(layer).__name__
    if not ours(type(layer)) or name not in (*SAME, *FUNCTIONS, "Activation", "Sequential"):
        raise ConfigError(f"layer {layer.name!r}: Keras has no {name}")
    return "Activation" if name in FUNCTIONS else name


def keras_arguments(layer: Layer) -> dict[str, Any]:
    """The arguments of Keras's class. An activation that is a layer is left as it is in our config."""
    settings = layer.get_config()
    if type(layer).__name__ in FUNCTIONS:
        settings["activation"] = FUNCTIONS[type(layer).__name__]
        settings.pop("approximate", None)
    return settings


# Ours in Keras's words ------------------------------------------------------------------------------------------------


def describe(module: str, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """A part as Keras serializes it."""
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def describe_layer(layer: Layer, frozen: bool = False) -> dict[str, Any]:
    """A layer as Keras serializes it, ``frozen`` if what it is in is not trainable; ConfigError if Keras has none like
    it.
    """
    name = keras_class(layer)
    if "/" in str(layer.name):
        raise ConfigError(f"layer {layer.name!r}: Keras's names have no '/'")
    if isinstance(layer, Stack):
        return describe("keras", name, _describe_stack(layer, frozen or not layer.trainable))
    if getattr(layer, "approximate", False):
        raise ConfigError(f"layer {layer.name!r}: Keras cannot save a GELU(approximate=True)")
    config = {**keras_arguments(layer), "trainable": layer.trainable and not frozen}
    if isinstance(config.get("activation"), dict):
        (inner,) = layer.sublayers()
        config["activation"] = describe_layer(inner)
    for argument, value in config.items():
        module = _PARTS.get(argument.rpartition("_")[2])
        if module and value is not None:
            config[argument] = _describe_part(module, value)
    return describe("keras.layers", name, config)


def _describe_stack(stack: Stack, frozen: bool) -> dict[str, Any]:
    if not stack.built:
        raise ConfigError(f"model {stack.name!r} is not built")
    shape = [None, *stack.input_shape]
    name, taken = "input_layer", {layer.name for layer in stack.layers}
    while name in taken:
        name += "_"
    start = {"batch_shape": shape, "dtype": stack.dtype.name, "name": name}
    layers = [describe("keras.layers", "InputLayer", start), *(describe_layer(one, frozen) for one in stack.layers)]
    return {"name": stack.name, "trainable": not frozen, "layers": layers, "build_input_shape": shape}


def _describe_part(module: str, spec: dict[str, Any], cls: type | None = None) -> dict[str, Any]:
    name, config = spec["class_name"], dict(spec["config"])
    if (cls is not None and not ours(cls)) or (module in _HOMES and not hasattr(_HOMES[module], name)):
        raise ConfigError(f"Keras has no {name}")
    if name in ("Zeros", "Ones"):  # Keras's take no seed
        config.pop("seed", None)
    if name == "SparseCategoricalCrossentropy" and config.pop("label_smoothing", 0):
        raise ConfigError(f"Keras has no label_smoothing in {name}")
    return describe(f"keras.{module}", name, config)


def describe_compiled(model: Any) -> dict[str, Any]:
    """The compile settings as Keras serializes them. Metrics that are functions of a user's are left out.

    Raises
    ------
    ConfigError
        If Keras lacks the optimizer, the loss or a metric.
    """
    optimizer = _describe_part("optimizers", optimizers.serialize(model.optimizer), type(model.optimizer))
    rate = optimizer["config"]["learning_rate"]
    if isinstance(rate, dict):
        schedule = type(model.optimizer.rate_or_schedule)
        optimizer["config"]["learning_rate"] = _describe_part("optimizers.schedules", rate, schedule)
    return {
        "optimizer": optimizer,
        "loss": None
        if model.loss is None
        else _describe_part("losses", losses.serialize(model.loss), type(model.loss)),
        "loss_weights": None,
        "metrics": [one for one in map(_describe_metric, model.metrics) if one is not None],
        "weighted_metrics": None,
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": "auto",
    }


def _describe_metric(metric: Any) -> Any:
    if isinstance(metric, metrics.MeanMetricWrapper):
        return metric.fn.__name__ if metric.fn in vars(losses).values() else None
    spec = metrics.serialize(metric)
    assert spec is not None
    if type(metric) is metrics.ClassAccuracy:  # not its subclasses, which Keras has
        if metric.name.lower() not in ("accuracy", "acc"):
            raise ConfigError(f"metric {metric.name!r}: Keras has a ClassAccuracy only by the name 'accuracy'")
        return metric.name
    return _describe_part("metrics", spec, type(metric))


# Keras's in ours ------------------------------------------------------------------------------------------------------


def checked(spec: Any, what: str) -> tuple[str, dict[str, Any]]:
    """Class name and config of a part; CheckpointError unless the file says that the class is one of Keras's own."""
    if not isinstance(spec, dict) or not isinstance(spec.get("class_name"), str):
        raise CheckpointError(f"{what}: expected a class_name and a config, got {str(spec)[:80]}")
    name, config, home = spec["class_name"], spec.get("config"), spec.get("module", "keras")
    if str(home).partition(".")[0] != "keras" or spec.get("registered_name") not in (None, name):
        raise CheckpointError(f"{what}: {name[:80]} is not one of Keras's own classes, but of {str(home)[:80]}")
    if not isinstance(config, dict):
        raise CheckpointError(f"{what}: {name[:80]}: expected its config as a dict, got {str(config)[:80]}")
    return name, config


def part(spec: Any, what: str) -> Any:
    """A part's description as ours take it: a name, None, or ``{"class_name", "config"}``."""
    if not isinstance(spec, dict):
        return spec
    if spec.get("class_name") == "function" and isinstance(spec.get("config"), str):
        return spec["config"]
    name, config = checked(spec, what)
    if isinstance(config.get("learning_rate"), dict):
        config = {**config, "learning_rate": part(config["learning_rate"], "learning_rate")}
    if isinstance(array := config.get("value"), dict) and isinstance(array.get("config"), dict):  # of a Constant
        config = {**config, "value": array["config"].get("value")}
    return {"class_name": name, "config": config}


def layer_of(spec: Any, what: str = "layer") -> Layer:
    """The layer that Keras has described, not built; ``what`` says in messages where that stands.

    Raises
    ------
    CheckpointError
        If scratchnet has no such layer, or the description is malformed.
    ConfigError
        If the layer has arguments for what scratchnet does not do.
    """
    name, config = checked(spec, what)
    own, who = config.get("name"), f"layer {str(config.get('name'))[:80]!r}"
    if name == "Sequential":
        return stack_of(spec)
    if name == "InputLayer":
        return our_layers.Input(batch_shape=_shape(config, who), name=own)
    if name not in (*SAME, "Activation"):
        raise CheckpointError(f"{who}: there is no {name[:80]} in scratchnet")
    arguments = {**config, "dtype": _dtype(config.get("dtype"), who)}
    if (shape := arguments.pop("batch_input_shape", None)) is not None:
        arguments["input_shape"] = our_layers.Input(batch_shape=shape).shape
    for argument, value in arguments.items():
        if argument.rpartition("_")[2] in _PARTS:
            arguments[argument] = part(value, f"{who}: {argument}")
    if isinstance(value := arguments.get("activation"), dict):
        function = value.get("class_name") == "function"
        arguments["activation"] = part(value, who) if function else layer_of(value, f"{who}: activation")
    try:
        return make(getattr(our_layers, name), arguments)
    except ConfigError as error:
        raise ConfigError(f"{who}: {error}") from error


def stack_of(spec: Any) -> Any:
    """The model that Keras has described, not built unless it begins with the shape of its inputs."""
    from ..model import Sequential

    name, config = checked(spec, "model")
    if name != "Sequential":
        raise CheckpointError(f"expected a Sequential, this is a {name[:80]}: there is no functional API")
    if not isinstance(config.get("layers"), list):
        raise CheckpointError(f"model {str(config.get('name'))[:80]!r}: expected a list of layers")
    shape = config.get("build_input_shape")
    stack = Sequential(map(layer_of, config["layers"]), config.get("name"), trainable=config.get("trainable", True))
    if not stack.built and shape is not None:
        stack.build(our_layers.Input(batch_shape=shape).shape)
    return stack


def _shape(config: dict[str, Any], who: str) -> Any:
    if config.get("sparse") or config.get("ragged") or config.get("optional"):
        raise CheckpointError(f"{who}: expected dense inputs, got sparse, ragged or optional ones")
    return config.get("batch_shape", config.get("batch_input_shape"))


def _dtype(policy: Any, who: str) -> Any:
    if not isinstance(policy, dict):
        return policy
    name, config = checked(policy, who)
    if name != "DTypePolicy":
        raise CheckpointError(f"{who}: expected a dtype, got {name[:80]}")
    return config.get("name")


def compiled(config: Any) -> dict[str, Any]:
    """The arguments of our ``compile`` from Keras's compile settings."""
    if not isinstance(config, dict):
        raise CheckpointError(f"expected a dict, got {str(config)[:80]}")
    loss, given = config.get("loss"), of_one_output(config.get("metrics"))
    if isinstance(loss, list) and len(loss) == 1:
        (loss,) = loss
    if isinstance(given, list):
        given = [part(one, "metric") for one in given]
    optimizer = part(config.get("optimizer"), "optimizer")
    return {**config, "optimizer": optimizer, "loss": part(loss, "loss"), "metrics": given}


def of_one_output(metrics: Any) -> Any:
    """The metrics, if Keras keeps a list for each output: there is one."""
    return metrics[0] if isinstance(metrics, list) and len(metrics) == 1 and isinstance(metrics[0], list) else metrics

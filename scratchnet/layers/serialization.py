"""Layers as JSON-able dicts and back. Only classes that were named beforehand are ever instantiated: nothing is
imported or run.
"""

from __future__ import annotations

from typing import Any

from .. import custom
from ..configured import require_config
from ..custom import custom_objects, register
from ..errors import ConfigError
from .base import Layer

__all__ = ["custom_objects", "deserialize", "layer_classes", "make", "register", "serialize"]


def layer_classes() -> dict[str, type[Layer]]:
    """Every class that `deserialize` may instantiate, by name."""
    from .. import layers

    public = {name: cls for name, cls in vars(layers).items() if isinstance(cls, type) and issubclass(cls, Layer)}
    return {**public, **custom.known(Layer)}


def serialize(layer: Layer, config: dict[str, Any] | None = None) -> dict[str, Any]:
    """``{"class_name", "config"}`` of a layer; by default the config that files have, which repeats it exactly."""
    return {"class_name": type(layer).__name__, "config": layer.config() if config is None else config}


def deserialize(spec: Any) -> Layer:
    """The layer that `serialize` described, not built.

    Raises
    ------
    ConfigError
        If the description is malformed, names an unknown class, or its arguments do not fit.
    """
    if not (isinstance(spec, dict) and set(spec) == {"class_name", "config"} and isinstance(spec["config"], dict)):
        raise ConfigError(f"layer: expected a dict with class_name and config, got {str(spec)[:80]}")
    classes = layer_classes()
    if not isinstance(spec["class_name"], str) or spec["class_name"] not in classes:
        raise ConfigError(
            f"layer: unknown class {str(spec['class_name'])[:80]!r}: a class of your own has to be known first: "
            "@sn.layers.register, or load_model(path, custom_objects={name: class})"
        )
    return make(classes[spec["class_name"]], spec["config"])


def make(cls: type[Layer], config: Any) -> Layer:
    """A layer of a class from what `Layer.config` returned, not built.

    Raises
    ------
    ConfigError
        If these are not arguments of the class.
    """
    require_config(cls, config)
    arguments = dict(config)
    if isinstance(arguments.get("layers"), list):
        arguments["layers"] = [deserialize(inner) for inner in arguments["layers"]]
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"layer {cls.__name__}: {error}") from None

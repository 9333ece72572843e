"""From tables to objects: layers, initializers, losses, optimizers and schedules by their public names."""

from __future__ import annotations

import inspect
import re
from typing import Any

from .. import initializers, layers, losses, optimizers
from ..datasets.files import shown
from ..errors import RecipeError
from ..names import folded
from .schema import refusal, suggest
from .toml import Path

_BASES = {"Layer", "Initializer", "Loss", "Optimizer", "LearningRateSchedule"}


def public_classes(module: Any) -> dict[str, type]:
    """The classes that a recipe may name, aliases included."""
    names = getattr(module, "__all__", None) or list(vars(module))
    found = {name: vars(module).get(name) for name in names if not name.startswith("_") and name not in _BASES}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, type) and value.__module__.startswith(module.__name__)
    }


def accepted_arguments(cls: type) -> dict[str, inspect.Parameter]:
    """The constructor's arguments, including those that it passes on to its base class as ``**kwargs``.

    Required arguments of a base class are not among them: the constructor supplies those (ReLU's name, to
    `Activation`).
    """
    accepted: dict[str, inspect.Parameter] = {}
    constructors = [base for base in cls.__mro__ if "__init__" in vars(base)]
    for base in constructors:
        first = base is constructors[0]
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        for parameter in parameters:
            by_name = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            if by_name and (first or parameter.default is not parameter.empty):
                accepted.setdefault(parameter.name, parameter)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return accepted


class Parts:
    """Makes the parts of one recipe.

    Parameters
    ----------
    where : str
        The recipe's name in messages.
    text : str
        Its TOML text, in which the lines for messages are looked up.
    """

    def __init__(self, where: str, text: str) -> None:
        self.where, self.text = where, text

    def layer(self, table: dict[str, Any], path: Path) -> Any:
        """A layer from ``{type = "Dense", units = 10}``.

        Raises
        ------
        RecipeError
            If the type or an argument is unknown (suggesting the right one), missing, or has a bad value.
        """
        if not isinstance(table.get("type"), str):
            raise self.refusal(path, 'expected type = "..." with the name of a layer')
        arguments = {key: value for key, value in table.items() if key != "type"}
        return self._make("layer", layers, table["type"], arguments, (*path, "type"), path)

    def named(self, kind: str, table: dict[str, Any], path: Path) -> Any:
        """A loss, optimizer, initializer or schedule from ``{name = "adam", learning_rate = 0.001}``.

        Raises
        ------
        RecipeError
            As for `layer`.
        """
        module = {
            "loss": losses, "optimizer": optimizers, "initializer": initializers, "schedule": optimizers.schedules
        }[kind]  # fmt: skip
        if not isinstance(table.get("name"), str):
            raise self.refusal(path, f'expected the name of {_a(kind)}, or a table such as {{ name = "..." }}')
        arguments = {key: value for key, value in table.items() if key != "name"}
        return self._make(kind, module, table["name"], arguments, (*path, "name"), path)

    def refusal(self, path: Path, message: str) -> RecipeError:
        """The error for the value at ``path``."""
        return refusal(self.where, self.text, path, message)

    def _make(self, kind: str, module: Any, name: str, arguments: dict[str, Any], name_path: Path, path: Path) -> Any:
        classes = public_classes(module)
        # Layers are named as in Python; for the rest Keras takes "adam" and "Adam", "he_normal" and "HeNormal".
        cls = classes.get(name) if kind == "layer" else {folded(n): c for n, c in classes.items()}.get(folded(name))
        if cls is None:
            choices = list(classes) if kind == "layer" else [snake(choice) for choice in classes]
            raise self.refusal(name_path, f"there is no {kind} {shown(repr(name))}: {suggest(name, choices)}")
        accepted = accepted_arguments(cls)
        for key in arguments:
            if key not in accepted:
                hint = suggest(key, list(accepted))
                raise self.refusal((*path, key), f"{cls.__name__} has no argument {shown(repr(key))}: {hint}")
        for key, parameter in accepted.items():
            if parameter.default is parameter.empty and key not in arguments:
                raise self.refusal(path, f"{cls.__name__} needs the argument {key!r}")
        values = {key: self._value(key, value, (*path, key)) for key, value in arguments.items()}
        try:
            return cls(**values)
        except RecursionError:
            raise self.refusal(path, "nested too deeply") from None
        except Exception as error:  # a value of an unforeseen type: a constructor may raise anything
            raise self.refusal(path, shown(error) or type(error).__name__) from None

    def _value(self, key: str, value: Any, path: Path) -> Any:
        if key.endswith("_initializer") and isinstance(value, str | dict):
            return self.named("initializer", {"name": value} if isinstance(value, str) else value, path)
        if key == "learning_rate" and isinstance(value, dict):
            return self.named("schedule", value, path)
        if isinstance(value, dict):
            return self.layer(value, path)
        if isinstance(value, list):
            return [self._value("", element, (*path, index)) for index, element in enumerate(value)]
        return value


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def snake(name: str) -> str:
    """``HeNormal`` as ``he_normal``, ``RMSprop`` as ``rmsprop``, ``AdamW`` as ``adamw``: Keras's names."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name).lower()

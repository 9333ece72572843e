"""Parts that report their arguments, and are rebuilt from these or from a name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from .errors import ConfigError
from .names import folded, unknown

T = TypeVar("T")
WRITTEN = {"class_name", "config", "module", "registered_name"}
"""The serialized form of a part."""


class Configured:
    """Keras's names for `config`, and for the constructor."""

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        raise TypeError(f"{type(self).__name__} does not define config()")

    def get_config(self) -> dict[str, Any]:
        """What `config` returns."""
        return self.config()

    def __repr__(self) -> str:
        try:
            return described(self, self._told())
        except Exception:  # half constructed, or user-defined with a config that fails
            return f"{type(self).__name__}(...)"

    def _told(self) -> dict[str, Any]:
        """The settings that `repr` shows."""
        return self.get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A part like the one whose `get_config` returned this.

        Raises
        ------
        ConfigError
            If these are not arguments of the class.
        """
        require_config(cls, config)
        try:
            return cls(**config)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__}: {error}") from None


def described(part: Any, settings: Mapping[str, Any]) -> str:
    """The call that makes a part, ``Dense(3, activation='relu')``, with the settings that are not defaults."""
    parameters: dict[str, inspect.Parameter] = {}
    for cls in type(part).__mro__[:-1]:
        if "__init__" in vars(cls):
            for name, parameter in inspect.signature(vars(cls)["__init__"]).parameters.items():
                parameters.setdefault(name, parameter)
    order = [*parameters]
    said = []
    for name in sorted(settings, key=lambda name: order.index(name) if name in parameters else len(order)):
        value, default = settings[name], getattr(parameters.get(name), "default", None)
        if default is inspect.Parameter.empty:
            said.append(_shown(part, name, value))
        elif not _same(value, default):
            said.append(f"{name}={_shown(part, name, value)}")
    return f"{type(part).__name__}({', '.join(said)})"


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, dict) and isinstance(default, str):  # "glorot_uniform"
        name, arguments = named(value)
        plain = isinstance(arguments, dict) and all(one is None for one in arguments.values())
        return plain and str(name).lower() == default.replace("_", "")
    if isinstance(value, int | float) and isinstance(default, int | float):
        return value == default
    return repr(value) in (repr(default), "{}")


def _shown(part: Any, name: str, value: Any) -> str:
    own = getattr(part, name, None)
    if isinstance(value, dict) and isinstance(own, Configured):
        return repr(own)
    if isinstance(value, dict) and set(value) == {"class_name", "config"} and isinstance(value["config"], dict):
        arguments = [f"{key}={one!r}" for key, one in value["config"].items() if one is not None]
        return f"{value['class_name']}({', '.join(arguments)})"
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def require_config(cls: type, config: Any) -> None:
    """Raise ConfigError unless a class's config is a dict of arguments by name."""
    if not isinstance(config, dict) or not all(isinstance(name, str) for name in config):
        raise ConfigError(f"{cls.__name__}: expected its config as a dict, got {str(config)[:80]!r}")


def named(identifier: Any) -> tuple[Any, Any]:
    """Name and arguments of a ``{"class_name", "config"}`` dict; anything else is a name without arguments.

    Keras also records where the class is from, which does not matter here.
    """
    if isinstance(identifier, dict) and {"class_name", "config"} <= identifier.keys() <= WRITTEN:
        return identifier["class_name"], identifier["config"]
    return identifier, {}


def resolve(what: str, identifier: Any, base: type[T], classes: Mapping[str, type[T]], others: str = "") -> T:
    """A part, given in any of Keras's forms: ``"he_normal"`` or ``"HeNormal"``, a ``{"class_name", "config"}`` dict, a
    class that needs no arguments, or the part itself.

    Parameters
    ----------
    what : str
        What it is, in messages; ``others`` says what else it may be.
    classes : dict of name to class
        The available classes.

    Raises
    ------
    ConfigError
        For anything else, or for arguments that the class does not take.
    """
    if isinstance(identifier, base):
        return identifier
    name, arguments = named(identifier)
    cls = identifier if isinstance(identifier, type) and issubclass(identifier, base) else None
    if isinstance(name, str):
        names = [*((one.__name__, one) for one in classes.values()), *classes.items()]
        cls = {folded(known): one for known, one in names}.get(folded(name))
    if cls is None:
        article = "an" if base.__name__[0] in "AEIO" else "a"
        raise unknown(what, name, classes, f", or {others}{article} {base.__name__}")
    require_config(cls, arguments)
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"{what} {cls.__name__}: {error}") from None

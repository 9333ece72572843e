"""Parts that report their arguments, and are rebuilt from these or from a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from .errors import ConfigError

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


def require_config(cls: type, config: Any) -> None:
    """Raise ConfigError unless a class's config is a dict."""
    if not isinstance(config, dict):
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
    if isinstance(name, str) and isinstance(arguments, dict) and all(isinstance(key, str) for key in arguments):
        names = [*((one.__name__, one) for one in classes.values()), *classes.items()]
        cls = {folded(known): one for known, one in names}.get(folded(name))
    if cls is None:
        article = "an" if base.__name__[0] in "AEIO" else "a"
        known = f"expected one of {', '.join(classes)}, or {others}{article} {base.__name__}"
        raise ConfigError(f"{what}: {known}, got {str(name)[:80]!r}")
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"{what} {cls.__name__}: {error}") from None


def folded(name: str) -> str:
    """A common form of ``"adam_w"``, ``"adamw"`` and ``"AdamW"``."""
    return name.lower().replace("_", "")

"""Parts that say their arguments, and are made of them again, or by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from .errors import ConfigError

T = TypeVar("T")


class Configured:
    """Keras's names for `config`, and for the constructor."""

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""
        raise TypeError(f"{type(self).__name__} does not define config()")

    def get_config(self) -> dict[str, Any]:
        """What `config` says."""
        return self.config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A part like the one that said this in `get_config`.

        Raises
        ------
        ConfigError
            If these are no arguments of the class.
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


def folded(name: str) -> str:
    """What ``"adam_w"``, ``"adamw"`` and ``"AdamW"`` have in common."""
    return name.lower().replace("_", "")


def by_name(name: Any, classes: Mapping[str, T]) -> T | None:
    """The one of ``classes`` that a name means, however it is spelled; None where it is none of them."""
    if not isinstance(name, str):
        return None
    return classes.get(name) or {folded(known): cls for known, cls in classes.items()}.get(folded(name))


def named(identifier: Any) -> tuple[Any, Any]:
    """Name and arguments of a ``{"class_name", "config"}`` dict; anything else is a name without arguments."""
    if isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        return identifier["class_name"], identifier["config"]
    return identifier, {}

"""Parts that say their arguments, and are made of them again, or by name."""

from __future__ import annotations

from typing import Any, Self

from .errors import ConfigError


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


def named(identifier: Any) -> tuple[Any, Any]:
    """Name and arguments of a ``{"class_name", "config"}`` dict; anything else is a name without arguments."""
    if isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        return identifier["class_name"], identifier["config"]
    return identifier, {}

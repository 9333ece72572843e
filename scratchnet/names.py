"""Names that a user types: which one was probably meant, and which ones a module offers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from .errors import ConfigError


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant, regardless of case and underscores; None if none is close."""
    spelled: dict[str, list[str]] = {}
    for choice in choices:
        spelled.setdefault(folded(choice), []).append(choice)
    found = get_close_matches(folded(word), spelled, n=1)
    return get_close_matches(word, spelled[found[0]], n=1, cutoff=0)[0] if found else None


def folded(name: str) -> str:
    """A common form of ``"adam_w"``, ``"adamw"`` and ``"AdamW"``."""
    return name.lower().replace("_", "").replace("-", "")


def unknown(what: str, given: Any, choices: Iterable[str], others: str = "") -> ConfigError:
    """The error for an unknown choice: "expected one of relu, tanh, got 'rellu': did you mean 'relu'?"."""
    meant = closest(given, choices) if isinstance(given, str) else None
    hint = f": did you mean {meant!r}?" if meant else ""
    return ConfigError(f"{what}: expected one of {', '.join(choices)}{others}, got {given!r:.80}{hint}")


def public(module: str) -> dict[str, Callable[..., Any]]:
    """``__getattr__`` and ``__dir__`` of one of our modules: a wrong name gets a hint, and Tab shows public names.

    Those are ``__all__`` or, without it, the names defined in the module (for a package, in scratchnet) that do not
    start with an underscore.
    """
    content = vars(sys.modules[module])
    home = __name__.partition(".")[0] if "__path__" in content else module

    def names() -> list[str]:
        made = {name: getattr(value, "__module__", None) or "" for name, value in content.items()}
        ours = [name for name, where in made.items() if f"{where}.".startswith(f"{home}.") and not name.startswith("_")]
        return sorted(content.get("__all__") or ours)

    def missing(name: str) -> Any:
        meant = None if name.startswith("_") else closest(name, names())
        hint = f": did you mean {meant!r}?" if meant else ""
        # Without a name Python adds no hint of its own, which would appear in a traceback but not in a notebook.
        raise AttributeError(f"module {module!r} has no attribute {name!r}{hint}", name=None)

    return {"__getattr__": missing, "__dir__": names}

"""Names that a user types: which one was probably meant, and which ones a module offers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from .errors import ConfigError

CUTOFF = 0.75  # of difflib's similarity: "tahn" for "tanh" has it, most other words of Keras's are below

# What takes the place of names that Keras has, or had.
INSTEAD = {
    "addweight": "make it in build, with add_param(name, shape, initializer, rng)",
    "backupandrestore": "TrainingCheckpoint does this",
    "clearsession": "it is not needed: nothing is kept between models",
    "decay": "a schedule does this: learning_rate=InverseTimeDecay(rate, 1, decay)",
    "fitgenerator": "fit takes arrays",
    "functional": "there is no functional API: Sequential, and Residual for a way around layers",
    "gradienttape": "layers have backward(dy), and models loss_and_gradients(x, y)",
    "init": "it is called kernel_initializer",
    "layernormalization": "the only normalization is BatchNormalization",
    "lr": "it is called learning_rate",
    "model": "there is no functional API: Sequential, and Residual for a way around layers",
    "nbepoch": "it is called epochs",
    "predictproba": "predict returns probabilities if the model ends in softmax or sigmoid",
}


def hint(word: str, choices: Iterable[str]) -> str:
    """The end of a message: what to write instead of a word that is not one of the choices; or nothing."""
    if folded(word) in INSTEAD:
        return f": {INSTEAD[folded(word)]}"
    meant = closest(word, choices)
    return f": did you mean {meant!r}?" if meant else ""


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant, regardless of case and underscores: the only one that begins with the word,
    or the most similar one; None if none is close.
    """
    spelled: dict[str, list[str]] = {}
    for choice in choices:
        spelled.setdefault(folded(choice), []).append(choice)
    longer = [choice for choice in spelled if len(word) > 2 and choice.startswith(folded(word))]
    found = longer if len(longer) == 1 else get_close_matches(folded(word), spelled, n=1, cutoff=CUTOFF)
    return get_close_matches(word, spelled[found[0]], n=1, cutoff=0)[0] if found else None


def folded(name: str) -> str:
    """A common form of ``"adam_w"``, ``"adamw"`` and ``"AdamW"``."""
    return name.lower().replace("_", "").replace("-", "")


def unknown(what: str, given: Any, choices: Iterable[str], others: str = "") -> ConfigError:
    """The error for an unknown choice: "expected one of relu, tanh, got 'rellu': did you mean 'relu'?"."""
    help = hint(given, choices) if isinstance(given, str) else ""
    return ConfigError(f"{what}: expected one of {', '.join(choices)}{others}, got {given!r:.80}{help}")


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
        help = "" if name.startswith("_") else hint(name, names())
        # Without a name Python adds no hint of its own, which would appear in a traceback but not in a notebook.
        raise AttributeError(f"module {module!r} has no attribute {name!r}{help}", name=None)

    return {"__getattr__": missing, "__dir__": names}

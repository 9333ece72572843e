"""The frameworks that are compared, the meaning of each name, and which are installed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Adapter


@dataclass(frozen=True)
class Framework:
    """A way of training with its own column: an adapter's module and one of its variants.

    ``sweeps``: it is a line in the scaling part. ``by_default``: it is timed without being asked for by name.
    """

    name: str
    module: str
    variant: str
    says: str
    has_fit: bool = True
    sweeps: bool = True
    by_default: bool = True


FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (
        Framework("scratchnet", "scratchnet", "", "the step that fit repeats; fit and predict as a user calls them"),
        Framework(
            "tf.function",
            "tensorflow",
            "function",
            "Keras layers and Keras's Adam in one tf.function, batches already tensors",
            has_fit=False,
        ),
        Framework(
            "keras.fit",
            "tensorflow",
            "keras",
            "compile + fit + predict as a user calls them, no progress bar; a step is timed inside the epoch, "
            "so what fit does before it is not held against it",
            sweeps=False,
        ),
        Framework(
            "tf.xla",
            "tensorflow",
            "xla",
            "tf.function with jit_compile=True",
            has_fit=False,
            sweeps=False,
            by_default=False,
        ),
        Framework("torch", "torch", "eager", "eager; channels_last for the CNNs; fused Adam where the build has it"),
        Framework(
            "torch.compile",
            "torch",
            "compile",
            "the same with forward, loss and backward through torch.compile",
            sweeps=False,
        ),
        Framework("jax", "jax", "jit", "one jitted step with donated state; Adam written out in Keras's formula"),
    )
}
ALIASES = {
    "tensorflow": ("tf.function", "keras.fit"),
    "keras": ("keras.fit",),
    "pytorch": ("torch", "torch.compile"),
}


def choose(
    names: list[str] | None, known: Mapping[str, Framework] = FRAMEWORKS
) -> tuple[list[Framework], dict[str, str]]:
    """The frameworks asked for (default: all) that can be imported, and for the rest the reason by name.

    Raises
    ------
    ValueError
        A name that no framework has.
    """
    wanted = (
        [f.name for f in known.values() if f.by_default]
        if names is None
        else [n for name in names for n in ALIASES.get(name, (name,)) if n in known or name not in ALIASES]
    )
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"unknown framework {unknown[0]!r}; known: {', '.join([*known, *ALIASES])}")
    present, missing = [], {}
    for name in dict.fromkeys(wanted):
        framework = known[name]
        if find_spec(framework.module) is None:
            missing[name] = f"{framework.module} is not installed"
        else:
            present.append(framework)
    return present, missing


def version(module: str) -> str:
    """Version of an installed framework, read without importing it."""
    for distribution in (module, f"{module}-cpu"):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def make(module: str, variant: str, threads: int) -> Adapter:
    """Import the adapter's module (and with it the framework) and make the adapter."""
    return import_module(f"{__name__}.{module}").make(variant, threads)

"""User-defined parts: classes that files may name, and the backends that such a class runs on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from .backend import BACKENDS, get_backend
from .errors import BackendError, ConfigError

T = TypeVar("T")
HOST = ("numpy", "numba")
"""The backends whose arrays are NumPy's."""

Hooks = Mapping[str, tuple[str, tuple[str, ...]]]
"""For each method that Keras calls and scratchnet does not: what to do instead, and the methods that do it."""

_registered: list[type] = []
_for_now: ContextVar[Mapping[str, type]] = ContextVar("custom_objects", default=MappingProxyType({}))


class Part:
    """What layers and losses have in common: they declare on which backends they run.

    Attributes
    ----------
    backends : tuple of str
        A user-defined class runs where arrays are NumPy's, without a kernel. If its arithmetic also works on CuPy's
        arrays, it says so: ``backends = ("numpy", "numba", "cupy")``.
    """

    backends: tuple[str, ...] = BACKENDS
    keras_hooks: ClassVar[Hooks] = {}  # see `refuse_keras_hooks`
    name: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        says = next(base for base in cls.__mro__ if "backends" in vars(base))
        if ours(says) and not ours(cls):
            cls.backends = HOST
        refuse_keras_hooks(cls, cls.keras_hooks)

    def require_backend(self) -> None:
        """Raise BackendError if the part does not run on the backend in use."""
        if (backend := get_backend()) not in self.backends:
            runs = " and ".join(self.backends)
            raise BackendError(
                f"{type(self).__name__} ({self.name or 'no name'}) is a class of your own in NumPy and runs on {runs}, "
                f'not on {backend}: sn.set_backend("numba"); or, if its arithmetic takes the arrays of {backend} too, '
                f"add {backend!r} to the class's backends"
            )


def ours(cls: type) -> bool:
    """Whether a class is one of scratchnet's."""
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def refuse_keras_hooks(cls: type, hooks: Hooks) -> None:
    """Raise ConfigError for a user-defined class with a method that Keras would call: it would be silently ignored.

    A class that also has what replaces it is written for both libraries.
    """
    for name, (instead, methods) in hooks.items():
        if name in vars(cls) and not ours(cls) and not any(own in vars(cls) for own in methods):
            raise ConfigError(f"{cls.__name__}: {name} is a hook of Keras's, which is not called here: {instead}")


def _bases() -> dict[str, type]:
    from .layers.base import Layer
    from .losses import Loss
    from .metrics import Metric
    from .optimizers import Optimizer

    return {"Layer": Layer, "Loss": Loss, "Metric": Metric, "Optimizer": Optimizer}


def _check(cls: Any, who: str) -> None:
    bases = _bases()
    if not (isinstance(cls, type) and issubclass(cls, tuple(bases.values()))):
        raise ConfigError(f"{who}: expected a subclass of {', '.join(bases)}, got {cls!r}")


def register(cls: type[T]) -> type[T]:
    """Class decorator: let `load_model` create a user-defined layer, loss, metric or optimizer.

    Raises
    ------
    ConfigError
        If the class is none of these.

    Examples
    --------
    >>> @sn.layers.register
    ... class Sine(sn.layers.Layer): ...
    """
    _check(cls, "register")
    _registered.append(cls)
    return cls


@contextmanager
def custom_objects(classes: Mapping[str, type] | None) -> Iterator[None]:
    """Within the block, files may also name these classes.

    Raises
    ------
    ConfigError
        If one of them is not a layer, loss, metric or optimizer.
    """
    for name, cls in (classes or {}).items():
        _check(cls, f"custom_objects: {name!r}")
    token = _for_now.set(classes or {})
    try:
        yield
    finally:
        _for_now.reset(token)


def known(base: type[T]) -> dict[str, type[T]]:
    """The subclasses of ``base`` that files may name, besides those of scratchnet."""
    named = {**{cls.__name__: cls for cls in _registered}, **_for_now.get()}
    return {name: cls for name, cls in named.items() if issubclass(cls, base)}

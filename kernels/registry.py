"""The op registry: every op has a textbook reference and, for each fast backend, a twin that computes the same.

A *reference* takes inputs, then hyperparameters, and returns fresh arrays::

    @reference("dense_forward", outputs=1)
    def dense_forward_reference(x, w, b, relu): ...            # -> y

Its *twin* takes the same positional arguments, then the arrays to fill::

    @twin("dense_forward")
    def dense_forward(x, w, b, relu, y): ...

A twin changes arrays only by launching kernels (launching.py, cuda.py), so a training step is a list of launches and
can be replayed as one.

An output of size 0 is not wanted; an input of size 0 (a bias) is absent. Ops that overwrite some of their arguments,
such as optimizers, say which: ``updates=(0, 2, 3), outputs=0``; the reference then returns the new values of those
arguments, followed by its outputs, if any.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import BackendError


@dataclass
class Op:
    """One operation: its name, its reference, and its twins by backend name."""

    name: str
    reference: Callable[..., Any]
    outputs: int
    updates: tuple[int, ...]
    twins: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def textbook(self, *args: Any) -> None:
        """Run the reference and put its results where a twin would put them."""
        inputs = len(args) - self.outputs
        targets = [args[i] for i in self.updates] + list(args[inputs:])
        results = self.reference(*args[:inputs])
        if len(targets) == 1:
            results = (results,)
        for target, result in zip(targets, results, strict=True):
            if target.size:
                np.copyto(target, np.asarray(result).reshape(target.shape), casting="same_kind")

    def implementation(self, backend: str) -> Callable[..., Any]:
        """The callable that runs this op on a backend.

        Raises
        ------
        BackendError
            If the op has no implementation there: there is no silent slow path.
        """
        if backend == "numpy":
            return self.textbook
        if backend not in self.twins:
            raise BackendError(
                f"op {self.name!r} has no implementation on the {backend!r} backend "
                f"(it has one on: {', '.join(['numpy', *self.twins])})"
            )
        return self.twins[backend]


_ops: dict[str, Op] = {}
_early_twins: dict[str, dict[str, Callable[..., Any]]] = {}  # of ops whose reference has not been imported yet


def reference(
    name: str, outputs: int = 1, updates: tuple[int, ...] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark the textbook NumPy function of an op. See the module's docstring for its calling convention."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        _ops[name] = Op(name, function, outputs, updates, _early_twins.pop(name, {}))
        return function

    return mark


def twin(name: str, backend: str = "numba") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark the implementation of an op on a fast backend."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        twins = _ops[name].twins if name in _ops else _early_twins.setdefault(name, {})
        twins[backend] = function
        return function

    return mark


def ops() -> dict[str, Op]:
    """Every registered op by name, after importing every family in this folder."""
    _import_families()
    return _ops


@functools.cache
def _import_families() -> None:
    # Not "if there are no ops yet": a layer may have imported its own family before.
    for module in pkgutil.iter_modules(sys.modules[__package__ or ""].__path__):
        importlib.import_module(f"{__package__}.{module.name}")


def get(name: str) -> Op:
    """One op by name.

    Raises
    ------
    BackendError
        If no op of that name exists.
    """
    try:
        return ops()[name]
    except KeyError:
        raise BackendError(f"there is no op named {name!r}; there are: {', '.join(sorted(_ops))}") from None

"""Interoperability with scikit-learn, Keras and ONNX. Each module is imported on first access."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["keras", "onnx", "sklearn"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

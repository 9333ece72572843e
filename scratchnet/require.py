"""Optional libraries: imported where they are used, by one function that says what to install."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import DependencyError


def require(module: str, needed_by: str, extra: str = "interop") -> Any:
    """The module, imported.

    Raises
    ------
    DependencyError
        If it is not installed, naming the library, what needs it, and the extra that provides it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise DependencyError(
            f"{needed_by} needs {library}, which cannot be imported ({error}): pip install 'scratchnet[{extra}]'"
        ) from error

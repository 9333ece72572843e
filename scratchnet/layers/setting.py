"""A setting of a layer that takes effect, and is checked, whenever it is set."""

from __future__ import annotations

import math
from typing import Any

from ..checks import number


class NotNegative:
    """A number of at least 0, settable at any time; None means infinity if the argument may be infinite."""

    def __init__(self, infinite: bool = False) -> None:
        self.infinite = infinite

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type) -> Any:
        return self if layer is None else vars(layer)[self.name]

    def __set__(self, layer: Any, value: Any) -> None:
        endless = self.infinite and (value is None or (isinstance(value, float) and value == math.inf))
        vars(layer)[self.name] = math.inf if endless else float(number(layer, self.name, value, "[0, inf)"))

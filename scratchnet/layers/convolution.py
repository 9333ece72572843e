"""What the convolutions share: the arguments of their windows, a bias, and the names of their initializers."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import initializers
from ..checks import flag
from ..errors import ConfigError
from .activated import WithActivation
from .arguments import channels_last, padding_mode, pair


class Convolution(WithActivation):
    """A linear map with a window and an optional bias, then an activation.

    Attributes
    ----------
    own : tuple of str
        The arguments of the subclass that `config` returns besides those that all convolutions have. Those that end in
        ``_initializer`` are initializers.
    """

    own: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, kernel_size: Any, strides: Any, padding: str, data_format: str | None, dilation_rate: Any,
        activation: Any, use_bias: bool, bias_initializer: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activation, **kwargs)
        owner = type(self).__name__
        channels_last(owner, data_format)
        self.use_bias, self.bias_initializer = flag(self, "use_bias", use_bias), initializers.get(bias_initializer)
        self.kernel_size = pair(owner, "kernel_size", kernel_size)
        self.strides = pair(owner, "strides", strides)
        self.dilation_rate = pair(owner, "dilation_rate", dilation_rate)
        self.padding = padding_mode(owner, padding)

    def strides_or_dilation(self) -> None:
        """Refuse both above 1, as Keras does where its backends do not compute that."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            given = f"{self.strides} and {self.dilation_rate}"
            raise ConfigError(f"{type(self).__name__}: expected strides or dilation_rate of 1, got {given}")

    def config(self) -> dict[str, Any]:
        shared = ("kernel_size", "strides", "padding", "dilation_rate", "use_bias", "bias_initializer")
        values = {name: getattr(self, name) for name in (*self.own, *shared)}
        written = {k: initializers.serialize(v) if k.endswith("_initializer") else v for k, v in values.items()}
        return {**written, **super().config()}

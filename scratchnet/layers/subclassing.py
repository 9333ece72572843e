"""What happens to the methods of a layer class when the class is created."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..checks import sample_shape
from ..custom import Hooks, ours
from ..errors import ConfigError, ShapeError

KERAS_HOOKS: Hooks = {
    "call": ("define forward(x, training=False) and backward(dy)", ("forward", "backward")),
    "get_config": ("define config(), which it says too", ("config",)),
}
MODEL_HOOKS: Hooks = {
    **KERAS_HOOKS,
    **dict.fromkeys(
        ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"),
        ("write the loop yourself, with train_on_batch, or with loss_and_gradients and optimizer.apply", ()),
    ),
}


def taking_batch_axis(build: Callable[..., None]) -> Callable[..., None]:
    """A layer's ``build`` that also takes ``(None, 28, 28, 1)``, like Keras's, as ``(28, 28, 1)``; ShapeError for
    anything but a shape.
    """

    @functools.wraps(build)
    def wrapped(self: Any, input_shape: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(input_shape, tuple | list) and input_shape and input_shape[0] is None:
            input_shape = input_shape[1:]
        shape = sample_shape(f"layer {self.name or type(self).__name__!r}", input_shape, ShapeError)
        build(self, shape, *args, **kwargs)

    return wrapped


def check_signatures(cls: type) -> None:
    """Raise ConfigError for a user-defined class with a method that cannot be called as `Layer` says."""
    methods = {"build": "input_shape, rng=None", "forward": "x, training=False", "backward": "dy"}
    for name, arguments in methods.items():
        method = vars(cls).get(name)
        if not inspect.isfunction(method) or ours(cls):
            continue
        signature = inspect.signature(method)
        given = ", ".join(str(one.replace(annotation=one.empty)) for one in signature.parameters.values())
        try:
            signature.bind(None, *[None] * (arguments.count(",") + 1))
        except TypeError:
            raise ConfigError(f"{cls.__name__}: expected {name}(self, {arguments}), got {name}({given})") from None

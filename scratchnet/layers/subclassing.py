"""What becomes of the methods of a class of layers when the class is made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

KERAS_HOOKS = {
    "call": "define forward(x, training=False) and backward(dy)",
    "get_config": "define config(), which it says too",
}
"""Methods that Keras would call, and what takes their place."""
MODEL_HOOKS = {
    **KERAS_HOOKS,
    **dict.fromkeys(
        ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"),
        "write the loop yourself, with train_on_batch, or with loss_and_gradients and optimizer.apply",
    ),
}
"""Those of a model."""


def taking_batch_axis(build: Callable[..., None]) -> Callable[..., None]:
    """A layer's ``build`` that takes ``(None, 28, 28, 1)``, as Keras's do, for ``(28, 28, 1)``."""

    @functools.wraps(build)
    def wrapped(self: Any, input_shape: Any, *args: Any, **kwargs: Any) -> None:
        shape = tuple(input_shape)
        build(self, shape[1:] if shape and shape[0] is None else shape, *args, **kwargs)

    return wrapped

"""What the tests of model files share: a small model with everything in it, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet.errors import CheckpointError

layers = sn.layers
X, Y = np.random.default_rng(0).random((40, 4, 4, 1)), np.random.default_rng(1).integers(0, 3, 40)


def tiny(optimizer: Any = "adam", dtype: str = "float32", **names: Any) -> Any:
    """A convolution, batch normalization, dropout, and layers inside layers that have the same name."""

    def dense(units: int, **kwargs: Any) -> Any:
        return layers.Dense(units, dtype=dtype, **kwargs)

    model = sn.Sequential([
        layers.Conv2D(3, 2, dtype=dtype, input_shape=(4, 4, 1), use_bias=False, kernel_initializer="he_normal"),
        layers.BatchNormalization(dtype=dtype),
        layers.Flatten(dtype=dtype),
        layers.Residual(
            sn.Sequential([dense(9), layers.Dropout(0.5, dtype=dtype), dense(27, name="same")], name="same"),
            shortcut=dense(27, name="same"), dtype=dtype,
        ),
        dense(3, activation="softmax", **names),
    ])  # fmt: skip
    loss = sn.losses.SparseCategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizer, loss, metrics=["accuracy", sn.metrics.TopKCategoricalAccuracy(k=2)])
    return model


def refused(call: Callable[..., Any], *arguments: Any, match: str | None = None) -> str:
    """The one line with which a call refuses."""
    with pytest.raises(CheckpointError, match=match) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(one: Any, other: Any) -> bool:
    """Whether two models have the same weights."""
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))

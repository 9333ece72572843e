"""scratchnet: a neural-network engine written by hand, readable in a lecture.

>>> import scratchnet as sn
>>> (x_train, y_train), (x_test, y_test) = sn.datasets.digits.load_data()
>>> model = sn.Sequential([sn.layers.Flatten(input_shape=(8, 8)), sn.layers.Dense(10, activation="softmax")])
>>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
>>> history = model.fit(x_train / 16, y_train, epochs=3, verbose=0)
"""

import os
import sys
from typing import Any

# kernels/ is a package next to this folder in a checkout, and inside it once installed. A program run in the checkout's
# folder finds the checkout first, installed or not.
if not os.path.isdir(os.path.join(__path__[0], "kernels")):
    __path__.append(os.path.dirname(__path__[0]))

from . import (
    activations,
    callbacks,
    checkpoint,
    config,
    datasets,
    errors,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    utils,
)
from .backend import get_backend, set_backend, use_backend
from .gradient_check import check_gradients
from .layers import Input
from .model import Sequential, load_model
from .names import public

__version__ = "0.1.0"

__all__ = [
    "Input",
    "Sequential",
    "activations",
    "callbacks",
    "check_gradients",
    "checkpoint",
    "config",
    "datasets",
    "errors",
    "get_backend",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "set_backend",
    "use_backend",
    "utils",
]


for _module in (
    activations, callbacks, checkpoint, config, datasets, errors, initializers, layers, losses, metrics, models,
    optimizers, optimizers.schedules, regularizers, utils,
):  # fmt: skip
    vars(_module).update(public(_module.__name__))
_names = public(__name__)


def __getattr__(name: str) -> Any:
    """`interop` on first use: it depends on libraries that `import scratchnet` must not load. And `keras`, which is
    scratchnet itself: ``from scratchnet import keras`` is all that many a program written for Keras needs.
    """
    if name == "keras":
        return sys.modules[__name__]
    if name == "interop":
        import importlib

        return importlib.import_module(".interop", __name__)
    return _names["__getattr__"](name)


def __dir__() -> list[str]:
    return [*_names["__dir__"](), "__version__", "interop"]

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

import numpy as np

# kernels/ is a package next to this folder in a checkout, and inside it once installed. A program run in the checkout's
# folder finds the checkout first, installed or not.
if not os.path.isdir(os.path.join(__path__[0], "kernels")):
    __path__.append(os.path.dirname(__path__[0]))

from . import (
    activations,
    backend,
    callbacks,
    checkpoint,
    config,
    datasets,
    errors,
    initializers,
    keras_backend,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    random,
    regularizers,
    utils,
)
from .backend import get_backend, set_backend, use_backend
from .gradient_check import check_gradients
from .layers import Input
from .model import Sequential, load_model
from .names import Modules, public

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
    "random",
    "regularizers",
    "set_backend",
    "use_backend",
    "utils",
]


vars(backend).update({name: getattr(keras_backend, name) for name in keras_backend.__all__})
for _module in (
    activations, callbacks, checkpoint, config, datasets, errors, initializers, layers, losses, metrics,
    models, optimizers, optimizers.schedules, regularizers, utils,
):  # fmt: skip
    vars(_module).update(public(_module.__name__))
vars(backend).update(public(backend.__name__, lambda name: f"np.{name}" if hasattr(np, name) else ""))
sys.meta_path.append(Modules)


def _elsewhere(name: str) -> str:
    """Where a name is that is not here: in a module of Keras's, or in NumPy, for a function of TensorFlow's."""
    for module in (layers, losses, metrics, optimizers, callbacks, initializers, regularizers, models, utils):
        if name in dir(module):
            return f"{module.__name__.rpartition('.')[2]}.{name}"
    return f"np.{name}" if callable(getattr(np, name, None)) else ""


_names = public(__name__, _elsewhere)
vars(random).update(public(random.__name__, lambda name: f"np.random.{name}" if hasattr(np.random, name) else ""))
_SECOND_NAMES = {
    "keras": sys.modules[__name__],  # ``from scratchnet import keras`` is all that many a program for Keras needs
    "newaxis": None,  # TensorFlow's, as is nn
    "nn": activations,
}


def __getattr__(name: str) -> Any:
    """`interop` on first use: it depends on libraries that `import scratchnet` must not load."""
    if name in _SECOND_NAMES:
        return _SECOND_NAMES[name]
    if name == "interop":
        import importlib

        return importlib.import_module(".interop", __name__)
    return _names["__getattr__"](name)


def __dir__() -> list[str]:
    return [*_names["__dir__"](), "__version__", "interop"]

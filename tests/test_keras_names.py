"""Keras's names, argument orders and defaults; its initial values."""

from __future__ import annotations

import inspect
from typing import Any

import keras_side
import numpy as np
import pytest
from keras_side import GROUP

import scratchnet as sn

pytestmark = GROUP


@pytest.mark.parametrize("shape", [(3, 3, 16, 32), (150, 200), (4000,)], ids=str)
@pytest.mark.parametrize(
    "name",
    ["GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal", "TruncatedNormal",
     "RandomNormal", "RandomUniform", "VarianceScaling", "Zeros", "Ones"],
)  # fmt: skip
def test_initial_values_are_drawn_from_the_same_distribution(name, shape):
    theirs = np.asarray(getattr(keras_side.keras().initializers, name)()(shape, dtype="float64"))
    ours = getattr(sn.initializers, name)()(shape, rng=np.random.default_rng(0), dtype="float64")
    spread = max(float(theirs.std()), 1e-9)
    assert abs(ours.mean() - theirs.mean()) < 0.1 * spread
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
    if name != "RandomNormal":  # it alone has tails
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.02)


# What scratchnet has beyond Keras, and defaults that differ on purpose.
BEYOND = {
    "SparseCategoricalCrossentropy": {"label_smoothing"},
    "Sequential.fit": {"drop_last", "progress"},
    "Sequential.compile": {"precision", "capture"},  # of a GPU
    "TensorBoard": {"images", "class_names", "grid", "hparams"},
    "Zeros": {"seed"},
    "Ones": {"seed"},
}
DIFFERENT = {
    ("Sequential.predict", "verbose"),  # no bar over the answer
    ("Sequential.summary", "print_fn"),  # print itself, where Keras has None and means it
}
EVERYWHERE = {"name", "dtype", "input_shape"}  # Keras has them as **kwargs, or spells the default name out
NOT_CONSTRUCTED = {"Layer", "Loss", "Optimizer", "Initializer", "Metric", "Callback", "CallbackList"}
METHODS = ["fit", "evaluate", "predict", "compile", "summary", "train_on_batch", "test_on_batch"]


def parameters(function: Any) -> dict[str, Any]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in found if p.kind in named and p.name not in {"self", *EVERYWHERE}}


def shared() -> list[tuple[str, Any, Any]]:
    """Everything of one name in both libraries."""
    keras = keras_side.keras()
    pairs = [(f"Sequential.{name}", getattr(sn.Sequential, name), getattr(keras.Sequential, name)) for name in METHODS]
    for module in ("layers", "losses", "optimizers", "initializers", "callbacks", "metrics"):
        for name, ours in vars(getattr(sn, module)).items():
            theirs = getattr(getattr(keras, module), name, None)
            classes = isinstance(ours, type) and isinstance(theirs, type)
            if classes and ours.__name__ == name and name not in NOT_CONSTRUCTED:
                pairs.append((name, ours, theirs))
    return pairs


def test_arguments_have_kerass_names_order_and_defaults():
    surprises = []
    pairs = shared()
    assert len(pairs) > 60
    for name, ours, theirs in pairs:
        mine, wanted = parameters(ours), parameters(theirs)
        surprises += [(name, "unknown", extra) for extra in set(mine) - set(wanted) - BEYOND.get(name, set())]
        common = [argument for argument in mine if argument in wanted]
        if common != [argument for argument in wanted if argument in mine]:
            surprises.append((name, "order", common))
        for argument in common:
            values = mine[argument], wanted[argument]
            if inspect.Parameter.empty not in values and values[0] != values[1] and (name, argument) not in DIFFERENT:
                surprises.append((name, argument, values))
    assert surprises == []


def test_weights_left_out_are_none_as_keras_has_them():
    left_out = {
        "Dense": ("use_bias", "bias", (3,)),
        "BatchNormalization": ("scale", "gamma", ()),
        "LayerNormalization": ("scale", "gamma", ()),
    }
    for name, (argument, weight, before) in left_out.items():
        for library in (sn, keras_side.keras()):
            layer = getattr(library.layers, name)(*before, **{argument: False})
            library.Sequential([library.Input((4,)), layer])
            assert getattr(layer, weight) is None
            assert getattr(layer, "kernel" if name == "Dense" else "beta") is not None


def test_the_learning_rate_of_a_schedule_reads_as_a_number_as_in_keras():
    x, y = np.zeros((6, 4), np.float32), np.zeros((6, 1), np.float32)
    for library in (sn, keras_side.keras()):
        schedule = library.optimizers.schedules.ExponentialDecay(0.5, decay_steps=1, decay_rate=0.5)
        model = library.Sequential([library.Input((4,)), library.layers.Dense(1)])
        model.compile(library.optimizers.SGD(schedule), "mse")
        assert float(model.optimizer.learning_rate) == 0.5
        model.fit(x, y, batch_size=2, epochs=1, verbose=0)
        assert float(model.optimizer.learning_rate) == 0.0625


def test_deserialize_is_get_of_what_serialize_says():
    for module, part in (
        (sn.losses, sn.losses.MeanSquaredError()),
        (sn.metrics, sn.metrics.BinaryAccuracy(threshold=0.3)),
        (sn.optimizers, sn.optimizers.SGD(0.3)),
        (sn.optimizers.schedules, sn.optimizers.schedules.CosineDecay(0.1, 5)),
        (sn.initializers, sn.initializers.HeNormal(seed=3)),
        (sn.regularizers, sn.regularizers.L2(0.3)),
    ):
        written = {**module.serialize(part), "module": "keras", "registered_name": None}  # as Keras has it, too
        assert module.deserialize(written).config() == part.config()

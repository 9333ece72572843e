"""get_config and from_config of optimizers, schedules, losses and initializers (those of layers: test_layer_calls)."""

from __future__ import annotations

import inspect
import json
from typing import Any

import keras_side
import pytest

import scratchnet as sn
from scratchnet.errors import ConfigError
from scratchnet.optimizers import schedules

RATES = {
    "ExponentialDecay": (0.1, 10, 0.9),
    "InverseTimeDecay": (0.1, 10, 0.5),
    "PolynomialDecay": (0.1, 10),
    "CosineDecay": (0.1, 10),
    "CosineDecayRestarts": (0.1, 10),
    "PiecewiseConstantDecay": ([1], [0.1, 0.2]),
}
BASES = {sn.optimizers.Optimizer, sn.losses.Loss, sn.initializers.Initializer, schedules.LearningRateSchedule}
PARTS = [
    cls
    for module in (sn.optimizers, schedules, sn.losses, sn.initializers)
    for cls in vars(module).values()
    if inspect.isclass(cls) and issubclass(cls, tuple(BASES)) and cls not in BASES and not cls.__name__.startswith("_")
]


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: cls.__name__)
def test_from_config_makes_what_said_it(cls: Any) -> None:
    part = cls(*RATES.get(cls.__name__, ()))
    config = json.loads(json.dumps(part.get_config()))
    again = cls.from_config(config)
    assert type(again) is cls
    assert again.get_config() == part.get_config() == part.config()
    assert config == json.loads(json.dumps(part.get_config()))  # it was not changed
    with pytest.raises(ConfigError, match=rf"^{cls.__name__} has no argument 'foo'"):
        cls.from_config({**config, "foo": 1})
    with pytest.raises(ConfigError, match=rf"^{cls.__name__}: expected its config as a dict, got '3'$"):
        cls.from_config(3)


def test_settings_and_schedules_come_along() -> None:
    optimizer = sn.optimizers.SGD(schedules.CosineDecay(0.1, 100), momentum=0.9, clipnorm=1.0)
    again = sn.optimizers.SGD.from_config(optimizer.get_config())
    assert (again.momentum, again.clipnorm, again.learning_rate) == (0.9, 1.0, optimizer.learning_rate)
    loss = sn.losses.CategoricalCrossentropy.from_config({"from_logits": True, "label_smoothing": 0.1})
    assert (loss.from_logits, loss.label_smoothing) == (True, 0.1)
    with pytest.raises(ConfigError, match=r"^CosineDecay: .*missing 1 required positional argument: 'decay_steps'"):
        schedules.CosineDecay.from_config({"initial_learning_rate": 0.1})


@keras_side.GROUP
def test_configs_of_keras_are_taken() -> None:
    keras = keras_side.keras()
    places = (sn.optimizers, keras.optimizers), (schedules, keras.optimizers.schedules), (sn.losses, keras.losses)
    taken = 0
    for ours, theirs in places:
        for cls in PARTS:
            if getattr(ours, cls.__name__, None) is cls:
                theirs_config = getattr(theirs, cls.__name__)(*RATES.get(cls.__name__, ())).get_config()
                assert type(cls.from_config(theirs_config)) is cls
                taken += 1
    assert taken >= 17

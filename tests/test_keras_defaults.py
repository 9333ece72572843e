"""Arguments of Keras's for what is not done here: defaults pass, other values are refused, and Keras has these."""

from __future__ import annotations

import inspect
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import keras_defaults
from scratchnet.errors import ConfigError


def network() -> Any:
    return sn.Sequential([sn.layers.Dense(3, input_shape=(4,))])


def compiled(**arguments: Any) -> Any:
    return network().compile("sgd", "mse", **arguments)


def table(**arguments: Any) -> list[str]:
    lines: list[str] = []
    network().summary(print_fn=lines.append, **arguments)
    return lines


# What takes the arguments, the rules for them, the name in messages, and what Keras has them in.
PLACES = {
    "compile": (compiled, keras_defaults.COMPILE, "Sequential.compile"),
    "summary": (table, keras_defaults.SUMMARY, "Sequential.summary"),
    "MeanSquaredError": (sn.losses.MeanSquaredError, keras_defaults.LOSS, "losses.MeanSquaredError"),
    "CategoricalCrossentropy": (
        sn.losses.CategoricalCrossentropy,
        keras_defaults.CROSSENTROPY,
        "losses.CategoricalCrossentropy",
    ),
    "SparseCategoricalCrossentropy": (
        sn.losses.SparseCategoricalCrossentropy,
        keras_defaults.SPARSE_CROSSENTROPY,
        "losses.SparseCategoricalCrossentropy",
    ),
    "TensorBoard": (sn.callbacks.TensorBoard, keras_defaults.TENSORBOARD, "callbacks.TensorBoard"),
}


@pytest.mark.parametrize("name", PLACES)
def test_defaults_pass_and_other_values_are_refused_in_one_line(name: str) -> None:
    call, rules, _ = PLACES[name]
    call(**{argument: values[0] for argument, (values, _) in rules.items()})
    for argument, (values, reason) in rules.items():
        for value in values:
            call(**{argument: value})
        for value in ("other", 2, np.ones(3), not values[0] if isinstance(values[0], bool) else 0.5):
            with pytest.raises(ConfigError) as caught:
                call(**{argument: value})
            said = str(caught.value)
            assert said.startswith(f"{name}: {argument}: expected {values[0]!r}, got ")
            assert said.endswith(reason)
    with pytest.raises(ConfigError, match=f"^{name} has no argument 'nonsense'"):
        call(nonsense=1)


@keras_side.GROUP
@pytest.mark.parametrize("name", PLACES)
def test_they_are_kerass_arguments_and_defaults(name: str) -> None:
    _, rules, theirs = PLACES[name]
    found: Any = keras_side.keras()
    for part in theirs.split("."):
        found = getattr(found, part)
    wanted = inspect.signature(found).parameters
    assert {argument: values[0] for argument, (values, _) in rules.items()} == {
        argument: wanted[argument].default for argument in rules
    }


def test_saving(tmp_path: Any) -> None:
    model, path = network(), tmp_path / "m.safetensors"
    model.save(path, overwrite=True, include_optimizer=True)
    model.save_weights(path, overwrite=True)
    before = path.read_bytes()
    for call, message in (
        (lambda: model.save(path, overwrite=False), "^save: overwrite: expected True, got False: a file of that name"),
        (lambda: model.save(path, include_optimizer=False), "^save: include_optimizer: .*: save_weights leaves the"),
        (lambda: model.save_weights(path, overwrite=0), "^save_weights: overwrite: expected True, got 0"),
        (lambda: model.save_weights(path, save_format="h5"), "^save_weights has no argument 'save_format'"),
    ):
        with pytest.raises(ConfigError, match=message):
            call()
    assert path.read_bytes() == before


def test_the_table_is_as_wide_as_was_asked_for() -> None:
    assert {len(line) for line in table(line_length=90)[1:6]} == {90}
    assert table(line_length=10) == table(line_length=None) == table()
    with pytest.raises(ConfigError, match="line_length: expected an integer of at least 1, got 'wide'"):
        table(line_length="wide")

"""Learning rate schedules: golden numbers of the real Keras 3, formulas, and invalid arguments."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet.optimizers import schedules

GOLDEN = json.loads((Path(__file__).parent / "golden" / "optimizers.json").read_text())
CASES = GOLDEN["schedules"]


def name_of(case: dict[str, Any]) -> str:
    return f"{case['class_name']}-{'-'.join(case['config'])}"


def make(case: dict[str, Any]) -> schedules.LearningRateSchedule:
    return schedules.get({"class_name": case["class_name"], "config": case["config"]})


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_golden_numbers_of_keras(case: dict[str, Any]) -> None:
    schedule = make(case)
    rates = [schedule(step) for step in GOLDEN["steps"]]
    assert all(type(rate) is float for rate in rates)
    np.testing.assert_allclose(rates, case["rates"], rtol=1e-14)


@keras_side.GROUP
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_beside_keras(case: dict[str, Any]) -> None:
    theirs = getattr(keras_side.keras().optimizers.schedules, case["class_name"])(**case["config"])
    ours = make(case)
    for step in range(45):
        # In float32: near the cosine's end the rate is a difference of nearly equal numbers.
        assert ours(step) == pytest.approx(float(theirs(step)), rel=1e-5, abs=1e-8)


@keras_side.GROUP
@pytest.mark.parametrize(
    "settings",
    [{}, {"t_mul": 1.0}, {"t_mul": 1.0, "m_mul": 0.5}, {"t_mul": 3.0, "m_mul": 0.9, "alpha": 0.1}, {"t_mul": 1.5}],
    ids=str,
)
def test_restarts_beside_keras(settings: dict[str, Any]) -> None:
    theirs = keras_side.keras().optimizers.schedules.CosineDecayRestarts(0.2, 7, **settings)
    ours = schedules.CosineDecayRestarts(0.2, 7, **settings)
    restarts = {0, 7, 14, 17, 21, 28, 35, 42, 49, 56}
    for step in set(range(60)) - restarts:  # at which Keras's rounding decides, in float32
        assert ours(step) == pytest.approx(float(theirs(step)), rel=2e-5, abs=1e-7)


@pytest.mark.parametrize("times", [1.0, 1.1, 1.5, 2.0, 3.0, 10.0, 1 + 1e-15])
def test_every_cycle_starts_at_its_height_and_ends_low(times: float) -> None:
    schedule, start = schedules.CosineDecayRestarts(1.0, 20, times, m_mul=0.5), 0.0
    for cycle in range(6):
        length = 20 * times**cycle
        heights = [schedule(start + length * part) for part in (1e-9, 0.5, 1 - 1e-9)]
        assert heights == pytest.approx([0.5**cycle, 0.5**cycle / 2, 0], abs=1e-9)
        start += length
    assert [schedules.CosineDecayRestarts(1.0, 7, 3.0)(step) for step in (0, 7, 28, 91, 280)] == [1.0] * 5
    assert [schedules.CosineDecayRestarts(1.0, 7, 1.0, 0.5)(step) for step in (0, 7, 14)] == [1.0, 0.5, 0.25]


def test_restarts_far_out() -> None:
    assert 0 <= schedules.CosineDecayRestarts(1.0, 1, 1 + 2**-52)(2**62) <= 1  # at once, not cycle by cycle
    assert schedules.CosineDecayRestarts(1.0, 1, 1.0, m_mul=2.0)(10**6) == math.inf
    assert schedules.CosineDecayRestarts(1.0, 1, 1e308)(10**6) >= 0


def test_by_the_formula() -> None:
    assert schedules.ExponentialDecay(0.5, 10, 0.1)(5) == pytest.approx(0.5 * 0.1**0.5)
    assert schedules.ExponentialDecay(0.5, 10, 0.1, staircase=True)(19) == pytest.approx(0.05)
    assert schedules.InverseTimeDecay(0.5, 10, 4.0)(5) == pytest.approx(0.5 / 3)
    assert schedules.InverseTimeDecay(0.5, 10, 4.0, staircase=True)(9) == 0.5
    assert schedules.PolynomialDecay(1.0, 10, 0.0, 2.0)(5) == 0.25
    assert schedules.PolynomialDecay(1.0, 10, 0.1)(1000) == 0.1
    assert schedules.PolynomialDecay(1.0, 10, 0.0, cycle=True)(15) == 0.25
    assert schedules.CosineDecay(2.0, 10)(5) == pytest.approx(1.0)
    assert schedules.CosineDecay(2.0, 10, alpha=0.1)(1000) == pytest.approx(0.2)
    warm = schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)
    assert [warm(step) for step in (0, 1, 4, 9, 14, 99)] == pytest.approx([0, 0.25, 1, 0.5, 0, 0])
    steps = schedules.PiecewiseConstantDecay([3, 6], [1.0, 0.1, 0.01])
    assert [steps(step) for step in (0, 3, 4, 6, 7)] == [1.0, 1.0, 0.1, 0.1, 0.01]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_survives_json(case: dict[str, Any]) -> None:
    schedule = make(case)
    again = schedules.get(json.loads(json.dumps(schedules.serialize(schedule))))
    assert again == schedule
    assert again != schedules.ExponentialDecay(9.0, 1, 1.0)
    assert schedules.get(schedule) is schedule
    assert case["class_name"] in repr(schedule)


def test_a_schedule_of_ones_own() -> None:
    class Triangle(schedules.LearningRateSchedule):
        def __init__(self, peak: float) -> None:
            self.peak = peak

        def __call__(self, step: int) -> float:
            return self.peak * (1 - abs(step % 10 - 5) / 5)

    optimizer = sn.optimizers.SGD(Triangle(1.0))
    optimizer.build(1, [(0, 1)], "float64")
    params = np.zeros(1)
    for _ in range(6):
        optimizer.apply(params, np.ones(1))
    assert params[0] == pytest.approx(-(0 + 0.2 + 0.4 + 0.6 + 0.8 + 1.0))


def test_a_name_for_keras_sake() -> None:
    for case in CASES:
        named = {"class_name": case["class_name"], "config": {**case["config"], "name": "mine"}}
        schedule = schedules.get(named)
        assert schedule.config()["name"] == "mine"
        assert schedules.get(schedules.serialize(schedule)) == schedule
        assert [schedule(step) for step in (0, 7, 40)] == [make(case)(step) for step in (0, 7, 40)]
        assert "name" not in make(case).config()


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("ExponentialDecay", {"initial_learning_rate": -1, "decay_steps": 1, "decay_rate": 1}, "initial_learning_rate"),
    ("ExponentialDecay", {"initial_learning_rate": 1, "decay_steps": 0, "decay_rate": 1}, "decay_steps"),
    ("ExponentialDecay", {"initial_learning_rate": 1, "decay_steps": 1, "decay_rate": math.nan}, "decay_rate"),
    ("ExponentialDecay", {"initial_learning_rate": 1}, "decay_steps"),
    ("InverseTimeDecay", {"initial_learning_rate": "1", "decay_steps": 1, "decay_rate": 1}, "initial_learning_rate"),
    ("CosineDecay", {"initial_learning_rate": 1, "decay_steps": -5}, "decay_steps"),
    ("CosineDecayRestarts", {"initial_learning_rate": 1, "first_decay_steps": 5, "t_mul": 0.5}, "t_mul"),
    ("CosineDecay", {"initial_learning_rate": 1, "decay_steps": 5, "warmup_target": -1}, "warmup_target"),
    ("PolynomialDecay", {"initial_learning_rate": 1, "decay_steps": 5, "power": -1}, "power"),
    ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [1, 2]}, "one more value than boundaries"),
    ("PiecewiseConstantDecay", {"boundaries": [], "values": [1]}, "one more value than boundaries"),
    ("PiecewiseConstantDecay", {"boundaries": [2, 1], "values": [1, 2, 3]}, "expected them to rise"),
    ("PiecewiseConstantDecay", {"boundaries": 3, "values": [1, 2]}, "boundaries: expected a list"),
    ("PiecewiseConstantDecay", {"boundaries": [3], "values": [1, -2]}, "values"),
    (
        "CosineDecay",
        {"initial_learning_rate": 1, "decay_steps": 5, "alfa": 1},
        "CosineDecay has no argument 'alfa': it has: initial_learning_rate, decay_steps, alpha, name, w",
    ),
    ("PiecewiseConstantDecay", {"boundaries": [1], "values": [1, 2], "x": 1}, "it has: boundaries, values, name"),
    ("LearningRateSchedule", {}, "expected one of CosineDecay"),
    ("Decay", {}, "expected one of CosineDecay"),
]


@pytest.mark.parametrize(("name", "config", "message"), REFUSED)
def test_refusals(name: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(sn.errors.ConfigError, match=message) as caught:
        schedules.get({"class_name": name, "config": config})
    assert "\n" not in str(caught.value)


def test_a_schedule_of_many_steps_is_an_array() -> None:
    """As it is plotted."""
    steps = np.arange(12).reshape(3, 4)
    for schedule in (
        schedules.ExponentialDecay(0.1, 5, 0.5, True, "name"),
        schedules.InverseTimeDecay(0.1, 5, 0.5),
        schedules.PolynomialDecay(0.1, 5, cycle=True),
        schedules.CosineDecay(0.1, 5, 0.1, "name", warmup_target=0.2, warmup_steps=3),
        schedules.PiecewiseConstantDecay([2, 5], [1, 2, 3], "name"),
    ):
        rates = schedule(steps)
        assert rates.shape == steps.shape
        assert rates.reshape(-1).tolist() == [schedule(step) for step in range(12)]
    assert schedules.ExponentialDecay(1.0, 1, 2.0)(5000) == math.inf

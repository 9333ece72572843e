"""Optimizers: golden numbers of the real Keras 3, formulas written out again, and numbers at the edge."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import keras_side
import numpy as np
import pytest

import scratchnet as sn
from scratchnet import optimizers
from scratchnet.backend import ops
from scratchnet.checks import snake_case
from scratchnet.optimizers import schedules

GOLDEN = json.loads((Path(__file__).parent / "golden" / "optimizers.json").read_text())

# Every branch of every kernel.
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("Nadam", {"weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("Adagrad", {"weight_decay": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
]
IDS = [f"{name}-{'-'.join(settings)}" for name, settings in SETTINGS]


def make(name: str, settings: dict[str, Any], size: int, dtype: str, spans: Any = None) -> optimizers.Optimizer:
    optimizer = optimizers.get({"class_name": name, "config": settings})
    optimizer.build(size, [(0, size)] if spans is None else spans, dtype)
    return optimizer


def walk(optimizer: optimizers.Optimizer, params: np.ndarray, gradients: Any) -> np.ndarray:
    params = params.copy()
    for gradient in gradients:
        optimizer.apply(params, np.array(gradient, params.dtype))
    return params


# Keras ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", GOLDEN["optimizers"], ids=lambda c: f"{c['class_name']}-{'-'.join(c['config'])}")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_golden_numbers_of_keras(backend: str, case: dict[str, Any], dtype: str) -> None:
    gradients, params = np.array(GOLDEN["gradients"]), np.array(GOLDEN["params"], dtype)
    optimizer = make(case["class_name"], case["config"], params.size, dtype, GOLDEN["spans"])
    # Keras rounds Nadam's constant 0.96 to float32 whatever the dtype.
    tolerance = 1e-6 if dtype == "float32" else 1e-8 if case["class_name"] == "Nadam" else 1e-14
    start = 0
    for stop, expected in zip(GOLDEN["keep"], case[dtype], strict=True):
        params = walk(optimizer, params, gradients[start:stop])
        np.testing.assert_allclose(params, expected, rtol=tolerance, atol=tolerance)
        assert optimizer.iterations == stop
        start = stop


def live(name: str, settings: dict[str, Any], dtype: str, start: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    keras = keras_side.keras()
    with keras_side.floatx(dtype):
        made = getattr(keras.optimizers, name)(**settings).get_config()
        values = {key: keras_side.exact(value) if dtype == "float64" else value for key, value in made.items()}
        optimizer = getattr(keras.optimizers, name)(**values)
        shapes = [(30, 20), (20,)]
        cuts = [600]
        variables = [
            keras.Variable(part.reshape(shape), dtype=dtype)
            for part, shape in zip(np.split(start, cuts), shapes, strict=True)
        ]
        for gradient in gradients:
            parts = zip(np.split(gradient.astype(dtype), cuts), shapes, strict=True)
            optimizer.apply([keras.ops.convert_to_tensor(part.reshape(shape)) for part, shape in parts], variables)
        return np.concatenate([np.asarray(variable).ravel() for variable in variables])


@keras_side.GROUP
@pytest.mark.parametrize(
    ("name", "settings"),
    [*SETTINGS, ("Adam", {"clipnorm": 0.5}), ("Adam", {"global_clipnorm": 0.5}), ("SGD", {"clipvalue": 0.5})],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-8)])
def test_fifty_steps_beside_keras(name: str, settings: dict[str, Any], dtype: str, tolerance: float) -> None:
    rng = np.random.default_rng(7)
    start, gradients = rng.standard_normal(620), rng.standard_normal((50, 620)) * 10 ** rng.uniform(-6, 1, 620)
    gradients[10:30, ::7] = 0
    expected = live(name, settings, dtype, start, gradients)
    with sn.use_backend("numba"):
        got = walk(make(name, settings, 620, dtype, [(0, 600), (600, 620)]), start.astype(dtype), gradients)
    moved = np.abs(expected - start).max()
    assert moved > 1e-4
    if name == "Nadam" and dtype == "float64":
        tolerance = 1e-7  # Keras rounds its constant 0.96 to float32
    assert np.abs(got - expected).max() <= tolerance * moved


# Formulas ------------------------------------------------------------------------------------------------------------


def by_hand(name: str, p: float, gradients: list[float]) -> float:
    """One number through the papers' formulas, with every hyperparameter at Keras's default, in Python floats."""
    m = v = u = 0.0
    product = 1.0
    if name == "Adagrad":
        v = 0.1
    for t, g in enumerate(gradients, 1):
        if name == "SGD":
            p -= 0.01 * g
        elif name in ("Adam", "AdamW"):
            p -= p * 0.001 * 0.004 * (name == "AdamW")
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
            p -= 0.001 * m_hat / (math.sqrt(v_hat) + 1e-7 / math.sqrt(1 - 0.999**t))
        elif name == "Nadam":
            u_t, u_next = (0.9 * (1 - 0.5 * 0.96 ** (t + i)) for i in (0, 1))
            product *= u_t
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            m_hat = u_next * m / (1 - product * u_next) + (1 - u_t) * g / (1 - product)
            p -= 0.001 * m_hat / (math.sqrt(v / (1 - 0.999**t)) + 1e-7)
        elif name == "RMSprop":
            v = 0.9 * v + 0.1 * g * g
            p -= 0.001 * g / math.sqrt(v + 1e-7)
        elif name == "Adagrad":
            v += g * g
            p -= 0.001 * g / math.sqrt(v + 1e-7)
        else:
            v = 0.95 * v + 0.05 * g * g
            step = math.sqrt(u + 1e-7) / math.sqrt(v + 1e-7) * g
            u = 0.95 * u + 0.05 * step * step
            p -= 0.001 * step
    return p


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Nadam", "RMSprop", "Adagrad", "Adadelta"])
def test_formula_and_defaults(backend: str, name: str) -> None:
    gradients = [0.3, -1.2, 0.0, 4.0, 0.01, -0.5]
    got = walk(make(name, {}, 1, "float64"), np.array([1.5]), [[g] for g in gradients])
    assert got[0] == pytest.approx(by_hand(name, 1.5, gradients), rel=1e-13)


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
@pytest.mark.parametrize("size", [1, 16_385, 50_001])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-6), ("float64", 1e-14)])
def test_twin_equals_reference(name: str, settings: dict[str, Any], size: int, dtype: str, tolerance: float) -> None:
    rng = np.random.default_rng(size)
    start, gradients = rng.standard_normal(size).astype(dtype), rng.standard_normal((3, size)).astype(dtype)
    results = []
    for backend in ("numpy", "numba"):
        with sn.use_backend(backend):
            optimizer = make(name, settings, size, dtype)
            results.append([walk(optimizer, start, gradients), *optimizer.slots.values()])
    for expected, got in zip(*results, strict=True):
        assert got.dtype == expected.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_any_number_of_threads_gives_the_same_bits(name: str, settings: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(70_001).astype("f4"), rng.standard_normal((2, 70_001)).astype("f4")
    with sn.use_backend("numba"):
        import numba

        results = []
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            sn.backend.set_threads(threads)
            spans = [(0, 40_000), (40_000, 70_001)]
            results.append(walk(make(name, {**settings, "clipnorm": 1.0}, 70_001, "float32", spans), start, gradients))
    np.testing.assert_array_equal(*results)


# Clipping ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_by_norm(backend: str, dtype: str) -> None:
    g = np.array([3.0, 4.0, 0.3, 0.4, 0.0, 0.0], dtype)
    spans = np.array([[0, 2], [2, 4], [4, 6]])
    ops.clip_by_norm(g, spans, 1.0, False)
    np.testing.assert_allclose(g, [0.6, 0.8, 0.3, 0.4, 0, 0], rtol=1e-6)
    g = np.array([3.0, 4.0, 0.0, 12.0, 0.0, 0.0], dtype)
    ops.clip_by_norm(g, spans, 6.5, True)
    np.testing.assert_allclose(g, [1.5, 2.0, 0.0, 6.0, 0, 0], rtol=1e-6)
    ops.clip_by_norm(g, spans, 100.0, True)
    np.testing.assert_allclose(g, [1.5, 2.0, 0.0, 6.0, 0, 0], rtol=1e-6)


def test_clip_by_value(backend: str) -> None:
    g = np.array([-5.0, -0.5, 0.0, 0.5, 5.0, np.inf, -np.inf, np.nan])
    ops.clip_by_value(g, 0.7)
    np.testing.assert_array_equal(g, [-0.7, -0.5, 0.0, 0.5, 0.7, 0.7, -0.7, np.nan])


@pytest.mark.parametrize("size", [10, 50_000])
@pytest.mark.parametrize("together", [True, False])
def test_clipping_twin_equals_reference(size: int, together: bool) -> None:
    rng = np.random.default_rng(size)
    g, cut = rng.standard_normal(size).astype("f4"), size // 3
    results = []
    for backend in ("numpy", "numba"):
        with sn.use_backend(backend):
            clipped, values = g.copy(), g.copy()
            ops.clip_by_norm(clipped, np.array([[0, cut], [cut, cut], [cut, size]]), 0.5, together)
            ops.clip_by_value(values, 0.5)
            results.append((clipped, values))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-6)
    np.testing.assert_array_equal(results[1][1], results[0][1])


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_clipping_hides_nothing(backend: str, bad: float) -> None:
    spans = np.array([[0, 2], [2, 4]])
    g = np.array([1.0, bad, 3.0, 4.0])
    ops.clip_by_norm(g, spans, 1.0, False)
    assert np.isnan(g[:2]).all()
    np.testing.assert_allclose(g[2:], [0.6, 0.8])
    g = np.array([1.0, bad, 3.0, 4.0])
    ops.clip_by_norm(g, spans, 1.0, True)
    assert np.isnan(g).all()


def test_clipping_gradients_whose_squares_overflow(backend: str) -> None:
    g = np.array([3e30, 4e30], np.float32)
    ops.clip_by_norm(g, np.array([[0, 2]]), 1.0, False)
    np.testing.assert_allclose(g, [0.6, 0.8], rtol=1e-6)


# Numbers at the edge -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_gradient_moves_nothing_and_gives_no_nan(
    backend: str, name: str, settings: dict[str, Any], dtype: str
) -> None:
    start = np.array([1.0, -2.0, 0.0], dtype)
    settings = {**settings, "weight_decay": 0.0}
    got = walk(make(name, settings, 3, dtype), start, np.zeros((5, 3)))
    np.testing.assert_array_equal(got, start)


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_in_a_gradient_stays_visible(backend: str, name: str, settings: dict[str, Any], dtype: str) -> None:
    gradients = np.ones((4, 3))
    gradients[1, 1] = np.nan
    got = walk(make(name, settings, 3, dtype), np.ones(3, dtype), gradients)
    assert np.isnan(got).tolist() == [False, True, False]


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_tiny_and_large_gradients_stay_finite(backend: str, name: str, settings: dict[str, Any]) -> None:
    sizes = np.array([1e-44, 1e-30, 1e-20, 1e-10, 1.0, 1e10, 1e18])
    gradients = np.outer([1, 1, -1, 1, 1, 0, 0, 1], sizes)
    got = walk(make(name, settings, 7, "float32"), np.ones(7, np.float32), gradients)
    assert np.isfinite(got).all()


def test_centered_rmsprop_of_a_constant_large_gradient(backend: str) -> None:
    # v - a^2 is 0 but for rounding, of either sign: the square root of a negative number would be NaN.
    got = walk(make("RMSprop", {"centered": True}, 50, "float32"), np.ones(50, "f4"), [np.arange(50) * 337.7] * 400)
    assert np.isfinite(got).all()


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_denormals_are_flushed_from_the_state(name: str, settings: dict[str, Any]) -> None:
    tiny = np.finfo(np.float32).tiny
    with sn.use_backend("numba"):
        optimizer = make(name, settings, 20, "float32")
        for slot in optimizer.slots.values():
            slot[:] = 1e-40
        walk(optimizer, np.ones(20, np.float32), np.zeros((2, 20)))
        for key, slot in optimizer.slots.items():
            if key != "velocity_hat":  # a maximum over time, which does not decay
                assert not ((slot != 0) & (np.abs(slot) < tiny)).any()


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_a_model_without_parameters(backend: str, name: str, settings: dict[str, Any]) -> None:
    optimizer = make(name, {**settings, "global_clipnorm": 1.0}, 0, "float32", [])
    assert walk(optimizer, np.empty(0, np.float32), np.empty((2, 0))).size == 0
    assert optimizer.iterations == 2


# State and settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_slots_and_step_count_are_the_whole_state(backend: str, name: str, settings: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    start, gradients = rng.standard_normal(40).astype("f4"), rng.standard_normal((9, 40))
    whole = walk(make(name, settings, 40, "float32"), start, gradients)
    first = make(name, settings, 40, "float32")
    middle = walk(first, start, gradients[:4])
    second = optimizers.get(json.loads(json.dumps(optimizers.serialize(first))))
    second.build(40, [(0, 40)], "float32")
    second.iterations = first.iterations
    for key, slot in first.slots.items():
        second.slots[key][...] = slot
    np.testing.assert_array_equal(walk(second, middle, gradients[4:]), whole)


def test_adadelta_keeps_its_slots_under_their_names(backend: str) -> None:
    """A checkpoint and another framework find them so."""
    optimizer = make("Adadelta", {"rho": 0.9}, 1, "float64")
    optimizer.apply(np.ones(1), np.full(1, 2.0))
    step = math.sqrt(1e-7) / math.sqrt(0.4 + 1e-7) * 2.0
    assert optimizer.slots["accumulated_grad"][0] == pytest.approx(0.1 * 2.0**2, rel=1e-12)
    assert optimizer.slots["accumulated_delta_var"][0] == pytest.approx(0.1 * step**2, rel=1e-6)


def test_building_again_starts_anew(backend: str) -> None:
    optimizer = make("Nadam", {}, 2, "float64")
    first = walk(optimizer, np.ones(2), np.ones((3, 2)))
    optimizer.build(2, [(0, 2)], "float64")
    np.testing.assert_array_equal(walk(optimizer, np.ones(2), np.ones((3, 2))), first)


def test_learning_rate_is_a_number_or_a_schedule_and_can_be_set(backend: str) -> None:
    optimizer = make("SGD", {"learning_rate": 0.5}, 1, "float64")
    params, one = np.zeros(1), np.ones(1)
    optimizer.apply(params, one)
    assert params[0] == -0.5
    optimizer.learning_rate = np.float32(0.25)
    assert optimizer.learning_rate == 0.25
    optimizer.apply(params, one)
    assert params[0] == -0.75
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([2], [1.0, 2.0])
    assert optimizer.learning_rate == 1.0
    optimizer.apply(params, one)
    assert params[0] == -1.75
    assert optimizer.learning_rate == 2.0
    again = optimizers.get(optimizers.serialize(optimizer))
    assert again.rate_or_schedule == optimizer.rate_or_schedule

    class Broken(schedules.LearningRateSchedule):
        def __call__(self, step: int) -> float:
            return math.nan

    optimizer.learning_rate = Broken()
    with pytest.raises(sn.errors.ConfigError, match="learning_rate of step 3"):
        optimizer.apply(params, one)
    assert params[0] == -1.75


def test_a_rate_may_be_an_array_of_one_number() -> None:
    class Arrays(schedules.LearningRateSchedule):
        def __call__(self, step: int) -> Any:
            return np.array(0.25)

    for rate in (np.array(0.25), np.array(0.25, np.float32), Arrays()):
        assert optimizers.SGD(rate).learning_rate == 0.25
        assert isinstance(optimizers.SGD(rate).learning_rate, float)
        assert type(optimizers.SGD(rate)._next_rate()) is float  # what a step takes
    for rate in (np.array([0.25]), np.array(True), np.array("fast")):
        with pytest.raises(sn.errors.ConfigError, match="learning_rate: expected a number"):
            optimizers.SGD(rate)


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_vectors_of_another_size_are_refused(backend: str, name: str, settings: dict[str, Any]) -> None:
    """Kernels would read and write beyond them."""
    optimizer = make(name, settings, 9, "float32")
    params = np.ones(9, np.float32)
    for grads in (np.ones(1, np.float32), np.ones(10, np.float32)):
        with pytest.raises(sn.errors.ShapeError, match=rf"{name}: expected 9 gradients, got {grads.size}"):
            optimizer.apply(params, grads)
    with pytest.raises(sn.errors.ConfigError, match=f"{name} was built for 9 parameters, got 3: call build first"):
        optimizer.apply(params[:3], params[:3])
    assert (params == 1).all()
    assert optimizer.iterations == 0


KERAS_DEFAULTS = {
    "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None, "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}  # fmt: skip


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Nadam", "RMSprop", "Adagrad", "Adadelta"])
def test_keras_arguments_for_what_is_not_there_pass_at_their_defaults(name: str) -> None:
    cls = getattr(optimizers, name)
    assert cls(**KERAS_DEFAULTS).config() == cls().config()
    for argument, default in KERAS_DEFAULTS.items():
        with pytest.raises(sn.errors.ConfigError, match=rf"{name}: {argument}: expected {default}, got 4: "):
            cls(**{argument: 4})


@keras_side.GROUP
def test_these_are_keras_defaults() -> None:
    config = keras_side.keras().optimizers.Adam().get_config()
    assert {argument: config[argument] for argument in KERAS_DEFAULTS} == KERAS_DEFAULTS
    theirs = {**config, "name": None, "learning_rate": 0.001}  # which Keras rounds to float32
    assert optimizers.Adam(**theirs).config() == optimizers.Adam().config()


def test_get_serialize_and_names() -> None:
    for name in ("SGD", "Adam", "AdamW", "Nadam", "RMSprop", "Adagrad", "Adadelta"):
        optimizer = optimizers.get(name.lower())
        assert type(optimizer).__name__ == name
        assert type(optimizers.get(name)) is type(optimizer)
        assert type(optimizers.get(snake_case(name))) is type(optimizer)  # "adam_w", "ada_grad"
        assert optimizers.get(optimizer) is optimizer
        assert optimizers.get(optimizers.serialize(optimizer)).config() == optimizer.config()
        assert name in repr(optimizer)
    for identifier in ("adan", None, 3, {"class_name": "Optimizer", "config": {}}, {"class_name": "sgd"}):
        with pytest.raises(sn.errors.ConfigError, match="expected one of sgd, adam"):
            optimizers.get(identifier)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Adam", {"learning_rate": -0.1}, "learning_rate"),
    ("Adam", {"learning_rate": float("nan")}, "learning_rate"),
    ("Adam", {"learning_rate": "fast"}, "learning_rate"),
    ("Adam", {"learning_rate": True}, "learning_rate"),
    ("Adam", {"beta_1": 1.0}, r"beta_1: expected a number in \[0, 1\), got 1.0"),
    ("Adam", {"beta_2": -0.1}, "beta_2"),
    ("Adam", {"epsilon": 0.0}, "epsilon"),
    ("Adam", {"beta1": 0.9}, "has no argument 'beta1': did you mean 'beta_1'"),
    ("Adam", {"lr": 0.1}, "has no argument 'lr'"),
    ("Nadam", {"amsgrad": True}, "has no argument 'amsgrad'"),
    ("AdamW", {"weight_decay": None}, "weight_decay"),
    ("SGD", {"momentum": 1.5}, "momentum"),
    ("SGD", {"nestrov": True}, "did you mean 'nesterov'"),
    ("SGD", {"clipnorm": 0.0}, "clipnorm"),
    ("SGD", {"clipnorm": 1.0, "clipvalue": 1.0}, "at most one of"),
    ("SGD", {"weight_decay": -1}, "weight_decay"),
    ("RMSprop", {"rho": 1.0}, "rho"),
    ("Adagrad", {"initial_accumulator_value": -1.0}, "initial_accumulator_value"),
    ("Adadelta", {"rho": 2}, "rho"),
]


@pytest.mark.parametrize(("name", "settings", "message"), REFUSED)
def test_refusals(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(sn.errors.ConfigError, match=message) as caught:
        optimizers.get({"class_name": name, "config": settings})
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_refuses_to_step_before_it_is_built_or_over_another_size() -> None:
    optimizer = optimizers.Adam()
    with pytest.raises(sn.errors.ConfigError, match="Adam is not built"):
        optimizer.apply(np.ones(2), np.ones(2))
    optimizer.build(3, [(0, 3)], "float64")
    with pytest.raises(sn.errors.ConfigError, match="built for 3 parameters, got 2"):
        optimizer.apply(np.ones(2), np.ones(2))


@pytest.mark.parametrize(("name", "setting", "value"), [
    ("SGD", "momentum", 0.9), ("Adam", "amsgrad", True), ("RMSprop", "momentum", 0.5), ("RMSprop", "centered", True),
])  # fmt: skip
def test_a_setting_that_needs_a_slot_has_it_when_it_is_set_later(name, setting, value):
    results = []
    for later in (False, True):
        optimizer = getattr(optimizers, name)(0.1, **({} if later else {setting: value}))
        optimizer.build(3, [(0, 3)], np.float64)
        if later:
            setattr(optimizer, setting, value)
        params = np.arange(3.0)
        for _ in range(3):
            optimizer.apply(params, np.array([1.0, -2.0, 0.5]) * params)
        results.append(params)
    np.testing.assert_array_equal(*results)


def test_nadam_multiplies_one_factor_a_step_however_many_were_replayed(monkeypatch):
    optimizer = make("Nadam", {}, 2, "float64")
    asked = []
    momentum = optimizers.Nadam.momentum
    monkeypatch.setattr(optimizers.Nadam, "momentum", lambda self, t: (asked.append(t), momentum(self, t))[1])
    for _ in range(100):  # as a replayed step does
        optimizer.count_step()
    assert len(asked) == 100
    assert optimizer.momentum_product(100) == math.prod(momentum(optimizer, t) for t in range(1, 101))


@pytest.mark.parametrize("name", ["Adam", "Nadam", "RMSprop", "Adagrad", "Adadelta"])
@pytest.mark.parametrize("epsilon", [1e-12, 1e-20])
def test_a_tiny_epsilon(name: str, epsilon: float) -> None:
    """What is flushed has to be far below what epsilon adds: a step was a moment divided by epsilon."""
    found = []
    for backend in ("numpy", "numba"):
        with sn.use_backend(backend):
            optimizer = getattr(sn.optimizers, name)(0.01, epsilon=epsilon)
            optimizer.build(1, [(0, 1)], "float32")
            for slot in optimizer.slots.values():
                slot[...] = 0
            p = np.ones(1, np.float32)
            for _ in range(20):
                optimizer.apply(p, np.full(1, 1e-15, np.float32))
            found.append(p)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)

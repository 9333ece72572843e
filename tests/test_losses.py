"""Losses: against formulas written out again, central differences, Keras, and numbers at the edge."""

from __future__ import annotations

import copy
import math
from typing import Any

import keras_side
import numpy as np
import pytest
from scratchnet.kernels.elementwise_losses import (
    ABSOLUTE,
    BINARY,
    BINARY_LOGITS,
    DIVERGENCE,
    HINGE,
    HUBER,
    LOG_COSH,
    POISSON,
    SQUARED,
    SQUARED_HINGE,
)

import scratchnet as sn
from scratchnet import losses
from scratchnet.backend import ops

SHAPES = [(1, 1), (1, 3), (7, 1), (5, 2), (70, 10), (3, 257)]
SOFTMAX_OPS = ["sparse_softmax_cross_entropy", "softmax_cross_entropy"]
PROBABILITY_OPS = ["sparse_cross_entropy", "cross_entropy"]
KINDS = {
    "squared": SQUARED, "absolute": ABSOLUTE, "binary": BINARY, "binary_logits": BINARY_LOGITS, "huber": HUBER,
    "log_cosh": LOG_COSH, "hinge": HINGE, "squared_hinge": SQUARED_HINGE, "poisson": POISSON, "divergence": DIVERGENCE,
}  # fmt: skip
POSITIVE = {"binary", "poisson", "divergence"}


def problem(n: int, c: int, dtype: str, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    soft = rng.random((n, c)) + 0.01
    probabilities = rng.random((n, c)) + 0.01
    return {
        "logits": (5 * rng.standard_normal((n, c))).astype(dtype),
        "probabilities": (probabilities / probabilities.sum(1, keepdims=True)).astype(dtype),
        "outputs": rng.uniform(0.01, 0.99, (n, c)).astype(dtype),
        "labels": rng.integers(0, c, n).astype(np.int32),
        "soft": (soft / soft.sum(1, keepdims=True)).astype(dtype),
        "weights": rng.random(n).astype(dtype),
    }


def arguments(name: str, p: dict[str, Any], smoothing: float) -> tuple[Any, ...]:
    if name in KINDS:
        y = p["outputs"] if name in POSITIVE else p["logits"]
        return y, p["soft"], p["weights"], KINDS[name], smoothing, 0.7
    x = p["logits"] if "softmax" in name else p["probabilities"]
    return x, p["labels"] if name.startswith("sparse") else p["soft"], p["weights"], smoothing


def op_of(name: str) -> Any:
    return getattr(ops, "elementwise_loss" if name in KINDS else name)


def run(name: str, args: tuple[Any, ...], backend: str, start: tuple[float, float] = (0.0, 0.0)) -> tuple[Any, Any]:
    with sn.use_backend(backend):
        totals, gradient = np.array(start), np.full_like(args[0], np.nan)
        op_of(name)(*args, totals, gradient)
    return totals, gradient


ALL_OPS = [*SOFTMAX_OPS, *PROBABILITY_OPS, *KINDS]


@pytest.mark.parametrize("name", ALL_OPS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_twin_equals_reference(
    name: str, shape: tuple[int, int], dtype: str, tolerance: float, smoothing: float
) -> None:
    args = arguments(name, problem(*shape, dtype), smoothing)
    expected, got = run(name, args, "numpy", (3.5, 2.0)), run(name, args, "numba", (3.5, 2.0))
    np.testing.assert_allclose(got[0], expected[0], rtol=tolerance)
    np.testing.assert_allclose(got[1], expected[1], rtol=20 * tolerance, atol=tolerance)
    assert got[1].dtype == dtype
    totals = np.array([3.5, 2.0])
    with sn.use_backend("numba"):  # a gradient that nobody wants changes nothing else
        op_of(name)(*args, totals, np.empty(0, dtype))
    np.testing.assert_array_equal(totals, got[0])


def textbook(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray, smoothing: float) -> tuple[float, int]:
    """Softmax and cross-entropy by the definition, number by number."""
    total, correct = 0.0, 0
    for x, t, w in zip(logits.tolist(), targets.tolist(), weights.tolist(), strict=True):
        z = math.fsum(math.exp(v) for v in x)
        smooth = [(1 - smoothing) * v + smoothing / len(x) for v in t]
        total += w * -math.fsum(a * math.log(math.exp(v) / z) for a, v in zip(smooth, x, strict=True))
        correct += x.index(max(x)) == t.index(max(t))
    return total, correct


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_softmax_cross_entropy_by_definition(backend: str, smoothing: float) -> None:
    p = problem(9, 4, "float64", 1)
    onehot = np.eye(4)[p["labels"]]
    for name, targets in (("sparse_softmax_cross_entropy", onehot), ("softmax_cross_entropy", p["soft"])):
        totals, _ = run(name, arguments(name, p, smoothing), backend)
        np.testing.assert_allclose(totals, textbook(p["logits"], targets, p["weights"], smoothing), rtol=1e-13)


def test_probability_forms_by_definition(backend: str) -> None:
    p = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.2, 0.2, 0.2]])
    labels, ones = np.array([1, 2, 0], np.int32), np.ones(3)
    totals, _ = run("sparse_cross_entropy", (p, labels, ones, 0.0), backend)
    tiny, most = 1e-7, 1 - 1e-7
    # Clipped probabilities are logits log q to Keras: the loss is log of their sum minus log q.
    sparse = [-math.log(0.25), math.log(most + 2 * tiny) - math.log(tiny), math.log(0.6) - math.log(0.2)]
    np.testing.assert_allclose(totals, [sum(sparse), 1], rtol=1e-14)
    totals, _ = run("cross_entropy", (p, np.eye(3)[labels], ones, 0.0), backend)
    dense = [-math.log(0.25), -math.log(tiny), -math.log(1 / 3)]
    np.testing.assert_allclose(totals, [sum(dense), 1], rtol=1e-14)


def test_mean_squared_error_by_definition(backend: str) -> None:
    y, t = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[0.0, 2.0], [5.0, 0.0]])
    totals, dy = run("squared", (y, t, np.array([1.0, 3.0]), SQUARED, 0.0, 1.0), backend)
    np.testing.assert_allclose(totals, [0.5 + 3 * 2.5, 0])
    np.testing.assert_allclose(dy, [[0.5, 0.0], [-3.0, -1.5]])


def test_mean_absolute_error_by_definition(backend: str) -> None:
    y, t = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[0.0, 2.0], [5.0, -2.0]])
    totals, dy = run("absolute", (y, t, np.array([1.0, 3.0]), ABSOLUTE, 0.0, 1.0), backend)
    np.testing.assert_allclose(totals, [0.5 + 3 * 1.5, 0])
    np.testing.assert_array_equal(dy, [[0.25, 0.0], [-0.75, 0.75]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_cross_entropy_by_definition(backend: str, dtype: str) -> None:
    p, t = np.array([[0.25, 0.75, 1.0, 0.0]], dtype), np.array([[1, 0, 0, 0.5]], dtype)
    totals, dp = run("binary", (p, t, np.ones(1, dtype), BINARY, 0.0, 1.0), backend)
    tiny, most = 1e-7, float(np.dtype(dtype).type(1 - 1e-7))
    losses = [-math.log(0.25), -math.log(0.25), -math.log(1 - most), -0.5 * math.log(tiny) - 0.5 * math.log(1 - tiny)]
    np.testing.assert_allclose(totals, [sum(losses) / 4, 0], rtol=1e-6 if dtype == "float32" else 1e-14)
    np.testing.assert_allclose(dp, [[-1, 1, 0, 0]], rtol=1e-6)
    x = np.array([[-200.0, 200.0, 30.0, 0.0]], dtype)
    totals, dx = run("binary_logits", (x, t, np.ones(1, dtype), BINARY_LOGITS, 0.0, 1.0), backend)
    np.testing.assert_allclose(totals, [(200 + 200 + 30 + math.log(2)) / 4, 0], rtol=1e-6)
    np.testing.assert_allclose(dx, [[-0.25, 0.25, 0.25, 0]], rtol=1e-12)
    _, dx = run("binary_logits", (x[:, 2:3], 1 - t[:, 2:3], np.ones(1, dtype), BINARY_LOGITS, 0.0, 1.0), backend)
    np.testing.assert_allclose(dx, [[-math.exp(-30)]], rtol=1e-6)  # a sigmoid of 1 in float32 keeps its distance to 1


@pytest.mark.parametrize("name", ALL_OPS)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_gradient_is_the_derivative_of_the_mean(backend: str, name: str, smoothing: float) -> None:
    p = problem(6, 5, "float64", 2)
    args = arguments(name, p, smoothing)
    _, gradient = run(name, args, backend)
    step, numeric = 2e-6, np.empty_like(gradient)
    for place in np.ndindex(*gradient.shape):
        ends = []
        for sign in (1, -1):
            x = args[0].copy()
            x[place] += sign * step
            ends.append(run(name, (x, *args[1:]), backend)[0][0] / len(x))
        numeric[place] = (ends[0] - ends[1]) / (2 * step)
    assert np.abs(gradient - numeric).max() <= 1e-8 * np.abs(numeric).max()


def test_no_gradient_through_the_clip(backend: str) -> None:
    p = np.array([[1.0 - 1e-9, 1e-9, 0.0]])
    for name, target in (("sparse_cross_entropy", np.array([1], np.int32)), ("cross_entropy", np.eye(3)[[1]])):
        _, dp = run(name, (p, target, np.ones(1), 0.0), backend)
        np.testing.assert_array_equal(dp, np.zeros((1, 3)))


# Numbers at the edge -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SOFTMAX_OPS)
def test_huge_logits(backend: str, name: str, dtype: str) -> None:
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [1e38, -1e38, 0]], dtype)
    labels = np.array([1, 1, 0], np.int32)
    targets = labels if name.startswith("sparse") else np.eye(3, dtype=dtype)[labels]
    totals, gradient = run(name, (logits, targets, np.ones(3, dtype), 0.0), backend)
    np.testing.assert_allclose(totals, [2e4 + math.log(2), 2], rtol=1e-7)
    np.testing.assert_allclose(gradient, np.array([[1, -1, 0], [0, -0.5, 0.5], [0, 0, 0]]) / 3, atol=1e-7)


@pytest.mark.parametrize("name", SOFTMAX_OPS)
def test_minus_infinity_is_probability_zero(backend: str, name: str) -> None:
    logits, label = np.array([[-np.inf, 0.0, 0.0]]), np.array([1], np.int32)
    targets = label if name.startswith("sparse") else np.eye(3)[label]
    totals, gradient = run(name, (logits, targets, np.ones(1), 0.0), backend)
    np.testing.assert_allclose(totals, [math.log(2), 1])
    np.testing.assert_allclose(gradient, [[0.0, -0.5, 0.5]])
    wrong = np.array([0], np.int32)
    targets = wrong if name.startswith("sparse") else np.eye(3)[wrong]
    totals, gradient = run(name, (logits, targets, np.ones(1), 0.0), backend)
    assert totals[0] == np.inf
    np.testing.assert_allclose(gradient, [[-1.0, 0.5, 0.5]])


@pytest.mark.filterwarnings("ignore:invalid value")  # NumPy says so as well
@pytest.mark.parametrize("name", ALL_OPS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_numbers_stay_visible(backend: str, name: str, bad: float) -> None:
    for place in range(3):
        p = problem(2, 3, "float64", 3)
        for key in ("logits", "probabilities", "outputs"):
            p[key][0, place] = bad
        totals, gradient = run(name, arguments(name, p, 0.0), backend)
        if name in ("squared", "absolute", "huber", "log_cosh") and bad == np.inf:
            assert totals[0] == np.inf
        elif name in ("sparse_cross_entropy", "binary", "divergence", "hinge", "squared_hinge") and bad == np.inf:
            assert np.isfinite(totals[0])  # clipped, as in Keras; or right by more than the margin
        else:
            assert np.isnan(totals[0])
            settled = name in ("binary_logits", "poisson") and bad == np.inf  # sigmoid(inf) is 1, t / inf is 0
            assert np.isnan(gradient[0]).any() or settled
        assert np.isfinite(gradient[1]).all()


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", [*SOFTMAX_OPS, *PROBABILITY_OPS])
def test_a_row_of_nan_is_not_correct(backend: str, name: str) -> None:
    p = problem(4, 3, "float64")
    p["labels"][:] = 0
    p["soft"] = np.eye(3)[[0, 0, 0, 0]]
    p["logits"][:], p["probabilities"][:] = np.nan, np.nan
    assert run(name, arguments(name, p, 0.0), backend)[0][1] == 0


@pytest.mark.parametrize("name", [*SOFTMAX_OPS, *PROBABILITY_OPS])
def test_the_first_of_equal_maxima_counts(backend: str, name: str) -> None:
    x = np.array([[0.1, 0.4, 0.4, 0.1], [0.1, 0.4, 0.4, 0.1], [0.25, 0.25, 0.25, 0.25]])
    labels = np.array([1, 2, 0], np.int32)
    targets = labels if name.startswith("sparse") else np.eye(4)[labels]
    assert run(name, (x, targets, np.ones(3), 0.0), backend)[0][1] == 2


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "cross_entropy"])
def test_the_first_of_equal_targets_counts(backend: str, name: str) -> None:
    x = np.array([[0.1, 0.6, 0.2, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.2, 0.6, 0.1]])
    targets = np.array([[0.0, 0.5, 0.5, 0.0]] * 3)
    assert run(name, (x, targets, np.ones(3), 0.0), backend)[0][1] == 2


def test_targets_of_any_mass(backend: str) -> None:
    """Targets that do not sum to 1: the gradient is still the derivative of the loss."""
    logits, targets, step = np.array([[0.3, -1.0, 2.0]]), np.array([[0.5, 1.0, 0.9]]), 1e-6
    _, gradient = run("softmax_cross_entropy", (logits, targets, np.ones(1), 0.0), backend)
    for place in range(3):
        ends = [
            run("softmax_cross_entropy", (logits + sign * step * np.eye(3)[[place]], targets, np.ones(1), 0.0), backend)
            for sign in (1, -1)
        ]
        assert gradient[0, place] == pytest.approx((ends[0][0][0] - ends[1][0][0]) / (2 * step), abs=1e-8)


def test_near_certainty_keeps_its_digits() -> None:
    logits = np.array([[20.0, 0.0, 0.0]], np.float32)
    _, gradient = run("sparse_softmax_cross_entropy", (logits, np.array([0], np.int32), np.ones(1, "f4"), 0.0), "numba")
    e = math.exp(-20)
    np.testing.assert_allclose(gradient[0], [-2 * e / (1 + 2 * e), e / (1 + 2 * e), e / (1 + 2 * e)], rtol=1e-6)


def test_denormal_logits_are_zero_logits(backend: str) -> None:
    logits = np.full((1, 4), 1e-42, np.float32)
    totals, _ = run("sparse_softmax_cross_entropy", (logits, np.array([3], np.int32), np.ones(1, "f4"), 0.0), backend)
    np.testing.assert_allclose(totals, [math.log(4), 0])


# The public face -----------------------------------------------------------------------------------------------------


def test_mean_divides_by_the_number_of_samples_not_by_the_weights(backend: str) -> None:
    p = problem(8, 3, "float64")
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    single = [loss(p["labels"][i : i + 1], p["logits"][i : i + 1]) for i in range(8)]
    weighted = loss(p["labels"], p["logits"], sample_weight=p["weights"])
    assert weighted == pytest.approx(float(np.dot(p["weights"], single)) / 8, rel=1e-13)
    assert loss(p["labels"], p["logits"]) == pytest.approx(np.mean(single), rel=1e-13)
    assert loss(p["labels"], p["logits"], p["weights"][:, None]) == weighted


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "uint64", "float32", "bool"])
def test_labels_of_any_integer_kind(backend: str, dtype: str) -> None:
    p = problem(6, 2, "float32")
    loss = losses.SparseCategoricalCrossentropy()
    expected = loss(p["labels"], p["probabilities"])
    assert loss(p["labels"].astype(dtype), p["probabilities"]) == expected
    assert loss(p["labels"].astype(dtype)[:, None], p["probabilities"].tolist()) == pytest.approx(expected, rel=1e-6)
    assert loss.prepare_targets(p["labels"].astype(dtype), (2,)).dtype == np.int32


def test_sparse_and_one_hot_agree(backend: str) -> None:
    p = problem(10, 4, "float64")
    onehot = np.eye(4)[p["labels"]]
    for logits in (True, False):
        x = p["logits"] if logits else p["probabilities"]
        sparse = losses.SparseCategoricalCrossentropy(from_logits=logits, label_smoothing=0.1)
        dense = losses.CategoricalCrossentropy(from_logits=logits, label_smoothing=0.1)
        assert sparse(p["labels"], x) == pytest.approx(dense(onehot, x), rel=1e-9)


def test_mean_squared_error_of_any_shape(backend: str) -> None:
    rng = np.random.default_rng(0)
    y, t = rng.standard_normal((2, 4, 3, 2))
    loss = losses.MeanSquaredError()
    assert loss(t, y) == pytest.approx(((y - t) ** 2).mean(), rel=1e-14)
    assert loss([1, 2], [[1.5], [2.0]]) == loss([[1], [2]], [1.5, 2.0]) == 0.125


@pytest.mark.parametrize("last", [[sn.layers.Dense(1, "sigmoid")], [sn.layers.Dense(1), sn.layers.Sigmoid()]])
def test_a_final_sigmoid_is_left_out_in_training(backend: str, last: list[Any]) -> None:
    """Far from the truth the sigmoid is 0 in float32, and the clipped probability has no derivative."""
    model = sn.Sequential([sn.layers.Input((1,)), *copy.deepcopy(last)])
    model.set_weights([np.array([[-200.0]]), np.zeros(1)])
    model.compile(sn.optimizers.SGD(1.0), "binary_crossentropy", metrics=["accuracy"])
    assert model.evaluate([[1.0]], [1], verbose=0) == [200.0, 0.0]
    model.fit([[1.0], [1.0]], [1, 1], epochs=1, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], [[-199.0]])
    assert model.predict([[-1.0]]).tolist() == [[1.0]]


REFUSED: list[tuple[Any, Any, Any, type[Exception], str]] = [
    ("sparse_categorical_crossentropy", [0, 4], (2, 4), sn.errors.DataError, "from 0 to 3, got 4 at index 1"),
    ("sparse_categorical_crossentropy", [0, -1], (2, 4), sn.errors.DataError, "from 0 to 3, got -1 at index 1"),
    ("sparse_categorical_crossentropy", [0.5, 1], (2, 4), sn.errors.DataError, "got 0.5 at index 0"),
    ("sparse_categorical_crossentropy", [0, np.nan], (2, 4), sn.errors.DataError, "got nan at index 1"),
    ("sparse_categorical_crossentropy", np.array([0, 2**63], "u8"), (2, 4), sn.errors.DataError, f"{2**63} at index 1"),
    ("sparse_categorical_crossentropy", ["a", "b"], (2, 4), sn.errors.DataError, "expected numbers"),
    ("sparse_categorical_crossentropy", np.eye(4)[:2], (2, 4), sn.errors.ShapeError, "CategoricalCrossentropy"),
    ("sparse_categorical_crossentropy", [0, 1, 2], (2, 4), sn.errors.ShapeError, "2 predictions but 3 targets"),
    ("sparse_categorical_crossentropy", 1, (2, 4), sn.errors.ShapeError, "one target per sample"),
    ("sparse_categorical_crossentropy", [0, 1], (2, 3, 4), sn.errors.ShapeError, "one number per class"),
    ("categorical_crossentropy", [0, 1], (2, 4), sn.errors.ShapeError, "SparseCategoricalCrossentropy"),
    ("categorical_crossentropy", np.eye(3)[:2], (2, 4), sn.errors.ShapeError, r"expected targets of shape \(n, 4\)"),
    ("categorical_crossentropy", [[0, np.inf]], (1, 2), sn.errors.DataError, "NaN or Inf in the targets"),
    ("mse", np.zeros((2, 3)), (2, 4), sn.errors.ShapeError, "expected targets of shape"),
    ("mse", [[1, 2], [3]], (2, 2), sn.errors.ShapeError, "ragged"),
    ("mse", np.zeros((0, 4)), (0, 4), sn.errors.DataError, "at least one sample"),
    ("mae", np.zeros((2, 3)), (2, 4), sn.errors.ShapeError, "expected targets of shape"),
    ("binary_crossentropy", [[0, 1], [-1, 1]], (2, 2), sn.errors.DataError, "from 0 to 1, got -1 at index 1"),
    ("binary_crossentropy", [0, 0, 2], (3, 1), sn.errors.DataError, "from 0 to 1, got 2 at index 2"),
    ("binary_crossentropy", [0, 1], (2, 4), sn.errors.ShapeError, "expected targets of shape"),
]


@pytest.mark.parametrize(("name", "y_true", "shape", "error", "message"), REFUSED)
def test_refusals(name: str, y_true: Any, shape: tuple[int, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        losses.get(name)(y_true, np.full(shape, 0.25))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", [[1.0], [[1.0, 1.0]], np.ones((2, 1, 1))])
def test_refuses_sample_weights_of_another_shape(weights: Any) -> None:
    if np.size(weights) == 2 and np.ndim(weights) == 2:
        weights = np.ones((2, 2))
    with pytest.raises(sn.errors.ShapeError, match="sample_weight"):
        losses.MeanSquaredError()([[1], [2]], [[1.0], [2.0]], sample_weight=weights)


@pytest.mark.parametrize("weight", [2, 0.5, np.float32(0.5), np.array(3.0)])
def test_a_single_sample_weight_weighs_all(backend: str, weight: Any) -> None:
    p = problem(5, 3, "float64")
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = float(weight) * loss(p["labels"], p["logits"])
    assert loss(p["labels"], p["logits"], sample_weight=weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "weights", "message"),
    [
        ([1.0], None, None, "expected numbers for predictions, got dtype object"),
        (None, [1.0], None, "expected numbers for targets, got dtype object"),
        ([1.0], ["a"], None, "expected numbers for predictions, got dtype <U1"),
        ([1.0], [[1.0], [1.0, 2.0]], None, "expected numbers for predictions, got a ragged list"),
        ([1.0], 1.0, None, "expected one prediction per sample, got a single number"),
        ([1.0], [1.0], ["a"], "sample_weight: expected one number per sample, got dtype <U1"),
    ],
)
def test_what_is_no_number_is_refused(backend: str, y_true: Any, y_pred: Any, weights: Any, message: str) -> None:
    with pytest.raises(sn.errors.ScratchnetError, match=f"^mean_squared_error: {message}$"):
        losses.MeanSquaredError()(y_true, y_pred, weights)


def test_get_serialize_and_bad_arguments() -> None:
    names = (
        "sparse_categorical_crossentropy categorical_crossentropy mean_squared_error mse MSE mae binary_crossentropy"
    )
    more = "huber Huber log_cosh LogCosh hinge Hinge squared_hinge poisson kl_divergence KLDivergence kld KLD"
    for name in (*names.split(), "mean_absolute_error", "MeanAbsoluteError", "BinaryCrossentropy", *more.split()):
        loss = losses.get(name)
        again = losses.get(losses.serialize(loss))
        assert type(again) is type(loss)
        assert again.config() == loss.config()
        assert losses.get(loss) is loss
    settings = {"from_logits": True, "label_smoothing": 0.1}
    loss = losses.get({"class_name": "CategoricalCrossentropy", "config": settings})
    assert (loss.from_logits, loss.label_smoothing) == (True, 0.1)
    assert "label_smoothing=0.1" in repr(loss)
    assert losses.SparseCategoricalCrossentropy().from_logits is False
    bad: list[Any] = ["dice", None, 3, {"class_name": "Loss", "config": {}}, {"class_name": "mse", "config": 1}]
    for identifier in bad:
        with pytest.raises(sn.errors.ConfigError, match=r"loss|expected its config as a dict"):
            losses.get(identifier)
    for unknown in (
        lambda: losses.get({"class_name": "mse", "config": {"a": 1}}),
        lambda: losses.MeanSquaredError(a=1),
    ):
        with pytest.raises(
            sn.errors.ConfigError, match=r"^MeanSquaredError has no argument 'a': it has: reduction, name, dtype$"
        ):
            unknown()
    message = "^CategoricalCrossentropy has no argument 'smoothing': did you mean 'label_smoothing'"
    with pytest.raises(sn.errors.ConfigError, match=message):
        losses.CategoricalCrossentropy(smoothing=0.1)  # type: ignore[call-arg]
    assert (losses.Huber(0.3).delta, losses.get("huber").delta) == (0.3, 1.0)  # type: ignore[attr-defined]
    for delta in (0, -1.0, np.inf, "1"):
        with pytest.raises(sn.errors.ConfigError, match=r"^Huber: delta: expected a number in \(0, inf\), got"):
            losses.Huber(delta)  # type: ignore[arg-type]
    for smoothing in (-0.1, 1.5, np.nan, "0.1"):
        with pytest.raises(sn.errors.ConfigError, match="label_smoothing"):
            losses.CategoricalCrossentropy(label_smoothing=smoothing)
    with pytest.raises(sn.errors.ConfigError, match="from_logits"):
        losses.CategoricalCrossentropy(0.1)  # type: ignore[arg-type]


# The real Keras ------------------------------------------------------------------------------------------------------


def keras_loss(loss: Any, y_true: Any, y_pred: np.ndarray, weights: Any) -> tuple[float, np.ndarray]:
    tf = keras_side.tensorflow()
    with tf.GradientTape() as tape:
        x = tf.constant(y_pred)
        tape.watch(x)
        value = loss(y_true, x, sample_weight=weights)
    return float(value), tape.gradient(value, x).numpy()


@keras_side.GROUP
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("from_logits", [True, False])
def test_against_keras(backend: str, dtype: str, from_logits: bool) -> None:
    keras = keras_side.keras()
    p = problem(12, 5, dtype, 4)
    x = p["logits"] if from_logits else p["probabilities"]
    if not from_logits:
        x[0], x[1] = [1, 0, 0, 0, 0], x[1] / 2  # clipped, and not normalized
    onehot = np.eye(5, dtype=dtype)[p["labels"]]
    rtol = 2e-6 if dtype == "float32" else 1e-10
    pairs: list[tuple[Any, Any, Any]] = [
        (losses.SparseCategoricalCrossentropy(from_logits), keras.losses.SparseCategoricalCrossentropy, p["labels"]),
        (losses.CategoricalCrossentropy(from_logits), keras.losses.CategoricalCrossentropy, onehot),
        (losses.CategoricalCrossentropy(from_logits, 0.2), keras.losses.CategoricalCrossentropy, p["soft"]),
        (losses.MeanSquaredError(), keras.losses.MeanSquaredError, p["soft"]),
        (losses.MeanAbsoluteError(), keras.losses.MeanAbsoluteError, p["soft"]),
        (losses.BinaryCrossentropy(from_logits), keras.losses.BinaryCrossentropy, onehot),
        (losses.BinaryCrossentropy(from_logits, 0.2), keras.losses.BinaryCrossentropy, p["soft"]),
    ]
    with keras_side.floatx(dtype):
        for ours, theirs, targets in pairs:
            settings = {key: value for key, value in ours.config().items() if key != "name"}
            if theirs is keras.losses.SparseCategoricalCrossentropy:
                del settings["label_smoothing"]  # Keras has it for one-hot rows only
            loss, gradient = keras_loss(theirs(**settings), targets, x, p["weights"])
            assert ours(targets, x, p["weights"]) == pytest.approx(loss, rel=rtol)
            totals, dy = np.zeros(2), np.empty_like(x)
            ours.evaluate(x, ours.prepare_targets(targets, (5,)), p["weights"], from_logits, totals, dy)
            np.testing.assert_allclose(dy, gradient, rtol=1e3 * rtol, atol=rtol)


@keras_side.GROUP
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_errors_margins_and_divergences_against_keras(backend: str, dtype: str) -> None:
    keras = keras_side.keras()
    p = problem(12, 5, dtype, 4)
    signs = np.where(p["soft"] > 0.2, 1, -1).astype(dtype)
    clipped = p["outputs"].copy()
    clipped[0], clipped[1] = [0, 1, 2, 0, 1], 1e-9
    zeros = p["soft"].copy()
    zeros[:, 1] = 0
    tolerance = 2e-6 if dtype == "float32" else 1e-10
    rows: list[tuple[str, dict[str, float], Any, Any]] = [
        ("Huber", {}, p["soft"], p["logits"]), ("Huber", {"delta": 0.3}, p["soft"], p["logits"]),
        ("LogCosh", {}, p["soft"], p["logits"]), ("Hinge", {}, signs, p["logits"]),
        ("Hinge", {}, (signs + 1) / 2, p["logits"]), ("SquaredHinge", {}, signs, p["logits"]),
        ("SquaredHinge", {}, (signs + 1) / 2, p["logits"]), ("Hinge", {}, p["soft"], p["logits"]),
        ("Poisson", {}, 5 * p["soft"], p["outputs"]), ("KLDivergence", {}, p["soft"], p["probabilities"]),
        ("KLDivergence", {}, zeros, clipped),
    ]  # fmt: skip
    with keras_side.floatx(dtype):
        for name, settings, targets, outputs in rows:
            ours, theirs = getattr(losses, name)(**settings), getattr(keras.losses, name)(**settings)
            assert ours.name == theirs.name
            loss, gradient = keras_loss(theirs, targets, outputs, p["weights"])
            rounded = 3e-9 if name == "LogCosh" else 0  # in Keras log 2 is a float32 of any dtype
            assert ours(targets, outputs, p["weights"]) == pytest.approx(loss, rel=max(tolerance, rounded)), name
            largest = np.abs(gradient).max()
            np.testing.assert_allclose(
                ours.gradient(targets, outputs, p["weights"]), gradient, rtol=0, atol=tolerance * largest, err_msg=name
            )


@keras_side.GROUP
@pytest.mark.parametrize(
    "name",
    ["MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "SquaredHinge", "Poisson", "KLDivergence",
     "BinaryCrossentropy"],
)  # fmt: skip
def test_outputs_with_more_axes_against_keras(name: str, backend: str) -> None:
    rng = np.random.default_rng(6)
    targets, outputs = rng.random((2, 5, 3, 4)).astype(np.float32)
    theirs = getattr(keras_side.keras().losses, name)()
    loss, gradient = keras_loss(theirs, targets, outputs, None)
    ours = getattr(losses, name)()
    assert ours(targets, outputs) == pytest.approx(loss, rel=2e-6)
    np.testing.assert_allclose(ours.gradient(targets, outputs), gradient, rtol=1e-5)


@keras_side.GROUP
def test_functions_give_each_samples_loss_as_kerass_do() -> None:
    rng = np.random.default_rng(4)
    p, labels = rng.random((5, 3)).astype(np.float32), rng.integers(0, 3, 5)
    images, theirs = rng.random((2, 4, 3)).astype(np.float32), keras_side.keras().losses
    for name, targets, outputs, arguments in (
        ("sparse_categorical_crossentropy", labels, p, {}),
        ("sparse_categorical_crossentropy", labels[:, None], 5 * p, {"from_logits": True}),
        ("sparse_categorical_crossentropy", rng.integers(0, 3, (2, 4)), images, {}),
        ("categorical_crossentropy", np.eye(3, dtype="f4")[labels], p, {"label_smoothing": 0.1}),
        ("binary_crossentropy", np.eye(3, dtype="f4")[labels], p, {}),
        ("binary_crossentropy", np.rint(images), 3 * images, {"from_logits": True}),
        ("mean_squared_error", p[::-1], p, {}),
        ("mean_absolute_error", images[::-1], images, {}),
        ("mean_squared_error", p[0], p[1], {}),
        ("huber", images[::-1], 3 * images, {"delta": 0.5}),
        ("log_cosh", p[::-1], p, {}),
        ("hinge", np.rint(images), images, {}),
        ("squared_hinge", np.rint(p) * 2 - 1, p, {}),
        ("poisson", p[::-1], p, {}),
        ("kl_divergence", images[::-1], images, {}),
    ):
        ours = getattr(losses, name)(targets, outputs, **arguments)
        wanted = np.asarray(getattr(theirs, name)(targets, outputs, **arguments))
        assert (ours.dtype, ours.shape) == (wanted.dtype, wanted.shape), name
        np.testing.assert_allclose(ours, wanted, rtol=1e-5)
        assert type(losses.get(getattr(losses, name))) is type(losses.get(name))


def test_arguments_by_position_are_kerass() -> None:
    """``MeanSquaredError("sum")`` was a mean by the name of "sum"."""
    for make in (
        lambda: losses.MeanSquaredError("sum"),
        lambda: losses.MeanAbsoluteError(None),
        lambda: losses.SparseCategoricalCrossentropy(False, 1),
        lambda: losses.CategoricalCrossentropy(False, 0.0, 1),
    ):
        with pytest.raises(sn.errors.ConfigError, match=r": (reduction|ignore_class|axis): expected "):
            make()
    assert losses.SparseCategoricalCrossentropy(True, None).from_logits
    assert losses.BinaryCrossentropy(False, 0.25, -1, "sum_over_batch_size", "b", "float32").name == "b"


@pytest.mark.parametrize(
    "loss",
    ["SparseCategoricalCrossentropy", "BinaryCrossentropy", "MeanSquaredError", "Huber", "KLDivergence", "Poisson"],
)
def test_gradient_is_the_derivative_of_the_call(backend: str, loss: str) -> None:
    rng = np.random.default_rng(5)
    p, weights, moved = rng.uniform(0.2, 0.8, (4, 3)), rng.random(4), rng.standard_normal((4, 3))
    y = rng.integers(0, 3, 4) if loss.startswith("Sparse") else rng.integers(0, 2, (4, 3))
    one = getattr(losses, loss)()
    slope = (one(y, p + 1e-5 * moved, weights) - one(y, p - 1e-5 * moved, weights)) / 2e-5
    assert (one.gradient(y, p, weights) * moved).sum() == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [1e4, 1e8, 1e12, 1e20])
def test_logits_with_a_large_offset(offset: float, dtype: str, backend: str) -> None:
    """What they have in common cancels before anything is added to it."""
    logits, onehot = np.full((1, 3), offset, dtype), [[0.0, 1.0, 0.0]]
    assert losses.SparseCategoricalCrossentropy(True)([1], logits) == pytest.approx(math.log(3), rel=1e-7)
    assert losses.SparseCategoricalCrossentropy(True, label_smoothing=0.5)([1], logits) == pytest.approx(
        math.log(3), rel=1e-7
    )
    assert losses.CategoricalCrossentropy(True)(onehot, logits) == pytest.approx(math.log(3), rel=1e-7)


@pytest.mark.parametrize("logit", [20.0, 25.0, 33.5, 300.0])
def test_binary_logits_that_are_nearly_certain(logit: float, backend: str) -> None:
    loss = losses.BinaryCrossentropy(from_logits=True)
    for target, sign in ((1.0, 1.0), (0.0, -1.0)):
        assert loss([[target]], np.array([[sign * logit]])) == pytest.approx(math.log1p(math.exp(-logit)), rel=1e-12)


@pytest.mark.parametrize(
    ("targets", "outputs", "said"),
    [
        (np.ones((3, 4)), np.ones((4, 3)), r"expected targets of shape \(4, 3\), got \(3, 4\)"),
        (np.ones((2, 6)), np.ones((3, 4)), "expected targets of shape"),
        ([1, 2, 3], [1, 2], "expected targets of shape"),
        ([[1, 2], [3]], [[1, 2]], "got a ragged list"),
        ([], [], "expected at least one sample"),
        (None, [1.0, 2.0], "got dtype object"),
    ],
)
@pytest.mark.parametrize("name", ["mean_squared_error", "binary_crossentropy", "sparse_categorical_crossentropy"])
def test_functions_refuse_targets_of_another_shape(name: str, targets: Any, outputs: Any, said: str) -> None:
    with pytest.raises(sn.errors.ScratchnetError, match=f"^{name}: .*({said}|expected targets of shape)"):
        getattr(losses, name)(targets, outputs)

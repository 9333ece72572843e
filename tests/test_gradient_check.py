"""check_gradients: it passes what is right, catches what is wrong, and leaves the object it checks alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import layers
from scratchnet.errors import GradientError

RNG = np.random.default_rng(7)
X = RNG.standard_normal((4, 5))
IMAGES = RNG.standard_normal((2, 6, 5, 3))


class Wrong(layers.Dense):
    """A Dense layer with a mistake in it."""

    def __init__(self, mistake: Callable[[Any, Any], Any], **kwargs: Any) -> None:
        super().__init__(3, activation="tanh", **kwargs)
        self.mistake = mistake

    def backward(self, dy: Any) -> Any:
        return self.mistake(self, super().backward(dy))


def wrong_sign(layer: Any, dx: Any) -> Any:
    layer.grads["kernel"][...] *= -1
    return dx


def twice(layer: Any, dx: Any) -> Any:
    layer.grads["bias"][...] *= 2
    return dx


def mean_instead_of_sum(layer: Any, dx: Any) -> Any:
    layer.grads["kernel"][...] /= len(dx)
    return dx


def one_element(layer: Any, dx: Any) -> Any:
    layer.grads["kernel"][1, 2] *= 1 + 1e-4
    return dx


def transposed(layer: Any, dx: Any) -> Any:
    layer.grads["kernel"] = np.ones((3, 5))
    return dx


def no_gradient(layer: Any, dx: Any) -> Any:
    layer.grads.pop("bias", None)
    return dx


def not_finite(layer: Any, dx: Any) -> Any:
    dx[0, 0] = np.nan
    return dx


@pytest.mark.parametrize(
    ("mistake", "array", "verdict"),
    [
        (wrong_sign, "kernel", "WRONG (over 1e-06)"),
        (twice, "bias", "WRONG (over 1e-06)"),
        (mean_instead_of_sum, "kernel", "WRONG (over 1e-06)"),
        (one_element, "kernel", "WRONG (over 1e-06)"),
        (transposed, "kernel", "WRONG (gradient of shape (3, 5))"),
        (no_gradient, "bias", "WRONG (gradient of shape none)"),
        (not_finite, "x", "WRONG (gradient is not finite)"),
        (lambda layer, dx: None, "x", "WRONG (gradient of shape none)"),
        (lambda layer, dx: np.empty(0), "x", "WRONG (gradient of shape (0,))"),
        (lambda layer, dx: np.zeros_like(dx), "x", "WRONG (over 1e-06)"),
        (lambda layer, dx: 2 * dx, "x", "WRONG (over 1e-06)"),
    ],
)
def test_catches_a_wrong_gradient(mistake: Any, array: str, verdict: str) -> None:
    report = sn.check_gradients(Wrong(mistake), X)
    assert not report.ok
    assert [row.name for row in report.rows if not row.ok] == [array]
    line = next(line for line in str(report).splitlines() if line.startswith(array))
    assert line.endswith(verdict)
    assert str(report).startswith("Wrong: gradients WRONG")


def test_catches_a_wrong_gradient_of_a_large_array() -> None:
    class OneRow(layers.Dense):
        def backward(self, dy: Any) -> Any:
            dx = super().backward(dy)
            self.grads["kernel"][17] = 0
            return dx

    report = sn.check_gradients(OneRow(40), RNG.standard_normal((3, 50)))
    assert [row.name for row in report.rows if not row.ok] == ["kernel"]
    assert "directions" in next(row.checked for row in report.rows if row.name == "kernel")


def test_catches_swapped_axes_of_a_window() -> None:
    class Swapped(layers.Conv2D):
        def backward(self, dy: Any) -> Any:
            dx = super().backward(dy)
            self.grads["kernel"][...] = self.grads["kernel"].swapaxes(0, 1).copy()
            return dx

    report = sn.check_gradients(Swapped(2, 3), IMAGES)
    assert [row.name for row in report.rows if not row.ok] == ["kernel"]


class Scale(layers.Layer):
    """``y = factor x``, with habits that tests replace."""

    def build(self, input_shape: Any, rng: Any = None) -> None:
        super().build(input_shape, rng)
        self.add_param("factor", (), sn.initializers.Ones(), rng)

    def forward(self, x: Any, training: bool = False) -> Any:
        self.x = self.check_input(x)
        return self.params["factor"] * self.x

    def backward(self, dy: Any) -> Any:
        self.grads["factor"][...] = (self.x * dy).sum()
        return self.params["factor"] * dy


def test_passes_a_layer_of_ones_own() -> None:
    report = sn.check_gradients(Scale(), X)
    assert report.ok, report
    assert [(row.name, row.shape) for row in report.rows] == [("x", (4, 5)), ("factor", ())]


class Accumulates(Scale):
    def backward(self, dy: Any) -> Any:
        self.grads["factor"][...] += (self.x * dy).sum()
        return self.params["factor"] * dy


class ChangesInput(Scale):
    def forward(self, x: Any, training: bool = False) -> Any:
        self.x = self.check_input(x).copy()
        x *= self.params["factor"]
        x += 1
        return x.copy()


class ChangesGradient(Scale):
    def backward(self, dy: Any) -> Any:
        self.grads["factor"][...] = (self.x * dy).sum()
        dy *= self.params["factor"] + 1
        return dy / (self.params["factor"] + 1)


class ChangesParameter(Scale):
    def backward(self, dy: Any) -> Any:
        dx = super().backward(dy)
        self.params["factor"] += 0.5
        return dx


class Aliases(layers.Layer):
    def forward(self, x: Any, training: bool = False) -> Any:
        return self.check_input(x)

    def backward(self, dy: Any) -> Any:
        return dy.copy()


class WrongShape(Scale):
    def build(self, input_shape: Any, rng: Any = None) -> None:
        super().build(input_shape, rng)
        self.output_shape = (3,)


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (Accumulates(), "the gradient of factor differs from one backward to the next: assign it, do not add to it"),
        (ChangesInput(), "forward or backward changes its input"),
        (ChangesGradient(), "backward changes its argument dy"),
        (ChangesParameter(), "forward or backward changes factor"),
        (Aliases(), "the output shares memory with the input"),
        (WrongShape(), "output_shape is (3,), but forward gives (4, 5)"),
    ],
)
def test_catches_bad_habits(layer: Any, problem: str) -> None:
    report = sn.check_gradients(layer, X)
    assert not report.ok
    assert any(line.startswith(problem) for line in report.problems), report.problems
    assert f"PROBLEM: {problem}" in str(report)


def test_views_may_share_memory() -> None:
    assert sn.check_gradients(layers.Flatten(), IMAGES).ok
    assert sn.check_gradients(layers.Stack([layers.Flatten(), layers.Reshape((-1, 3))]), IMAGES).ok


def test_leaves_out_kinks() -> None:
    x = X.copy()
    x[1, 2], x[0, 0], x[3, 3] = 0.0, 1e-9, -1e-9
    row = sn.check_gradients(layers.ReLU(), x).rows[0]
    assert row.ok
    assert row.left_out == 3
    assert row.checked == "all 20"


def test_leaves_out_ties() -> None:
    x = IMAGES.copy()
    x[0, 0, 0, 0] = x[0, 1, 1, 0] = 9.0
    row = sn.check_gradients(layers.MaxPooling2D(), x, max_elements=x.size).rows[0]
    assert row.ok
    assert row.left_out == 2


def test_a_wrong_slope_is_not_taken_for_a_kink() -> None:
    class Kinked(layers.ReLU):
        def backward(self, dy: Any) -> Any:
            return dy

    row = sn.check_gradients(Kinked(), X).rows[0]
    assert not row.ok
    assert row.left_out == 0


def test_noise_in_forward_is_not_ok() -> None:
    class Noisy(Scale):
        def forward(self, x: Any, training: bool = False) -> Any:
            return super().forward(x) + np.random.default_rng().standard_normal(x.shape)

    report = sn.check_gradients(Noisy(), X)
    assert not report.ok
    assert any(row.note == "TOO MANY LEFT OUT" for row in report.rows)


def test_moves_away_from_a_point_of_kinks_only() -> None:
    layer = layers.Conv2D(4, 3, activation="relu")  # zero patches and zero biases: ReLU of exactly 0
    x = np.zeros((2, 6, 6, 1))
    x[:, 3:, 3:] = 1
    report = sn.check_gradients(layer, x)
    assert report.moved
    assert report.ok, report
    assert "at a point 1% away" in str(report)


def small_model(**kwargs: Any) -> Any:
    model = sn.Sequential(
        [
            layers.Input((6, 5, 3), **kwargs),
            layers.Conv2D(4, 3, activation="relu", **kwargs),
            layers.BatchNormalization(**kwargs),
            layers.MaxPooling2D(2, **kwargs),
            layers.Dropout(0.4, **kwargs),
            layers.Flatten(**kwargs),
            layers.Dense(3, activation="softmax", **kwargs),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_a_compiled_model_with_targets(backend: str) -> None:
    report = sn.check_gradients(small_model(), IMAGES, [0, 2])
    assert report.ok, report
    names = ["conv2d/kernel", "conv2d/bias", "batch_normalization/gamma", "batch_normalization/beta"]
    assert [row.name for row in report.rows] == [*names, "dense/kernel", "dense/bias"]


def test_the_model_stays_as_it_is(backend: str) -> None:
    model = small_model()
    model.train_on_batch(IMAGES, [0, 2])
    weights, steps = [w.copy() for w in model.get_weights()], [getattr(one, "step", None) for one in model.layers]
    iterations, vector = model.optimizer.iterations, model.flat_params
    assert sn.check_gradients(model, IMAGES, [0, 2]).ok
    assert sn.check_gradients(model, IMAGES).ok
    for before, after in zip(weights, model.get_weights(), strict=True):
        assert after.dtype == np.float32
        np.testing.assert_array_equal(before, after)
    assert steps == [getattr(one, "step", None) for one in model.layers]
    assert model.optimizer.iterations == iterations
    assert model.flat_params is vector
    assert all(inner.dtype == np.float32 for inner in model.walk())


def test_an_unbuilt_layer_stays_unbuilt() -> None:
    layer = layers.Dense(3)
    assert sn.check_gradients(layer, X).ok
    assert not layer.built
    assert not layer.params


def test_a_wrong_layer_inside_a_model_is_named() -> None:
    model = sn.Sequential([layers.Input((5,)), layers.Dense(4, activation="relu"), Wrong(wrong_sign), layers.Dense(2)])
    model.compile("sgd", "mse")
    report = sn.check_gradients(model, X, RNG.standard_normal((4, 2)))
    assert [row.name for row in report.rows if not row.ok] == ["wrong/kernel"]


def test_integer_inputs_have_no_gradient() -> None:
    report = sn.check_gradients(layers.Dense(3), RNG.integers(0, 9, (4, 5)))
    assert report.ok
    assert [row.name for row in report.rows] == ["kernel", "bias"]


def test_a_wrong_loss() -> None:
    class Doubled(sn.losses.MeanSquaredError):
        def evaluate(self, y_pred: Any, targets: Any, weights: Any, logits: bool, totals: Any, dy: Any) -> None:
            super().evaluate(y_pred, targets, weights, logits, totals, dy)
            dy *= 2

    assert sn.check_gradients(sn.losses.MeanSquaredError(), X, X + 1).ok
    assert not sn.check_gradients(Doubled(), X, X + 1).ok


def test_zero_gradients_are_right() -> None:
    # A bias in front of batch normalization changes nothing: the true gradient is 0, the computed one is rounding.
    stack = layers.Stack([layers.Dense(3), layers.BatchNormalization()])
    report = sn.check_gradients(stack, X)
    assert report.ok, report


def test_the_table_is_aligned() -> None:
    lines = str(sn.check_gradients(layers.Dense(3), X)).splitlines()
    assert lines[0] == "Dense: gradients ok"
    column = lines[1].index("verdict")
    assert [line[column:] for line in lines[2:]] == ["ok"] * 3


def test_refuses_a_point_where_the_output_is_not_finite() -> None:
    with pytest.raises(GradientError, match="the output is not finite at this point"):
        sn.check_gradients(layers.Dense(3), np.full((2, 5), np.nan))


def model_of_zeros() -> Any:
    zeros = {"kernel_initializer": "zeros"}
    model = sn.Sequential([layers.Dense(3, "relu", input_shape=(5,), **zeros), layers.Dense(1, **zeros)])
    model.compile("sgd", "mse")
    return model


CONSTANT: list[tuple[Any, Any, Any]] = [
    (layers.ReLU(), -np.ones((4, 5)), None),
    (layers.Sigmoid(), np.full((2, 3), -800.0), None),
    (layers.BatchNormalization(), X[:1], None),
    (layers.BatchNormalization(), np.full((4, 5), 2.5), None),
    (layers.Stack([layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.Dense(2)]), X[:1], None),
    (layers.Dense(2, kernel_initializer="zeros"), np.zeros((4, 5)), None),
    (layers.Rescaling(0.0), X, None),
    (layers.Dropout(1.0), X, None),
    (layers.Softmax(), X[:, :1], None),
    (sn.losses.MeanSquaredError(), X, X),
    (model_of_zeros(), X, np.zeros((4, 1))),
]


@pytest.mark.parametrize(("subject", "x", "y"), CONSTANT, ids=lambda value: type(value).__name__)
def test_a_function_that_is_constant_here(subject: Any, x: Any, y: Any, backend: str) -> None:
    report = sn.check_gradients(subject, x, y)
    assert report.ok, report
    assert report.max_relative_error <= 1e-6


def test_a_wrong_gradient_of_a_function_that_is_constant_here() -> None:
    class Leaks(layers.ReLU):
        def backward(self, dy: Any) -> Any:
            return 1e-3 * super().check_gradient(dy)

    assert not sn.check_gradients(Leaks(), -np.ones((4, 5))).ok


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", X), "expected a layer, a model or a loss, got 'a'"),
        ((layers.Dense, X), "expected a layer, a model or a loss, got <class"),
        ((layers.Dense(2), X[:0]), r"x: expected numbers, at least one sample, got an array of shape \(0, 5\)"),
        ((layers.Dense(2), "abc"), "x: expected numbers, at least one sample, got an array of .* dtype <U3"),
        ((layers.Dense(2), [[1, 2], [3]]), "x: expected an array, got a ragged list"),
        ((layers.Dense(2), X, X), "y goes with a compiled model or a loss, got a Dense"),
        ((sn.losses.MeanSquaredError(), X[:0], X[:0]), "x: expected numbers, at least one sample"),
    ],
)
def test_refuses_what_cannot_be_checked(arguments: Any, message: str) -> None:
    with pytest.raises(GradientError, match=f"^check_gradients: {message}") as caught:
        sn.check_gradients(*arguments)
    assert "\n" not in str(caught.value)

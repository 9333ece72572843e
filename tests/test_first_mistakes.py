"""First mistakes with user-defined parts, and how parts describe themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scratchnet as sn
from scratchnet import callbacks as C  # noqa: N812
from scratchnet import layers as L  # noqa: N812
from scratchnet.errors import ConfigError, ShapeError

BATCH = np.ones((4, 3), np.float32)


# User-defined classes -------------------------------------------------------------------------------------------------


class Unfinished(L.Layer):
    """Does not call the constructor of `Layer`."""

    def __init__(self) -> None:
        self.factor = 2


@pytest.mark.parametrize(
    "use",
    [
        lambda layer: layer(BATCH),
        lambda layer: sn.Sequential([layer]),
        lambda layer: layer.config(),
        lambda layer: layer.get_weights(),
        lambda layer: layer.add_param("w", (3,), sn.initializers.Zeros(), None),
    ],
)
def test_a_constructor_that_does_not_call_the_one_of_layer(use: Any) -> None:
    with pytest.raises(ConfigError, match=r"Unfinished: has no \w+: its __init__ has to call super\(\)\.__init__\("):
        use(Unfinished())
    assert not hasattr(Unfinished(), "kernel")
    assert repr(Unfinished()) == "Unfinished(...)"


def test_methods_that_cannot_be_called_are_refused_when_the_class_is_made() -> None:
    said = r"^Blind: expected forward\(self, x, training=False\), got forward\(self, x\)$"
    with pytest.raises(ConfigError, match=said):

        class Blind(L.Layer):
            def forward(self, x: Any):  # type: ignore[no-untyped-def]
                return x

    with pytest.raises(ConfigError, match=r"^Deaf: expected backward\(self, dy\), got backward\(self\)$"):

        class Deaf(L.Layer):
            def backward(self):  # type: ignore[no-untyped-def]
                return None

    class Other(L.Layer):
        """Other names, and more arguments, do no harm."""

        def forward(self, inputs: Any, train: Any = None, *others: Any) -> Any:
            return inputs

        def backward(self, *gradients: Any) -> Any:
            return gradients[0]

    assert sn.Sequential([Other(), L.Dense(2)])(BATCH).shape == (4, 2)
    assert (Other()(BATCH) == BATCH).all()


class Forgetful(sn.optimizers.Optimizer):
    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        params -= rate * self.slot("v")


class Sometimes(sn.optimizers.Optimizer):
    """Its slots depend on a setting."""

    arguments = ("memory",)

    def __init__(self, learning_rate: float = 0.1, memory: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.memory = memory

    def slot_values(self) -> dict[str, float | None]:
        return {"w": 0.0, "v": 1.0 if self.memory else None, "u": 0.0 if self.memory else None}

    def update(self, params: Any, grads: Any, rate: float, decay: float) -> None:
        params -= rate * (self.slot("v") if self.memory else grads)
        assert self.slot("v").size == self.slot("u").size == params.size * self.memory


def test_a_slot_that_is_not_declared_is_refused_by_its_name() -> None:
    def train(optimizer: Any) -> None:
        model = sn.Sequential([L.Dense(2, input_shape=(3,))])
        model.compile(optimizer, "mse")
        model.train_on_batch(BATCH, BATCH[:, :2])

    with pytest.raises(
        ConfigError, match=r"^Forgetful: there is no slot 'v': slot_values\(\), which names .*, has none$"
    ):
        train(Forgetful(0.1))
    train(Sometimes())
    train(Sometimes(memory=True))
    Sometimes.update = lambda self, *_: self.slot("vv")  # type: ignore[method-assign, assignment]
    with pytest.raises(ConfigError, match=r"^Sometimes: there is no slot 'vv': slot_values\(\), which .* has w, v, u$"):
        train(Sometimes())
    train(sn.optimizers.SGD(momentum=0.0))
    train(sn.optimizers.RMSprop(centered=False))


# What parts say of themselves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (L.Dense(3, activation="relu"), "Dense(3, activation='relu')"),
        (L.Dense(3, kernel_initializer="he_normal"), "Dense(3, kernel_initializer=HeNormal())"),
        (L.Dense(3, L.LeakyReLU(0.2)), "Dense(3, activation=LeakyReLU(negative_slope=0.2))"),
        (L.Dense(3, kernel_regularizer="l2", name="x"), "Dense(3, kernel_regularizer=L2(l2=0.01), name='x')"),
        (L.Dense(3, dtype="float64", trainable=False), "Dense(3, dtype='float64', trainable=False)"),
        (L.Conv2D(32, 3, padding="same"), "Conv2D(32, (3, 3), padding='same')"),
        (L.ReLU(), "ReLU()"),
        (L.ReLU(6.0), "ReLU(max_value=6.0)"),
        (L.Dropout(0.5, seed=3), "Dropout(0.5, seed=3)"),
        (L.Reshape((2, 3)), "Reshape((2, 3))"),
        (L.BatchNormalization(momentum=0.9), "BatchNormalization(momentum=0.9)"),
        (L.Residual([L.Dense(3), L.ReLU()]), "Residual(Stack(name='body', layers=[dense, re_lu]))"),
        (sn.initializers.get("he_normal"), "HeNormal()"),
        (sn.initializers.RandomNormal(stddev=0.1, seed=3), "RandomNormal(stddev=0.1, seed=3)"),
        (C.EarlyStopping(patience=3), "EarlyStopping(patience=3)"),
        (C.ModelCheckpoint("m", save_best_only=True), "ModelCheckpoint('m', save_best_only=True)"),
        (C.LambdaCallback(on_epoch_end=print), "LambdaCallback(on_epoch_end=print)"),
        (C.TensorBoard(images=(np.eye(2), [1, 2])), "TensorBoard(images=(array([[1., 0.], [0., 1.]]), [1, 2]))"),
        (C.History(), "History(epochs=0)"),
        (sn.Sequential([L.Dense(3), L.Dense(2)], name="m"), "Sequential(name='m', layers=[dense, dense_1])"),
    ],
    ids=str,
)  # fmt: skip
def test_repr(part: Any, said: str) -> None:
    assert repr(part) == str(part) == said


def test_repr_of_what_a_model_has_named_and_drawn() -> None:
    model = sn.Sequential([L.Dense(3, input_shape=(3,)), L.Dropout(0.5), *(L.ReLU() for _ in range(10))])
    assert repr(model.layers[:3]) == "[Dense(3), Dropout(0.5), ReLU()]"
    names = "dense, dropout, re_lu, re_lu_1, re_lu_2, re_lu_3, re_lu_4, re_lu_5, ... 4 more"
    assert repr(model) == f"Sequential(name='sequential', layers=[{names}])"
    model.compile("sgd", "mse")
    assert repr(model.fit(0 * BATCH, 0 * BATCH, epochs=2, verbose=0)) == "History(epochs=2, loss=0)"
    assert "loss='mean_squared_error'" not in repr(C.Callback())


def test_repr_of_parts_of_ones_own() -> None:
    class Noise(L.Layer):
        def __init__(self, stddev: float = 0.1, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.stddev = stddev

        def config(self) -> dict[str, Any]:
            return {"stddev": self.stddev, **super().config()}

    class Broken(L.Layer):
        def config(self) -> dict[str, Any]:
            raise RuntimeError("never mind")

    class Watch(C.Callback):
        def __init__(self, what: str, often: int = 1) -> None:
            super().__init__()
            self.what, self.often = what, often

    assert [repr(Noise()), repr(Noise(0.3, name="n"))] == ["Noise()", "Noise(stddev=0.3, name='n')"]
    assert repr(Broken()) == "Broken(...)"
    assert repr(Watch("loss", 3)) == "Watch('loss', often=3)"


def test_a_warning_in_code_without_a_module() -> None:
    """`exec` with a bare dict, as automatic graders do."""
    code = (
        "import numpy as np, scratchnet as sn\n"
        "model = sn.Sequential([sn.Input((2,)), sn.layers.Dense(3, activation='sigmoid')])\n"
        "model.compile('sgd', 'sparse_categorical_crossentropy')\n"
        "model.fit(np.ones((4, 2)), np.array([0, 1, 2, 0]), verbose=0)"
    )
    with pytest.warns(UserWarning, match="the model ends in sigmoid"):
        exec(code, {})


def test_targets_that_do_not_fit_a_loss_as_a_function() -> None:
    with pytest.raises(ShapeError, match=r"^mean_squared_error: expected targets of shape \(4, 1\), got \(4, 2\)$"):
        sn.losses.mean_squared_error(np.ones((4, 2)), np.ones((4, 1)))

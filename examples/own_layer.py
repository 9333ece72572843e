"""A layer of your own: a class in NumPy, proved by `check_gradients`, trained, saved and loaded.

Run it with ``python examples/own_layer.py``. It prints the table of the gradient check (a row for the input and one for
beta, errors far below 1e-6), the accuracy on the test digits, and that the loaded model predicts the same.
"""

import tempfile
from pathlib import Path

import numpy as np

import scratchnet as sn


class Swish(sn.layers.Layer):
    """``y = x s`` with ``s = 1 / (1 + exp(-beta x))`` and a trainable beta for each feature (arXiv:1710.05941)."""

    def build(self, input_shape, rng=None):
        super().build(input_shape, rng)  # sets input_shape and output_shape
        self.add_param("beta", self.input_shape[-1:], sn.initializers.Ones(), rng)

    def forward(self, x, training=False):
        self.x = self.check_input(x)
        self.s = 1 / (1 + np.exp(-self.params["beta"] * self.x))
        return self.x * self.s

    def backward(self, dy):
        dy = self.check_gradient(dy)
        ds = self.x * self.s * (1 - self.s)  # x ds/d(beta x)
        self.grads["beta"][...] = (dy * self.x * ds).sum(axis=0)  # assigned, not added
        return dy * (self.s + self.params["beta"] * ds)


if __name__ == "__main__":
    sn.utils.set_random_seed(0)
    print(sn.check_gradients(Swish(), np.random.default_rng(0).standard_normal((5, 4))))

    (x_train, y_train), (x_test, y_test) = sn.datasets.digits.load_data()
    x_train, x_test = (x.reshape(-1, 64) * np.float32(sn.datasets.digits.scale) for x in (x_train, x_test))
    model = sn.Sequential([sn.layers.Dense(64, input_shape=(64,)), Swish(), sn.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=10, verbose=0)
    print(f"test accuracy {model.evaluate(x_test, y_test, verbose=0)[1]:.1%}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "swish.safetensors"
        model.save(path)
        again = sn.load_model(path, custom_objects={"Swish": Swish})  # or @sn.layers.register above the class
        print("the loaded model predicts the same:", bool((again.predict(x_test) == model.predict(x_test)).all()))

"""A loss of your own: Huber's, quadratic near the target and linear far from it, so that outliers pull less.

Run it with ``python examples/own_loss.py``. It prints the gradient check of the loss, then how far a line that was
fitted to data with outliers is from the true slope 2: with Huber's loss much nearer than with the mean square.
"""

import tempfile
from pathlib import Path

import numpy as np

import scratchnet as sn


class Huber(sn.losses.Loss):
    """``loss_i = mean_j h(y_ij - t_ij)`` with ``h(e) = e^2 / 2`` up to delta, ``delta (|e| - delta / 2)`` beyond."""

    def __init__(self, delta=1.0, name=None):
        super().__init__(name)
        self.delta = delta

    def prepare_targets(self, y, output_shape):
        return np.asarray(y, np.float64).reshape(-1, *output_shape)

    def evaluate(self, y_pred, targets, weights, logits, totals, dy):
        error = (y_pred - targets).reshape(len(y_pred), -1)
        clipped = np.clip(error, -self.delta, self.delta)  # h'(error)
        totals[0] += weights @ (clipped * (error - clipped / 2)).mean(axis=1)
        if dy.size:  # the derivative of the mean over the batch; a dy of size 0 is not wanted
            dy[...] = (weights[:, None] * clipped / error.size).reshape(dy.shape)

    def config(self):
        return {"delta": self.delta, **super().config()}


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    print(sn.check_gradients(Huber(0.5), rng.standard_normal((6, 3)), rng.standard_normal((6, 3))))

    x = rng.uniform(-1, 1, (400, 1))
    y = 2 * x + 0.05 * rng.standard_normal((400, 1))
    y[x[:, 0] > 0.8] -= 20
    for loss in ("mse", Huber(0.1)):
        sn.utils.set_random_seed(0)
        model = sn.Sequential([sn.layers.Dense(1, input_shape=(1,))])
        model.compile(sn.optimizers.Adam(0.05), loss)
        model.fit(x, y, epochs=40, verbose=0)
        print(f"{model.loss.name}: slope {model.layers[0].params['kernel'].item():.2f}, it was 2")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "huber.safetensors"
        model.save(path)
        again = sn.load_model(path, custom_objects={"Huber": Huber})
        print("loaded with", again.loss)

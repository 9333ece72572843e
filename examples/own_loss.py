"""A loss of your own: that of a quantile. Its minimum is not the mean of the targets, but has a share of them below.

Run it with ``python examples/own_loss.py``. It prints the gradient check of the loss, then the share of the targets
below the lines that were fitted for a tenth and for nine tenths.
"""

import tempfile
from pathlib import Path

import numpy as np

import scratchnet as sn


class Quantile(sn.losses.Loss):
    """``loss_i = mean_j max(q e_ij, (q - 1) e_ij)`` with ``e = t - y``: too low costs q, too high costs 1 - q."""

    def __init__(self, q=0.5, name=None):
        super().__init__(name)
        self.q = q

    def prepare_targets(self, y, output_shape):
        return np.asarray(y, np.float64).reshape(-1, *output_shape)

    def evaluate(self, y_pred, targets, weights, logits, totals, dy):
        error = (targets - y_pred).reshape(len(y_pred), -1)
        price = np.where(error > 0, self.q, self.q - 1)
        totals[0] += weights @ (price * error).mean(axis=1)
        if dy.size:  # the derivative of the mean over the batch; a dy of size 0 is not wanted
            dy[...] = -(weights[:, None] * price / error.size).reshape(dy.shape)

    def config(self):
        return {"q": self.q, **super().config()}


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    print(sn.check_gradients(Quantile(0.9), rng.standard_normal((6, 3)), rng.standard_normal((6, 3))))

    x = rng.uniform(-1, 1, (2000, 1))
    y = 2 * x + rng.standard_normal((2000, 1))
    for q in (0.1, 0.9):
        sn.utils.set_random_seed(0)
        model = sn.Sequential([sn.layers.Dense(1, input_shape=(1,))])
        model.compile(sn.optimizers.Adam(0.02), Quantile(q))
        model.fit(x, y, epochs=20, verbose=0)
        print(f"{q:.0%} should be below the line: {(y < model.predict(x)).mean():.1%}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quantile.safetensors"
        model.save(path)
        again = sn.load_model(path, custom_objects={"Quantile": Quantile})
        print("loaded with", again.loss)

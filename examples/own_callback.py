"""A callback of your own: it adds the size of the weights to the logs, ends the training, and survives a restart.

Run it with ``python examples/own_callback.py``. It prints a line per epoch until the size of the weights has grown by a
half, what the history then has under "size", and what the same training gives when it is interrupted and resumed.
"""

import tempfile

import numpy as np

import scratchnet as sn


class WeightSize(sn.callbacks.Callback):
    """The root mean square of all weights, in the logs as ``size``; stops when it is ``most`` times the first."""

    def __init__(self, most=1.5):
        super().__init__()
        self.most, self.first = most, None

    def on_epoch_end(self, epoch, logs=None):
        size = float(np.sqrt(np.mean(np.concatenate([w.ravel() for w in self.model.get_weights()]) ** 2)))
        self.first = self.first or size
        logs["size"] = size  # the history and the callbacks that come later see it
        if size > self.most * self.first:
            self.model.stop_training = True

    def state(self):  # what a checkpoint keeps ...
        return {"first": self.first}

    def load_state(self, state):  # ... and gives back when the fit goes on
        self.first = state["first"]


def network():
    sn.utils.set_random_seed(0)
    model = sn.Sequential([sn.layers.Dense(32, activation="relu", input_shape=(64,)), sn.layers.Dense(10)])
    model.compile("adam", sn.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


if __name__ == "__main__":
    (x, y), _ = sn.datasets.digits.load_data()
    x = x.reshape(-1, 64) * np.float32(sn.datasets.digits.scale)
    model = network()
    history = model.fit(x, y, epochs=50, verbose=2, callbacks=[WeightSize()])
    print("sizes:", [round(size, 3) for size in history.history["size"]])

    with tempfile.TemporaryDirectory() as folder:
        first = network()
        first.fit(x, y, epochs=2, verbose=0, callbacks=[WeightSize(), sn.callbacks.TrainingCheckpoint(folder)])
        second = network()
        progress = sn.checkpoint.resume(folder, second)
        second.fit(x, y, epochs=50, verbose=0, callbacks=[WeightSize()], progress=progress)
    same = all((a == b).all() for a, b in zip(model.get_weights(), second.get_weights(), strict=True))
    print("resumed after two epochs, it ends with the same weights:", same)

"""Whole trainings by their recipes, timed apart from loading, compiling and testing."""

from __future__ import annotations

import hashlib
from time import perf_counter
from typing import Any

import scratchnet as sn
from scratchnet import recipes
from scratchnet.callbacks import Callback

# recipe: what is trained of it, and what is to be reached (seconds of training, test accuracy). The accuracies are half
# a point below the lowest of the recipe's three seeds, but for fashion-cnn-same, whose 91.5% is asked for.
TRAININGS: dict[str, dict[str, Any]] = {
    "fashion-dnn": {"epochs": 20, "seconds": 0.6, "accuracy": 0.879},
    "fashion-keras": {"epochs": 10, "seconds": 0.6, "accuracy": 0.867},
    "fashion-cnn-same": {"epochs": 200, "seconds": 20.0, "accuracy": 0.915},
    "fashion-cnn-dropout": {"steps": 1500, "seconds": 0.6, "accuracy": 0.884},
}


class TrainingClock(Callback):
    """Seconds from the begin of the first epoch to the end of the last, whose figures have then been read back."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 0:
            self.began = perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds = perf_counter() - self.began


def digest(model: sn.Sequential) -> str:
    """A short name of the bits of all weights."""
    joined = hashlib.sha256()
    for array in model.get_weights():
        joined.update(array.tobytes())
    return joined.hexdigest()[:16]


def train(
    recipe: str, precision: str = "float32", seed: int = 0, epochs: int | None = None, steps: int | None = None
) -> dict[str, Any]:
    """Train a recipe and test it.

    Parameters
    ----------
    epochs, steps : int, optional
        One of them: how long, instead of what the recipe says. With steps the shuffled stream of samples goes on
        across epochs, as in the recipe.

    Returns
    -------
    dict
        ``seconds`` of training, ``whole`` seconds of the call of fit, test ``accuracy``, last ``loss``, ``bits`` of the
        weights.
    """
    loaded = recipes.load(recipe)
    data, settings = loaded.load_data(), loaded.content.training
    (x, y), batch = data.train, settings.batch_size

    def made() -> sn.Sequential:
        sn.utils.set_random_seed(seed)
        model = loaded.make_model(tuple(x.shape[1:]))
        model.compile(loaded.make_optimizer(), loaded.make_loss(), metrics=["accuracy"], precision=precision)
        return model

    twin, rows = made(), min(batch + len(x) % batch, len(x))  # compiles every kernel, those of a short batch too
    twin.fit(x[:rows], y[:rows], batch_size=batch, verbose=0)
    twin.evaluate(data.test[0][:300], data.test[1][:300], verbose=0)
    clock, model = TrainingClock(), made()
    began = perf_counter()
    history = model.fit(
        x, y, batch_size=batch, epochs=1 if steps else epochs or settings.epochs or 1, steps_per_epoch=steps,
        shuffle=settings.shuffle, drop_last=settings.drop_last, verbose=0, callbacks=[clock],
    ).history  # fmt: skip
    whole = perf_counter() - began
    accuracy = model.evaluate(*data.test, verbose=0, return_dict=True)["accuracy"]
    return {
        "seconds": clock.seconds,
        "whole": whole,
        "accuracy": accuracy,
        "loss": history["loss"][-1],
        "steps": int(model.optimizer.iterations),
        "bits": digest(model),
    }

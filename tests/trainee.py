"""A training run in a separate process, to be killed, stopped and starved: ``python trainee.py DATA FOLDER ...``.

A small CNN on real digits with everything that a checkpoint has to keep: dropout, batch normalization, a schedule,
Adam's slots, early stopping with its best weights, a metric of its own, ModelCheckpoint, CSVLogger. Called again it
goes on from FOLDER; at the end ``result.json`` there holds a digest of the weights, and the history.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import scratchnet as sn
from scratchnet.datasets import load_npz
from scratchnet.errors import NumericsError, ScratchnetError
from scratchnet.signals import Interrupted, Stop, exit_code

ROWS, BATCH = 480, 32


def write_data(path: Path) -> Path:
    """scikit-learn's handwritten digits as a .npz file."""
    (x_train, y_train), (x_test, y_test) = sn.datasets.digits.load_data()
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


def make_model(seed: int = 5) -> Any:
    """Built and compiled; of another seed, all weights and dropout keys differ."""
    layers = sn.layers
    sn.utils.set_random_seed(seed)
    model = sn.Sequential([
        layers.Conv2D(6, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Residual([layers.Dense(96, activation="relu"), layers.Dropout(0.2)]),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    schedule = sn.optimizers.schedules.CosineDecay(0.01, 200)
    model.compile(sn.optimizers.Adam(schedule, clipnorm=1.0), "sparse_categorical_crossentropy", ["accuracy", "top_k"])
    return model


class Watch(sn.callbacks.Callback):
    """Says that training has begun, and ends it after the step in which a signal came, or after a number of steps."""

    def __init__(self, stop: Any = None, steps: int | None = None) -> None:
        super().__init__()
        self.stop, self.steps = stop, steps

    def on_train_begin(self, logs: Any = None) -> None:
        if self.stop is not None:
            print("training", flush=True)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        signaled = self.stop is not None and self.stop.number
        if signaled or (self.steps is not None and self.model.optimizer.iterations >= self.steps):
            self.model.stop_training = True


def train(data: Path, folder: Path, epochs: int, every: int | None, *more: Any, seed: int = 5) -> dict[str, Any] | None:
    """Train, or go on; the result, None where it was stopped before its end."""
    (x, y), test = load_npz(data)
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model(seed)
    progress = sn.checkpoint.resume(folder, model, warn=lambda text: print(f"warning: {text}", file=sys.stderr))
    callbacks = sn.callbacks
    stopping = callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)
    model.fit(
        x[:ROWS] / 16, y[:ROWS], batch_size=BATCH, epochs=epochs, validation_data=(test[0] / 16, test[1]), verbose=0,
        progress=progress,
        callbacks=[
            *more,
            callbacks.TrainingCheckpoint(folder, every),
            stopping,
            callbacks.ModelCheckpoint(folder / "best.safetensors", "val_accuracy", save_best_only=True),
            callbacks.CSVLogger(folder / "log.csv"),
        ],
    )  # fmt: skip
    if model.progress.epoch < epochs and not stopping.stopped_epoch:
        return None
    digest = hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights()))
    return {"weights": digest.hexdigest(), "history": model.history.history, "iterations": model.optimizer.iterations}


def main() -> int:
    """Exit code: 0 at the end, 1 where it cannot go on, 130 and 143 after a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--every", type=int)
    parser.add_argument("--fault")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    faulthandler.dump_traceback_later(200, exit=True)  # a run that hangs says where
    fault: Any = contextlib.nullcontext()
    if given.fault:
        import faults

        fault = faults.injected(given.fault)
    try:
        with Stop() as stop, fault:
            sn.set_backend(given.backend)
            stop.patient = True
            result = train(given.data, given.folder, given.epochs, given.every, Watch(stop), seed=given.seed)
            stop.patient = False
            if result is None:
                return exit_code(stop.number)
            (given.folder / "result.json").write_text(json.dumps(result))
    except Interrupted as signal:
        return exit_code(signal.number)
    except (ScratchnetError, NumericsError) as error:
        print(f"trainee: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make optimizers.json: what the real Keras 3, on TensorFlow, does with the same parameters and gradients.

Run with TensorFlow installed: ``python tests/golden/make_optimizers.py``. The float64 run gets its hyperparameters
as np.float64: Keras would round plain floats to float32. The float32 run gets plain floats, as from a user.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

STEPS, KEEP = 12, (1, 2, 5, 12)
SHAPES = [(3, 2), (4,)]

SETTINGS = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"learning_rate": 0.5, "clipvalue": 0.3}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.03, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3}),
    ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.01, "weight_decay": 0.05, "clipnorm": 0.5}),
    ("Adam", {"beta_1": 0.0, "beta_2": 0.5, "global_clipnorm": 0.7}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.02, "weight_decay": 0.3, "amsgrad": True}),
    ("Nadam", {}),
    ("Nadam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-4, "weight_decay": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.5}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True, "epsilon": 1e-5}),
    ("RMSprop", {"centered": True, "momentum": 0.9, "weight_decay": 0.02, "clipvalue": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0, "epsilon": 1e-3, "clipnorm": 1.0}),
    ("Adadelta", {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-4, "weight_decay": 0.001}),
    ("Adam", {"learning_rate": {"class_name": "ExponentialDecay", "config": {
        "initial_learning_rate": 0.02, "decay_steps": 3, "decay_rate": 0.5}}}),
]  # fmt: skip

SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 20, "warmup_target": 0.1, "warmup_steps": 8}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 20, "warmup_target": 0.1, "warmup_steps": 0}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 10], "values": [0.1, 0.01, 0.001]}),
    ("PiecewiseConstantDecay", {"boundaries": [7], "values": [1.0, 0.5]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 15}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 15, "end_learning_rate": 0.01, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 6, "power": 0.5, "cycle": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5, "staircase": True}),
]
AT = [0, 1, 2, 5, 6, 7, 8, 10, 11, 12, 14, 15, 18, 20, 27, 28, 29, 40]


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Parameters (10,) and gradients (steps, 10), some of them exactly zero, of very different sizes."""
    rng = np.random.default_rng(20)
    gradients = rng.standard_normal((STEPS, 10)) * np.array([1, 1, 0.1, 1e-3, 1e-6, 0, 1, 3, 0.5, 10])
    gradients[3:, 1] = 0
    return np.round(rng.standard_normal(10), 6), gradients.round(9)


def exact(value: object) -> object:
    """Numbers as np.float64, which Keras does not round."""
    if isinstance(value, list):
        return [exact(element) for element in value]
    return np.float64(value) if isinstance(value, float) else value


def schedule(name: str, config: dict, double: bool) -> object:
    """A Keras schedule; in doubles, its defaults too."""
    cls = getattr(keras.optimizers.schedules, name)
    return cls(**{key: exact(value) for key, value in cls(**config).get_config().items()}) if double else cls(**config)


def trajectory(name: str, config: dict, dtype: str) -> list[list[float]]:
    """The parameters after the steps that are kept."""
    keras.config.set_floatx(dtype)
    double, cls, values = dtype == "float64", getattr(keras.optimizers, name), dict(config)
    if isinstance(config.get("learning_rate"), dict):
        rate = config["learning_rate"]
        values["learning_rate"] = schedule(rate["class_name"], rate["config"], double)
    if double:
        values = {key: exact(value) for key, value in {**cls(**values).get_config(), **values}.items()}
    optimizer = cls(**values)
    start, gradients = problem()
    cuts = np.cumsum([int(np.prod(shape)) for shape in SHAPES])[:-1]
    variables = [
        keras.Variable(part.reshape(shape), dtype=dtype)
        for part, shape in zip(np.split(start, cuts), SHAPES, strict=True)
    ]
    kept = []
    for step in range(1, STEPS + 1):
        parts = zip(np.split(gradients[step - 1], cuts), SHAPES, strict=True)
        optimizer.apply([keras.ops.convert_to_tensor(g.reshape(s), dtype=dtype) for g, s in parts], variables)
        if step in KEEP:
            kept.append(np.concatenate([np.asarray(v).ravel() for v in variables]).astype(float).tolist())
    return kept


def main(path: Path) -> None:
    """Write the file."""
    start, gradients = problem()
    keras.config.set_floatx("float64")
    rates = [[float(schedule(name, config, True)(np.int64(step))) for step in AT] for name, config in SCHEDULES]
    content = {
        "keras": keras.__version__,
        "params": start.tolist(),
        "gradients": gradients.tolist(),
        "spans": [[0, 6], [6, 10]],
        "keep": list(KEEP),
        "optimizers": [
            {"class_name": name, "config": config, **{d: trajectory(name, config, d) for d in ("float64", "float32")}}
            for name, config in SETTINGS
        ],
        "steps": AT,
        "schedules": [
            {"class_name": name, "config": config, "rates": values}
            for (name, config), values in zip(SCHEDULES, rates, strict=True)
        ],
    }
    path.write_text(json.dumps(content, indent=None, separators=(",", ":")).replace('{"class', '\n{"class') + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("optimizers.json"))

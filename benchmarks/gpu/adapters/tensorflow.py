"""TensorFlow on a device."""

from __future__ import annotations

import tensorflow as tf

from ...frameworks.tensorflow import FunctionStep


def make(variant: str, threads: int, device: str, precision: str) -> FunctionStep:
    if device == "cuda" and not tf.config.list_physical_devices("GPU"):
        raise RuntimeError(f"tensorflow {tf.__version__} sees no GPU (pip install 'tensorflow[and-cuda]')")
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    return FunctionStep(xla=False)

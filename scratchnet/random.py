"""TensorFlow's module of this name, for the ``tf.random.set_seed(0)`` with which programs for Keras begin."""

from .utils import set_random_seed as set_seed

__all__ = ["set_seed"]

"""Activations for which ONNX has an operator: the names in both, one table for writing and reading."""

from __future__ import annotations

from typing import Any

from .. import layers as L  # noqa: N812
from ..errors import CheckpointError

# Our name: the operator, and the attributes that make it the same function.
OPERATORS: dict[str, tuple[str, dict[str, float]]] = {
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "elu": ("Elu", {"alpha": 1.0}),  # as a layer any alpha
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "exponential": ("Exp", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}
NAMES = {operator: name for name, (operator, _) in OPERATORS.items()}
# ONNX's default for an absent attribute, where it differs from ours.
DEFAULTS = {"HardSigmoid": {"alpha": 0.2, "beta": 0.5}}


def layer_for(operator: str, attributes: dict[str, Any], dtype: Any) -> L.Layer:
    """The layer that does what the operator does.

    Raises
    ------
    CheckpointError
        If its attributes make another function of it.
    """
    name = NAMES[operator]
    for attribute, wanted in OPERATORS[name][1].items():
        came = attributes.get(attribute, DEFAULTS.get(operator, {}).get(attribute, wanted))
        if abs(came - wanted) > 1e-6:
            raise CheckpointError(f"{attribute}: expected {wanted:.7g}, got {came:.7g}")
    return L.Activation(name, dtype=dtype)

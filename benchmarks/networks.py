"""The five tutorials' networks as plain data, and the one set of initial weights that every framework starts from.

A layer is a dict that goes through JSON unchanged, a network a handful of such dicts. Nothing here knows a framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import prod, sqrt
from typing import Any

import numpy as np

LayerSpec = dict[str, Any]
CLASSES = 10


def dense(units: int, relu: bool = True) -> LayerSpec:
    return {"kind": "dense", "units": units, "relu": relu}


def conv(filters: int, kernel: int) -> LayerSpec:
    """A convolution with stride 1, SAME padding, bias and ReLU: the only one that the tutorials use."""
    return {"kind": "conv", "filters": filters, "kernel": kernel, "relu": True}


def pool(padding: str) -> LayerSpec:
    """Max-pooling 2x2 with stride 2; ``same`` pads at the bottom and right with -inf, ``valid`` floors."""
    return {"kind": "pool", "padding": padding}


def dropout(rate: float) -> LayerSpec:
    return {"kind": "dropout", "rate": rate}


FLATTEN: LayerSpec = {"kind": "flatten"}


@dataclass(frozen=True)
class Network:
    """One tutorial's network and how it is trained.

    Attributes
    ----------
    name : str
        The recipe's name in scratchnet.
    data : str
        ``mnist`` or ``fashion-mnist``.
    rows : int
        Training rows of the tutorial (55,000 where it keeps 5,000 for validation).
    batch : int
        The tutorial's batch size.
    steps : int
        Training steps in one timed turn, unless ``--steps`` says otherwise: about a second of the slower frameworks.
    shape : tuple of int
        Shape of one input row, channels last.
    layers : tuple of dict
        What :func:`dense`, :func:`conv`, :func:`pool` and :func:`dropout` return.
    weights : str
        ``glorot`` (zero biases), ``glorot+bias`` (biases from U(-sqrt(3/n), sqrt(3/n)) too) or ``truncated-normal``
        (sigma 0.01, zero biases).
    softmax : bool
        Whether the tutorial's model ends in a softmax (the loss is the same cross-entropy either way).
    """

    name: str
    data: str
    rows: int
    batch: int
    steps: int
    shape: tuple[int, ...]
    layers: tuple[LayerSpec, ...]
    weights: str = "glorot"
    softmax: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Network:
        return cls(**{**fields, "shape": tuple(fields["shape"]), "layers": tuple(fields["layers"])})

    @property
    def is_cnn(self) -> bool:
        return any(layer["kind"] == "conv" for layer in self.layers)

    @property
    def has_dropout(self) -> bool:
        return any(layer["kind"] == "dropout" for layer in self.layers)

    def without_dropout(self) -> Network:
        return replace(self, layers=tuple(layer for layer in self.layers if layer["kind"] != "dropout"))

    def with_batch(self, batch: int) -> Network:
        return replace(self, name=f"{self.name} batch {batch}", batch=batch)

    def with_width(self, factor: float) -> Network:
        """Every hidden layer and filter bank ``factor`` times as wide; the ten classes stay ten."""
        key = {"dense": "units", "conv": "filters"}
        wider = [
            {**layer, key[layer["kind"]]: max(1, round(layer[key[layer["kind"]]] * factor))}
            if layer["kind"] in key and layer["relu"]
            else layer
            for layer in self.layers
        ]
        return replace(self, name=f"{self.name} width x{factor:g}", layers=tuple(wider))

    def with_image(self, size: int) -> Network:
        """Images of ``size`` x ``size`` pixels (the real ones, resampled)."""
        shape = (size * size,) if len(self.shape) == 1 else (size, size, *self.shape[2:])
        return replace(self, name=f"{self.name} image {size}", shape=shape)


_KERAS = (FLATTEN, dense(128), dense(CLASSES, relu=False))
_SAME = (
    conv(32, 3),
    pool("same"),
    conv(64, 3),
    pool("same"),
    conv(128, 3),
    pool("same"),
    FLATTEN,
    dense(128),
    dense(CLASSES, relu=False),
)
_DROPOUT = (
    conv(32, 5),
    pool("valid"),
    conv(64, 5),
    pool("valid"),
    dropout(0.25),
    conv(128, 5),
    pool("valid"),
    dropout(0.25),
    FLATTEN,
    dense(1024),
    dropout(0.4),
    dense(CLASSES, relu=False),
)

NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network(
            "fashion-dnn",
            "fashion-mnist",
            60_000,
            64,
            400,
            (784,),
            (dense(128), dense(128), dense(CLASSES, relu=False)),
        ),
        Network(
            "mnist-mlp",
            "mnist",
            55_000,
            100,
            400,
            (784,),
            (dense(200), dense(CLASSES, relu=False)),
            weights="truncated-normal",
        ),
        Network("fashion-keras", "fashion-mnist", 60_000, 32, 400, (28, 28), _KERAS, softmax=True),
        Network("fashion-cnn-same", "fashion-mnist", 55_000, 128, 20, (28, 28, 1), _SAME, weights="glorot+bias"),
        Network("fashion-cnn-dropout", "fashion-mnist", 60_000, 100, 20, (28, 28, 1), _DROPOUT),
    )
}


def walk(network: Network) -> Iterator[tuple[LayerSpec, tuple[int, ...], tuple[int, ...]]]:
    """Each layer with the shape that goes in and the shape that comes out (batch axis left out)."""
    shape = network.shape
    for layer in network.layers:
        given = shape
        match layer["kind"]:
            case "dense":
                shape = (layer["units"],)
            case "conv":
                shape = (*given[:2], layer["filters"])
            case "pool":
                up = 1 if layer["padding"] == "same" else 0
                shape = ((given[0] + up) // 2, (given[1] + up) // 2, given[2])
            case "flatten":
                shape = (prod(given),)
        yield layer, given, shape


def initial_weights(network: Network, seed: int = 0) -> list[np.ndarray]:
    """Kernels and biases in Keras's order and layout, float32: dense (in, out), filters HWIO.

    Drawn with NumPy from ``seed``, so that every process makes the same ones.
    """
    rng = np.random.default_rng(seed)
    arrays: list[np.ndarray] = []
    for layer, given, _ in walk(network):
        if layer["kind"] == "dense":
            shape: tuple[int, ...] = (given[0], layer["units"])
        elif layer["kind"] == "conv":
            shape = (layer["kernel"], layer["kernel"], given[2], layer["filters"])
        else:
            continue
        window, outputs = prod(shape[:-2]), shape[-1]
        if network.weights == "truncated-normal":
            kernel = rng.standard_normal(shape)
            while (far := np.abs(kernel) > 2).any():
                kernel[far] = rng.standard_normal(int(far.sum()))
            kernel *= 0.01
        else:
            limit = sqrt(6 / (window * (shape[-2] + outputs)))
            kernel = rng.uniform(-limit, limit, shape)
        bias = np.zeros(outputs)
        if network.weights == "glorot+bias":
            bias = rng.uniform(-sqrt(3 / outputs), sqrt(3 / outputs), outputs)
        arrays += [kernel.astype(np.float32), bias.astype(np.float32)]
    return arrays


def step_flops(network: Network) -> int:
    """Floating-point operations of the products in one training step (two per multiply-add, padding counted).

    Forward, filter gradient and input gradient cost the same; the first layer's input gradient is not needed.
    """
    total = 0
    products = 0
    for layer, given, out in walk(network):
        if layer["kind"] == "dense":
            forward = 2 * given[0] * out[0]
        elif layer["kind"] == "conv":
            forward = 2 * prod(out) * layer["kernel"] ** 2 * given[2]
        else:
            continue
        total += forward * (2 if products == 0 else 3)
        products += 1
    return total * network.batch

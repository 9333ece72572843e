"""PyTorch, eager and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..networks import Network, walk
from .base import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Adapter


def make(variant: str, threads: int) -> Adapter:
    torch.set_num_threads(threads)
    return TorchStep(compiled=variant == "compile")


class FlattenChannelsLast(nn.Module):
    """(n, c, h, w) in channels_last memory -> (n, h*w*c): a view, and the row order of Keras's dense weights."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x.flatten(1)


def sequential(network: Network, weights: list[np.ndarray]) -> nn.Sequential:
    """The network as a torch module, channels_last where it has images."""
    arrays = [torch.from_numpy(array.copy()) for array in weights]
    modules: list[nn.Module] = []
    for layer, given, _ in walk(network):
        match layer["kind"]:
            case "dense":
                module: nn.Module = nn.Linear(given[0], layer["units"])
                weight = arrays.pop(0).T
            case "conv":
                module = nn.Conv2d(given[2], layer["filters"], layer["kernel"], padding=layer["kernel"] // 2)
                weight = arrays.pop(0).permute(3, 2, 0, 1)
            case "pool":
                # The last, partial window that ceil_mode keeps is what SAME pads with -inf.
                module = nn.MaxPool2d(2, ceil_mode=layer["padding"] == "same")
            case "dropout":
                module = nn.Dropout(layer["rate"])
            case _:
                module = FlattenChannelsLast()
        if layer["kind"] in ("dense", "conv"):
            module.load_state_dict({"weight": weight, "bias": arrays.pop(0)})
        modules.append(module)
        if layer.get("relu"):
            modules.append(nn.ReLU())
    model = nn.Sequential(*modules)
    return model.to(memory_format=torch.channels_last) if network.is_cnn else model  # type: ignore[call-overload]


class TorchStep(Adapter):
    """zero_grad, forward, cross_entropy, backward, fused Adam."""

    device = "cpu"
    capturable = False  # whether Adam keeps its step count on the GPU, as a captured graph needs it

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled

    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        self.network = network
        self.model = sequential(network, weights).to(self.device)
        settings: dict[str, Any] = {"lr": LEARNING_RATE, "betas": (BETA_1, BETA_2), "eps": EPSILON}
        settings["capturable"] = self.capturable
        try:
            self.optimizer = torch.optim.Adam(self.model.parameters(), fused=True, **settings)
        except RuntimeError:  # builds before 2.4 have no fused Adam on the CPU
            self.optimizer = torch.optim.Adam(self.model.parameters(), foreach=True, **settings)

        def forward(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits = self.model(x)
            return functional.cross_entropy(logits, y), logits

        torch._dynamo.reset()
        self.forward = torch.compile(forward, dynamic=False) if self.compiled else forward
        self.infer = torch.compile(self.model, dynamic=False) if self.compiled else self.model
        self.model.train()

    def rows(self, x: torch.Tensor) -> torch.Tensor:
        """Rows as the model wants them: images as (n, c, h, w) over channels-last memory, without a copy."""
        return x.permute(0, 3, 1, 2) if self.network.is_cnn else x

    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        n = self.network.batch
        rows, labels = torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device)
        self.batches = [(self.rows(rows[i : i + n]), labels[i : i + n]) for i in range(0, len(x), n)]

    def train(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.optimizer.zero_grad(set_to_none=True)
        loss, logits = self.forward(x, y)
        loss.backward()
        self.optimizer.step()
        return loss.detach(), logits.detach()

    def step(self, index: int) -> torch.Tensor:
        return self.train(*self.batches[index])[0]

    def losses(self, steps: int) -> list[float]:
        """The losses with Keras's epsilon, which is added before the bias correction of v and PyTorch's after it.

        PyTorch's own is eps / sqrt(1 - beta_2^t) in Keras's terms. Only the check does this; the clock sees plain Adam.
        """
        found = []
        for index in range(steps):
            self.optimizer.param_groups[0]["eps"] = EPSILON / (1 - BETA_2 ** (index + 1)) ** 0.5
            found.append(self.value(self.step(index)))
        self.optimizer.param_groups[0]["eps"] = EPSILON
        return found

    def fit(self, x: np.ndarray, y: np.ndarray, batch: int) -> tuple[float, float]:
        rows, labels = torch.from_numpy(x), torch.from_numpy(y)
        order = torch.randperm(len(rows))
        total, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for chosen in order.split(batch):
            wanted = labels[chosen]
            loss, logits = self.train(self.rows(rows[chosen]), wanted)
            total += loss * len(chosen)
            right += (logits.argmax(1) == wanted).sum()
        return total.item() / len(rows), right.item() / len(rows)

    def predict(self, x: np.ndarray, batch: int) -> np.ndarray:
        self.model.eval()
        with torch.inference_mode():
            logits = torch.cat([self.infer(self.rows(part)) for part in torch.from_numpy(x).split(batch)])
            outputs = logits.softmax(1) if self.network.softmax else logits
        self.model.train()
        return outputs.numpy()

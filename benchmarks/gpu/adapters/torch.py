"""PyTorch on a device: eager, compiled, and as a captured CUDA graph."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import torch

from ...frameworks.base import BETA_2, EPSILON
from ...frameworks.torch import TorchStep
from ...networks import Network

WARM_UP = 3  # steps before a capture, as PyTorch's notes on CUDA graphs have it


def make(variant: str, threads: int, device: str, precision: str) -> TorchOnDevice:
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} sees no GPU")
    torch.set_num_threads(threads)
    tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True  # cuDNN's fastest algorithm, found during the warm-up
    return TorchGraph(device) if variant == "graph" else TorchOnDevice(device, variant == "compile")


class TorchOnDevice(TorchStep):
    """The step of frameworks/torch.py with everything in the device's memory."""

    def __init__(self, device: str, compiled: bool = False) -> None:
        super().__init__(compiled)
        self.device = device

    def run(self, start: int, steps: int) -> tuple[float, float]:
        """Seconds by the device's own events, from before the first step to after the last."""
        if self.device == "cpu":
            return super().run(start, steps)
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        for index in range(start, start + steps):
            loss = self.step(index)
        ended.record()
        ended.synchronize()
        return began.elapsed_time(ended) / 1e3, self.value(loss)

    def peak(self, side: int, seconds: float) -> float:
        """FLOP/s of a large product of square matrices in this precision, by cuBLAS."""
        a = torch.randn(side, side, device=self.device)
        best, end = float("inf"), perf_counter() + seconds
        torch.mm(a, a)
        while perf_counter() < end:
            began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            began.record()
            torch.mm(a, a)
            ended.record()
            ended.synchronize()
            best = min(best, began.elapsed_time(ended) / 1e3)
        return 2 * side**3 / best


class TorchGraph(TorchOnDevice):
    """The whole step captured once; every step copies its batch to where the graph reads it. On a CPU: not captured."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.capturable = device == "cuda"

    def build(self, network: Network, weights: list[np.ndarray]) -> None:
        super().build(network, weights)
        self.graph: Any = None
        self.warm = False

    def load(self, x: np.ndarray, y: np.ndarray) -> None:
        super().load(x, y)
        self.x, self.y = (torch.empty_like(part) for part in self.batches[0])

    def body(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss, _ = self.forward(self.x, self.y)
        self.loss.backward()
        self.optimizer.step()

    def warm_up(self) -> None:
        """Steps that allocate all memory and leave no trace: weights and Adam are restored."""
        before = [parameter.detach().clone() for parameter in self.model.parameters()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.body()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), before, strict=True):
                parameter.copy_(value)
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()
        self.warm = True

    def capture(self) -> None:
        if not self.warm:
            self.warm_up()
        self.graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self.body()

    def step(self, index: int) -> torch.Tensor:
        for target, part in zip((self.x, self.y), self.batches[index], strict=True):
            target.copy_(part)
        if self.device == "cpu":
            self.body()
        else:
            if self.graph is None:
                self.capture()
            self.graph.replay()
        return self.loss.detach()

    def losses(self, steps: int) -> list[float]:
        """The losses with Keras's epsilon, see `TorchStep`: a graph has the epsilon that it was captured with."""
        found = []
        for index in range(steps):
            self.optimizer.param_groups[0]["eps"] = EPSILON / (1 - BETA_2 ** (index + 1)) ** 0.5
            self.graph = None
            found.append(self.value(self.step(index)))
        self.optimizer.param_groups[0]["eps"] = EPSILON
        self.graph = None
        return found

"""Optimizers on the GPU: the launches of optimizers.cu."""

from __future__ import annotations

from typing import Any

from . import cuda
from .clock import PER_STEP, current
from .optimizers import floor_of
from .registry import twin


def _launch(
    kernel: str, vectors: tuple[Any, ...], changing: tuple[float, ...], *constant: Any, epsilon: float = 1.0
) -> None:
    """``changing`` are the numbers that a captured step reads from the clock's table."""
    p, clock = vectors[0], current()
    if clock is not None:
        clock.note(changing)
    cuda.launch(
        "optimizers", kernel, *cuda.spread(p), *vectors, *changing, *constant, floor_of(p.dtype, epsilon),
        clock and clock.table, clock and clock.array, p.size,
        dtype=p.dtype, PER_STEP=PER_STEP,
    )  # fmt: skip


@twin("sgd", "cupy")
def sgd(p: Any, g: Any, m: Any, rate: float, momentum: float, nesterov: bool, decay: float) -> None:
    _launch("sgd", (p, g, m), (rate, decay), momentum, nesterov)


@twin("adam", "cupy")
def adam(
    p: Any, g: Any, m: Any, v: Any, v_max: Any, alpha: float, beta_1: float, beta_2: float, epsilon: float, decay: float
) -> None:
    _launch("adam", (p, g, m, v, v_max), (alpha, decay), 1 - beta_1, 1 - beta_2, epsilon, epsilon=epsilon)


@twin("nadam", "cupy")
def nadam(
    p: Any, g: Any, m: Any, v: Any, m_scale: float, g_scale: float, v_scale: float, beta_1: float, beta_2: float,
    epsilon: float, decay: float,
) -> None:  # fmt: skip
    _launch("nadam", (p, g, m, v), (m_scale, g_scale, v_scale, decay), 1 - beta_1, 1 - beta_2, epsilon, epsilon=epsilon)


@twin("rmsprop", "cupy")
def rmsprop(
    p: Any, g: Any, v: Any, a: Any, m: Any, rate: float, rho: float, momentum: float, epsilon: float, decay: float
) -> None:
    _launch("rmsprop", (p, g, v, a, m), (rate, decay), rho, 1 - rho, momentum, epsilon, epsilon=epsilon)


@twin("adagrad", "cupy")
def adagrad(p: Any, g: Any, v: Any, rate: float, epsilon: float, decay: float) -> None:
    _launch("adagrad", (p, g, v), (rate, decay), epsilon, epsilon=epsilon)


@twin("adadelta", "cupy")
def adadelta(p: Any, g: Any, v: Any, u: Any, rate: float, rho: float, epsilon: float, decay: float) -> None:
    _launch("adadelta", (p, g, v, u), (rate, decay), rho, 1 - rho, epsilon, epsilon=epsilon)

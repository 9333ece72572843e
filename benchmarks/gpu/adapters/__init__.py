"""The frameworks on a GPU. With device ``cpu`` the same code runs there, which is how it is tested without a GPU."""

from __future__ import annotations

from importlib import import_module

from ...frameworks import Framework
from ...frameworks.base import Adapter

FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (
        Framework("scratchnet", "scratchnet", "", "the captured steps that fit replays, batch gather included"),
        Framework("torch", "torch", "eager", "eager, channels_last for the CNNs, fused Adam"),
        Framework("torch.compile", "torch", "compile", "forward and loss, and so backward, through torch.compile"),
        Framework("torch.graph", "torch", "graph", "the whole step as one captured CUDA graph, fed by copies"),
        Framework("jax", "jax", "jit", "one jitted step with donated state, timed by the host: JAX has no events"),
        Framework("tf.function", "tensorflow", "function", "one tf.function, timed by the host: no events either"),
    )
}
PEERS = tuple(name for name in FRAMEWORKS if name != "scratchnet")
EAGER = "torch"  # as a user would write it


def make(module: str, variant: str, threads: int, device: str, precision: str) -> Adapter:
    """Import the adapter's module (and with it the framework) and make the adapter.

    Raises
    ------
    RuntimeError
        If the framework sees no such device.
    """
    adapter: Adapter = import_module(f"{__name__}.{module}").make(variant, threads, device, precision)
    return adapter

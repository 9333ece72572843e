"""Part ``scaling``: the training step over batch size, width, image size and threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .networks import Network, step_flops
from .rounds import Settings, say
from .step import measure_network

NOTE = (
    "milliseconds per training step of the first dense and the first convolutional network, changed in one respect at "
    "a time; the losses are compared at every point"
)
BATCHES = (16, 64, 256, 1024)
WIDTHS = (0.5, 1, 2, 4)
IMAGES = (14, 28, 42, 56)
MOST_ROUNDS = 5


def sweeps(network: Network, threads: int) -> dict[str, list[tuple[float, Network, int]]]:
    """For each thing that is changed: its values, the network at that value, and the threads."""
    found: dict[str, list[tuple[float, Network, int]]] = {
        "batch": [(size, network.with_batch(size), threads) for size in BATCHES],
        "width": [(factor, network.with_width(factor), threads) for factor in WIDTHS],
        "image": [(size, network.with_image(size), threads) for size in IMAGES],
    }
    counts = sorted({1, *(2**power for power in range(1, threads.bit_length()) if 2**power <= threads), threads})
    if len(counts) > 1:
        found["threads"] = [
            (count, replace(network, name=f"{network.name} threads {count}"), count) for count in counts
        ]
    return found


def steps_for(settings: Settings, network: Network, changed: Network) -> int:
    """Fewer steps for a bigger step, so that a turn stays about as long."""
    least = 2 if settings.quick else 5
    return max(
        least,
        min(
            2 * settings.steps_of(network),
            round(settings.steps_of(network) * step_flops(network) / step_flops(changed)),
        ),
    )


def measure(settings: Settings) -> list[dict[str, Any]]:
    """One entry per network and thing changed, with an outcome per value."""
    say("scaling")
    frameworks = [f for f in settings.frameworks if f.sweeps] or list(settings.frameworks)
    kinds = {network.is_cnn: network for network in reversed(settings.networks)}
    results = []
    for network in (kinds[kind] for kind in (False, True) if kind in kinds):
        for what, points in sweeps(network, settings.threads).items():
            if settings.quick:
                points = points[:2]
            values, outcomes = [], []
            for value, changed, threads in points:
                steps = steps_for(settings, network, changed)
                here = replace(settings, threads=threads, steps=steps, rounds=min(settings.rounds, MOST_ROUNDS))
                values.append(value)
                outcomes.append(measure_network(here, changed, frameworks).to_json())
            results.append({"network": network.name, "what": what, "values": values, "outcomes": outcomes})
    return results

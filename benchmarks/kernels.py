"""Part ``kernels``: every op of a training step against the machine's limit."""

from __future__ import annotations

from typing import Any

from . import limits
from .frameworks import FRAMEWORKS
from .machine import Meter
from .peers import Peer, PeerError
from .rounds import Settings, say

NOTE = (
    "microseconds of each op in one training step, best of many calls; of limit: the time that its arithmetic needs at "
    "the measured sgemm rate, or its bytes at the measured rate of copying as many, whichever is longer, over the time "
    "taken. A convolution is counted as the direct one, so Winograd can pass 100%"
)
SECONDS = 0.15


def machine_limits(settings: Settings) -> dict[str, Any]:
    """Limits with one thread and with all, each in a process of its own."""
    found = {}
    for threads in sorted({1, settings.threads}):
        meter = Meter()
        with Peer(FRAMEWORKS["scratchnet"], threads, settings.folder) as peer, meter.watch(peer):
            found[str(threads)] = peer.ask("limits", seconds=0.02 if settings.quick else 0.3)
        found[str(threads)]["busy"] = meter.to_json()
    return found


def measure(settings: Settings, known: dict[str, Any]) -> list[dict[str, Any]]:
    """The part, network by network; ``known`` is what `machine_limits` found."""
    say("kernels")
    if all(framework.name != "scratchnet" for framework in settings.frameworks):
        say("  scratchnet is not among the frameworks: nothing to do")
        return []
    results: list[dict[str, Any]] = []
    for network in settings.networks:
        say(f"  {network.name}")
        meter = Meter()
        with Peer(FRAMEWORKS["scratchnet"], settings.threads, settings.folder) as peer, meter.watch(peer):
            try:
                peer.ask("start")
                peer.ask("build", network=network.to_json())
                peer.ask("load", steps=2)
                ops = peer.ask("kernels", seconds=SECONDS / 5 if settings.quick else SECONDS)["ops"]
            except PeerError as error:
                say(f"  {error}")
                results.append({"network": network.name, "ops": [], "refused": str(error)})
                continue
        for op in ops:
            least = limits.least_seconds(known[str(settings.threads)], op["flops"], op["bytes"])
            op["of_limit"] = least / op["seconds"]
        results.append({"network": network.name, "ops": ops, "busy": meter.to_json()})
    return results

"""Part ``startup``: from starting Python to the first finished training step, in fresh processes."""

from __future__ import annotations

import tempfile
from time import perf_counter
from typing import Any

from .frameworks import Framework
from .machine import Meter
from .networks import Network
from .peers import Peer, PeerError
from .rounds import Settings, say

NOTE = (
    "seconds since the process was started: until the framework is imported; until the first training step is finished "
    "with empty caches of compiled code (cold), and in the next process (warm). All files are in the page cache"
)
MOST_ROUNDS = 3


def caches(folder: str) -> dict[str, str]:
    """Where the frameworks keep compiled code between processes."""
    return {
        "SCRATCHNET_CACHE": f"{folder}/scratchnet",
        "NUMBA_CACHE_DIR": f"{folder}/numba",
        "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor",
        "XDG_CACHE_HOME": folder,
    }


def first_step(
    settings: Settings, framework: Framework, network: Network, cache: str, meter: Meter
) -> tuple[float, float]:
    """Seconds until the import, and until the first step, of one fresh process."""
    began = perf_counter()
    with Peer(framework, settings.threads, settings.folder, caches(cache)) as peer, meter.watch(peer):
        peer.ask("start")
        imported = perf_counter() - began
        peer.ask("build", network=network.to_json())
        peer.ask("load", steps=1)
        peer.ask("losses", steps=1)
        return imported, perf_counter() - began


def measure_network(settings: Settings, network: Network) -> dict[str, Any]:
    """Import, cold and warm times of every framework on one network."""
    times: dict[str, dict[str, list[float]]] = {}
    refused: dict[str, str] = {}
    meter = Meter()
    for number in range(1 + (1 if settings.quick else min(settings.rounds, MOST_ROUNDS))):
        for framework in settings.frameworks:
            if not framework.has_fit or framework.name in refused:
                continue
            say(f"  {network.name}: {framework.name}, {'not counted' if number == 0 else f'round {number}'}")
            with tempfile.TemporaryDirectory() as cache:
                try:
                    _, cold = first_step(settings, framework, network, cache, meter)
                    imported, warm = first_step(settings, framework, network, cache, meter)
                except PeerError as error:
                    refused[framework.name] = str(error)
                    times.pop(framework.name, None)
                    continue
            if number:  # the first round brings the files into the page cache
                row = times.setdefault(framework.name, {"import": [], "cold": [], "warm": []})
                for key, value in (("import", imported), ("cold", cold), ("warm", warm)):
                    row[key].append(value)
    return {"network": network.name, "times": times, "refused": refused, "busy": meter.to_json()}


def measure(settings: Settings) -> list[dict[str, Any]]:
    """The part on the first and the last of the networks: start-up differs little between networks of a kind."""
    say("start-up")
    chosen = {network.name: network for network in (settings.networks[0], settings.networks[-1])}
    return [measure_network(settings, network) for network in chosen.values()]

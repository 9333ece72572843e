"""Part ``memory``: the largest resident set of a whole tutorial."""

from __future__ import annotations

from typing import Any

from .networks import Network
from .peers import Peer, PeerError
from .rounds import Settings, say

NOTE = (
    "MiB, the largest resident set of a process that reads the data, trains one epoch and predicts the test set, as a "
    "user's script does. scratchnet keeps pixels as bytes, as its recipes do; the peers' scripts scale them to float32 "
    "first, as their tutorials do. In brackets: after the import alone"
)
QUICK_BATCHES = 20


def measure_network(settings: Settings, network: Network) -> dict[str, Any]:
    """Peak memory and test accuracy of every framework on one network."""
    rows = network.rows if not settings.quick else QUICK_BATCHES * network.batch
    found, refused = {}, {}
    for framework in settings.frameworks:
        if not framework.has_fit:
            continue
        say(f"  {network.name}: {framework.name}")
        with Peer(framework, settings.threads, settings.folder) as peer:
            try:
                found[framework.name] = peer.ask("tutorial", network=network.to_json(), rows=rows)
            except PeerError as error:
                refused[framework.name] = str(error)
    return {"network": network.name, "rows": rows, "memory": found, "refused": refused}


def measure(settings: Settings) -> list[dict[str, Any]]:
    """The part, network by network."""
    say("peak memory")
    return [measure_network(settings, network) for network in settings.networks]

"""Part ``fit``: one epoch with shuffling and metrics, as a user of each framework runs it."""

from __future__ import annotations

from .networks import Network
from .rounds import Field, Outcome, Settings, say

NOTE = (
    "milliseconds per step of one shuffled epoch with loss and accuracy, the whole call counted, no progress bar; "
    "PyTorch and JAX have no fit: theirs is a loop that gathers each batch by index from the array in memory "
    "(faster than a DataLoader) and reads the metrics once at the end"
)
CNN_BATCHES = 50


def measure_network(settings: Settings, network: Network) -> Outcome:
    """Check, warm up and time one network; times are seconds per step."""
    with Field(settings, network, [f for f in settings.frameworks if f.has_fit]) as field:
        field.check_losses()
        batches = network.rows / network.batch
        if network.is_cnn:
            batches = min(batches, CNN_BATCHES)
        if settings.quick or settings.steps:
            batches = min(batches, settings.steps_of(network))
        rows = int(batches * network.batch)
        field.ask_all("load_rows", split="train", rows=rows)
        # The very same call, not counted: JAX recompiles for every number of rows, all for the short last batch.
        field.ask_all("fit", rows=rows)
        field.outcome.notes["rows"] = rows

        def turn(name: str) -> float | None:
            answer = field.ask(name, "fit", rows=rows)
            if answer is None:
                return None
            field.outcome.notes.setdefault("accuracy", {})[name] = answer["accuracy"]
            return answer["seconds"] / -(-rows // network.batch)

        return field.take_turns(turn)


def measure(settings: Settings) -> list[Outcome]:
    """The part, network by network."""
    say("whole fit")
    return [measure_network(settings, network) for network in settings.networks]

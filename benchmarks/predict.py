"""Part ``predict``: the outputs for the test set, from a NumPy array to a NumPy array."""

from __future__ import annotations

from . import agreement
from .networks import Network
from .rounds import Field, Outcome, Settings, say

BATCH = 128
ROWS, CNN_ROWS = 10_000, 2_560
COMPARED = 32
NOTE = (
    f"milliseconds for {ROWS:,} test images ({CNN_ROWS:,} for the CNNs) in batches of {BATCH}, from a NumPy array to a "
    "NumPy array; keras.fit stands for model.predict"
)


def measure_network(settings: Settings, network: Network) -> Outcome:
    """Compare the untrained network's outputs, warm up and time; times are seconds per call."""
    with Field(settings, network) as field:
        rows = CNN_ROWS if network.is_cnn else ROWS
        rows = min(rows, 4 * BATCH) if settings.quick else rows
        field.ask_all("build", network=network.to_json())
        field.ask_all("load_rows", split="test", rows=rows)
        outputs = field.ask_all("predict", batch=BATCH, keep=COMPARED)
        field.outcome.notes["rows"] = rows
        if outputs:
            compared = agreement.compare_predictions({name: answer["outputs"] for name, answer in outputs.items()})
            field.outcome.agreement = compared
            field.judge(compared)

        def turn(name: str) -> float | None:
            answer = field.ask(name, "predict", batch=BATCH)
            return None if answer is None else answer["seconds"]

        return field.take_turns(turn)


def measure(settings: Settings) -> list[Outcome]:
    """The part, network by network."""
    say("predict")
    return [measure_network(settings, network) for network in settings.networks]

"""Part ``step``: one training step (forward, backward, Adam) on batches that are already in memory."""

from __future__ import annotations

from collections.abc import Iterable

from .frameworks import Framework
from .networks import Network
from .rounds import Field, Outcome, Settings, say

NOTE = (
    "milliseconds per training step; everybody runs the same steps over the same epoch of real batches, which are in "
    "the framework's own memory before the clock starts; floor: the arithmetic at the measured sgemm rate"
)


def measure_network(settings: Settings, network: Network, frameworks: Iterable[Framework] | None = None) -> Outcome:
    """Check, warm up and time one network; times are seconds per step."""
    with Field(settings, network, frameworks) as field:
        warm_up(field)
        steps = settings.steps_of(network)
        field.outcome.notes["steps"] = steps
        return field.take_turns(lambda name: one_turn(field, name, steps))


def warm_up(field: Field) -> None:
    """Loss check, the epoch into memory, and one turn that is not counted: compilation is then over."""
    steps = field.settings.steps_of(field.network)
    field.check_losses()
    field.ask_all("load", steps=steps if field.settings.quick else None)
    field.ask_all("time", steps=steps)


def one_turn(field: Field, name: str, steps: int) -> float | None:
    """Seconds per step of one framework's turn; a loss that is no number takes it out."""
    answer = field.ask(name, "time", steps=steps)
    if answer is None:
        return None
    field.outcome.notes.setdefault("last_loss", {})[name] = answer["loss"]
    if not answer["loss"] < float("inf"):
        field.take_out(name, f"its loss became {answer['loss']} while it was timed")
        return None
    return answer["seconds"] / steps


def measure(settings: Settings) -> list[Outcome]:
    """The part, network by network."""
    say("training step")
    return [measure_network(settings, network) for network in settings.networks]

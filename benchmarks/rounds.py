"""Getting the frameworks ready on one network, and letting them take turns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from . import agreement
from .agreement import Verdict
from .frameworks import Framework
from .machine import Meter
from .networks import Network
from .peers import Peer, PeerError


@dataclass(frozen=True)
class Settings:
    """What the command line asked for. With device ``cuda`` the adapters are those of gpu/adapters."""

    networks: tuple[Network, ...]
    frameworks: tuple[Framework, ...]
    rounds: int
    steps: int | None
    threads: int
    quick: bool
    folder: Path
    device: str = "cpu"
    precision: str = "float32"

    def steps_of(self, network: Network) -> int:
        """Training steps of one timed turn."""
        return self.steps or (max(2, network.steps // 10) if self.quick else network.steps)

    def peer(self, framework: Framework) -> Peer:
        """A worker for a framework."""
        return Peer(framework, self.threads, self.folder, device=self.device, precision=self.precision)


def say(text: str) -> None:
    """Progress, on stderr: stdout is the report."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Outcome:
    """What came of one network: times per framework and round, and who was not timed and why."""

    network: str
    batch: int
    times: dict[str, list[float]] = field(default_factory=dict)
    agreement: dict[str, Verdict] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    busy: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Field:
    """The frameworks that run on one network: started one by one, asleep between their turns.

    A framework that fails anywhere is taken out, with its reason in ``outcome.refused``; the others go on.
    """

    def __init__(self, settings: Settings, network: Network, frameworks: Iterable[Framework] | None = None) -> None:
        self.settings, self.network = settings, network
        self.frameworks = tuple(settings.frameworks if frameworks is None else frameworks)
        self.outcome = Outcome(network.name, network.batch)
        self.peers: dict[str, Peer] = {}
        self.stack = ExitStack()

    def __enter__(self) -> Field:
        say(f"  {self.network.name}: starting {', '.join(f.name for f in self.frameworks)}")
        with ExitStack() as starting:
            for framework in self.frameworks:
                peer = self.settings.peer(framework)
                self.peers[framework.name] = starting.enter_context(peer)
                self.ask(framework.name, "start")
            self.stack = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    def ask(self, name: str, command: str, **arguments: Any) -> dict[str, Any] | None:
        """Wake one framework, ask it, put it back to sleep; None when it failed and was taken out."""
        peer = self.peers[name]
        peer.wake()
        try:
            answer = peer.ask(command, **arguments)
        except PeerError as error:
            self.take_out(name, str(error))
            return None
        peer.sleep()
        return answer

    def ask_all(self, command: str, **arguments: Any) -> dict[str, dict[str, Any]]:
        """Ask everybody in turn; those that fail are taken out."""
        answers = {name: self.ask(name, command, **arguments) for name in list(self.peers)}
        return {name: answer for name, answer in answers.items() if answer is not None}

    def take_out(self, name: str, reason: str) -> None:
        """Time this framework no further, and remember why."""
        say(f"  {self.network.name}: {name} is left out: {reason}")
        self.outcome.refused[name] = reason
        self.peers.pop(name).close()

    def judge(self, verdicts: dict[str, Verdict]) -> None:
        """Keep the verdicts and take out whoever is refused."""
        for name, verdict in verdicts.items():
            if not verdict.ok:
                self.take_out(name, verdict.reason)

    def check_losses(self) -> None:
        """Same weights and batches, no dropout: the losses must agree. With dropout they must then differ."""
        spec = self.network.to_json()
        self.ask_all("build", network=spec, dropout=False)
        self.ask_all("load", steps=agreement.STEPS)
        steps = min(agreement.STEPS, self.network.rows // self.network.batch)
        losses = {name: answer["losses"] for name, answer in self.ask_all("losses", steps=steps).items()}
        if not losses:
            return
        limits = agreement.tolerances(self.network, steps, self.settings.precision)
        self.outcome.agreement = agreement.compare_losses(losses, limits)
        self.outcome.notes["losses"] = losses
        self.judge(self.outcome.agreement)
        self.ask_all("build", network=spec)
        if self.network.has_dropout:
            for name, answer in self.ask_all("losses", steps=1).items():
                if abs(answer["losses"][0] / losses[name][0] - 1) < 1e-6:
                    self.take_out(name, "its first loss is the same with dropout as without: it does not drop anything")
            self.ask_all("build", network=spec)

    def take_turns(
        self, turn: Callable[[str], float | None], afterwards: Callable[[str], None] | None = None
    ) -> Outcome:
        """``rounds`` rounds in which everybody has one turn, in an order drawn anew each time.

        ``turn(name)`` returns the time that counts, or None when the framework failed and was taken out;
        ``afterwards(name)`` follows each turn, unwatched by the meter.
        """
        meter, rng = Meter(), np.random.default_rng(0)
        for number in range(self.settings.rounds):
            for name in rng.permutation(list(self.peers)).tolist():
                with meter.watch(self.peers[name]):
                    taken = turn(name)
                if taken is not None:
                    self.outcome.times.setdefault(name, []).append(taken)
                    if afterwards:
                        afterwards(name)
            shown = ", ".join(f"{name} {times[-1] * 1e3:.3g}" for name, times in self.outcome.times.items())
            say(f"  {self.network.name}: round {number + 1}/{self.settings.rounds}, ms: {shown}")
        # In the order of the command line, and without those that were taken out on the way.
        self.outcome.times = {f.name: self.outcome.times[f.name] for f in self.frameworks if f.name in self.peers}
        self.outcome.busy = meter.to_json()
        return self.outcome

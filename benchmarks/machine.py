"""The machine: what it is, and how much of it other people used while the clock ran."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .peers import Peer

# Foreign work on 5% of the cores moves medians by about as much as the intervals that are reported.
BUSY = 0.05


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict[str, Any]:
    """Machine, versions and time, for the report."""
    model = platform.processor()
    features: set[str] = set()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        elif key.strip() == "flags":
            features = set(value.split())
    widest = next((name for name in ("avx512f", "avx2", "avx") if name in features), "")
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "cpu": model,
        "vector": widest,
        "cores": cores(),
        "memory_gib": round(int(memory.split()[1]) / 2**20, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "commit": commit,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": list(os.getloadavg()),
    }


@dataclass(frozen=True)
class Ticks:
    """CPU seconds of the whole machine since it started."""

    used: float
    stolen: float

    @classmethod
    def now(cls) -> Ticks:
        first = Path("/proc/stat").read_text().splitlines()[0].split()
        user, nice, system, _, _, irq, softirq, steal = (int(field) for field in first[1:9])
        second = os.sysconf("SC_CLK_TCK")
        return cls((user + nice + system + irq + softirq) / second, steal / second)


@dataclass
class Meter:
    """How much CPU time went to others during the measured turns.

    Others' time is what /proc/stat counts as used, less what the worker being timed and this process used themselves;
    stolen time is what the hypervisor kept for other guests.
    """

    seconds: float = 0.0
    others: float = 0.0
    stolen: float = 0.0
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    @contextmanager
    def watch(self, peer: Peer) -> Iterator[None]:
        """Count what happens while ``peer`` has its turn."""
        before, own, began = Ticks.now(), peer.cpu_seconds() + sum(os.times()[:2]), perf_counter()
        yield
        if peer.process.poll() is not None:
            return
        after, used = Ticks.now(), peer.cpu_seconds() + sum(os.times()[:2]) - own
        self.seconds += perf_counter() - began
        self.others += max(0.0, after.used - before.used - used)
        self.stolen += after.stolen - before.stolen

    @property
    def share(self) -> float:
        """Share of the machine's cores that others had, 0 to 1."""
        return (self.others + self.stolen) / (self.seconds * (os.cpu_count() or 1)) if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "others": self.others,
            "stolen": self.stolen,
            "share": self.share,
            "load_at_start": self.load,
            "warning": self.warning(),
        }

    def warning(self) -> str:
        """One line when the machine was too busy for these times to be trusted, else empty."""
        if self.share <= BUSY:
            return ""
        return (
            f"the machine was busy: others used {self.share:.0%} of it while the clock ran "
            f"({self.others:.1f} s of CPU time, {self.stolen:.1f} s stolen by the hypervisor; "
            f"load average {self.load:.1f} at the start); do not trust these times"
        )

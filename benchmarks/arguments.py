"""What the command lines for the CPU and for the GPU have in common."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def names(text: str) -> list[str]:
    """A comma-separated list."""
    return [part for part in text.replace(" ", "").split(",") if part]


def positive(text: str) -> int:
    """A whole number from 1 up."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {value}")
    return value


def refuse_unknown(parser: argparse.ArgumentParser, kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    """End the program with one line if names are wrong, or there are none."""
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        parser.error(f"unknown {kind} {', '.join(unknown)!r}; known: {', '.join(known)}")

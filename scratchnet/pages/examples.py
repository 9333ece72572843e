"""Test samples as pictures with captions: what was recognized, and what was taken for something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import plots
from .pictures import Picture, enlarged_to, ink, picture

MOST = 12
SIZE = 112  # pixels of a page that an example is wide, about


@dataclass(frozen=True)
class Example:
    """A test sample."""

    row: int
    true: str
    predicted: str
    probability: float
    picture: Picture


def correct(x: Any, labels: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> list[Example]:
    """The first test sample of each class that was recognized, of up to `MOST` classes."""
    hits = np.flatnonzero(scores.argmax(axis=1) == labels)
    _, first = np.unique(labels[hits], return_index=True)
    return _examples(x, hits[first][:MOST], labels, scores, names)


def misclassified(x: Any, labels: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> list[Example]:
    """The wrong predictions of which the network was surest."""
    predicted = scores.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    surest = np.argsort(-scores[wrong, predicted[wrong]], kind="stable")[:MOST]
    return _examples(x, wrong[surest], labels, scores, names)


def _examples(x: Any, rows: np.ndarray, labels: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> list[Example]:
    if not len(rows):
        return []
    found = []
    for row, image in zip(rows, plots.as_images(x[rows]), strict=True):
        guess = int(scores[row].argmax())
        true, predicted, sure = names[labels[row]], names[guess], float(scores[row, guess])
        pixels = ink(image)
        alt = (
            f"Test sample {row}: {true}, recognized"
            if guess == labels[row]
            else f"Test sample {row}: {true}, taken for {predicted}"
        )
        found.append(Example(int(row), true, predicted, sure, picture(pixels, alt, enlarged_to(pixels, SIZE))))
    return found

"""The four cells of a confusion matrix: how many predictions are right and wrong, of either kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import alike
from .counts import AtThresholds, for_outputs


class _Cell(AtThresholds):
    """What the four share: the number of outputs that are predicted as ``predicted`` and whose target is ``target``."""

    predicted: bool
    target: bool

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None, **unknown: Any) -> None:
        super().__init__(thresholds, 0.5, name, dtype, **unknown)
        self.shape = (len(self.thresholds),)
        self.reset_state()

    def counted(self, y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray) -> np.ndarray:
        wanted = alike(y_true, y_pred, self.name).astype(bool).ravel() == self.target
        weights = for_outputs(weights, y_pred.shape).ravel()
        above = self.positives(y_pred.astype(np.float32).ravel())
        return np.array([weights[wanted & (positive == self.predicted)].sum() for positive in above])

    def result(self) -> Any:
        """The number since `reset_state`, or an array for several thresholds."""
        return self.per_threshold(self.counts)

    def config(self) -> dict[str, Any]:
        return {"thresholds": self.given, **super().config()}


class TruePositives(_Cell):
    """``tp``: how many outputs are above the threshold, and their target is not 0; with weights, the sum of these.

    Targets have the shape of the outputs; outputs and thresholds are compared as float32, as by `Precision`.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], optional
        Default 0.5. For several the result is an array, a number for each.

    Raises
    ------
    ConfigError
        For an invalid argument.
    ShapeError
        When a batch is added whose targets do not have the shape of the outputs.
    """

    predicted, target = True, True


class FalsePositives(_Cell):
    """``fp``: how many outputs are above the threshold, but their target is 0. The rest is as for `TruePositives`.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], optional
    """

    direction = "down"
    predicted, target = True, False


class TrueNegatives(_Cell):
    """``tn``: how many outputs are not above the threshold, and their target is 0. The rest is as for `TruePositives`.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], optional
    """

    predicted, target = False, False


class FalseNegatives(_Cell):
    """``fn``: how many outputs are not above the threshold, but their target is not 0. The rest is as for
    `TruePositives`.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], optional
    """

    direction = "down"
    predicted, target = False, True

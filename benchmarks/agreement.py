"""Do the frameworks compute the same thing? Compared before a clock is read; one that differs is not timed.

Tolerances, relative to the median over the frameworks, step by step:

- step 1, 1e-4: the same weights and the same batch, so only float32 summation order differs (about 1e-6).
- later steps of the dense networks, 1e-3: rounding grows, since Adam divides small gradients by their own size; seen:
  1e-4 and less. (PyTorch's Adam has its epsilon elsewhere than Keras's, which moves the losses by 1.4e-3: the check
  gives it an epsilon that comes to the same, the clock sees PyTorch's own.)
- later steps of the CNNs, 2e-2: one near-tie in a max-pool goes the other way in float32 and moves the curve by 1e-4 to
  1e-2; seen: 2e-3. A wrong padding shows at step 1, a learning rate off by a tenth within the steps compared.
- with TF32, whose products have 10 bits of fraction, the first step has the later steps' tolerance of the CNNs, and so
  have all others; this has not been seen on hardware.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .networks import Network

FIRST = 1e-4
LATER_DENSE = 1e-3
LATER_CNN = 2e-2
PREDICTIONS = 1e-3
STEPS = 10


@dataclass(frozen=True)
class Verdict:
    """Largest relative difference from the median framework, its place, and why it is refused (empty: it is not)."""

    worst: float
    step: int
    reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


def tolerances(network: Network, steps: int, precision: str = "float32") -> np.ndarray:
    """The tolerance of each step, shape (steps,)."""
    if precision != "float32":
        return np.full(steps, LATER_CNN)
    limits = np.full(steps, LATER_CNN if network.is_cnn else LATER_DENSE)
    limits[0] = FIRST
    return limits


def compare_losses(losses: dict[str, list[float]], limits: np.ndarray) -> dict[str, Verdict]:
    """Each framework's losses against the median framework's, step by step.

    With two frameworks that differ both are refused: nothing says which is right.
    """
    table = np.asarray(list(losses.values()), dtype=float)
    with np.errstate(all="ignore"):
        middle = np.nanmedian(table, axis=0)
        apart = np.abs(table - middle) / np.maximum(np.abs(middle), 1e-12)
    verdicts = {}
    for name, row, differences in zip(losses, table, apart, strict=True):
        excess = np.where(np.isfinite(differences), differences / limits, np.inf)
        step = int(excess.argmax())
        reason = ""
        if excess[step] > 1:
            reason = (
                f"loss at step {step + 1} is {row[step]:.6g}, the median of the frameworks {middle[step]:.6g} "
                f"(relative difference {differences[step]:.1e}, allowed {limits[step]:.0e})"
            )
        verdicts[name] = Verdict(float(differences[step]), step + 1, reason)
    return verdicts


def compare_predictions(outputs: dict[str, list[list[float]]]) -> dict[str, Verdict]:
    """Outputs of the untrained network on the first test rows; differences are relative to the largest output."""
    shapes = {np.shape(rows) for rows in outputs.values()}
    if len(shapes) > 1:
        raise ValueError(f"the frameworks' predictions have different shapes: {sorted(shapes)}")
    table = np.asarray(list(outputs.values()), dtype=float)
    middle = np.median(table, axis=0)
    verdicts = {}
    for name, rows in zip(outputs, table, strict=True):
        worst = float(np.abs(rows - middle).max() / np.abs(middle).max())
        reason = f"predictions differ by {worst:.1e} (allowed {PREDICTIONS:.0e})"
        verdicts[name] = Verdict(worst, 0, "" if worst <= PREDICTIONS else reason)
    return verdicts

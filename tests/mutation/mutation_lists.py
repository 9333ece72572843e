"""All mutants, and those that no test can see, with the reason."""

from __future__ import annotations

import mutation_cuda
import mutation_elementwise
import mutation_metrics
import mutation_programs
import mutation_training
import mutation_windows

MUTANTS = [
    *mutation_elementwise.MUTANTS,
    *mutation_windows.MUTANTS,
    *mutation_training.MUTANTS,
    *mutation_programs.MUTANTS,
    *mutation_metrics.MUTANTS,
]
CUDA = mutation_cuda.MUTANTS  # not of Python: nothing that `ast` could parse
EVERY = [*MUTANTS, *CUDA]

# Name of a mutant that lives: why it does no harm.
ALIKE: dict[str, str] = {
    "scratchnet/optimizers/adam.py: betas not rounded as Keras rounds them": (
        "0.999 and its float32 differ by 1e-8; tests of 50 steps allow what the order of float32 sums does"
    ),
    "kernels/elementwise_losses.py: binary logits: what lets the compiler lose 1 - p": (
        "this LLVM, on this processor, leaves the sum as it is written; written as one expression it did not"
    ),
}

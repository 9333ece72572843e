"""All mutants, and those that no test can see, with the reason."""

from __future__ import annotations

import mutation_elementwise
import mutation_training
import mutation_windows

MUTANTS = [*mutation_elementwise.MUTANTS, *mutation_windows.MUTANTS, *mutation_training.MUTANTS]

# Name of a mutant that lives: why it does no harm.
ALIKE: dict[str, str] = {}

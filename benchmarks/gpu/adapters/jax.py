"""JAX on a device."""

from __future__ import annotations

import jax

from ...frameworks.jax import JaxStep


def make(variant: str, threads: int, device: str, precision: str) -> JaxStep:
    found = jax.devices()[0].platform
    if device == "cuda" and found != "gpu":
        raise RuntimeError(f"jax {jax.__version__} sees no GPU, only: {found} (pip install 'jax[cuda13]')")
    # JAX's default for float32 is TF32 where the GPU has it.
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if precision == "tf32" else "float32")
    return JaxStep()

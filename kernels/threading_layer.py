"""Which of Numba's threading layers will run the kernels, known before the layer starts."""

from __future__ import annotations

import importlib

POOLS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
# Other values of NUMBA_THREADING_LAYER, and the layers that Numba then tries (its documentation, "Threading layers").
FAMILIES = {"safe": ("tbb",), "threadsafe": ("tbb", "omp"), "forksafe": ("tbb", "workqueue")}


def threading_layer() -> str:
    """``"tbb"``, ``"omp"`` or ``"workqueue"``; Numba itself tells only once its threads run.

    Raises
    ------
    RuntimeError
        If no layer is available for the value of NUMBA_THREADING_LAYER; the message is one line.
    """
    from numba import config

    asked = str(config.THREADING_LAYER).lower()
    wanted = (asked,) if asked in POOLS else FAMILIES.get(asked, tuple(config.THREADING_LAYER_PRIORITY))
    if asked not in {"default", *POOLS, *FAMILIES}:
        known = ", ".join(["default", *POOLS, *FAMILIES])
        raise RuntimeError(f"NUMBA_THREADING_LAYER: expected one of {known}, got {asked!r}")
    for layer in wanted:
        try:
            importlib.import_module(f"numba.np.ufunc.{POOLS[layer]}")
        except ImportError:
            continue
        return layer
    raise RuntimeError(f"NUMBA_THREADING_LAYER={asked} needs a library that is not installed; leave it unset")

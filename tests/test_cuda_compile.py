"""Every .cu file compiles for every GPU from Volta to Blackwell, with NVIDIA's own compiler, which needs no GPU."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulation import nvrtc
from scratchnet.kernels import cuda, gemm_cuda
from scratchnet.kernels.clock import PER_STEP

ARCHITECTURES = (70, 80, 90, 100)
FOLDER = Path(cuda.__file__).parent
FAMILIES = sorted(path.stem for path in FOLDER.glob("*.cu"))
PRODUCTS = [name for name in FAMILIES if '"gemm.cuh"' in (FOLDER / f"{name}.cu").read_text()]
# What else a file is compiled with, besides the tile of a product.
CONSTANTS: dict[str, dict[str, Any]] = {
    "pooling": {"POSITION": "u8"},
    "batching": {"SOURCE": "u8", "INDEX": "int"},
    "optimizers": {"PER_STEP": PER_STEP},
}

pytestmark = pytest.mark.skipif(
    nvrtc.library() is None, reason="needs NVIDIA's compiler: pip install 'nvidia-cuda-nvrtc-cu12>=12.8,<13'"
)


def smallest(kind: str) -> gemm_cuda.Tile:
    """The smallest tile of a precision that has its arithmetic: the smallest products of all are exact ones."""
    return min(tile for tile in gemm_cuda.TILES[kind] if (tile.lanes > 1) == (kind not in ("float32", "float64")))


def options(name: str, kind: str, tile: gemm_cuda.Tile | None = None) -> tuple[str, ...]:
    """The options of a file for a dtype or precision, with the smallest tile of it unless one is given."""
    dtype, constants = np.dtype("f8" if kind == "float64" else "f4"), CONSTANTS.get(name, {})
    if name in PRODUCTS:
        with gemm_cuda.precision(kind):
            constants = gemm_cuda.constants(tile or smallest(kind), dtype)
    return cuda.options(dtype, constants)


def compiled(name: str, architecture: int, flags: tuple[str, ...]) -> None:
    """Compile; every kernel of the file is in the machine code, and hardly a register was spilled to memory."""
    code, said = nvrtc.compile_source(
        nvrtc.library(), cuda.source(name), architecture, (*flags, "--ptxas-options=-v", "-diag-suppress=177")
    )
    assert set(cuda.signatures(name)) <= {match.decode() for match in re.findall(rb"\.text\.(\w+)", code)}
    assert "): warning" not in said  # of a line of ours
    pattern = r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill"
    entries = re.findall(pattern, said, re.DOTALL)
    assert len(entries) == len(cuda.signatures(name))
    assert [(kernel, frame, spilled) for kernel, frame, spilled in entries if max(int(frame), int(spilled)) > 16] == []


def test_the_compiler_knows_them_all() -> None:
    library = nvrtc.library()
    assert library is not None
    assert set(ARCHITECTURES) <= set(nvrtc.architectures(library))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_file_for_every_architecture(name: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda architecture: compiled(name, architecture, options(name, "float32")), ARCHITECTURES))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_file_in_float64(name: str) -> None:
    compiled(name, 90, options(name, "float64"))


@pytest.mark.parametrize("kind", ["tf32", "mixed_bfloat16"])
def test_tensor_cores_from_ampere_on(kind: str) -> None:
    for name in PRODUCTS:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda a, name=name: compiled(name, a, options(name, kind)), ARCHITECTURES[1:]))
    with pytest.raises(AssertionError, match=r"compute capability 8\.0"):
        compiled("dense", 70, options("dense", kind))


@pytest.mark.parametrize(("kind", "tile"), [(kind, max(tiles)) for kind, tiles in gemm_cuda.TILES.items()])
def test_the_largest_tiles_fit(kind: str, tile: gemm_cuda.Tile) -> None:
    compiled("dense", 90, options("dense", kind, tile))

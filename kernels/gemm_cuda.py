"""How a matrix product is split up for a GPU: the tile that a block computes, and the parts of its sums."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from . import cuda

FAN = 16  # see combine_splits in gemm.cuh


class Tile(NamedTuple):
    """A block's part of C (BM x BN) and of k (BK), and the part of C that a thread computes (TM x TN), or, on tensor
    cores, a warp of 32 ``lanes``.

    Each of the GROUPS of threads takes a part of the depths of k.
    """

    BM: int
    BN: int
    BK: int
    TM: int
    TN: int
    GROUPS: int = 1
    lanes: int = 1

    @property
    def members(self) -> int:
        """Threads in a group."""
        return self.BM // self.TM * (self.BN // self.TN) * self.lanes

    @property
    def threads(self) -> int:
        return self.members * self.GROUPS

    @property
    def sums(self) -> int:
        """What a thread adds up: its part of C, and one column sum of B."""
        return self.BM * self.BN // self.members + 1


class Cut(NamedTuple):
    """A product of m x n sums of length k: its tile and the number of parts that k is cut into."""

    m: int
    n: int
    tile: Tile
    splits: int

    @property
    def tiles(self) -> int:
        return -(-self.m // self.tile.BM) * -(-self.n // self.tile.BN)

    @property
    def blocks(self) -> int:
        return self.tiles * self.splits

    def memory(self, name: str, dtype: Any) -> tuple[Any, Any]:
        """Room for the partial sums and the counters of `combine_splits`."""
        partials = arrivals = 0
        count = self.splits
        while count > 1:
            groups = -(-count // FAN)
            partials += self.tiles * count
            arrivals += self.tiles * groups
            count = groups
        if not partials:
            return None, None
        return (
            cuda.scratch(f"{name}.partials", partials * self.tile.members * self.tile.sums, dtype),
            cuda.scratch(f"{name}.arrivals", arrivals, "i4", zero=True),
        )


SMALL = Tile(32, 32, 64, 4, 4, GROUPS=4)
# The larger a tile, the fewer numbers are read per multiply-add, and the fewer blocks there are. For each tile: the
# share of the GPU's multiply-adds that it reaches with enough blocks, limited by its reads of shared memory.
FLOAT_TILES = {
    Tile(128, 128, 16, 8, 8): 0.9,
    Tile(128, 64, 16, 8, 8): 0.85,
    Tile(64, 64, 16, 8, 4): 0.7,
    Tile(128, 32, 16, 8, 4): 0.65,
    SMALL: 0.45,
}
DOUBLE_TILES = {Tile(64, 64, 16, 8, 4): 0.7, Tile(32, 32, 16, 4, 4): 0.45}  # larger ones exceed 48 KiB of shared memory


def _tensor_tiles(depth: int, speed: float) -> dict[Tile, float]:
    shapes = {(128, 128, 64, 32): 0.5, (64, 64, 32, 32): 0.35, (128, 32, 32, 32): 0.3, (32, 32, 32, 16): 0.15}
    return {Tile(m, n, depth, tm, tn, lanes=32): speed * share for (m, n, tm, tn), share in shapes.items()}


# By precision, relative to float32's multiply-add rate: on an H100, TF32 has 8 times that, bfloat16 16 times.
# The smallest products are bound by waiting, not by arithmetic, and stay exact.
TILES = {
    "float32": FLOAT_TILES,
    "float64": DOUBLE_TILES,
    "tf32": {**_tensor_tiles(16, 8), SMALL: FLOAT_TILES[SMALL]},
    "mixed_bfloat16": {**_tensor_tiles(32, 16), SMALL: FLOAT_TILES[SMALL]},
}

# The cost model assumes 132 processors, whatever the GPU: results then have the same bits on every GPU.
PROCESSORS = 132
LANES = 128  # multiply-adds per processor and cycle
LATENCY = 700  # cycles until a slice of A and B has arrived
COMBINE = (
    2000  # cycles to write partial sums, see that all are there and fetch the first: one level of `combine_splits`
)
# Bytes per cycle between the processors and the L2 cache: all processors together, and one.
CACHE_RATE, PROCESSOR_RATE = 3000, 64
SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256)


def cost(m: int, n: int, k: int, tile: Tile, efficiency: float, splits: int) -> float:
    """An estimate of the cycles that a product takes: multiply-adds, waiting for memory, adding parts up."""
    tiles = -(-m // tile.BM) * -(-n // tile.BN)
    steps = -(-k // (splits * tile.BK))
    step = tile.BK * tile.BM * tile.BN / (LANES * efficiency)
    rounds = max(1, -(-tiles * splits // PROCESSORS))
    cycles = rounds * steps * step + LATENCY * max(1, steps / rounds)
    if splits > 1:
        levels = 1 if splits <= FAN else 2
        part = 4 * tile.members * tile.sums  # bytes; written, then read by the last block of FAN
        cycles += COMBINE * levels + 2 * part * tiles * splits / CACHE_RATE
        cycles += levels * min(splits, FAN) * part / PROCESSOR_RATE * max(1, tiles / PROCESSORS)
    return cycles


_forced: tuple[Tile, int] | None = None


@functools.lru_cache(1024)
def _cut(m: int, n: int, k: int, kind: str, only: Tile | None) -> Cut:
    choices = [
        (cost(m, n, k, tile, efficiency, splits), tile, splits)
        for tile, efficiency in TILES[kind].items()
        if only in (None, tile)
        for splits in SPLITS
        if splits == 1 or k >= 2 * splits * tile.BK
    ]
    _, tile, splits = min(choices)
    return _whole_steps(m, n, k, tile, splits)


def _whole_steps(m: int, n: int, k: int, tile: Tile, splits: int) -> Cut:
    """Parts are whole steps of BK, so that fewer parts may do; none is empty, unless k is 0: all sums are 0 then."""
    part = -(-k // (splits * tile.BK)) * tile.BK
    return Cut(m, n, tile, -(-k // part) if k else 1)


def cut(m: int, n: int, k: int, dtype: Any, tile: Tile | None = None) -> Cut:
    """The tile (unless given) and the number of parts for a product: a function of its shape alone."""
    if _forced is not None:
        return _whole_steps(m, n, k, *_forced)
    return _cut(m, n, k, kind_of(dtype), tile)


@contextmanager
def force(tile: Tile, splits: int = 1) -> Iterator[None]:
    """``with force(tile, splits): ...``: cut every product this way, for measurements and tests."""
    global _forced
    previous, _forced = _forced, (tile, splits)
    try:
        yield
    finally:
        _forced = previous


# Precision ------------------------------------------------------------------------------------------------------------

PRECISIONS = {"float32": 0, "float64": 0, "tf32": 1, "mixed_bfloat16": 2}


class _Own(threading.local):
    precision = "float32"


_own = _Own()


@contextmanager
def precision(name: str) -> Iterator[None]:
    """``with precision("tf32"): ...``: set how products of float32 arrays are computed."""
    previous, _own.precision = _own.precision, name
    try:
        yield
    finally:
        _own.precision = previous


def kind_of(dtype: Any) -> str:
    """How products of arrays of this dtype are computed now: a key of `TILES`."""
    return _own.precision if dtype.itemsize == 4 else "float64"


def constants(tile: Tile, dtype: Any) -> dict[str, Any]:
    """The constants that gemm.cuh is compiled with."""
    values = tile._asdict()
    on_tensor_cores = values.pop("lanes") > 1
    return {**values, "PRECISION": PRECISIONS[kind_of(dtype)] if on_tensor_cores else 0}

"""Feeding a model: the user's data, checked once, then batch after batch in reused buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backend import array_module, ops, to_numpy
from .datasets import Pixels
from .errors import BackendError, DataError, ShapeError
from .host_arrays import batch_expected
from .workspace import Workspace


def _finite(rows: np.ndarray) -> bool:
    """Whether there is neither NaN nor Inf.

    Either would show in the sum of squares, which takes 5 ms for 60,000 images as floats; `numpy.isfinite` takes 12 ms,
    and is used only if the sum overflows.
    """
    flat = rows.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.dot(flat, flat)
    return bool(np.isfinite(squares)) or bool(np.isfinite(rows).all())


def refuse_streams(x: Any, name: str) -> None:
    """Raise DataError for anything that yields samples one by one: a generator, a data set of another library."""
    if hasattr(x, "__array__") or isinstance(x, Sequence):
        return
    if any(hasattr(x, how) for how in ("__iter__", "__next__", "__getitem__")):
        home = type(x).__module__.partition(".")[0]
        came = type(x).__name__ + (f" of {home}" if home != "builtins" else "")
        raise DataError(
            f"{name}: expected an array of all samples, got {came}: there are no generators, iterators or data sets "
            "of other libraries here; make arrays of what it gives"
        )


def one_input(x: Any, shape: tuple[int, ...]) -> Any:
    """``x`` without the list in which Keras takes a model's inputs, of which a model here has one."""
    if isinstance(x, list | tuple) and len(x) == 1 and hasattr(x[0], "shape"):
        given = tuple(x[0].shape)
        return x[0] if len(given) == len(shape) + 1 and given[1:] == shape else x
    return x


def samples(x: Any, name: str) -> np.ndarray:
    """An array of numbers with a batch axis, from anything that NumPy converts, in a type that kernels know.

    Raises
    ------
    DataError
        If it is a stream, is empty, ragged, or does not hold numbers.
    """
    refuse_streams(x, name)
    try:
        array = to_numpy(x)
    except RuntimeError as error:  # a tensor of PyTorch that is part of a graph
        raise DataError(f"{name}: expected an array of numbers: {error!s:.200}") from None
    except ValueError:
        hint = "; samples and targets are two arguments" if isinstance(x, tuple) else ""
        kind = type(x).__name__
        raise DataError(f"{name}: expected an array, all samples of one shape, got a ragged {kind}{hint}") from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name}: expected an array of numbers, got dtype {array.dtype}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{name}: expected at least one sample, got an array of shape {array.shape}")
    small = array.dtype == bool or (array.dtype.kind == "f" and array.dtype.itemsize == 2)
    wide = array.dtype.itemsize > 8
    known = np.dtype(np.float32 if small else np.float64) if small or wide else array.dtype.newbyteorder("=")
    return array.astype(known, copy=False)


def _can_be_gathered(array: Any) -> bool:
    """Whether the op can gather these: rows of numbers of any dtype, on a CPU."""
    if array_module() is not np or not isinstance(array, np.ndarray):
        return False
    return array.dtype.kind in "fiu" and array.dtype.isnative and array.flags.c_contiguous


class Source:
    """Samples in memory, of any dtype, that become float batches.

    Parameters
    ----------
    x : array or Pixels, shape (n, *input_shape)
        Kept as is: bytes stay bytes.
    input_shape : tuple of int
        The shape of one sample of the model. Samples of the same size but another shape are refused, except for a
        missing last axis of one channel.
    dtype : dtype
        Of the batches.

    Raises
    ------
    DataError
        If ``x`` is empty, ragged, not numeric, or holds NaN or Inf.
    ShapeError
        If its samples do not have the model's input shape.
    """

    def __init__(self, x: Any, input_shape: tuple[int, ...], dtype: Any, name: str = "x") -> None:
        self.scale = 1.0
        if isinstance(x, Pixels):
            self.scale, x = x.scale, x.array
        x = samples(x, name)
        if x.shape[1:] != input_shape and x.shape[1:] != input_shape[:-1] + (() if input_shape[-1:] == (1,) else (-1,)):
            raise ShapeError(f"{name}: the model expects {batch_expected(input_shape, x.shape, name)}")
        rows = np.ascontiguousarray(x).reshape(len(x), -1)
        if rows.dtype.kind == "f" and not _finite(rows):
            bad = ~np.isfinite(rows).all(axis=1)
            raise DataError(
                f"{name}: NaN or Inf in {int(bad.sum())} of {len(x)} samples, first in row {int(bad.argmax())}"
            )
        self.rows = self._kept(rows, name)
        self.input_shape, self.dtype = input_shape, np.dtype(dtype)
        self.workspace = Workspace()
        self.ready = self.rows.dtype == self.dtype and self.scale == 1.0

    @staticmethod
    def _kept(rows: np.ndarray, name: str) -> Any:
        try:
            return array_module().asarray(rows)
        except MemoryError:
            if array_module() is np:
                raise
            raise BackendError(
                f"{name}: the GPU's memory has no room for a data set of {rows.nbytes / 2**30:.2f} GiB"
            ) from None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: np.ndarray) -> Any:
        """The samples with these indices: a float array in a reused buffer."""
        out = self.workspace.take(self, "x", (len(indices), *self.input_shape), self.dtype)
        ops.gather(self.rows, array_module().asarray(indices), self.scale, out.reshape(len(indices), -1))
        return out

    def pick(self, name: str, array: Any, indices: np.ndarray) -> Any:
        """Rows of another array that belongs to the samples, such as targets."""
        if not _can_be_gathered(array):
            return array[indices]
        out = self.workspace.take(self, name, (len(indices), *array.shape[1:]), array.dtype)
        ops.gather(array.reshape(len(array), -1), indices, 1.0, out.reshape(len(indices), -1))
        return out

    def slice(self, start: int, stop: int) -> Any:
        """Consecutive samples, without a copy if they are already floats."""
        stop = min(stop, len(self))
        if self.ready:
            return self.rows[start:stop].reshape(stop - start, *self.input_shape)
        return self.take(np.arange(start, stop))


class Feed:
    """The data that a fit trains on; every step takes some rows.

    Parameters
    ----------
    source : Source
    targets : array, shape (n, ...)
    weights : array, shape (n,), optional
        Of the samples.
    """

    def __init__(self, source: Source, targets: Any, weights: Any = None) -> None:
        self.source, self.targets, self.weights = source, targets, weights
        # Whether kernels gather the rows, so that a recorded step can take different ones each time.
        self.gathered = all(map(_can_be_gathered, (targets, *([] if weights is None else [weights]))))

    def batch(self, indices: np.ndarray) -> tuple[Any, Any, Any]:
        """Samples, targets and weights (or None) with these indices."""
        pick = self.source.pick
        weights = None if self.weights is None else pick("weights", self.weights, indices)
        return self.source.take(indices), pick("targets", self.targets, indices), weights


class Shuffle:
    """The order in which training visits the samples: a function of (seed, step) alone, so a run can be resumed
    anywhere.

    A *pass* visits every sample once; the last batch of a pass may be short, and is dropped with ``drop_last``.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, drop_last: bool, seed: int) -> None:
        if drop_last and n < batch_size:
            raise DataError(f"drop_last leaves nothing: {n} samples are fewer than one batch of {batch_size}")
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.steps_per_pass = n // batch_size if drop_last else -(-n // batch_size)
        self._pass = -1
        self._order = np.arange(n)

    def indices(self, step: int) -> np.ndarray:
        """The samples of batch ``step``, counted from the beginning of training."""
        which, batch = divmod(step, self.steps_per_pass)
        if which != self._pass and self.shuffle:
            self._order = np.random.default_rng([self.seed, which]).permutation(self.n)
        self._pass = which
        start = batch * self.batch_size
        return self._order[start : start + self.batch_size]

    def together(self, step: int, most: int) -> np.ndarray:
        """The samples of this batch and the following ones, (batches, samples): at most ``most`` batches, all of one
        pass and one size.
        """
        first = self.indices(step)
        start = step % self.steps_per_pass * self.batch_size
        count = max(1, min(most, (self.n - start) // self.batch_size))
        return self._order[start : start + count * len(first)].reshape(count, len(first))

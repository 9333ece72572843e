"""Models to ONNX files and back, with the library ``onnx`` (``pip install 'scratchnet[interop]'``)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import as_float_dtype
from ..datasets.files import shown, write_atomically
from ..errors import CheckpointError
from ..model import require_model
from ..require import require
from ..safetensors_io import require_path

if TYPE_CHECKING:
    from ..model import Sequential

OPSET = 26
"""The newest operator set that both onnx 1.23 checks and onnxruntime 1.31 runs; see https://onnx.ai/onnx/."""


def export(model: Sequential, path: str | os.PathLike[str], dtype: str | None = None) -> None:
    """Write a model for inference as an ONNX file.

    The graph takes and returns what ``model.predict`` does: NHWC images with a free batch size. It transposes them to
    ONNX's NCHW at its first convolution or pooling, and back where the order of axes matters; SAME becomes explicit
    padding, with the odd row and column at the bottom and at the right.

    Parameters
    ----------
    model : Sequential
        Built.
    path : path-like
    dtype : {"float32", "float64"}, optional
        Of the file's numbers; by default the model's. ONNX has all operators in both, but onnxruntime does not run
        convolutions, means, global pooling, upsampling, leaky ReLU and the exact GELU in float64: a warning names
        those that a float64 file has, and ``dtype="float32"`` writes one that runs.

    Raises
    ------
    DependencyError
        If ``onnx`` is not installed.
    ShapeError
        If the model is not built.
    ConfigError
        If this is not a model, the dtype is neither, or a layer has no form in ONNX operators (naming it).
    CheckpointError
        If the file cannot be written.
    """
    require_model("interop.onnx.export", model)
    require_path(path)
    require("onnx", "interop.onnx.export")
    from .onnx_export import make_onnx, only_float32

    model.require_built()
    proto = make_onnx(model, OPSET, model.dtype if dtype is None else as_float_dtype(dtype))
    if unknown := only_float32(proto):
        warnings.warn(
            f"{shown(path)}: onnxruntime has no float64 {', '.join(unknown)}: export(model, path, dtype='float32') "
            "writes a file that it runs",
            stacklevel=2,
        )
    data = proto.SerializeToString()
    try:
        write_atomically(Path(path), data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or shown(error)
        raise CheckpointError(f"{shown(path)}: cannot be written: {reason}") from error


def import_model(path: str | os.PathLike[str]) -> Sequential:
    """The model in an ONNX file, if it is made of operators that scratchnet has layers for.

    Graphs are chains, or chains with sums of two branches (`Residual`). Images are taken as NHWC whatever the file
    takes; if a file from an NCHW framework flattens images, the rows of the next kernel are reordered.

    Raises
    ------
    DependencyError
        If ``onnx`` is not installed.
    CheckpointError
        If the file is damaged or not an ONNX file, or an operator or attribute in it has no layer (naming it). Nothing
        in the file is executed, and no other file that it may name is read.
    """
    require("onnx", "interop.onnx.import_model")
    from .onnx_import import read_onnx

    return read_onnx(path)

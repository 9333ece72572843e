"""Models to ONNX files and back, with the library ``onnx`` (``pip install 'scratchnet[interop]'``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets.files import shown, write_atomically
from ..errors import CheckpointError
from .require import require

if TYPE_CHECKING:
    from ..model import Sequential

OPSET = 26
"""The newest operator set that both onnx 1.23 checks and onnxruntime 1.31 runs; see https://onnx.ai/onnx/."""


def export(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Write a model for inference as an ONNX file.

    The graph takes and gives what ``model.predict`` does: NHWC images with a free batch size. It turns them to ONNX's
    NCHW at its first convolution or pooling and back where the axes' order matters; SAME becomes explicit padding,
    with the odd row and column at the bottom and at the right.

    Parameters
    ----------
    model : Sequential
        Built.
    path : path-like

    Raises
    ------
    DependencyError
        If ``onnx`` is not installed.
    ShapeError
        If the model is not built.
    ConfigError
        If it has a layer that ONNX operators are not written for: names it.
    CheckpointError
        If the file cannot be written.
    """
    require("onnx", "interop.onnx.export")
    from .onnx_export import make_onnx

    model.require_built()
    data = make_onnx(model, OPSET).SerializeToString()
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise CheckpointError(f"{shown(path)}: cannot be written: {error.strerror}") from error


def import_model(path: str | os.PathLike[str]) -> Sequential:
    """The model in an ONNX file, if it is made of operators that scratchnet has layers for.

    Graphs are chains, or chains with sums of two branches (`Residual`). Images are taken as NHWC whatever the file
    takes; where a file from an NCHW framework flattens images, the rows of the next kernel are put in our order.

    Raises
    ------
    DependencyError
        If ``onnx`` is not installed.
    CheckpointError
        If the file is damaged or no ONNX file, or an operator or attribute in it has no layer: names it. Nothing in
        the file is executed, and no other file that it may name is read.
    """
    require("onnx", "interop.onnx.import_model")
    from .onnx_import import read_onnx

    return read_onnx(path)

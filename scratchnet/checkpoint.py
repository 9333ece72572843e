"""Models and training checkpoints as files: one ``.safetensors`` file each, no pickle, nothing that could run.

Models and weights are also written and read as Keras's files (keras_format/) if a name has one of their suffixes.
Ours hold the weights under ``layer/name``, the optimizer's slots under ``optimizer/name``, and a JSON content:
architecture, compile settings and, in a checkpoint, where the fit stands and the states of its callbacks.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import formats, initializers, losses, metrics, optimizers, safetensors_io, saved_model
from .datasets.files import remove_leftovers, shown
from .errors import CheckpointError
from .layers.serialization import custom_objects as with_classes
from .layers.serialization import deserialize
from .numerics import require_finite
from .safetensors_io import NewerFormatError, SaveError
from .saved_model import one_line
from .training import Progress, set_steps

if TYPE_CHECKING:
    from .model import Sequential

__all__ = [
    "NewerFormatError", "SaveError", "load_model", "load_weights", "open_folder", "resume", "save_generation",
    "save_model", "save_training", "save_weights",
]  # fmt: skip

PathLike = str | os.PathLike[str]
NAMES = ("checkpoint-a.safetensors", "checkpoint-b.safetensors")
"""The two generations of a folder: even and odd ones alternate."""


def save_model(model: Sequential, path: PathLike) -> None:
    """Write architecture, weights, compile settings and optimizer state into one file, all or nothing.

    The suffix ``.keras`` makes it a file of Keras's; any other name one of ours.

    Raises
    ------
    CheckpointError
        If the file cannot be written, or the model holds something that cannot be saved, or that Keras lacks.
    DependencyError
        If it is to be one of Keras's, and h5py is not installed.
    """
    if formats.writes_keras(path, weights=False):
        from .keras_format import files as keras_files

        keras_files.save_model(model, path)
        return
    safetensors_io.write(path, *saved_model.describe_model(model))


def save_weights(model: Sequential, path: PathLike) -> None:
    """Write only the weights, for Keras if the suffix is ``.weights.h5``. Raises as `save_model` does."""
    if formats.writes_keras(path, weights=True):
        from .keras_format import files as keras_files

        keras_files.save_weights(model, path)
        return
    safetensors_io.write(path, *saved_model.describe_weights(model))


def save_training(model: Sequential, path: PathLike, generation: int = 0) -> None:
    """Write what `save_model` writes, and all that is needed to resume the running fit.

    Raises
    ------
    CheckpointError
        If the file cannot be written, no fit has begun, or the state of a callback cannot be saved.
    NumericsError
        If the weights hold NaN or Inf; what the file held before is still there.
    """
    require_finite(model)
    safetensors_io.write(path, *saved_model.describe_fit(model, generation))


def load_model(path: PathLike, custom_objects: Mapping[str, type] | None = None, compile: bool = True) -> Any:
    """Load the model that `save_model`, or Keras, wrote, compiled as before and with its optimizer's state.

    Parameters
    ----------
    path : path-like
    custom_objects : dict of str to Layer or Loss class, optional
        User-defined classes in the model; those under ``@sn.layers.register`` are already known.
    compile : bool
        Whether to restore optimizer, loss and metrics too. Metrics that were functions cannot be restored.

    Returns
    -------
    Sequential
        From a checkpoint, its ``progress`` says where the fit stood: ``model.fit(..., progress=model.progress)``.

    Raises
    ------
    CheckpointError
        One line, whatever the file holds. Nothing in it is ever run: only classes that are named here or registered
        are instantiated, and their parameters are never larger than the file.
    DependencyError
        If it is a file of Keras's (``.keras``, ``.h5``), and h5py is not installed.
    """
    from .model import Sequential

    if formats.reads_keras(path):
        from .keras_format import files as keras_files

        return keras_files.load_model(path, custom_objects, compile)
    arrays, content = safetensors_io.read(path)
    name = shown(path)
    with one_line(name), with_classes(custom_objects):
        if content["kind"] == "weights":
            raise CheckpointError("holds weights without a network: build the model, then model.load_weights(path)")
        with initializers.blank(sum(arrays[key].size for key in content["weights"])):
            model: Any = deserialize(content["architecture"])
            if not isinstance(model, Sequential):
                raise CheckpointError(f"holds a {type(model).__name__}, expected a Sequential")
            model.build(content["input_shape"])
        saved_model.put(saved_model.match_weights(model, arrays, content, True))
    if compile and content["optimizer"] is not None:
        with one_line(f"{name}: compile settings (compile=False leaves them out)"), with_classes(custom_objects):
            loss = None if content["loss"] is None else losses.get(content["loss"])
            measured = [metrics.get(metric) for metric in content["metrics"] if metric is not None]
            # Files of the first versions have neither.
            how = {name: content[name] for name in ("precision", "capture") if name in content}
            model.compile(optimizers.get(content["optimizer"]), loss, measured, **how)
            if content["iterations"]:
                saved_model.put(saved_model.match_slots(model, content))
                set_steps(model, saved_model.count(content["iterations"]))
            if content["kind"] == "training":
                model.progress = saved_model.progress_of(content)
    return model


def load_weights(model: Sequential, path: PathLike) -> None:
    """Load the weights that `save_weights`, `save_model`, a callback or Keras wrote into a model of the same layers.

    Weights of another float type are converted. Nothing changes unless all of them fit.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its weights are not the model's; the message names the first that differs.
    DependencyError
        If it is a file of Keras's (``.keras``, ``.h5``), and h5py is not installed.
    """
    model.require_built()
    if formats.reads_keras(path):
        from .keras_format import files as keras_files

        keras_files.load_weights(model, path)
        return
    arrays, content = safetensors_io.read(path)
    with one_line(shown(path)):
        saved_model.put(saved_model.match_weights(model, arrays, content, False))


def resume(source: PathLike, model: Sequential, warn: Callable[[str], Any] = warnings.warn) -> Progress | None:
    """Restore a model to the state of the fit that wrote these checkpoints.

    Parameters
    ----------
    source : path-like
        The folder of a `TrainingCheckpoint`, or one file of that or of a `ModelCheckpoint`.
    model : Sequential
        Built and compiled like the one that was trained.
    warn : callable (message)
        Called when a damaged checkpoint is skipped in favor of the other generation.

    Returns
    -------
    Progress or None
        For ``model.fit(..., progress=progress)``; None if the folder holds no checkpoint.

    Raises
    ------
    CheckpointError
        If no checkpoint there can be read, or it is of another network, optimizer or loss. The model is then unchanged.
    """
    source = Path(source)
    paths = [source / name for name in NAMES if os.path.lexists(source / name)]
    if os.path.lexists(source) and not source.is_dir():
        paths = [source]
    found, problems = [], []
    for path in paths:
        try:
            arrays, content = safetensors_io.read(path)
            with one_line(shown(path)):
                if content["kind"] != "training":
                    raise CheckpointError("holds no training checkpoint; load_model opens it")
                progress = saved_model.progress_of(content)
            found.append((progress.generation, path, arrays, content, progress))
        except NewerFormatError:
            raise
        except CheckpointError as error:
            problems.append(str(error))
    if not found:
        if problems:
            raise CheckpointError(f"{'; '.join(problems)}; to begin anew, delete what is damaged")
        return None
    _, path, arrays, content, progress = max(found, key=lambda item: item[0])
    with one_line(shown(path)):
        saved_model.restore(model, arrays, content)
    for problem in problems:
        warn(f"{problem}; going on from {path.name}: epoch {progress.epoch + 1}, step {progress.step}")
    progress.folder = str(source.resolve()) if source.is_dir() else ""
    return progress


def open_folder(folder: Path, model: Sequential) -> None:
    """Make a folder for the checkpoints of a new fit, or reuse it if the fit was resumed from there.

    Raises
    ------
    CheckpointError
        If it cannot be made, or holds the checkpoints of another fit, which are not overwritten.
    """
    assert model.progress is not None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder, "checkpoint-?.safetensors")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or shown(error)
        raise SaveError(f"{shown(folder)}: checkpoints cannot be written here: {reason}") from error
    home = str(folder.resolve())
    if model.progress.folder != home:
        model.progress.folder, model.progress.generation = home, 0
        if any(os.path.lexists(folder / name) for name in NAMES):
            raise CheckpointError(
                f"{shown(folder)}: holds the checkpoints of another fit: go on with that one "
                "(progress=checkpoint.resume(folder, model)), delete them, or choose another folder"
            )


def save_generation(model: Sequential, folder: Path) -> None:
    """Write the next checkpoint of a folder, in place of the one before the last.

    Raises
    ------
    CheckpointError
        If it cannot be written; or, after the first, if the disk has no room for the next ones.
    NumericsError
        If the weights hold NaN or Inf. Earlier checkpoints are kept in any case.
    """
    assert model.progress is not None
    generation = model.progress.generation + 1
    path = folder / NAMES[generation % 2]
    save_training(model, path, generation)
    model.progress.generation = generation
    if generation == 1:
        size, free = path.stat().st_size, shutil.disk_usage(folder).free
        if free < 2 * size:  # the other generation, and the next one while it is being written
            raise SaveError(f"{shown(folder)}: checkpoints need {2 * size:,} bytes more, the disk has {free:,} left")

"""Models as files of Keras's: what `checkpoint` does for names that end in ``.keras``, ``.weights.h5`` or ``.h5``."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import initializers
from ..datasets.files import shown, write_atomically
from ..errors import CheckpointError, ConfigError, DependencyError, ScratchnetError
from ..layers.serialization import custom_objects as with_classes
from ..require import require
from ..safetensors_io import SaveError, parse
from .containers import CONFIG, METADATA, WEIGHTS, Opened, opened, packed, sealed
from .parts import compiled, describe_compiled, describe_layer, of_one_output, stack_of
from .state import read_state, write_state
from .weights import read_weights, weights_in, write_weights

if TYPE_CHECKING:
    from ..model import Sequential

KERAS = "3.0.0"  # the version that the files claim to be of: the first with this format
INSTEAD = "a .safetensors file keeps everything"


def save_model(model: Sequential, path: Any) -> None:
    """Write the zip archive that Keras 3 calls a model: architecture, compile settings, weights, optimizer's state.

    Raises
    ------
    DependencyError
        If h5py is not installed.
    CheckpointError
        If the file cannot be written, or Keras lacks something that the model has, naming it.
    """
    with _saving(path):
        model.require_built()
        description = describe_layer(model)
        if model.optimizer is not None:
            description["compile_config"] = describe_compiled(model)
        config = json.dumps(description)
        metadata = json.dumps({"keras_version": KERAS, "written_by": "scratchnet"})
        members = {METADATA: metadata.encode(), CONFIG: config.encode(), WEIGHTS: _tree(model, True)}
        write_atomically(Path(path), packed(members))


def save_weights(model: Sequential, path: Any) -> None:
    """Write the HDF5 file that Keras 3 calls weights. Raises as `save_model` does."""
    with _saving(path):
        model.require_built()
        write_atomically(Path(path), sealed(_tree(model, False)))


def _tree(model: Sequential, whole: bool) -> bytes:
    h5py, buffer = require("h5py", "a file of Keras's"), io.BytesIO()
    with h5py.File(buffer, "w") as tree:
        write_weights(tree, model)
        if whole and model.optimizer is not None:
            write_state(tree, model)
    return buffer.getvalue()


@contextmanager
def _saving(path: Any) -> Iterator[None]:
    name = shown(path)
    try:
        yield
    except (ConfigError, CheckpointError) as error:
        raise CheckpointError(f"{name}: cannot be saved for Keras: {error}; {INSTEAD}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, ScratchnetError):
            raise
        raise SaveError(f"{name}: cannot be written: {getattr(error, 'strerror', None) or shown(error)}") from error


def load_weights(model: Sequential, path: Any) -> None:
    """Read the weights from a file of Keras's, all or none; CheckpointError if it is not one of this model's."""
    with _loading():
        model.set_weights(read_weights(path, model, "model.load_weights"))


def load_model(path: Any, custom_objects: Any, compile: bool) -> Any:
    """The model in a ``.keras`` or ``.h5`` file, compiled as before if ``compile``.

    Raises
    ------
    DependencyError
        If h5py is not installed.
    CheckpointError
        One line, whatever the file holds. Nothing in it is ever run: only layers of scratchnet's that Keras has, too,
        are made, and their parameters are never larger than the file.
    """
    with _loading(), opened(path, "load_model") as file, with_classes(custom_objects):
        description, settings = _described(file)
        with initializers.blank(file.size // 4):  # bytes of a float32
            model = stack_of(description)
            if not model.built:
                raise CheckpointError("does not say the shape of the model's inputs")
        model.set_weights(weights_in(file, model))
        if compile and settings:
            try:
                model.compile(**compiled(settings))
                read_state(file, model)
            except (ScratchnetError, KeyError, TypeError) as error:
                what = "compile settings (compile=False leaves them out)"
                raise CheckpointError(f"{what}: {error}") from error
        return model


def _described(file: Opened) -> tuple[Any, Any]:
    """The architecture and the compile settings, from an archive of Keras 3 or from the attributes that Keras 2 set."""
    if file.config is not None:
        description = parse(file.config)
        return description, description.get("compile_config") if isinstance(description, dict) else None
    texts = [file.tree.attrs.get(name) for name in ("model_config", "training_config")]
    if texts[0] is None:
        raise CheckpointError("holds weights without a network: build the model, then model.load_weights(path)")
    description, settings = (parse(text if isinstance(text, bytes) else str(text or "{}").encode()) for text in texts)
    return description, _of_keras_2(settings)


def _of_keras_2(settings: dict[str, Any]) -> dict[str, Any]:
    """Compile settings that Keras 2 wrote, in the words of Keras 3."""
    if not settings:
        return settings
    optimizer, loss = settings.pop("optimizer_config"), settings.get("loss")
    for name in ("jit_compile", "is_legacy_optimizer"):
        optimizer["config"].pop(name, None)
    if isinstance(loss, dict) and loss["config"].get("reduction") == "auto":
        loss["config"].pop("reduction")
    settings["metrics"] = [_metric_of_keras_2(one) for one in of_one_output(settings.get("metrics")) or []]
    return {**settings, "optimizer": optimizer}


def _metric_of_keras_2(metric: Any) -> Any:
    if not isinstance(metric, dict) or metric.get("class_name") != "MeanMetricWrapper":
        return metric
    name = metric["config"].get("name")
    return name if name in ("accuracy", "acc") else metric["config"]["fn"]


@contextmanager
def _loading() -> Iterator[None]:
    try:
        yield
    except (CheckpointError, DependencyError):
        raise
    except ScratchnetError as error:
        raise CheckpointError(str(error)) from error

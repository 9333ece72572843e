"""A recipe: a network, its data and its training as one TOML file, and the objects made from it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets
from ..datasets.catalog import BUILT_IN
from ..datasets.files import shown
from ..datasets.labels import class_numbers
from ..errors import ConfigError, DataError, RecipeError, ScratchnetError, ShapeError
from ..model import Sequential
from . import sources, toml
from .parts import Parts
from .schema import Content, refusal, suggest, validate

Samples = tuple[Any, np.ndarray]


@dataclass(frozen=True)
class RecipeData:
    """What a recipe trains and tests on; uint8 samples stay bytes (`scratchnet.datasets.Pixels`)."""

    train: Samples
    validation: Samples | None
    test: Samples
    class_names: tuple[str, ...]
    sample_shape: tuple[int, ...] = ()  # as the data have it, before ``[data] shape``
    scale: float = 1 / 255

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Number of training, validation and test samples."""
        return len(self.train[0]), len(self.validation[0]) if self.validation else 0, len(self.test[0])

    def sha256(self) -> str:
        """A digest of all samples, labels and names of classes: the same as long as the files hold the same."""
        digest = hashlib.sha256(json.dumps(self.class_names).encode())
        for part in (*self.train, *(self.validation or ()), *self.test):
            array = part.array if isinstance(part, datasets.Pixels) else part
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def described(self) -> dict[str, Any]:
        """What the samples look like, so that a user's own picture can be made to resemble them.

        ``background`` is the median gray level (0 to 255) around the edge of up to 1,000 training samples; None if they
        are not bytes, or not pictures.
        """
        x, shape, background = self.train[0], self.sample_shape, None
        if isinstance(x, datasets.Pixels) and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))):
            some = x.array[:1000].reshape(-1, *shape)
            edges = [some[:, 0], some[:, -1], some[:, :, 0], some[:, :, -1]]
            background = float(np.median(np.concatenate([edge.ravel() for edge in edges]))) * self.scale * 255
        names = list(self.class_names)
        return {"shape": list(shape), "scale": self.scale, "background": background, "class_names": names}

    def names_for(self, outputs: int) -> list[str]:
        """A name for every output of a network: numbers if it has more outputs than the data have classes."""
        return [*self.class_names, *(str(number) for number in range(len(self.class_names), outputs))]

    def check_labels(self, classes: int) -> None:
        """Refuse labels that a network with this many outputs cannot predict, before it is trained.

        Raises
        ------
        DataError
            Naming where the label is, and its value.
        """
        for name, (_, y) in {"y_train": self.train, "y_test": self.test}.items():
            highest = int(class_numbers(y).max())
            if highest >= classes:
                raise DataError(
                    f"{name}: expected labels from 0 to {classes - 1}, the network's outputs, got {highest}"
                )


class Recipe:
    """A checked recipe.

    Parameters
    ----------
    content : dict
        What the TOML file says.
    text : str
        The file's text, in which the lines for messages are looked up.
    where : str
        The file's name, for messages.
    folder : Path
        Where a relative path to data starts.

    Raises
    ------
    RecipeError
        For an unknown key, layer, argument, loss, optimizer or initializer (suggesting the right one), and for a value
        that does not fit (naming the key and its line).
    """

    def __init__(self, content: dict[str, Any], text: str, where: str, folder: Path) -> None:
        self.where, self.text, self.folder = where, text, folder
        self.content: Content = validate(content, text, where)
        self.make_layers()
        self.make_loss()
        self.make_optimizer()
        self._check_dataset()

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a recipe from a TOML file, which may have any content; a bad one is refused in one line."""
        content, text = toml.read(path)
        return cls(content, text, shown(path), Path(path).parent)

    @property
    def name(self) -> str:
        """Its short name."""
        return self.content.recipe.name

    def as_dict(self) -> dict[str, Any]:
        """The content with all defaults filled in, None left out."""
        return self.content.model_dump(exclude_none=True)

    def as_toml(self) -> str:
        """The content with all defaults filled in, as TOML; it reads back as the same recipe from any folder."""
        content = self.as_dict()
        if self.content.data.dataset not in BUILT_IN:
            for key in content["data"].keys() & {"dataset", "test_dataset"}:
                content["data"][key] = str((self.folder / content["data"][key]).absolute())
        return toml.write(content)

    def replace(self, **training: Any) -> Recipe:
        """The same recipe with other values in ``[training]``; ``epochs`` takes the place of ``steps`` and vice versa.

        Raises
        ------
        RecipeError
            If a value does not fit.
        """
        content = self.as_dict()
        for key, value in training.items():
            if key in ("epochs", "steps"):
                content["training"].pop("steps" if key == "epochs" else "epochs", None)
            content["training"][key] = value
        Recipe(content, "", "given options", self.folder)  # the file's lines are not to blame for these values
        return Recipe(content, self.text, self.where, self.folder)

    # What is made from it -------------------------------------------------------------------------------------------

    def make_layers(self) -> list[Any]:
        """The layers, not built yet."""
        parts = Parts(self.where, self.text)
        return [parts.layer(table, ("layers", index)) for index, table in enumerate(self.content.layers)]

    def make_loss(self) -> Any:
        """The loss."""
        return Parts(self.where, self.text).named("loss", self.content.training.loss, ("training", "loss"))

    def make_optimizer(self) -> Any:
        """The optimizer."""
        return Parts(self.where, self.text).named(
            "optimizer", self.content.training.optimizer, ("training", "optimizer")
        )

    def make_model(self, input_shape: tuple[int, ...] | None = None) -> Sequential:
        """The network, built and compiled, with new initial weights.

        Parameters
        ----------
        input_shape : tuple of int, optional
            Shape of one sample; ``[data] shape`` when left out.

        Raises
        ------
        RecipeError
            If the layers do not fit each other, the network does not fit into memory, or the number of parameters is
            not the expected one.
        """
        shape = tuple(self.content.data.shape or input_shape or ())
        try:
            model = Sequential(self.make_layers(), name=self.name)
            model.build(shape)
        except MemoryError:
            raise RecipeError(f"{self.where}: the network does not fit into memory") from None
        except ScratchnetError as error:
            raise RecipeError(f"{self.where}: {error}") from None
        expected, got = self.content.expect.parameters, model.count_params()
        if expected is not None and got != expected:
            raise self._refusal(("expect", "parameters"), f"expected {expected:,}, the network has {got:,}")
        model.compile(self.make_optimizer(), self.make_loss(), metrics=["accuracy"])
        return model

    def check_fit(self, model: Sequential, data: RecipeData) -> None:
        """Refuse labels that the network or the loss cannot use, before anything is trained.

        Raises
        ------
        DataError
            As `RecipeData.check_labels`.
        RecipeError
            If the loss takes targets of another form.
        """
        data.check_labels(model.output_shape[-1])
        try:
            model.loss.prepare_targets(data.train[1][:1], model.output_shape)
        except ShapeError:
            loss = self.content.training.loss["name"]
            form, other = ("one-hot rows", "false") if self.content.data.one_hot else ("class numbers", "true")
            outputs = " x ".join(map(str, model.output_shape))
            raise self._refusal(
                ("training", "loss"),
                f"{loss} does not take the labels as {form} for the network's {outputs} outputs: "
                f"set [data] one_hot = {other}, or choose another loss",
            ) from None

    def load_data(self, data_dir: str | os.PathLike[str] | None = None) -> RecipeData:
        """Training, validation and test samples in the recipe's shape.

        Raises
        ------
        DataError
            If the data cannot be obtained or used.
        RecipeError
            If ``[data]`` does not fit them.
        """
        return self.arranged(sources.load(self.content.data, self.folder, data_dir))

    def arranged(self, loaded: sources.Loaded) -> RecipeData:
        """Samples as stored, in the form that `load_data` returns."""
        section = self.content.data
        names = loaded.class_names
        shape = loaded.train[0].shape[1:]
        x, y = self._shaped(loaded.train[0], loaded.scale), self._labels(loaded.train[1], len(names))
        x_test, y_test = self._shaped(loaded.test[0], loaded.scale), self._labels(loaded.test[1], len(names))
        validation = None
        if section.validation:
            try:
                (x, y), validation = datasets.train_validation_split(x, y, section.validation)
            except ConfigError:
                message = f"expected fewer than the {len(x)} training samples, got {section.validation}"
                raise self._refusal(("data", "validation"), message) from None
        return RecipeData((x, y), validation, (x_test, y_test), names, shape, loaded.scale)

    def _shaped(self, x: np.ndarray, scale: float) -> Any:
        shape = tuple(self.content.data.shape or x.shape[1:])
        samples: Any = datasets.Pixels(x, scale) if x.dtype == np.uint8 else x
        try:
            return samples.reshape(shape) if x.dtype == np.uint8 else x.reshape(len(x), *shape)
        except (ShapeError, ValueError):
            message = f"{list(shape)} does not hold the data's samples of shape {list(x.shape[1:])}"
            raise self._refusal(("data", "shape"), message) from None

    def _labels(self, y: np.ndarray, classes: int) -> np.ndarray:
        numbers = class_numbers(y)
        return datasets.to_categorical(numbers, classes).astype(np.float32) if self.content.data.one_hot else numbers

    def _check_dataset(self) -> None:
        section = self.content.data
        kind = sources.kind_of(section, self.folder)
        if kind is None:
            hint = suggest(section.dataset, list(BUILT_IN))
            what = f"there is no data set {shown(repr(section.dataset))}: {hint}"
            raise self._refusal(("data", "dataset"), f"{what}, or the path of a .npz, a .csv or a folder of pictures")
        for other, keys in sources.KEYS.items():
            for key in keys:
                if getattr(section, key) is not None and key not in sources.KEYS.get(kind, ()):
                    raise self._refusal(("data", key), f"is for a {other}, {shown(section.dataset)} is none")

    def _refusal(self, path: toml.Path, message: str) -> RecipeError:
        return refusal(self.where, self.text, path, message)

"""Names that a user types: which one was probably meant, and which ones a module offers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from opcode import opmap
from types import FrameType
from typing import Any

from .errors import ConfigError

CUTOFF = 0.75  # of difflib's similarity: "tahn" for "tanh" has it, most other words of Keras's are below

_FUNCTIONAL = "there is no functional API: Sequential, and Residual for a way around layers"
_ARRAYS = "fit takes arrays of all samples; for data too large for memory, a loop with train_on_batch"
_PICTURES = "change the arrays before fit, or write a layer"
_RANDOM_PICTURES = f"RandomFlip and RandomTranslation are here; otherwise {_PICTURES} that acts only in training"
_OWN_LAYER = "a layer of your own, with forward and backward"
_OWN_LOSS = "a loss of your own, because its derivative is needed; a metric can be a function"
_SCORES = "a function f(y_true, y_pred), or what scikit-learn says of model.predict(x)"
_OWN_OPTIMIZER = "an optimizer of your own, with update"
_OTHER_DATA = "there is none: datasets.load_npz, load_csv and load_image_folder read files"
_SEQUENCES = "there is none: scratchnet is about images and vectors"
_STEP = "loss_and_gradients(x, y) fills every layer.grads, and train_on_batch(x, y) takes a step"
_NUMPY = "arrays are NumPy's, and so are functions of arrays"
_FOLDERS = "datasets.load_image_folder reads folders of pictures; RandomFlip and RandomTranslation vary pictures"
_SKLEARN = "interop.sklearn.SequentialClassifier is one"

# What takes the place of names that Keras or TensorFlow has, or had: the words on the left, without underscores.
INSTEAD = {
    word: help
    for words, help in {
        "activityregularization activityregularizer": "only weights are regularized: a layer of your own",
        "adafactor adamax ftrl lamb lion muon": _OWN_OPTIMIZER,
        "add concatenate functional model": _FUNCTIONAL,
        "addweight": "make it in build, with add_param(name, shape, initializer, rng)",
        "alphadropout gaussiandropout lambda permute prelu spatialdropout2d": _OWN_LAYER,
        "applications": "there are no pretrained networks",
        "applygradients minimize": _STEP,
        "backupandrestore": "TrainingCheckpoint does this",
        "binaryfocalcrossentropy categoricalfocalcrossentropy": _OWN_LOSS,
        "bostonhousing californiahousing cifar10 cifar100 imdb reuters": _OTHER_DATA,
        "cast constant converttotensor math ops reducemax reducemean reducesum variable": _NUMPY,
        "categoricalhinge cosinesimilarity dice tversky": _OWN_LOSS,
        "centercrop resizing": _PICTURES,
        "compat": "there is nothing of TensorFlow 1",
        "constraints": "there are none: a callback can change layer.kernel after every batch",
        "conv1d convolution1d": "Reshape((1, steps, channels)), then Conv2D(filters, (1, size))",
        "data dataset evaluategenerator fitgenerator predictgenerator pydataset sequence": _ARRAYS,
        "decay": "a schedule does this: learning_rate=InverseTimeDecay(rate, 1, decay)",
        "distribute distribution": "one CPU, or one GPU",
        "experimental": "what is here has its stable name, as in layers.Rescaling",
        "export": "model.save; or interop.onnx.export, for other programs",
        "fbetascore meaniou precisionatrecall r2score recallatprecision": _SCORES,
        "function": "kernels are compiled, whatever the function",
        "gradienttape": "layers have backward(dy), and models loss_and_gradients(x, y)",
        "groupnormalization rmsnormalization": "LayerNormalization and BatchNormalization are here",
        "gru lstm simplernn embedding bidirectional multiheadattention textvectorization": _SEQUENCES,
        "identity": 'Activation("linear")',
        "imagedatagenerator randombrightness randomcontrast randomcrop randomrotation randomzoom": _RANDOM_PICTURES,
        "imagedatasetfromdirectory": "datasets.load_image_folder",
        "init": "it is called kernel_initializer",
        "kerasclassifier kerasregressor sklearnclassifier sklearnregressor wrappers": _SKLEARN,
        "latestcheckpoint": "ModelCheckpoint and save_weights write files; load_weights takes the name of one",
        "legacy": "there is one of each, and it is Keras 3's",
        "listphysicaldevices test": "get_backend() says where the arithmetic runs",
        "lr": "it is called learning_rate",
        "masking": "there are no masks",
        "meanabsolutepercentageerror meansquaredlogarithmicerror mape msle": _OWN_LOSS,
        "modeltodot plotmodel": "model.summary(), or the graph in TensorBoard's logs",
        "nbepoch": "it is called epochs",
        "nputils": "to_categorical is in utils",
        "onehot": "utils.to_categorical(y, classes)",
        "predictproba": "predict returns probabilities if the model ends in softmax or sigmoid",
        "preprocessing": _FOLDERS,
        "remotemonitor swapemaweights": "a callback of your own",
        "resetmetrics": "each train_on_batch and test_on_batch starts its metrics anew",
        "resetstates": "it is called reset_state",
        "sensitivityatspecificity specificityatsensitivity": _SCORES,
        "thresholdedrelu": "ReLU(threshold=theta)",
        "toyaml": "to_json() is here",
        "version": "it is __version__",
    }.items()
    for word in words.split()
}

MODULES = INSTEAD | {
    **dict.fromkeys(("advancedactivations", "convolutional", "core"), "all layers are in scratchnet.layers"),
    "keras": "its modules are scratchnet's: scratchnet.layers, scratchnet.models and so on",
}
FUNCTIONS = {
    "activation": "a function of your own has no derivative: a layer with forward and backward can be an activation",
    "initializer": "instead of a function a subclass of initializers.Initializer, with draw(shape, rng)",
    "loss": "a function has no derivative: a loss is a class, with evaluate, which fills dy",
    "regularizer": "instead of a function L1, L2 or L1L2",
}
"""What takes the place of a function that Keras would take, by what it would be."""


def hint(word: str, choices: Iterable[str]) -> str:
    """The end of a message: what to write instead of a word that is not one of the choices; or nothing."""
    if folded(word) in INSTEAD:
        return f": {INSTEAD[folded(word)]}"
    meant = closest(word, choices)
    return f": did you mean {meant!r}?" if meant else ""


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant, regardless of case and underscores: the only one that begins with the word,
    or the most similar one; None if none is close.
    """
    spelled: dict[str, list[str]] = {}
    for choice in choices:
        spelled.setdefault(folded(choice), []).append(choice)
    longer = [choice for choice in spelled if len(word) > 2 and choice.startswith(folded(word))]
    found = longer if len(longer) == 1 else get_close_matches(folded(word), spelled, n=1, cutoff=CUTOFF)
    return get_close_matches(word, spelled[found[0]], n=1, cutoff=0)[0] if found else None


def folded(name: str) -> str:
    """A common form of ``"adam_w"``, ``"adamw"`` and ``"AdamW"``."""
    return name.lower().replace("_", "").replace("-", "")


def unknown(what: str, given: Any, choices: Iterable[str], others: str = "") -> ConfigError:
    """The error for an unknown choice: "expected one of relu, tanh, got 'rellu': did you mean 'relu'?"."""
    help = hint(given, choices) if isinstance(given, str) else ""
    if callable(given) and not isinstance(given, type) and what in FUNCTIONS:
        help = f": {FUNCTIONS[what]}"
    return ConfigError(f"{what}: expected one of {', '.join(choices)}{others}, got {given!r:.80}{help}")


def no_attribute(owner: Any, name: str, instead: Mapping[str, str] = INSTEAD) -> AttributeError:
    """The error for an attribute that an object does not have: what takes its place, if it is one of Keras's."""
    help = f": {instead[folded(name)]}" if folded(name) in instead else ""
    return AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}{help}")


class Modules:
    """Keras's modules that are not here, such as ``preprocessing``: their import fails with what takes their place.

    It stands last in ``sys.meta_path``, where Python asks whoever can import a module that nobody else has found.
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """None; ModuleNotFoundError for one of those."""
        module = folded(name.rpartition(".")[2])
        if name.partition(".")[0] == __name__.partition(".")[0] and module in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}: {MODULES[module]}", name=name)


def public(module: str, elsewhere: Callable[[str], str] | None = None) -> dict[str, Callable[..., Any]]:
    """``__getattr__`` and ``__dir__`` of one of our modules: a wrong name gets a hint, and Tab shows public names.

    Those are ``__all__`` or, without it, the names defined in the module (for a package, in scratchnet) that do not
    start with an underscore. ``elsewhere(name)`` says where else a name is, or nothing.
    """
    content = vars(sys.modules[module])
    home = __name__.partition(".")[0] if "__path__" in content else module

    def names() -> list[str]:
        made = {name: getattr(value, "__module__", None) or "" for name, value in content.items()}
        ours = [name for name, where in made.items() if f"{where}.".startswith(f"{home}.") and not name.startswith("_")]
        return sorted(content.get("__all__") or ours)

    def missing(name: str) -> Any:
        if name.startswith("_"):
            help = ""
        elif elsewhere is not None and folded(name) not in INSTEAD and (place := elsewhere(name)):
            help = f": it is {place}"
        else:
            help = hint(name, names())
        if _imports_it(sys._getframe(1)):
            raise ImportError(f"cannot import name {name!r} from {module!r}{help}")
        # Without a name Python adds no hint of its own, which would appear in a traceback but not in a notebook.
        raise AttributeError(f"module {module!r} has no attribute {name!r}{help}", name=None)

    return {"__getattr__": missing, "__dir__": names}


def _imports_it(frame: FrameType | None) -> bool:
    """Whether a module's attribute is wanted for ``from module import name``: Python would then replace the message of
    an AttributeError by one without a hint.
    """
    while frame is not None and frame.f_code.co_name == "__getattr__":
        frame = frame.f_back
    return frame is not None and frame.f_code.co_code[frame.f_lasti] == opmap.get("IMPORT_FROM")

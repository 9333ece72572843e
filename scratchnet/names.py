"""Names that a user types: which one was probably meant, and which ones a module offers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
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
_OWN_LOSS = "a loss of your own, because its derivative is needed"
_OWN_OPTIMIZER = "an optimizer of your own, with update"
_OTHER_DATA = "there is none: datasets.load_npz, load_csv and load_image_folder read files"
_SEQUENCES = "there is none: scratchnet is about images and vectors"
_STEP = "loss_and_gradients(x, y) fills every layer.grads, and train_on_batch(x, y) takes a step"
_SKLEARN = "interop.sklearn.SequentialClassifier is one"

# What takes the place of names that Keras or TensorFlow has, or had: the words on the left, without underscores.
INSTEAD = {
    word: help
    for words, help in {
        "add concatenate functional model": _FUNCTIONAL,
        "addweight": "make it in build, with add_param(name, shape, initializer, rng)",
        "applications": "there are no pretrained networks",
        "applygradients minimize": _STEP,
        "backupandrestore": "TrainingCheckpoint does this",
        "bostonhousing californiahousing cifar10 cifar100 imdb reuters": _OTHER_DATA,
        "cast constant converttotensor math ops variable": "arrays are NumPy's, and so are functions of arrays",
        "conv1d convolution1d": "Reshape((1, steps, channels)), then Conv2D(filters, (1, size))",
        "cosinedecayrestarts": "a schedule of your own",
        "adafactor adamax ftrl lamb lion muon": _OWN_OPTIMIZER,
        "cosinesimilarity": _OWN_LOSS,
        "data dataset evaluategenerator fitgenerator predictgenerator pydataset sequence": _ARRAYS,
        "decay": "a schedule does this: learning_rate=InverseTimeDecay(rate, 1, decay)",
        "elu": 'Activation("elu")',
        "experimental listphysicaldevices test": "get_backend() says where the arithmetic runs",
        "function": "kernels are compiled, whatever the function",
        "lambda prelu spatialdropout2d thresholdedrelu": _OWN_LAYER,
        "gradienttape": "layers have backward(dy), and models loss_and_gradients(x, y)",
        "gru lstm simplernn embedding bidirectional multiheadattention textvectorization": _SEQUENCES,
        "imagedatagenerator randombrightness randomcontrast randomcrop randomrotation randomzoom": _RANDOM_PICTURES,
        "normalization resizing": _PICTURES,
        "imagedatasetfromdirectory": "datasets.load_image_folder",
        "init": "it is called kernel_initializer",
        "kerasclassifier kerasregressor sklearnclassifier sklearnregressor wrappers": _SKLEARN,
        "groupnormalization rmsnormalization": "LayerNormalization and BatchNormalization are here",
        "lr": "it is called learning_rate",
        "modeltodot plotmodel": "model.summary(), or the graph in TensorBoard's logs",
        "nbepoch": "it is called epochs",
        "nputils": "to_categorical is in utils",
        "predictproba": "predict returns probabilities if the model ends in softmax or sigmoid",
        "preprocessing": "Pillow opens pictures, and datasets.load_image_folder reads folders of them",
        "version": "it is __version__",
    }.items()
    for word in words.split()
}


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
    return ConfigError(f"{what}: expected one of {', '.join(choices)}{others}, got {given!r:.80}{help}")


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

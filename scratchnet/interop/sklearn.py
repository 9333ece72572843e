"""A scikit-learn classifier made of scratchnet's layers."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from ..errors import ConfigError, DataError, DependencyError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise DependencyError(
        f"interop.sklearn needs scikit-learn, which cannot be imported ({error}): pip install scikit-learn"
    ) from error

from ..config import as_float_dtype
from .nested import NESTED, inner_parameters, with_inner
from .sklearn_model import Stopping, check_settings, freeze, make_model, softmax, targets, thaw


class SequentialClassifier(ClassifierMixin, BaseEstimator):
    """A `Sequential` as a scikit-learn classifier: for `Pipeline`, `cross_val_score`, `GridSearchCV` and the rest.

    Parameters
    ----------
    layers : list of Layer or callable, optional
        The network, or a function of keyword arguments that returns the list. A `Dense` with one output per class
        (and softmax, unless the loss is from logits) goes on top if the list does not end in softmax. By default the
        network is made from ``hidden_layer_sizes``, ``activation`` and ``dropout``.
    hidden_layer_sizes : tuple of int
        Widths of the hidden `Dense` layers.
    activation : str
        Of the hidden layers.
    dropout : float in [0, 1)
        Rate of a `Dropout` after each hidden layer; 0 for none.
    optimizer : str or Optimizer
    learning_rate : float or LearningRateSchedule, optional
        Overrides that of the optimizer.
    loss : str or Loss
        ``"sparse_categorical_crossentropy"``, or any that takes labels or one-hot rows.
    batch_size : int or "auto"
        "auto" is ``min(200, n)``, as in `MLPClassifier`.
    epochs : int
        The most passes over the data; see ``n_iter_no_change``.
    dtype : {"float32", "float64"}, optional
        By default that of the first ``X``, as in scikit-learn; float32 if that is neither (bytes, say).
    random_state : int, RandomState or None
        Draws the initial weights, the order of the samples, the dropout masks and the validation samples.
    early_stopping : bool
        Hold out ``validation_fraction`` of the samples (stratified), stop when the accuracy there no longer rises,
        and keep the weights of the best epoch. Otherwise the training loss is watched.
    validation_fraction : float in (0, 1)
    n_iter_no_change : int
        Stop after this many epochs without an improvement of more than ``tol``.
    tol : float
    class_weight : dict or "balanced", optional
        Multiplied by the sample weights. Weights are scaled to a mean of one: a weight of 2 is a sample given twice.
    shuffle : bool
    warm_start : bool
        `fit` continues from the fitted network.
    verbose : {0, 1, 2}
        As for `Sequential.fit`.

    Attributes
    ----------
    classes_ : ndarray
    model_ : Sequential
        The network; what `sn.interop.onnx.export` and others take.
    loss_curve_ : list of float
        Mean training loss per epoch.
    validation_scores_, validation_loss_curve_ : list of float or None
        Accuracy and loss of the held-out samples per epoch, with ``early_stopping``.
    best_validation_score_ : float or None
    best_loss_ : float
    n_iter_ : int
        Epochs run.
    n_features_in_ : int
        Length of the second axis. `X` may have more axes, for images: (n, h, w, c).

    Notes
    -----
    Inner parameters are accessed in scikit-learn's way: ``optimizer__beta_1``, ``loss__label_smoothing``,
    ``layers__conv2d__filters`` (a layer by its name, given or Keras's default), or, if ``layers`` is a function, its
    arguments: ``layers__filters``.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from scratchnet.interop.sklearn import SequentialClassifier
    >>> search = GridSearchCV(SequentialClassifier(optimizer="sgd"), {"optimizer__momentum": [0.0, 0.9]})
    """

    def __init__(
        self, layers: Any = None, *, hidden_layer_sizes: Any = (100,), activation: Any = "relu", dropout: float = 0.0,
        optimizer: Any = "adam", learning_rate: Any = None, loss: Any = "sparse_categorical_crossentropy",
        batch_size: Any = "auto", epochs: int = 200, dtype: Any = None, random_state: Any = None,
        early_stopping: bool = False, validation_fraction: float = 0.1, n_iter_no_change: int = 10, tol: float = 1e-4,
        class_weight: Any = None, shuffle: bool = True, warm_start: bool = False, verbose: Any = 0,
    ) -> None:  # fmt: skip
        self.layers = layers
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.loss = loss
        self.batch_size = batch_size
        self.epochs = epochs
        self.dtype = dtype
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.verbose = verbose

    # Parameters ---------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with ``deep`` those of layers, optimizer and loss too."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for owner in NESTED:
                inner = inner_parameters(owner, params[owner])
                params.update({f"{owner}__{name}": value for name, value in inner.items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; one inside layers, optimizer or loss makes a new value of that parameter."""
        inner = {key: value for key, value in params.items() if key.partition("__")[0] in NESTED and "__" in key}
        super().set_params(**{key: value for key, value in params.items() if key not in inner})
        for key, value in inner.items():
            owner, _, path = key.partition("__")
            setattr(self, owner, with_inner(owner, getattr(self, owner), path, value))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # Training -----------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on samples ``X`` (n, features) or (n, h, w, c) of classes ``y`` (n,)."""
        check_settings(self)
        X, y = self._checked(X, y, reset=True)
        classes, codes = np.unique(y, return_inverse=True)
        if not (self.warm_start and hasattr(self, "model_")):
            self._start(X, classes)
        elif not np.array_equal(classes, self.classes_):
            raise ConfigError(f"warm_start: expected the classes {self.classes_}, got {classes}")
        weights = self._weights(X, y, sample_weight)
        if not self.early_stopping:
            self._train(X, codes, weights, self.epochs)
            return self
        split = train_test_split(
            X, codes, weights, stratify=codes, test_size=self.validation_fraction, random_state=self._random_state
        )
        X, X_held_out, codes, codes_held_out, weights, weights_held_out = split
        self._train(X, codes, weights, self.epochs, (X_held_out, codes_held_out, weights_held_out))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch on these samples; the first call names all ``classes`` (or ``y`` holds them all)."""
        check_settings(self)
        first = not hasattr(self, "model_")
        X, y = self._checked(X, y, reset=first)
        given = np.unique(y if classes is None else column_or_1d(classes))
        if self.early_stopping or self.class_weight == "balanced":
            raise ConfigError("partial_fit: early_stopping and class_weight='balanced' need all the samples: use fit")
        if first:
            self._start(X, given)
        elif classes is not None and not np.array_equal(given, self.classes_):
            raise ConfigError(f"partial_fit: classes: expected {self.classes_} as before, got {given}")
        if len(unknown := np.setdiff1d(y, self.classes_)):
            raise DataError(f"partial_fit: y: expected classes out of {self.classes_}, got {unknown}")
        self._train(X, np.searchsorted(self.classes_, y), self._weights(X, y, sample_weight), 1)
        return self

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, reset=reset, dtype=self._dtypes(), allow_nd=True)
        check_classification_targets(y)
        return X, column_or_1d(y, warn=True)

    def _dtypes(self) -> Any:
        """The dtypes that ``X`` may have; any other is converted to the first of them."""
        return [np.float32, np.float64] if self.dtype is None else as_float_dtype(self.dtype)

    def _weights(self, X: np.ndarray, y: np.ndarray, sample_weight: Any) -> np.ndarray:
        weights = np.array(_check_sample_weight(sample_weight, X, dtype=np.float64))
        if self.class_weight is not None:
            weights *= compute_sample_weight(self.class_weight, y)
        if not weights.mean() > 0:
            raise DataError("sample_weight: expected weights with a positive sum, got none")
        # The loss divides by the number of samples: a mean of one makes a weight of 2 the same as a sample given twice.
        return np.asarray(weights / weights.mean())

    def _start(self, X: np.ndarray, classes: np.ndarray) -> None:
        self.classes_, self._random_state = classes, check_random_state(self.random_state)
        self.model_ = make_model(self, X, len(classes), self._seed())
        self.loss_curve_: list[float] = []
        early = bool(self.early_stopping)
        self.validation_scores_: list[float] | None = [] if early else None
        self.validation_loss_curve_: list[float] | None = [] if early else None

    def _seed(self) -> int:
        return int(self._random_state.randint(np.iinfo(np.int32).max))

    def _train(self, X: np.ndarray, codes: Any, weights: Any, epochs: int, held_out: Any = None) -> None:
        from ..training import Progress

        model, n = self.model_, len(X)
        stopping = Stopping("val_accuracy" if held_out else "loss", self.tol, self.n_iter_no_change)
        if held_out:
            X_held_out, codes_held_out, weights_held_out = held_out
            held_out = (X_held_out, targets(model, codes_held_out), weights_held_out)
        history = model.fit(
            X, targets(model, codes), batch_size=min(200, n) if self.batch_size == "auto" else self.batch_size,
            epochs=epochs, verbose=self.verbose, callbacks=[stopping], validation_data=held_out,
            shuffle=self.shuffle, sample_weight=weights, progress=Progress(self._seed()),
        ).history  # fmt: skip
        self.loss_curve_ = [*self.loss_curve_, *history.get("loss", [])]
        self.n_iter_ = len(self.loss_curve_)
        self.best_loss_ = min(self.loss_curve_, default=None)
        if held_out:
            self.validation_scores_ = [*(self.validation_scores_ or []), *history.get("val_accuracy", [])]
            self.validation_loss_curve_ = [*(self.validation_loss_curve_ or []), *history.get("val_loss", [])]
        self.best_validation_score_ = max(self.validation_scores_ or [], default=None)

    # Prediction ---------------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class: (n, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=self.model_.dtype, allow_nd=True)
        y = self.model_.predict(X)
        return softmax(y) if getattr(self.model_.loss, "from_logits", False) else y

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sample."""
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    # Pickling -----------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = freeze(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = copy.copy(state)
        if "model_" in state:
            state["model_"] = thaw(state["model_"])
        super().__setstate__(state)

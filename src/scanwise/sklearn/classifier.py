"""`ScanClassifier`: networks for people who use scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from scanwise.errors import ArgumentError, ShapeError
from scanwise.layers import Sequential
from scanwise.model import Model
from scanwise.sklearn import targets
from scanwise.sklearn.networks import network_for
from scanwise.sklearn.samples import (
    Series,
    outputs,
    prediction_samples,
    sample_shape,
    trained_on,
    training_samples,
)
from scanwise.training import AdamW, EarlyStopping, History, OneCycle, Optimizer, fit
from scanwise.training.losses import gives_probabilities

__all__ = ["ScanClassifier"]

LOSSES = ("cross_entropy", "binary_cross_entropy")

_RATE = 3e-3  # of AdamW: it learns from raw values, log-mel values and standardised tables alike


@dataclass(frozen=True)
class _Start:
    """What training begins with: a model, new or not, and what it is for."""

    model: Model
    classes: NDArray[Any]
    multilabel: bool
    seed: int
    history: History


class ScanClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A scanning network as a classifier of scikit-learn.

    `X` is a table `(n, features)`, signals `(n, channels, time)`, images `(n, channels, rows, columns)`, or a list of
    arrays `(channels, time)`, as aeon takes series, of unequal length if the network has an `Aggregate`; uint8 is taken
    as 0..1. `y` holds one class for each sample, of any type, or is a matrix `(n, K)` of 0 and 1, where each of K
    labels holds or not. There are no sample weights.

    Args:
        network: a name in `scanwise.models`; a `Sequential` with as many outputs as there are classes; or None: for
            tables one layer of 64 units, otherwise what suits the samples.
        epochs: times that `fit` uses every sample, at least 1.
        batch_size: samples per optimizer step, at least 1.
        optimizer: `SGD(...)` or `AdamW(...)`. None: `AdamW(OneCycle(3e-3))` in `fit`, `AdamW(3e-3)` in `partial_fit`,
            whose end nobody knows.
        loss: `"cross_entropy"` (one class is right) or `"binary_cross_entropy"` (one sigmoid per class: none may be).
            None: the second for a matrix of labels, otherwise the first.
        sample_rate: in Hz, where the signals are sound. Rows of a table are then signals of one channel, and named
            networks listen to them through `LogMel`.
        augment: what `scanwise.fit` takes as `augment`.
        early_stopping: whether to hold out samples, stop when the loss on them has not become better for `patience`
            epochs, and keep the best parameters. In `fit` only.
        validation_fraction: share of the samples to hold out, between 0 and 1; only with `early_stopping`.
        patience: epochs, at least 1; only with `early_stopping`.
        warm_start: whether `fit` goes on with the parameters that there are. The classes must then stay the same.
        random_state: whole number, `RandomState`, or None. The same number gives the same bits.
        verbose: whether to show a progress bar if standard error is a terminal.

    Attributes:
        classes_: the classes in order; for a matrix of labels their numbers.
        multilabel_: whether `y` was a matrix of labels.
        n_features_in_: number of features; of signals and images, channels.
        model_: the trained `Model`, to be scanned with, or saved.
        history_: the `History` of the training; `partial_fit` and `warm_start` add to it.

    Raises:
        ValueError, TypeError: from `fit`, where an argument or the data is not as stated. Scanwise's own are
            `ScanwiseError`s, too.

    >>> import numpy as np
    >>> from scanwise.sklearn import ScanClassifier
    >>> X = np.random.default_rng(0).standard_normal((60, 1, 32))
    >>> y = np.repeat(["noise", "step"], 30)
    >>> X[30:, :, 16:] += 3.0
    >>> classifier = ScanClassifier("tdnn", epochs=5, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9, classifier.classes_.tolist()
    (True, ['noise', 'step'])
    """

    classes_: NDArray[Any]
    multilabel_: bool
    n_features_in_: int
    model_: Model
    history_: History

    def __init__(
        self,
        network: str | Sequential | None = None,
        *,
        epochs: int = 20,
        batch_size: int = 32,
        optimizer: Optimizer | None = None,
        loss: str | None = None,
        sample_rate: float | None = None,
        augment: object = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.loss = loss
        self.sample_rate = sample_rate
        self.augment = augment
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Train on `X` and `y`: anew, or with `warm_start` from the parameters that there are.

        Ctrl-C ends the training, with a warning; the model then holds the last step's parameters.
        """
        goes_on = bool(self.warm_start) and hasattr(self, "model_")
        x, y = training_samples(self, X, y, reset=not goes_on)
        y = targets.as_matrix_or_column(y)
        classes = targets.classes_in(y)
        start = self._present(classes) if goes_on else self._anew(x, y, classes)
        optimizer = AdamW(OneCycle(_RATE)) if self.optimizer is None else self.optimizer
        return self._train(start, x, y, self.epochs, optimizer, early_stopping=bool(self.early_stopping))

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Go through `X` and `y` once, from the parameters that there are; the optimizer's averages begin anew.

        Args:
            X: as for `fit`.
            y: as for `fit`; not every class needs to occur.
            classes: all classes there will be. Needed at the first call, unless `y` is a matrix of labels.
        """
        goes_on = hasattr(self, "model_")
        x, y = training_samples(self, X, y, reset=not goes_on)
        y = targets.as_matrix_or_column(y)
        known = None if classes is None else np.asarray(classes).reshape(-1)
        if goes_on:
            start = self._present(known)
        elif known is None and not targets.is_multilabel(y):
            raise ArgumentError("classes must be given at the first call of partial_fit. Got None.")
        else:
            start = self._anew(x, y, targets.classes_in(y if known is None else known))
        optimizer = AdamW(_RATE) if self.optimizer is None else self.optimizer
        return self._train(start, x, y, 1, optimizer, early_stopping=False)

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sample, `(n,)`; or the labels that hold, `(n, K)` of 0 and 1."""
        decision = self.decision_function(X)
        if self.multilabel_:
            return (decision > 0.0).astype(np.int64)
        found = decision > 0.0 if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[found.astype(np.intp)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, `(n, K)`; or that each label holds."""
        scores = self._scores(X)
        loss = self.model_.loss or "cross_entropy"
        return targets.label_probabilities(scores, loss, multilabel=self.multilabel_, given=self._given())

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The network's outputs `(n, K)`; of two classes, `(n,)`: by how much the second one's exceeds the first's.

        For a matrix of labels, those above 0 hold.
        """
        return targets.decisions(self._scores(X), multilabel=self.multilabel_, given=self._given())

    def _anew(self, x: NDArray[Any] | Series, y: NDArray[Any], classes: NDArray[Any]) -> _Start:
        """A new model for these samples and classes."""
        network, input_shape = network_for(self.network, sample_shape(x), len(classes), self.sample_rate)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        multilabel = targets.is_multilabel(y)
        model = Model(
            network,
            input_shape,
            seed=seed,
            labels=None if multilabel else [str(each) for each in classes],
            sample_rate=self.sample_rate,
        )
        return _Start(model, classes, multilabel, seed, History())

    def _present(self, classes: NDArray[Any] | None) -> _Start:
        """The model that there is, if it is one for these classes."""
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ArgumentError(
                f"classes must stay {self.classes_.tolist()} while training goes on. Got {classes.tolist()}."
            )
        return _Start(self.model_, self.classes_, self.multilabel_, self._seed, self.history_)

    def _train(
        self,
        start: _Start,
        x: NDArray[Any] | Series,
        y: NDArray[Any],
        epochs: int,
        optimizer: Optimizer,
        *,
        early_stopping: bool,
    ) -> Self:
        """Train, and only then become what `start` and the training have made."""
        model = start.model
        x = trained_on(model, x)
        if targets.is_multilabel(y) != start.multilabel:
            raise ShapeError(
                "y must be a matrix of labels if it was one before, and else classes. Got the other."
            )
        loss = self._checked_loss(multilabel=start.multilabel)
        target = targets.as_target(y, start.classes, loss)
        model.loss = loss  # it goes on, and so may see one class only, as a part of the data may have
        history = fit(
            model,
            x,
            target,
            epochs=epochs,
            batch_size=self.batch_size,
            optimizer=optimizer,
            loss=loss,
            validation_data=float(self.validation_fraction) if early_stopping else None,
            augment=self.augment,
            callbacks=[EarlyStopping(self.patience)] if early_stopping else [],
            # Another order of the samples each time that training goes on.
            seed=start.seed + len(start.history),
            progress=bool(self.verbose),
        )
        if history.interrupted:
            warnings.warn("The training was interrupted before its end.", stacklevel=3)
        history.epochs[:0] = start.history.epochs
        self.model_, self.classes_, self.multilabel_ = model, start.classes, start.multilabel
        self._seed, self.history_ = start.seed, history
        return self

    def _checked_loss(self, *, multilabel: bool) -> str:
        if self.loss is None:
            return "binary_cross_entropy" if multilabel else "cross_entropy"
        if self.loss not in LOSSES:
            raise ArgumentError(
                f"loss must be one of {', '.join(map(repr, LOSSES))}, or None. Got {self.loss!r}."
            )
        return self.loss

    def _given(self) -> bool:
        """Whether the network's outputs are probabilities already."""
        return gives_probabilities(self.model_.network, self.model_.loss or "cross_entropy")

    def _scores(self, X: Any) -> NDArray[np.float32]:
        check_is_fitted(self, "model_")
        return outputs(self.model_, prediction_samples(self, X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.three_d_array = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # The model goes as the bytes of its file: nothing of it but numbers and JSON is pickled.
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = state["model_"].to_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        content = state.get("model_")
        super().__setstate__(state if content is None else {**state, "model_": Model.from_bytes(content)})

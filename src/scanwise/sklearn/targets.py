"""What scikit-learn's users call `y`, as targets of a loss, and a network's outputs as what they expect back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.scanning.probability import probabilities

__all__ = [
    "as_matrix_or_column",
    "as_target",
    "classes_in",
    "decisions",
    "is_multilabel",
    "label_probabilities",
]


def as_matrix_or_column(y: Any) -> NDArray[Any]:
    """`y` as an array `(n,)` of classes, or `(n, K)` of 0 and 1 where several labels may hold at once.

    Raises:
        ValueError: from scikit-learn, where `y` is continuous or of mixed kinds.
        ArgumentError: a matrix of other values than 0 and 1.
    """
    check_classification_targets(y)
    kind = type_of_target(y)
    if kind == "multilabel-indicator":
        matrix: NDArray[Any] = y.toarray() if issparse(y) else np.asarray(y)
        if np.isin(matrix, (0, 1)).all():
            return matrix
    if kind in ("multilabel-indicator", "multiclass-multioutput"):
        raise ArgumentError(
            "y must be one class for each sample, or a matrix (n, K) of 0 and 1. Got a matrix of other values."
        )
    column: NDArray[Any] = column_or_1d(y, warn=True)
    return column


def is_multilabel(y: NDArray[Any]) -> bool:
    """Whether each sample may have several labels, or none."""
    return y.ndim == 2


def classes_in(y: NDArray[Any]) -> NDArray[Any]:
    """The classes that occur, in order; of K labels that may hold at once, their numbers.

    Raises:
        DataError: fewer than two classes.
    """
    classes: NDArray[Any] = np.arange(y.shape[1]) if is_multilabel(y) else np.unique(y)
    if len(classes) < 2 and not is_multilabel(y):
        raise DataError(f"y must hold at least two classes to learn from. Got one class: {classes[0]!r}.")
    return classes


def as_target(y: NDArray[Any], classes: NDArray[Any], loss: str) -> NDArray[Any]:
    """`y` as `fit` takes it: numbers of classes `(n,)`, or for one sigmoid per label 0 and 1 `(n, K)`.

    Raises:
        ShapeError: another number of labels than before.
        ArgumentError: a class that is none of `classes`; or cross-entropy, where several labels may hold at once.
    """
    if is_multilabel(y):
        if y.shape[1] != len(classes):
            raise ShapeError(
                f"y must have one column for each of the {len(classes)} labels. Got {y.shape[1]}."
            )
        if loss != "binary_cross_entropy":
            raise ArgumentError(
                "loss must be 'binary_cross_entropy' where several labels may hold at once, or None. "
                f"Got {loss!r}."
            )
        return y.astype(np.float32)
    numbers = np.searchsorted(classes, y)
    numbers[numbers == len(classes)] = 0
    unknown = classes[numbers] != y
    if unknown.any():
        raise ArgumentError(f"y must hold the classes {classes.tolist()}. Got {y[unknown][0]!r}.")
    if loss == "binary_cross_entropy":
        return np.eye(len(classes), dtype=np.float32)[numbers]
    return numbers.astype(np.int64)


def label_probabilities(
    scores: NDArray[np.float32], loss: str, *, multilabel: bool, given: bool
) -> NDArray[np.float64]:
    """Probabilities `(n, K)` of a network's outputs.

    They add up to 1 over the classes, unless several labels may hold at once: one sigmoid per class is divided by the
    sum, as scikit-learn does with one classifier per class.

    Args:
        scores: outputs `(n, K)`.
        loss: what the network was trained with.
        multilabel: whether several labels may hold at once.
        given: whether the outputs are probabilities already.
    """
    kind = "probability" if given else "softmax" if loss == "cross_entropy" else "sigmoid"
    p = np.ascontiguousarray(probabilities(scores.T, kind).T)
    if multilabel:
        return p
    total = p.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, p / np.where(total > 0.0, total, 1.0), 1.0 / p.shape[1])


def decisions(scores: NDArray[np.float32], *, multilabel: bool, given: bool) -> NDArray[np.float64]:
    """Confidence of each class `(n, K)`, of two classes that of the second `(n,)`: what is above 0 is predicted.

    Without several labels at once, of more than two classes the largest is predicted.
    """
    z = scores.astype(np.float64)
    if multilabel:
        return z - 0.5 if given else z
    return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

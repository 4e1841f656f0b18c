"""What scikit-learn's users call `X`, as arrays for a model: tables, signals, images, and lists of series.

A list of series is what aeon takes for series of unequal length: one array `(channels, time)` each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from scanwise.data.window import choose_extent
from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.layers import Shape
from scanwise.model import Model
from scanwise.presence.parts import takes_any_extent

__all__ = ["outputs", "prediction_samples", "sample_shape", "trained_on", "training_samples"]

_ROUND = 8  # of the extent that most series fit into, as of clips in files

Series = list[NDArray[Any]]


def training_samples(
    estimator: Any, X: object, y: object, *, reset: bool
) -> tuple[NDArray[Any] | Series, Any]:
    """`X` as one array `(n, ...)` or, where extents differ, as a list of series; and `y`, both checked.

    Args:
        estimator: what scikit-learn keeps the number and names of features in.
        X: an array of at least two axes, or a list of series.
        y: targets, one for each sample.
        reset: whether this is a new training, rather than one that goes on.

    Raises:
        ValueError: from scikit-learn, where `X` or `y` is not as it says.
    """
    series = _series(X)
    if series is not None and _unequal(series):
        # scikit-learn looks at the first values; `fit` checks the others.
        first = np.stack([each[(slice(None), *(slice(1),) * (each.ndim - 1))] for each in series])
        _, target = validate_data(estimator, first, y, reset=reset, allow_nd=True, multi_output=True)
        return series, target
    if series is not None:
        X = np.stack(series)
    x, target = validate_data(estimator, X, y, reset=reset, allow_nd=True, multi_output=True)
    return x, target


def prediction_samples(estimator: Any, X: object) -> NDArray[Any] | Series:
    """`X` as one array `(n, ...)`, checked against what the estimator has seen; unequal series as they are."""
    series = _series(X)
    if series is not None and _unequal(series):
        return series
    checked: NDArray[Any] = validate_data(
        estimator, X if series is None else np.stack(series), reset=False, allow_nd=True
    )
    return checked


def outputs(model: Model, samples: NDArray[Any] | Series) -> NDArray[np.float32]:
    """What the model gives for every sample, `(n, K)`. Samples of other extents than the model's must be aggregated."""
    if not isinstance(samples, list):
        samples = as_input(samples, model.input_shape)
        if samples.shape[1:] == model.input_shape:
            return model(samples)
    if len(model.input_shape) == 1:
        found = "series" if isinstance(samples, list) else f"shape {samples.shape}"
        raise ShapeError(f"X must have shape (n, {model.input_shape[0]}), as in fit. Got {found}.")
    try:
        return model.presence(samples).scores
    except (ArgumentError, ShapeError) as error:
        shape = ", ".join(map(str, model.input_shape))
        raise type(error)(
            f"X must hold samples of shape ({shape}), as in fit, or such as the network can take: {error}"
        ) from error


def sample_shape(x: NDArray[Any] | Series) -> Shape:
    """The shape of one sample; of unequal series, what most of them fit into (`scanwise.data.window`)."""
    if not isinstance(x, list):
        return x.shape[1:]
    extents = zip(*(each.shape[1:] for each in x), strict=True)
    return (x[0].shape[0], *(choose_extent(lengths, _ROUND) for lengths in extents))


def trained_on(model: Model, x: NDArray[Any] | Series) -> NDArray[Any] | Series:
    """Samples as `fit` takes them: those of other extents than the model's as a list, if its network aggregates.

    Raises:
        DataError: it does not, and series are of unequal extent.
        ShapeError: it does not, and samples have another shape than the model's.
    """
    if not isinstance(x, list):
        x = as_input(x, model.input_shape)
        if x.shape[1:] == model.input_shape:
            return x
    if len(model.input_shape) > 1 and takes_any_extent(model.network, model.input_shape):
        return list(x)
    if not isinstance(x, list):
        raise ShapeError(f"X must have samples of shape {model.input_shape}. Got {x.shape[1:]}.")
    extents = sorted({each.shape[1:] for each in x})
    raise DataError(
        "X must hold signals of one extent to train a network without Aggregate: cut or pad them to one, or take one "
        f'that aggregates, as "tdnn" does. Got extents from {extents[0]} to {extents[-1]}.'
    )


def as_input(x: NDArray[Any], input_shape: Shape) -> NDArray[Any]:
    """Rows of a table as signals of one channel, where that is what the model takes."""
    return x[:, np.newaxis] if x.ndim == 2 and len(input_shape) == 2 else x


def _series(X: object) -> Series | None:
    """The arrays that a list, a tuple or an array of objects holds, or None if `X` is anything else.

    A list of rows of one length is the table that scikit-learn takes it for.
    """
    if isinstance(X, np.ndarray):
        if X.dtype != object or X.ndim != 1:
            return None
    elif not isinstance(X, list | tuple):
        return None
    if len(X) == 0 or not all(isinstance(each, np.ndarray) for each in X):
        return None
    axes = {each.ndim for each in X}
    if len(axes) > 1 or not axes <= {1, 2, 3}:
        found = ", ".join(map(str, sorted(axes)))
        raise ShapeError(
            "X must hold arrays (time,), (channels, time) or (channels, rows, columns), all of one kind, if it is a "
            f"list. Got arrays of {found} axes."
        )
    if axes == {1}:
        return [each[np.newaxis] for each in X] if len({len(each) for each in X}) > 1 else None
    channels = sorted({each.shape[0] for each in X})
    if len(channels) > 1:
        raise ShapeError(
            f"X must hold arrays with equally many channels. Got {', '.join(map(str, channels))}."
        )
    return list(X)


def _unequal(series: Series) -> bool:
    return len({each.shape for each in series}) > 1

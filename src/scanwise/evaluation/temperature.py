"""One number that makes probabilities as sure as they are right."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.inputs import number_array

__all__ = ["fit_temperature"]

_RANGE = math.log(1 / 64), math.log(64)
_GOLDEN = (math.sqrt(5) - 1) / 2
_STEPS = 60  # each leaves 62 % of the range: 1e-12 of it in the end


def fit_temperature(scores: ArrayLike, targets: ArrayLike, activation: str) -> float:
    """The temperature at which the negative log likelihood of labels is smallest.

    Scores are divided by it before they become probabilities: above 1 for a network that is too sure of itself. No
    order of scores changes within a label, except that with softmax windows may change places.

    The negative log likelihood is a convex function of 1 / temperature (a logarithm of a sum of exponentials minus a
    linear term), so it has one minimum, which the golden section finds.

    Args:
        scores: outputs of the network, `(N, K)`.
        targets: `(N, K)` 0 or 1. For softmax those with exactly one label count, the others are left out.
        activation: "softmax" or "sigmoid".

    Raises:
        ShapeError: the shapes do not fit.
        ArgumentError: scores are probabilities, or no such thing.
        DataError: nothing counts, or no temperature is best: all answers are right, say.

    Source: Guo et al., "On Calibration of Modern Neural Networks" (2017), section 4.2.

    >>> sure = np.array([[4.0], [4.0], [4.0], [-4.0]])
    >>> round(fit_temperature(sure, [[1], [1], [0], [0]], "sigmoid"), 3)
    3.641
    """
    z, y = number_array(scores, "scores").astype(np.float64), number_array(targets, "targets")
    if z.ndim != 2 or z.shape != y.shape:
        raise ShapeError(f"scores and targets must have shape (N, K). Got {z.shape} and {y.shape}.")
    if not np.isfinite(z).all() or not np.isin(y, (0, 1)).all():
        raise ArgumentError("scores must be finite, and targets 0 or 1. Got another value.")
    if activation not in ("softmax", "sigmoid"):
        raise ArgumentError(
            "temperature must be left out for a model whose outputs are probabilities already, or values. "
            f"Got activation {activation!r}."
        )
    if activation == "softmax":
        counted = y.sum(axis=1) == 1
        z, y = z[counted], y[counted]
    if len(z) == 0:
        raise DataError("there must be windows with one label to find a temperature. Got none.")
    low, high = _RANGE
    loss = _negative_log_likelihood
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_inner, at_outer = (loss(z / math.exp(t), y, activation) for t in (inner, outer))
    for _ in range(_STEPS):
        if at_inner <= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - _GOLDEN * (high - low)
            at_inner = loss(z / math.exp(inner), y, activation)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + _GOLDEN * (high - low)
            at_outer = loss(z / math.exp(outer), y, activation)
    best = (low + high) / 2
    if min(best - _RANGE[0], _RANGE[1] - best) < 0.01:
        what = "every answer is right" if best < 0 else "the scores say nothing about the labels"
        raise DataError(f"there must be a temperature that is best. Got none: {what}.")
    return math.exp(best)


def _negative_log_likelihood(z: NDArray[np.float64], y: NDArray[np.float64], activation: str) -> float:
    if activation == "sigmoid":  # -log sigmoid(z) = log(1 + e^-z)
        return float(np.logaddexp(0.0, np.where(y > 0, -z, z)).mean())
    top = z.max(axis=1)
    return float((top + np.log(np.exp(z - top[:, np.newaxis]).sum(axis=1)) - (z * y).sum(axis=1)).mean())

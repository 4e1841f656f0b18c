"""Losses: the value to make small, and its gradient with respect to the network's output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.reference.layer import Array

LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")

SMALLEST_PROBABILITY = 1e-12  # keeps log and its derivative finite where the network is sure and wrong


def loss(name: str, y: Array, target: NDArray[np.generic]) -> tuple[float, Array]:
    """(L, dL/dy) of one batch; `torch.nn.functional`'s values with their default reduction.

    Args:
        name: `"cross_entropy"` or `"binary_cross_entropy"`, both of logits, or `"mse"`.
        y: the network's output, `(N, K)` for cross-entropy.
        target: labels `(N,)` for cross-entropy, else as y: probabilities, or values to come close to.

    Raises:
        ArgumentError: unknown name.
        ShapeError: y and target do not fit each other or the loss.
        DataError: a label is not one of 0 to K-1.

    >>> loss("mse", np.array([[1.0, 2.0]]), np.array([[0.0, 2.0]]))
    (0.5, array([[1., 0.]]))
    """
    if name not in LOSSES:
        raise ArgumentError(f"loss must be one of {', '.join(LOSSES)}. Got {name!r}.")
    y = np.asarray(y, dtype=np.float64)
    if name == "cross_entropy":
        return cross_entropy(y, labels(y, target))
    values = same_shape(name, y, target)
    return binary_cross_entropy(y, values) if name == "binary_cross_entropy" else mse(y, values)


# p = softmax(y),    L = -1/N sum_n log p_n(target_n) = 1/N sum_n (log sum_k exp y_nk - y_n(target_n))
#
# The derivative of log sum exp is the softmax:  dL/dy_nk = 1/N (p_nk - 1[k = target_n])
def cross_entropy(y: Array, target: NDArray[np.int64]) -> tuple[float, Array]:
    n = np.arange(len(y))
    shifted = y - y.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dy = np.exp(log_p)
    dy[n, target] -= 1
    return float(-log_p[n, target].mean()), dy / len(y)


# p = sigmoid(y),    L = -mean(t log p + (1 - t) log(1 - p)) = mean(max(y, 0) - y t + log(1 + exp(-|y|)))
#
# The derivative of log(1 + exp y) is the sigmoid:  dL/dy = (p - t) / size
def binary_cross_entropy(y: Array, target: Array) -> tuple[float, Array]:
    value = np.maximum(y, 0) - y * target + np.log1p(np.exp(-np.abs(y)))
    return float(value.mean()), (0.5 * (1 + np.tanh(0.5 * y)) - target) / y.size


# L = mean (y - t)^2,    dL/dy = 2 (y - t) / size
def mse(y: Array, target: Array) -> tuple[float, Array]:
    difference = y - target
    return float((difference**2).mean()), 2 * difference / y.size


# Of probabilities (a network that ends in Aggregate("softmax")):  L = -1/N sum_n log y_n(target_n)
#
#   dL/dy_nk = -1/N 1[k = target_n] / y_nk
def cross_entropy_of_probabilities(y: Array, target: NDArray[np.int64]) -> tuple[float, Array]:
    n = np.arange(len(y))
    p = np.maximum(y[n, target], SMALLEST_PROBABILITY)
    dy = np.zeros_like(y)
    dy[n, target] = -1 / (len(y) * p)
    return float(-np.log(p).mean()), dy


# Of probabilities:  L = -mean(t log y + (1 - t) log(1 - y)),    dL/dy = (y - t) / (y (1 - y)) / size
def binary_cross_entropy_of_probabilities(y: Array, target: Array) -> tuple[float, Array]:
    p, q = np.maximum(y, SMALLEST_PROBABILITY), np.maximum(1 - y, SMALLEST_PROBABILITY)
    value = -(target * np.log(p) + (1 - target) * np.log(q))
    return float(value.mean()), ((1 - target) / q - target / p) / y.size


def labels(y: Array, target: NDArray[np.generic]) -> NDArray[np.int64]:
    """`target` as integer labels that fit y `(N, K)`."""
    given = np.asarray(target)
    if y.ndim != 2:
        raise ShapeError(f"loss cross_entropy: the network's output must be (N, K). Got {y.shape}.")
    if given.shape != y.shape[:1]:
        raise ShapeError(f"loss cross_entropy: target must have shape {y.shape[:1]}. Got {given.shape}.")
    if given.dtype.kind not in "iu":
        raise DataError(f"loss cross_entropy: target must be integer labels. Got {given.dtype}.")
    if given.size and (given.min() < 0 or given.max() >= y.shape[1]):
        worst = given.min() if given.min() < 0 else given.max()
        raise DataError(f"loss cross_entropy: target must be labels 0 to {y.shape[1] - 1}. Got {worst}.")
    return given.astype(np.int64)


def same_shape(name: str, y: Array, target: NDArray[np.generic]) -> Array:
    """`target` as float64 of y's shape."""
    given = np.asarray(target, dtype=np.float64)
    if given.shape != y.shape:
        raise ShapeError(f"loss {name}: target must have the output's shape {y.shape}. Got {given.shape}.")
    return given

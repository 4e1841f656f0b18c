"""The losses of a batch of outputs, and how good a model is on a set of samples.

What the losses mean is defined in `reference/loss.py`; this is the same in whole-array NumPy, for validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Target
from scanwise.layers import Aggregate, Layer, Sequential, Sigmoid, Softmax


@dataclass(frozen=True)
class Score:
    """How good a model is on a set of samples: the mean loss, and for labels the share that is right."""

    loss: float
    accuracy: float | None


def gives_probabilities(network: Sequential, loss: str) -> bool:
    """Whether the network's own last layer turns scores into the probabilities that `loss` is about."""
    last = last_layer(network)
    if loss == "cross_entropy":
        return isinstance(last, Softmax) or _is_joint_softmax(last)
    if loss == "binary_cross_entropy":
        return isinstance(last, Sigmoid) or _is_joint_softmax(last)
    return False


def _is_joint_softmax(layer: Layer) -> bool:
    return isinstance(layer, Aggregate) and layer.mode == "softmax"


def last_layer(network: Sequential) -> Layer:
    """The layer that a network ends in, looking into nested `Sequential`s."""
    last = network.layers[-1]
    return last_layer(last) if isinstance(last, Sequential) else last


def losses(y: NDArray[np.float32], target: Target, loss: str, *, probabilities: bool) -> NDArray[np.float64]:
    """The loss of every sample, `(N,)`.

    Args:
        y: outputs `(N, *output_shape)`: scores, or probabilities with `probabilities=True`.
        target: as `inputs.as_target` gives it.
        loss: the loss's name.
        probabilities: whether the outputs have been through a softmax or sigmoid already.
    """
    # The reference is a package of all layers, which training without validation need not wait for.
    from scanwise.reference.loss import SMALLEST_PROBABILITY

    wide = y.astype(np.float64)
    if loss == "cross_entropy":
        picked = np.take_along_axis(wide, target.astype(np.int64)[:, None], axis=1)[:, 0]
        if probabilities:
            return -np.log(np.maximum(picked, SMALLEST_PROBABILITY))
        return log_sum_exp(wide) - picked
    if loss == "mse":
        terms = (wide - target) ** 2
    elif probabilities:
        p = wide
        terms = -(
            target * np.log(np.maximum(p, SMALLEST_PROBABILITY))
            + (1.0 - target) * np.log(np.maximum(1.0 - p, SMALLEST_PROBABILITY))
        )
    else:
        # -t log s(z) - (1 - t) log(1 - s(z)) = max(z, 0) - t z + log(1 + e^-|z|)
        terms = np.maximum(wide, 0.0) - target * wide + np.log1p(np.exp(-np.abs(wide)))
    return np.asarray(terms.reshape(len(terms), -1).mean(axis=1))


def correct(y: NDArray[np.float32], target: Target, loss: str) -> NDArray[np.bool_] | None:
    """Which samples' largest output is at the target, `(N,)`, or None where targets are not labels."""
    if loss != "cross_entropy":
        return None
    return np.asarray(y.argmax(axis=1) == target)


def log_sum_exp(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the sum of exp over axis 1, shifted by the maximum so that nothing overflows."""
    top = z.max(axis=1)
    return np.asarray(top + np.log(np.exp(z - top[:, None]).sum(axis=1)))

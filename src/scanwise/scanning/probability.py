"""From the network's outputs to probabilities.

Scores of a scan are the network's outputs, untouched. To say whether something is there they are read as probabilities:

    "probability"  they are probabilities already: the network ends in `Softmax`, in `Sigmoid`, in
                   `Aggregate("softmax")`, or in a maximum or mean of these
    "value"        they are values, to compare with a threshold of any size: trained with mean squared error
    "sigmoid"      one probability per label: trained with binary cross-entropy, or a single output
    "softmax"      probabilities that add up to 1 over the labels: everything else

Scores that become probabilities by a sigmoid or a softmax are divided by a temperature first, 1 unless the model was
calibrated: Guo et al., "On Calibration of Modern Neural Networks" (2017), section 4.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scanwise.layers import Aggregate, Dropout, Flatten, Layer, Sequential, Sigmoid, Softmax
from scanwise.model import Model


def activation_of(model: Model) -> str:
    """`"probability"`, `"value"`, `"sigmoid"` or `"softmax"`; see above."""
    if _ends_in(model.network, (Softmax, Sigmoid)):
        return "probability"
    if model.loss == "mse":
        return "value"
    if model.loss == "binary_cross_entropy" or model.output_shape[0] == 1:
        return "sigmoid"
    return "softmax"


def exclusive(model: Model) -> bool:
    """Whether a window shows one label at most, so that detections of different labels compete."""
    return activation_of(model) == "softmax" or _ends_in(model.network, (Softmax,))


def probabilities(
    scores: NDArray[np.float32], activation: str, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Probabilities of scores `(K, ...)`."""
    z = _cooled(scores, activation, temperature)
    if activation == "softmax":
        e = np.exp(z - z.max(axis=0))
        return np.asarray(e / _total(e))
    return _sigmoid(z) if activation == "sigmoid" else z


def margins(scores: NDArray[np.float32], activation: str, temperature: float = 1.0) -> NDArray[np.float64]:
    """How strongly each score speaks for its label: a rising function of its probability that never saturates.

    For softmax the logarithm of the odds, log p / (1 - p) = z_k - log sum over the other labels of e^z: two windows
    whose probabilities both round to 1 still compare.
    """
    z = _cooled(scores, activation, temperature)
    if activation != "softmax":
        return z
    others = np.empty_like(z)
    for k in range(len(z)):
        rest = np.delete(z, k, axis=0)
        top = rest.max(axis=0)
        others[k] = top + np.log(_total(np.exp(rest - top)))
    return z - others


def _cooled(scores: NDArray[np.float32], activation: str, temperature: float) -> NDArray[np.float64]:
    z = scores.astype(np.float64, order="C")
    if temperature != 1.0 and activation in ("softmax", "sigmoid"):
        z /= temperature
    return z


def _total(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over labels, in their order: how NumPy groups a sum depends on how many windows there are."""
    total = np.zeros(values.shape[1:])
    for row in values:
        total += row
    return total


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(-np.abs(z))  # never overflows
    return np.where(z >= 0.0, 1.0, e) / (1.0 + e)


def _ends_in(network: Sequential, kinds: tuple[type[Layer], ...]) -> bool:
    for _, layer in reversed(list(network.flat())):
        if isinstance(layer, Aggregate) and layer.mode == "softmax":
            return Softmax in kinds
        keeps = isinstance(layer, Flatten | Dropout) or (
            isinstance(layer, Aggregate) and layer.mode in ("max", "mean")
        )
        if not keeps:
            return isinstance(layer, kinds)
    return False

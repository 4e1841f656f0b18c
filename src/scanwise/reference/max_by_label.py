"""The largest answer of each label's channels, forward and backward (lecture 5.1, 7.2)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import MaxByLabel
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# y_l = max over the k with labels[k] = l of x_k, at every position by itself
@forward.register(MaxByLabel)
def max_by_label(layer: MaxByLabel, x: Array, parameters: Parameters) -> Array:
    return np.stack([x[:, channels].max(axis=1) for channels in _channels(layer)], axis=1)


# Only the first maximum of a label influenced y_l (7.2): dL/dx_k = dL/dy_l there, 0 elsewhere
@backward.register(MaxByLabel)
def dmax_by_label(layer: MaxByLabel, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    dx = np.zeros_like(x)
    for label, channels in enumerate(_channels(layer)):
        part = np.zeros_like(x[:, channels])
        first = x[:, channels].argmax(axis=1)[:, None]
        np.put_along_axis(part, first, dy[:, label][:, None], axis=1)
        dx[:, channels] = part
    return dx, {}


def _channels(layer: MaxByLabel) -> list[list[int]]:
    """The channels of each label."""
    labels = layer.labels
    return [[k for k, each in enumerate(labels) if each == label] for label in range(max(labels) + 1)]

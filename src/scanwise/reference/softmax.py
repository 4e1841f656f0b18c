"""Softmax over channels, forward and backward (lecture 5.12, step 7)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Softmax
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# y_k = exp(z_k) / sum_j exp(z_j), at every position by itself. Subtracting the largest z changes nothing, since
# it cancels, and keeps exp from overflowing.
@forward.register(Softmax)
def softmax(layer: Softmax, z: Array, parameters: Parameters) -> Array:
    e: Array = np.exp(z - z.max(axis=1, keepdims=True))
    y: Array = e / e.sum(axis=1, keepdims=True)
    return y


# dy_j/dz_k = y_j (1[j = k] - y_k), so
#
#   dL/dz_k = sum_j dL/dy_j y_j (1[j = k] - y_k) = y_k (dL/dy_k - sum_j dL/dy_j y_j)
@backward.register(Softmax)
def dsoftmax(layer: Softmax, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    y = softmax(layer, z, parameters)
    return y * (dy - (dy * y).sum(axis=1, keepdims=True)), {}

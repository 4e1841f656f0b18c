"""Flatten, forward and backward (lecture 5.12, step 6)."""

from __future__ import annotations

from scanwise.layers import Flatten
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# y_{(c H + h) W + w} = x_c(h, w)
@forward.register(Flatten)
def flatten(layer: Flatten, x: Array, parameters: Parameters) -> Array:
    return x.reshape(len(x), -1)


# The same values under other names: dL/dx_c(h, w) = dL/dy_{(c H + h) W + w}
@backward.register(Flatten)
def dflatten(layer: Flatten, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    return dy.reshape(x.shape), {}

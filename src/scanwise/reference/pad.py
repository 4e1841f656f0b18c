"""Padding with a constant, forward and backward (lecture 5.6, 8.7)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Pad1d, Pad2d
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps


# y(top + i, left + j) = x(i, j),    the value elsewhere: zero in lecture 5.6, -1 in LeCun et al. 1989
@forward.register(Pad1d)
@forward.register(Pad2d)
def pad(layer: Pad1d | Pad2d, x: Array, parameters: Parameters) -> Array:
    top, bottom, left, right = layer.pads
    y = np.pad(as_maps(x), ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=layer.value)
    return y[:, :, 0, :] if x.ndim == 3 else y


# dL/dx(i, j) = dL/dy(top + i, left + j): the padding is removed again (lecture 8.7)
@backward.register(Pad1d)
@backward.register(Pad2d)
def dpad(layer: Pad1d | Pad2d, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    top, _, left, _ = layer.pads
    H, W = as_maps(x).shape[2:]
    return as_maps(dy)[:, :, top : top + H, left : left + W].reshape(x.shape), {}

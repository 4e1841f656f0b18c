"""Downsampling, forward and backward (lecture 5.9)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Downsample1d, Downsample2d
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps


# y(p, q) = x(p sh, q sw)
@forward.register(Downsample1d)
@forward.register(Downsample2d)
def downsample(layer: Downsample1d | Downsample2d, x: Array, parameters: Parameters) -> Array:
    sh, sw = layer.geometry(x.shape[1:]).stride
    y = as_maps(x)[:, :, ::sh, ::sw].copy()
    return y[:, :, 0, :] if x.ndim == 3 else y


# The positions that were kept receive their gradient, the skipped ones influenced nothing:
#
#   dL/dx(p sh, q sw) = dL/dy(p, q),    zero elsewhere
@backward.register(Downsample1d)
@backward.register(Downsample2d)
def ddownsample(
    layer: Downsample1d | Downsample2d, x: Array, dy: Array, parameters: Parameters
) -> tuple[Array, Gradients]:
    sh, sw = layer.geometry(x.shape[1:]).stride
    dx = np.zeros_like(as_maps(x))
    dx[:, :, ::sh, ::sw] = as_maps(dy)
    return dx.reshape(x.shape), {}

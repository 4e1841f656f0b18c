"""Unfold, forward and backward (lecture 1.2, step 2)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Unfold1d, Unfold2d
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps, patch, positions


# y_(c,r,s)(p, q) = x_c(p sh + r, q sw + s)
@forward.register(Unfold1d)
@forward.register(Unfold2d)
def unfold(layer: Unfold1d | Unfold2d, x: Array, parameters: Parameters) -> Array:
    geometry = layer.geometry(x.shape[1:])
    maps = as_maps(x)
    y = np.zeros((len(x), *layer.patch(x.shape[1:]), *geometry.output))
    for p, q in positions(geometry):
        y[:, :, p, q] = patch(maps, geometry, p, q).reshape(len(x), -1)
    return y[:, :, 0, :] if x.ndim == 3 else y


# A value is copied into every window that it lies in, so the gradients of its copies add:
#
#   dL/dx_c(i, j) = sum over the p, q, r, s with i = p sh + r, j = q sw + s of dL/dy_(c,r,s)(p, q)
@backward.register(Unfold1d)
@backward.register(Unfold2d)
def dunfold(
    layer: Unfold1d | Unfold2d, x: Array, dy: Array, parameters: Parameters
) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    dy_maps, dx = as_maps(dy), np.zeros_like(as_maps(x))
    for p, q in positions(geometry):
        window = patch(dx, geometry, p, q)
        window += dy_maps[:, :, p, q].reshape(window.shape)
    return dx.reshape(x.shape), {}

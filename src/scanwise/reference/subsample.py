"""Trainable subsampling, forward and backward (LeCun et al. 1998, layers S2 and S4)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Subsample1d, Subsample2d
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps, offsets, positions


# s_c(p, q) = sum_{r,s} x_c(p sh + r, q sw + s),    y_c(p, q) = w_c s_c(p, q) + b_c
@forward.register(Subsample1d)
@forward.register(Subsample2d)
def subsample(layer: Subsample1d | Subsample2d, x: Array, parameters: Parameters) -> Array:
    w, b = parameters["weight"][:, None, None], parameters["bias"][:, None, None]
    y = w * sums(layer, x) + b
    return y[:, :, 0, :] if x.ndim == 3 else y


# dy_c/dx_c = w_c for each input of the window; all positions share w_c and b_c, so their gradients are sums (lecture
# 6.3):
#
#   dL/dx_c(i, j) = w_c sum over the windows (p, q) that hold (i, j) of dL/dy_c(p, q)
#   dL/dw_c = sum_n sum_{p,q} dL/dy_c(p, q) s_c(p, q),    dL/db_c = sum_n sum_{p,q} dL/dy_c(p, q)
@backward.register(Subsample1d)
@backward.register(Subsample2d)
def dsubsample(
    layer: Subsample1d | Subsample2d, x: Array, dy: Array, parameters: Parameters
) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    (sh, sw), dy_maps = geometry.stride, as_maps(dy)
    ds = parameters["weight"][:, None, None] * dy_maps
    dx = np.zeros_like(as_maps(x))
    for p, q in positions(geometry):
        for r, s in offsets(geometry):
            dx[:, :, p * sh + r, q * sw + s] += ds[:, :, p, q]
    gradients = {
        "weight": (dy_maps * sums(layer, x)).sum(axis=(0, 2, 3)),
        "bias": dy_maps.sum(axis=(0, 2, 3)),
    }
    return dx.reshape(x.shape), gradients


def sums(layer: Subsample1d | Subsample2d, x: Array) -> Array:
    """The sum of each window, `(N, C, P, Q)`."""
    geometry = layer.geometry(x.shape[1:])
    (sh, sw), maps = geometry.stride, as_maps(x)
    total = np.zeros((*maps.shape[:2], *geometry.output))
    for p, q in positions(geometry):
        for r, s in offsets(geometry):
            total[:, :, p, q] += maps[:, :, p * sh + r, q * sw + s]
    return total

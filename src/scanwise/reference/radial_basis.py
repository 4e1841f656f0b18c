"""Radial basis functions, forward and backward (LeCun et al. 1998, equation 7)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import RadialBasis
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# z_i = -sum_j (x_j - c_ij)^2        (LeCun et al. 1998, equation 7, with the sign turned)
@forward.register(RadialBasis)
def radial_basis(layer: RadialBasis, x: Array, parameters: Parameters) -> Array:
    z = np.zeros((len(x), len(layer.codes)))
    for i, code in enumerate(layer.codes):
        z[:, i] = -((x - np.array(code)) ** 2).sum(axis=1)
    return z


# dz_i/dx_j = -2 (x_j - c_ij), and x_j reaches every output:
#
#   dL/dx_j = sum_i dL/dz_i 2 (c_ij - x_j)
@backward.register(RadialBasis)
def dradial_basis(layer: RadialBasis, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    dx = np.zeros_like(x)
    for i, code in enumerate(layer.codes):
        dx += dy[:, i : i + 1] * 2 * (np.array(code) - x)
    return dx, {}

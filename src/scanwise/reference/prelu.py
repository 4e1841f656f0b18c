"""The leaky ReLU with trained slopes, forward and backward."""

from __future__ import annotations

import numpy as np

from scanwise.layers import PReLU
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# y = z for z > 0, a_c z otherwise        (He et al. 2015, equation 1)
@forward.register(PReLU)
def prelu(layer: PReLU, z: Array, parameters: Parameters) -> Array:
    return np.where(z > 0, z, _slopes(z, parameters) * z)


# f'(z) = 1 for z > 0, a_c otherwise; dy/da_c = z where z <= 0, summed over everything that shares the slope
@backward.register(PReLU)
def dprelu(layer: PReLU, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    dz = np.where(z > 0, dy, _slopes(z, parameters) * dy)
    by_channel = np.where(z > 0, 0.0, z * dy).sum(axis=(0, *range(2, z.ndim)))
    shared = layer.num_parameters == 1
    return dz, {"weight": by_channel.sum(keepdims=True) if shared else by_channel}


def _slopes(z: Array, parameters: Parameters) -> Array:
    return parameters["weight"].reshape(1, -1, *[1] * (z.ndim - 2))

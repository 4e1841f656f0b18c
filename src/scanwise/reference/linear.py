"""Linear: forward and backward (lecture 1.1, 4.2)."""

from __future__ import annotations

from scanwise.layers import Linear
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# z_j = b_j + sum_i w_ji x_i        (lecture 2.2, pre-activation)
@forward.register(Linear)
def linear(layer: Linear, x: Array, parameters: Parameters) -> Array:
    z = x @ parameters["weight"].T  # for every neuron j, over every input i: add weight times input
    return z + parameters["bias"] if layer.bias else z


# dz_j/dx_i = w_ji, dz_j/dw_ji = x_i, dz_j/db_j = 1; all samples share w and b, so their gradients are sums over n
# (lecture 6.3):
#
#   dL/dx_ni = sum_j dL/dz_nj w_ji,    dL/dw_ji = sum_n dL/dz_nj x_ni,    dL/db_j = sum_n dL/dz_nj
@backward.register(Linear)
def dlinear(layer: Linear, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    gradients = {"weight": dy.T @ x}
    if layer.bias:
        gradients["bias"] = dy.sum(axis=0)
    return dy @ parameters["weight"], gradients

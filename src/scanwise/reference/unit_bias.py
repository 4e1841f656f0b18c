"""A bias for each unit, forward and backward (LeCun et al. 1989)."""

from __future__ import annotations

from scanwise.layers import UnitBias
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# y_c(i, j) = x_c(i, j) + b_c(i, j)
@forward.register(UnitBias)
def unit_bias(layer: UnitBias, x: Array, parameters: Parameters) -> Array:
    return x + parameters["bias"]


# dy/dx = dy/db = 1; only samples share b, so its gradient is the sum over them:
#
#   dL/dx_c(i, j) = dL/dy_c(i, j),    dL/db_c(i, j) = sum_n dL/dy_nc(i, j)
@backward.register(UnitBias)
def dunit_bias(layer: UnitBias, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    return dy, {"bias": dy.sum(axis=0)}

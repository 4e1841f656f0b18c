"""Aggregation over all positions, forward and backward (lecture 1.2 step 5, 2.2, 4.3)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Aggregate
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# z `(N, K, positions)` to y `(N, K)`, in each cell of a grid by itself:
#
#   max:        y_k = max_t z_k(t)
#   mean:       y_k = 1/T sum_t z_k(t)
#   logsumexp:  y_k = log sum_t exp z_k(t)
#   softmax:    y_k = sum_t p_k(t),    p_k(t) = exp z_k(t) / sum_{j,u} exp z_j(u)        (lecture 2.2)
@forward.register(Aggregate)
def aggregate(layer: Aggregate, x: Array, parameters: Parameters) -> Array:
    y: Array = np.empty((len(x), *layer.output_shape(x.shape[1:])))
    for cell in layer.cells(x.shape[1:]):
        z = x[cell.inputs]
        y[cell.output] = _of_cell(layer.mode, z.reshape(*z.shape[:2], -1))
    return y


def _of_cell(mode: str, z: Array) -> Array:
    y: Array
    if mode == "max":
        y = z.max(axis=2)
    elif mode == "mean":
        y = z.mean(axis=2)
    elif mode == "logsumexp":
        largest = z.max(axis=2, keepdims=True)  # taken out of the logarithm, so that exp does not overflow
        y = largest[:, :, 0] + np.log(np.exp(z - largest).sum(axis=2))
    else:
        y = joint_softmax(z).sum(axis=2)
    return y


#   max:        dL/dz_k(t) = dL/dy_k at the first maximum, 0 elsewhere        (lecture 7.2)
#   mean:       dL/dz_k(t) = 1/T dL/dy_k                                      (lecture 7.3)
#   logsumexp:  dy_k/dz_k(t) = exp z_k(t) / sum_u exp z_k(u): the softmax over positions
#   softmax:    dp_j(u)/dz_k(t) = p_j(u) (1[j = k, u = t] - p_k(t)), and y_j sums over u, so
#               dL/dz_k(t) = p_k(t) (dL/dy_k - sum_j dL/dy_j y_j)
#
# Each position is in one cell, so that its slope is that of its own cell alone.
@backward.register(Aggregate)
def daggregate(layer: Aggregate, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    dx = np.empty(x.shape)
    for cell in layer.cells(x.shape[1:]):
        z = x[cell.inputs]
        dz = _dof_cell(layer.mode, z.reshape(*z.shape[:2], -1), dy[cell.output])
        dx[cell.inputs] = dz.reshape(z.shape)
    return dx, {}


def _dof_cell(mode: str, z: Array, dy: Array) -> Array:
    dz: Array
    if mode == "max":
        dz = np.zeros_like(z)
        np.put_along_axis(dz, z.argmax(axis=2)[:, :, None], dy[:, :, None], axis=2)
    elif mode == "mean":
        dz = np.broadcast_to(dy[:, :, None] / z.shape[2], z.shape)
    elif mode == "logsumexp":
        e = np.exp(z - z.max(axis=2, keepdims=True))
        dz = dy[:, :, None] * e / e.sum(axis=2, keepdims=True)
    else:
        p = joint_softmax(z)
        average = (dy * p.sum(axis=2)).sum(axis=1)
        dz = p * (dy[:, :, None] - average[:, None, None])
    return dz


def joint_softmax(z: Array) -> Array:
    """The softmax over channels and positions together."""
    e: Array = np.exp(z - z.max(axis=(1, 2), keepdims=True))
    p: Array = e / e.sum(axis=(1, 2), keepdims=True)
    return p

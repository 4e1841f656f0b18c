"""Batch normalisation, forward and backward, with the batch's statistics or the running ones (Ioffe, Szegedy 2015)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scanwise.layers import BatchNorm
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward

# What tells that the statistics are the batch's: an entry of this name among the layer's parameters, as dropout's mask.
TRAINING = "training"


# y = w xhat + b,    xhat = (x - mean) / sqrt(var + eps), each channel by itself        (algorithm 1)
#
# In training mean and var are those of x over samples and positions, M values a channel; else the running ones.
@forward.register(BatchNorm)
def batch_norm(layer: BatchNorm, x: Array, parameters: Parameters) -> Array:
    mean, _, inverse = _statistics(layer, x, parameters)
    y = (x - _spread(mean, x)) * _spread(inverse, x)
    return y * _spread(parameters["weight"], x) + _spread(parameters["bias"], x) if layer.affine else y


# dL/dw = sum dL/dy xhat,    dL/db = sum dL/dy, over samples and positions. With running statistics xhat is affine in x:
#
#   dL/dx = w / sqrt(var + eps) dL/dy
#
# In training mean and var are functions of x too. With s = 1 / sqrt(var + eps), dxhat_i/dx_j =
# s (1[i = j] - 1/M - xhat_i xhat_j / M), since dmean/dx_j = 1/M and dvar/dx_j = 2 (x_j - mean) / M. So
#
#   dL/dx_j = w s (dL/dy_j - 1/M sum_i dL/dy_i - xhat_j / M sum_i dL/dy_i xhat_i)
@backward.register(BatchNorm)
def dbatch_norm(layer: BatchNorm, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    axes = (0, *range(2, x.ndim))
    mean, _, inverse = _statistics(layer, x, parameters)
    normal = (x - _spread(mean, x)) * _spread(inverse, x)
    dw, db = (dy * normal).sum(axis=axes), dy.sum(axis=axes)
    values = x.size // x.shape[1]
    dnormal = dy
    if TRAINING in parameters:
        dnormal = dy - _spread(db / values, x) - normal * _spread(dw / values, x)
    scale = inverse * parameters["weight"] if layer.affine else inverse
    return dnormal * _spread(scale, x), {"weight": dw, "bias": db} if layer.affine else {}


# running = (1 - momentum) running + momentum statistic, with the unbiased variance M / (M - 1) var
def running_statistics(layer: BatchNorm, x: Array, parameters: Parameters) -> Mapping[str, Array]:
    """The running statistics after a training step on the layer's input x, by name."""
    mean, var, _ = _statistics(layer, x, {TRAINING: np.ones(())})
    values = x.size // x.shape[1]
    keep, share = 1 - layer.momentum, layer.momentum
    old = parameters["running_var"]
    return {
        "running_mean": keep * parameters["running_mean"] + share * mean,
        "running_var": old if values == 1 else keep * old + share * var * values / (values - 1),
    }


def _statistics(layer: BatchNorm, x: Array, parameters: Parameters) -> tuple[Array, Array, Array]:
    """(mean, var, 1 / sqrt(var + eps)) of every channel."""
    if TRAINING in parameters:
        axes = (0, *range(2, x.ndim))
        mean, var = x.mean(axis=axes), x.var(axis=axes)
    else:
        mean, var = parameters["running_mean"], parameters["running_var"]
    return mean, var, 1 / np.sqrt(var + layer.eps)


def _spread(values: Array, x: Array) -> Array:
    return values.reshape(1, -1, *[1] * (x.ndim - 2))

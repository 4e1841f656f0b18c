"""Convolution, forward and backward (lecture 3, 5.4 to 5.7, 8, 9)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Geometry
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps, offsets, padded, positions

Filtered = Conv1d | Conv2d | ConvTranspose1d | ConvTranspose2d


# Lecture 5.7, with stride (5.9), dilation and groups; x is zero-padded first (5.6):
#
#   z_k(p, q) = b_k + sum_c sum_{r,s} w_kc(r, s) x_c(p sh + r dh, q sw + s dw)
#
# where c runs over the input channels of k's group. With `flip` the filter is w_kc(R-1-r, S-1-s): convolution in
# the mathematical sense. With `connections` c runs over the input channels that k sees: w_kc is zero at the others
# (LeCun et al. 1998, table I). The loops are those of pseudocode 3.1 for one layer; all n, k and c at once.
@forward.register(Conv1d)
@forward.register(Conv2d)
def conv(layer: Conv1d | Conv2d, x: Array, parameters: Parameters) -> Array:
    geometry = layer.geometry(x.shape[1:])
    x_padded = padded(as_maps(x), geometry)
    w = filters(layer, spread(layer, parameters["weight"]))
    b = parameters["bias"] if layer.bias else np.zeros(layer.out_channels)
    z = np.empty((len(x), layer.out_channels, *geometry.output))
    for p, q in positions(geometry):  # for every place of the kernel
        for k, c in group_channels(layer, x.shape[1]):  # for every filter k, over every channel c
            z[:, k, p, q] = b[k]  # begin with the bias
            for r, s in offsets(geometry):  # for every place in the kernel
                i, j = source(geometry, p, q, r, s)
                z[:, k, p, q] += x_padded[:, c, i, j] @ w[k, :, r, s].T  # add weight times input
    return z[:, :, 0, :] if x.ndim == 3 else z


# z_k(p, q) depends on x_c(i, j) through one product for each (r, s) with i = p sh + r dh, j = q sw + s dw (lecture
# 8.4). The chain rule sums over all that depend on it:
#
#   dL/dx_c(i, j)  = sum_k sum_{p,q,r,s that lead to (i, j)} dL/dz_k(p, q) w_kc(r, s)    (8.5: the flipped filter)
#   dL/dw_kc(r, s) = sum_n sum_{p,q} dL/dz_k(p, q) x_c(p sh + r dh, q sw + s dw)         (9.4, 9.6)
#   dL/db_k        = sum_n sum_{p,q} dL/dz_k(p, q)                                       (9.7)
#
# The first two sums visit exactly the (p, q, r, s) of the forward pass, so the loops are its loops. What flows into
# the zeros around x is dropped (8.7), and so is what reaches a w_kc that `connections` leave out: it is no parameter.
@backward.register(Conv1d)
@backward.register(Conv2d)
def dconv(layer: Conv1d | Conv2d, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    x_padded, dz = padded(as_maps(x), geometry), as_maps(dy)
    w = filters(layer, spread(layer, parameters["weight"]))
    dx_padded, dw = np.zeros_like(x_padded), np.zeros_like(w)
    for p, q in positions(geometry):
        for k, c in group_channels(layer, x.shape[1]):
            for r, s in offsets(geometry):
                i, j = source(geometry, p, q, r, s)
                dx_padded[:, c, i, j] += dz[:, k, p, q] @ w[k, :, r, s]
                dw[k, :, r, s] += dz[:, k, p, q].T @ x_padded[:, c, i, j]
    gradients = {"weight": gather(layer, filters(layer, dw)).reshape(parameters["weight"].shape)}
    if layer.bias:
        gradients["bias"] = dz.sum(axis=(0, 2, 3))
    top, _, left, _ = geometry.padding
    H, W = as_maps(x).shape[2:]
    return dx_padded[:, :, top : top + H, left : left + W].reshape(x.shape), gradients


def spread(layer: Conv1d | Conv2d, weight: Array) -> Array:
    """Weights with a place for every pair of channels; with `connections` zeros where there is no connection."""
    if layer.connections is None:
        return weight
    connected = np.array(layer.connections, bool)
    w = np.zeros((*connected.shape, *weight.shape[1:]))
    w[connected] = weight  # row by row
    return w


def gather(layer: Conv1d | Conv2d, w: Array) -> Array:
    """The inverse of `spread`."""
    return w if layer.connections is None else w[np.array(layer.connections, bool)]


def filters(layer: Filtered, weight: Array) -> Array:
    """Weights in two dimensions, `(K, C/groups, R, S)`, turned round where the layer flips."""
    w = as_maps(weight)
    return w[:, :, ::-1, ::-1] if layer.flip else w


def group_channels(layer: Filtered, channels: int) -> list[tuple[slice, slice]]:
    """(output channels, input channels) of each group."""
    K, C = layer.out_channels // layer.groups, channels // layer.groups
    return [(slice(g * K, (g + 1) * K), slice(g * C, (g + 1) * C)) for g in range(layer.groups)]


def source(geometry: Geometry, p: int, q: int, r: int, s: int) -> tuple[int, int]:
    """The padded input's position that offset (r, s) of window (p, q) reads."""
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    return p * sh + r * dh, q * sw + s * dw

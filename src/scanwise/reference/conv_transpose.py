"""Transposed convolution, forward and backward (lecture 8.6 to 8.8)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import ConvTranspose1d, ConvTranspose2d
from scanwise.reference.conv import filters, group_channels, source
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps, offsets, padded, positions


# The adjoint of z = w * x, lecture 8.5: x_c(p, q) reaches every z_k(i, j) that it would be computed from.
#
#   z_k(i, j) = b_k + sum_c sum_{p,q,r,s with i = p sh + r dh - top, j = q sw + s dw - left} w_ck(r, s) x_c(p, q)
#
# where c runs over the input channels of k's group. `padding` is what is cut off the map that all x reach. With `flip`
# the filter is w_ck(R-1-r, S-1-s).
@forward.register(ConvTranspose1d)
@forward.register(ConvTranspose2d)
def conv_transpose(layer: ConvTranspose1d | ConvTranspose2d, x: Array, parameters: Parameters) -> Array:
    geometry = layer.geometry(x.shape[1:])
    w, x_maps = filters(layer, parameters["weight"]), as_maps(x)
    z = np.zeros((len(x), *layer.output_shape(x.shape[1:])))
    z_padded = padded(as_maps(z), geometry)
    for k, c in group_channels(layer, x.shape[1]):
        for p, q in positions(geometry):
            for r, s in offsets(geometry):
                i, j = source(geometry, p, q, r, s)
                z_padded[:, k, i, j] += x_maps[:, c, p, q] @ w[c, :, r, s]
    top, _, left, _ = geometry.padding
    P, Q = as_maps(z).shape[2:]
    z += z_padded[:, :, top : top + P, left : left + Q].reshape(z.shape)
    if layer.bias:
        z += parameters["bias"].reshape(1, -1, *[1] * (x.ndim - 2))
    return z


# The adjoint of an adjoint is the map itself: dx is the convolution of dz, and in dw, x and dz have changed places.
#
#   dL/dx_c(p, q)  = sum_k sum_{r,s} w_ck(r, s) dL/dz_k(p sh + r dh - top, q sw + s dw - left)
#   dL/dw_ck(r, s) = sum_n sum_{p,q} x_c(p, q) dL/dz_k(p sh + r dh - top, q sw + s dw - left)    (9.4, 9.6)
#   dL/db_k        = sum_n sum_{i,j} dL/dz_k(i, j)                                               (9.7)
#
# What was cut off has no gradient: dz is padded with zeros.
@backward.register(ConvTranspose1d)
@backward.register(ConvTranspose2d)
def dconv_transpose(
    layer: ConvTranspose1d | ConvTranspose2d, x: Array, dy: Array, parameters: Parameters
) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    w, x_maps = filters(layer, parameters["weight"]), as_maps(x)
    dz_padded = padded(as_maps(dy), geometry)
    dx, dw = np.zeros_like(x_maps), np.zeros_like(w)
    for k, c in group_channels(layer, x.shape[1]):
        for p, q in positions(geometry):
            for r, s in offsets(geometry):
                i, j = source(geometry, p, q, r, s)
                dx[:, c, p, q] += dz_padded[:, k, i, j] @ w[c, :, r, s].T
                dw[c, :, r, s] += x_maps[:, c, p, q].T @ dz_padded[:, k, i, j]
    gradients = {"weight": filters(layer, dw).reshape(parameters["weight"].shape)}
    if layer.bias:
        gradients["bias"] = as_maps(dy).sum(axis=(0, 2, 3))
    return dx.reshape(x.shape), gradients

"""The Neocognitron's S-cells and C-cells, forward and backward (lecture 5.1)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import CPlane, Geometry, SPlane
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import padded, patch, positions


# Fukushima 1980, equations 1 to 3, with the V-cell's fixed weights w:
#
#   e_k = sum_{c,r,s} a_k(c, r, s) u_c(p sh + r, q sw + s),    v = sqrt(sum_{c,r,s} w(r, s) u_c(p sh + r, q sw + s)^2)
#   h_k = 1 + g b_k v,   g = 2r/(1+r),    y_k = r phi((1 + e_k) / h_k - 1)
@forward.register(SPlane)
def s_plane(layer: SPlane, x: Array, parameters: Parameters) -> Array:
    geometry = layer.geometry(x.shape[1:])
    y = np.zeros((len(x), layer.planes, *geometry.output))
    for p, q in positions(geometry):
        _, e, _, h = _cells(layer, x, geometry, parameters, p, q)
        y[:, :, p, q] = layer.r * np.maximum((1 + e) / h - 1, 0)
    return y


# Where a cell is silent nothing flows. Elsewhere
#
#   dy/de = r / h,    dy/dh = -r (1 + e) / h^2,    dh/db = g v,    dh/dv = g b
#   de/da(c, r, s) = u_c(r, s),    de/du_c(r, s) = a(c, r, s),    dv/du_c(r, s) = w(r, s) u_c(r, s) / v
#
# v is shared by all planes, so its gradient is a sum over k; where v = 0 all inputs are 0, and 0 is taken for the last
# derivative. All cells of a plane share a and b: their gradients are sums over p and q (6.3).
@backward.register(SPlane)
def ds_plane(layer: SPlane, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    a, b, g = parameters["weight"], parameters["inhibition"], 2 * layer.r / (1 + layer.r)
    dx_padded = padded(np.zeros_like(x), geometry)
    da, db = np.zeros_like(a), np.zeros_like(b)
    for p, q in positions(geometry):
        u, e, v, h = _cells(layer, x, geometry, parameters, p, q)
        active = (1 + e) / h > 1
        de = np.where(active, dy[:, :, p, q] * layer.r / h, 0.0)
        dh = np.where(active, -dy[:, :, p, q] * layer.r * (1 + e) / h**2, 0.0)
        da += np.einsum("nk,ncrs->kcrs", de, u)
        db += (dh * g * v).sum(axis=0)
        dv = (dh * g * b).sum(axis=1)
        per_v = np.divide(dv, v[:, 0], out=np.zeros_like(dv), where=v[:, 0] > 0)
        window = patch(dx_padded, geometry, p, q)
        window += np.einsum("nk,kcrs->ncrs", de, a) + per_v[:, None, None, None] * _falloff(layer, x) * u
    return _inside(dx_padded, geometry, x), {"weight": da, "inhibition": db}


def _cells(
    layer: SPlane, x: Array, geometry: Geometry, parameters: Parameters, p: int, q: int
) -> tuple[Array, Array, Array, Array]:
    """(u, e, v, h) at position (p, q): `(N, C, R, S)`, `(N, K)`, `(N, 1)`, `(N, K)`."""
    u = patch(padded(x, geometry), geometry, p, q)
    e = np.einsum("kcrs,ncrs->nk", parameters["weight"], u)
    v = np.sqrt((_falloff(layer, x) * u**2).sum(axis=(1, 2, 3)))[:, None]
    h = 1 + 2 * layer.r / (1 + layer.r) * parameters["inhibition"] * v
    return u, e, v, h


def _falloff(layer: SPlane, x: Array) -> Array:
    return layer.falloff(x.shape[1])


# psi of Fukushima 1980; in place of the inhibition by all planes there, inhibition from around in the fixed weights d,
# as in 2003:
#
#   z_k = sum_{r,s} d(r, s) u_k(p sh + r, q sw + s),    y_k = phi(z_k) / (alpha + phi(z_k))
@forward.register(CPlane)
def c_plane(layer: CPlane, x: Array, parameters: Parameters) -> Array:
    z = np.maximum(_spread(layer, x), 0)
    return z / (layer.alpha + z)


# dy/dz = alpha / (alpha + z)^2 for z > 0, else 0;    dz_k(p, q)/du_k(p sh + r, q sw + s) = d(r, s)
@backward.register(CPlane)
def dc_plane(layer: CPlane, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    z = _spread(layer, x)
    dz = np.where(z > 0, dy * layer.alpha / (layer.alpha + np.maximum(z, 0)) ** 2, 0.0)
    dx_padded = padded(np.zeros_like(x), geometry)
    for p, q in positions(geometry):
        window = patch(dx_padded, geometry, p, q)
        window += dz[:, :, p, q, None, None] * layer.weights()
    return _inside(dx_padded, geometry, x), {}


def _spread(layer: CPlane, x: Array) -> Array:
    geometry = layer.geometry(x.shape[1:])
    x_padded, d = padded(x, geometry), layer.weights()
    z = np.zeros((*x.shape[:2], *geometry.output))
    for p, q in positions(geometry):
        z[:, :, p, q] = (d * patch(x_padded, geometry, p, q)).sum(axis=(2, 3))
    return z


def _inside(dx_padded: Array, geometry: Geometry, x: Array) -> Array:
    """The gradient of the input: what flows into the zeros around it is dropped (8.7)."""
    top, _, left, _ = geometry.padding
    return dx_padded[:, :, top : top + x.shape[2], left : left + x.shape[3]].copy()

"""The scanning MLP, forward and backward (lecture 1.2, 1.4, part 2)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Geometry, Scan1d, Scan2d
from scanwise.reference.container import chain, within
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps, patch, positions


# Lecture 2.1, for t = (p, q) in one or two dimensions, K = R S, and all samples at once. The loops over the neurons j
# and i are in `reference/linear.py`, those over a layer's values in `reference/activation.py`:
#
#   y(0, :, t) = x(:, t : t + K - 1)
#   z(l, j, t) = b(l, j) + sum_i w(l, i, j) y(l - 1, i, t),    y(l, j, t) = f(z(l, j, t))
@forward.register(Scan1d)
@forward.register(Scan2d)
def scan(layer: Scan1d | Scan2d, x: Array, parameters: Parameters) -> Array:
    geometry = layer.geometry(x.shape[1:])
    y = {t: _patch(x, geometry, t) for t in positions(geometry)}  # layer 1 reads the window at t
    for name, part in chain(layer.mlp):  # for every layer l
        shared = within(parameters, name)
        for t in positions(geometry):  # for every place t
            y[t] = forward(part, y[t], _at(shared, t))  # for every neuron j
    return _as_output(y, geometry, x.ndim)


# Position t has a gradient dL/dw^(t) as if its weights were its own. They are not: w is all of the w^(t), and a change
# of w changes all of them, so the chain rule adds them up (lecture 1.4):
#
#   dL/dw = sum_t dL/dw^(t),    dL/dx = the sum over the windows t that hold x of dL/dy(0, :, t)
@backward.register(Scan1d)
@backward.register(Scan2d)
def dscan(layer: Scan1d | Scan2d, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    dx, dy_maps = np.zeros_like(as_maps(x)), as_maps(dy)
    gradients: Gradients = {}
    for t in positions(geometry):
        dy0, own = backward(layer.mlp, _patch(x, geometry, t), dy_maps[:, :, *t], _at(parameters, t))
        window = patch(dx, geometry, *t)
        window += dy0.reshape(window.shape)
        for name, gradient in own.items():
            gradients[name] = gradients.get(name, 0.0) + gradient
    return dx.reshape(x.shape), gradients


def _patch(x: Array, geometry: Geometry, t: tuple[int, int]) -> Array:
    """y(0, :, t): the window at t as a flat vector, `(N, C K)`."""
    return patch(as_maps(x), geometry, *t).reshape(len(x), -1)


def _at(parameters: Parameters, t: tuple[int, int]) -> dict[str, Array]:
    """The parameters, which all positions share, and of a dropout mask `(N, D, *positions)` the part at t."""
    return {
        name: as_maps(value)[:, :, *t] if name.endswith("mask") else value
        for name, value in parameters.items()
    }


def _as_output(y: dict[tuple[int, int], Array], geometry: Geometry, axes: int) -> Array:
    """Columns `(N, D)` by position, as a map `(N, D, Q)` or `(N, D, P, Q)`."""
    P, Q = geometry.output
    maps = np.stack([y[t] for t in positions(geometry)], axis=2).reshape(*y[0, 0].shape, P, Q)
    return maps[:, :, 0, :] if axes == 3 else maps

"""Pooling, forward and backward (lecture 5.8, 7)."""

from __future__ import annotations

import numpy as np

from scanwise.layers import AvgPool1d, AvgPool2d, Geometry, MaxPool1d, MaxPool2d
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward
from scanwise.reference.window import as_maps, positions


# y(p, q) = max_{r,s} x(p sh + r, q sw + s)        (lecture 5.8)
#
# over the part of the window that lies inside the input: padding never wins.
@forward.register(MaxPool1d)
@forward.register(MaxPool2d)
def max_pool(layer: MaxPool1d | MaxPool2d, x: Array, parameters: Parameters) -> Array:
    geometry = layer.geometry(x.shape[1:])
    maps = as_maps(x)
    y = np.zeros((*maps.shape[:2], *geometry.output))
    for p, q in positions(geometry):
        rows, columns = inside(geometry, maps, p, q)
        y[:, :, p, q] = maps[:, :, rows, columns].max(axis=(2, 3))
    return y[:, :, 0, :] if x.ndim == 3 else y


# Only the maximum influenced y(p, q) (lecture 7.2):
#
#   dL/dx(i, j) = sum over the windows (p, q) whose maximum is x(i, j) of dL/dy(p, q)
#
# a sum, because windows overlap where the stride is smaller than the kernel. Among equal values the first in
# row-major order is the maximum.
@backward.register(MaxPool1d)
@backward.register(MaxPool2d)
def dmax_pool(
    layer: MaxPool1d | MaxPool2d, x: Array, dy: Array, parameters: Parameters
) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    maps, dy_maps = as_maps(x), as_maps(dy)
    dx = np.zeros_like(maps)
    n, c = np.ogrid[: maps.shape[0], : maps.shape[1]]
    for p, q in positions(geometry):
        rows, columns = inside(geometry, maps, p, q)
        window = maps[:, :, rows, columns]
        first = window.reshape(*window.shape[:2], -1).argmax(axis=-1)  # argmax takes the first of equals
        i, j = rows.start + first // window.shape[3], columns.start + first % window.shape[3]
        dx[n, c, i, j] += dy_maps[:, :, p, q]
    return dx.reshape(x.shape), {}


# y(p, q) = 1/size sum_{r,s} x(p sh + r, q sw + s)        (lecture 5.8, 7.3)
#
# size counts the window's positions in the padded input; positions in the padding add zero to the sum.
@forward.register(AvgPool1d)
@forward.register(AvgPool2d)
def avg_pool(layer: AvgPool1d | AvgPool2d, x: Array, parameters: Parameters) -> Array:
    geometry = layer.geometry(x.shape[1:])
    maps = as_maps(x)
    y = np.zeros((*maps.shape[:2], *geometry.output))
    for p, q in positions(geometry):
        rows, columns = inside(geometry, maps, p, q)
        y[:, :, p, q] = maps[:, :, rows, columns].sum(axis=(2, 3)) / size(geometry, maps, p, q)
    return y[:, :, 0, :] if x.ndim == 3 else y


# Each input of the window contributes equally (lecture 7.3), and to every window that it lies in:
#
#   dL/dx(i, j) = sum over the windows (p, q) that hold (i, j) of dL/dy(p, q) / size(p, q)
@backward.register(AvgPool1d)
@backward.register(AvgPool2d)
def davg_pool(
    layer: AvgPool1d | AvgPool2d, x: Array, dy: Array, parameters: Parameters
) -> tuple[Array, Gradients]:
    geometry = layer.geometry(x.shape[1:])
    maps, dy_maps = as_maps(x), as_maps(dy)
    dx = np.zeros_like(maps)
    for p, q in positions(geometry):
        rows, columns = inside(geometry, maps, p, q)
        dx[:, :, rows, columns] += dy_maps[:, :, p, q, None, None] / size(geometry, maps, p, q)
    return dx.reshape(x.shape), {}


def inside(geometry: Geometry, maps: Array, p: int, q: int) -> tuple[slice, slice]:
    """Rows and columns of the input that window (p, q) covers."""
    (R, S), (sh, sw), (top, _, left, _) = geometry.kernel, geometry.stride, geometry.padding
    H, W = maps.shape[2:]
    i, j = p * sh - top, q * sw - left
    return slice(max(i, 0), min(i + R, H)), slice(max(j, 0), min(j + S, W))


def size(geometry: Geometry, maps: Array, p: int, q: int) -> int:
    """Positions of window (p, q) in the padded input; fewer than R S only where `ceil_mode` reaches over."""
    (R, S), (sh, sw), (top, bottom, left, right) = geometry.kernel, geometry.stride, geometry.padding
    H, W = maps.shape[2:]
    rows, columns = min(R, top + H + bottom - p * sh), min(S, left + W + right - q * sw)
    return int(rows * columns)

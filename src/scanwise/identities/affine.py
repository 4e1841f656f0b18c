"""Which output of an affine layer reads which input, and with what weight: one rule for each layer.

Maps are flattened as `x.ravel()` does: input (c, i, j) is number (c H + i) W + j, output (k, p, q) is number
(k P + p) Q + q. A rule is index arithmetic on whole arrays: no layer is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.identities.sparse import (
    EquivalentMatrix,
    composed,
    identity,
    make_room,
    matrix_of,
    sliding,
    taps,
    unbiased,
)
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Downsample1d,
    Downsample2d,
    Dropout,
    Flatten,
    Geometry,
    Layer,
    Linear,
    Pad1d,
    Pad2d,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Unfold1d,
    Unfold2d,
)

__all__ = ["affine"]

Values = Mapping[str, NDArray[Any]]


@singledispatch
def affine(layer: Layer, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    """The layer as a matrix and a bias.

    Args:
        layer: the layer.
        shape: shape that reaches it.
        parameters: of the whole network.
        place: of the layer within the network with a dot behind it (`"2.0."`), or empty: what its parameters' names
            begin with.

    Raises:
        ArgumentError: the layer is not affine, or the matrix does not fit into memory.
    """
    name = f"layer {place.rstrip('.')} {layer!r}" if place else f"layer {layer!r}"
    raise ArgumentError(
        f"{name} must be affine (y = W x + b) to have an equivalent matrix. It is not: ask for the affine layers one "
        "by one, equivalent_matrix(layer, the shape that reaches it, its parameters)."
    )


@affine.register
def _(layer: Linear, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    K, C = layer.out_features, shape[0]
    make_room(layer, shape, K * C, K, C)
    rows, columns = np.repeat(np.arange(K), C), np.tile(np.arange(C), K)
    matrix = matrix_of(rows, columns, parameters[f"{place}weight"].ravel(), (K, C))
    return EquivalentMatrix(matrix, _bias(parameters, place, K, 1))


@affine.register(Conv1d)
@affine.register(Conv2d)
def _(layer: Conv1d | Conv2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry, K = layer.geometry(shape), layer.out_channels
    # A scan's convolution has its filters as the rows of a `Linear`.
    filters = parameters[f"{place}weight"].reshape(K, shape[0] // layer.groups, *geometry.kernel)
    if layer.flip:
        filters = filters[:, :, ::-1, ::-1]
    matrix = sliding(layer, shape, geometry, filters)
    return EquivalentMatrix(matrix, _bias(parameters, place, K, math.prod(geometry.output)))


@affine.register(AvgPool1d)
@affine.register(AvgPool2d)
def _(layer: AvgPool1d | AvgPool2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry = layer.geometry(shape)
    (R, S), (top, bottom, left, right) = geometry.kernel, geometry.padding
    H, W = (1, *shape[1:])[-2:]
    # Positions of each window inside the padded input, along both axes.
    rows = np.minimum(R, top + H + bottom - np.arange(geometry.output[0]) * geometry.stride[0])
    columns = np.minimum(S, left + W + right - np.arange(geometry.output[1]) * geometry.stride[1])
    return unbiased(sliding(layer, shape, geometry, _ones(shape, R, S), 1.0 / np.outer(rows, columns)))


@affine.register(Downsample1d)
@affine.register(Downsample2d)
def _(layer: Downsample1d | Downsample2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    return unbiased(sliding(layer, shape, layer.geometry(shape), _ones(shape, 1, 1)))


@affine.register(Unfold1d)
@affine.register(Unfold2d)
def _(layer: Unfold1d | Unfold2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry, (C, (H, W)) = layer.geometry(shape), (shape[0], (1, *shape[1:])[-2:])
    (R, S), (P, Q) = geometry.kernel, geometry.output
    down, across = taps(geometry, 0, H), taps(geometry, 1, W)
    size = (C * R * S * P * Q, C * H * W)
    make_room(layer, shape, size[0], *size)
    c = np.arange(C)[:, None, None]
    value = (c * R + down.offset[:, None]) * S + across.offset  # (c, r, s) of a window
    rows = (value * P + down.position[:, None]) * Q + across.position
    columns = (c * H + down.source[:, None]) * W + across.source
    return unbiased(matrix_of(rows.ravel(), columns.ravel(), np.ones(size[0], np.float32), size))


@affine.register(Pad1d)
@affine.register(Pad2d)
def _(layer: Pad1d | Pad2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    P, Q = (1, *layer.output_shape(shape)[1:])[-2:]
    geometry = Geometry((1, 1), (1, 1), (1, 1), layer.pads, (P, Q))
    return unbiased(sliding(layer, shape, geometry, _ones(shape, 1, 1)))


@affine.register
def _(layer: Aggregate, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    if layer.mode != "mean":
        return affine.dispatch(Layer)(layer, shape, parameters, place)
    K, positions = shape[0], math.prod(shape[1:])
    entries = K * positions
    make_room(layer, shape, entries, K, entries)
    rows, columns = np.repeat(np.arange(K), positions), np.arange(entries)
    return unbiased(matrix_of(rows, columns, np.full(entries, 1.0 / positions), (K, entries)))


@affine.register(Flatten)
@affine.register(Dropout)  # the identity outside training
def _(layer: Flatten | Dropout, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    return identity(layer, shape)


# y = W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)
@affine.register(Sequential)
@affine.register(Scan1d)  # whose layers of maps have the parameters of its MLP
@affine.register(Scan2d)
def _(layer: Sequential | Scan1d | Scan2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    result: EquivalentMatrix | None = None
    for name, inner, reached in layer.chain(shape):
        after = affine(inner, reached, parameters, f"{place}{name}.")
        result = after if result is None else composed(layer, shape, after, result)
    assert result is not None  # a Sequential has at least one layer
    return result


# y = x + (W x + b) = (1 + W) x + b
@affine.register
def _(layer: Residual, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    inner = affine(Sequential(*layer.layers), shape, parameters, place)
    around = identity(layer, shape)
    size = math.prod(shape)
    make_room(layer, shape, inner.matrix.nnz + size, size, size)
    one, other = inner.matrix.tocoo(), around.matrix.tocoo()
    rows, columns = np.append(one.row, other.row), np.append(one.col, other.col)
    return EquivalentMatrix(
        matrix_of(rows, columns, np.append(one.data, other.data), (size, size)), inner.bias
    )


def _bias(parameters: Values, place: str, outputs: int, positions: int) -> NDArray[np.float32]:
    """One bias for all positions of an output channel, or zeros where there is none."""
    bias = parameters.get(f"{place}bias", np.zeros(outputs, np.float32))
    return np.repeat(bias, positions)


def _ones(shape: Shape, rows: int, columns: int) -> NDArray[np.float32]:
    """Filters that read each channel by itself."""
    return np.broadcast_to(np.float32(1), (shape[0], 1, rows, columns))

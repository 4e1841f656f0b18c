"""Which output of an affine layer reads which input, and with what weight: one rule for each layer.

Maps are flattened as `x.ravel()` does: input (c, i, j) is number (c H + i) W + j, output (k, p, q) is number
(k P + p) Q + q. A rule is index arithmetic on whole arrays: no layer is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import singledispatch
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.identities.sparse import (
    EquivalentMatrix,
    Filters,
    all_taps,
    composed,
    grouped,
    identity,
    make_room,
    matrix_of,
    sliding,
    unbiased,
)
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
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
    Subsample1d,
    Subsample2d,
    Unfold1d,
    Unfold2d,
    UnitBias,
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
    name = f"layer {place.rstrip('.')} {layer.label()}" if place else f"layer {layer.label()}"
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
    return EquivalentMatrix(matrix, _bias(parameters, place, (K,)))


@affine.register(Conv1d)
@affine.register(Conv2d)
def _(layer: Conv1d | Conv2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry, outputs = layer.geometry(shape), layer.output_shape(shape)
    if layer.connections is None:
        pairs = grouped(outputs[0], shape[0], layer.groups)
    else:
        pairs = cast("_Pairs", np.nonzero(np.array(layer.connections)))
    filters = _filters(pairs, geometry, parameters[f"{place}weight"], layer.flip)
    matrix = sliding(layer, shape, outputs, geometry, filters)
    return EquivalentMatrix(matrix, _bias(parameters, place, outputs))


@affine.register(ConvTranspose1d)
@affine.register(ConvTranspose2d)
def _(
    layer: ConvTranspose1d | ConvTranspose2d, shape: Shape, parameters: Values, place: str
) -> EquivalentMatrix:
    """The transpose of the matrix of the convolution from its output to its input (lecture 8.8)."""
    geometry, outputs = layer.geometry(shape), layer.output_shape(shape)
    pairs = grouped(shape[0], outputs[0], layer.groups)
    filters = _filters(pairs, geometry, parameters[f"{place}weight"], layer.flip)
    matrix = sliding(layer, outputs, shape, geometry, filters).T.tocsr()
    return EquivalentMatrix(matrix, _bias(parameters, place, outputs))


@affine.register(AvgPool1d)
@affine.register(AvgPool2d)
def _(layer: AvgPool1d | AvgPool2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry = layer.geometry(shape)
    (R, S), (top, bottom, left, right) = geometry.kernel, geometry.padding
    H, W = (1, *shape[1:])[-2:]
    # Positions of each window inside the padded input, along both axes.
    rows = np.minimum(R, top + H + bottom - np.arange(geometry.output[0]) * geometry.stride[0])
    columns = np.minimum(S, left + W + right - np.arange(geometry.output[1]) * geometry.stride[1])
    filters = _by_channel(geometry, np.ones(shape[0]))
    return unbiased(
        sliding(layer, shape, layer.output_shape(shape), geometry, filters, 1.0 / np.outer(rows, columns))
    )


@affine.register(Subsample1d)
@affine.register(Subsample2d)
def _(layer: Subsample1d | Subsample2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry, outputs = layer.geometry(shape), layer.output_shape(shape)
    filters = _by_channel(geometry, parameters[f"{place}weight"])
    matrix = sliding(layer, shape, outputs, geometry, filters)
    return EquivalentMatrix(matrix, _bias(parameters, place, outputs))


@affine.register(Downsample1d)
@affine.register(Downsample2d)
def _(layer: Downsample1d | Downsample2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry = layer.geometry(shape)
    filters = _by_channel(geometry, np.ones(shape[0]))
    return unbiased(sliding(layer, shape, layer.output_shape(shape), geometry, filters))


@affine.register(Unfold1d)
@affine.register(Unfold2d)
def _(layer: Unfold1d | Unfold2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry, (C, (H, W)) = layer.geometry(shape), (shape[0], (1, *shape[1:])[-2:])
    (R, S), (P, Q) = geometry.kernel, geometry.output
    size = (C * R * S * P * Q, C * H * W)
    down, across = all_taps(layer, shape, geometry, C, size[0])
    c = np.arange(C)[:, None, None]
    value = (c * R + down.offset[:, None]) * S + across.offset  # (c, r, s) of a window
    rows = (value * P + down.position[:, None]) * Q + across.position
    columns = (c * H + down.source[:, None]) * W + across.source
    return unbiased(matrix_of(rows.ravel(), columns.ravel(), np.ones(size[0], np.float32), size))


@affine.register(Pad1d)
@affine.register(Pad2d)
def _(layer: Pad1d | Pad2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    outputs = layer.output_shape(shape)
    P, Q = (1, *outputs[1:])[-2:]
    geometry = Geometry((1, 1), (1, 1), (1, 1), layer.pads, (P, Q))
    matrix = sliding(layer, shape, outputs, geometry, _by_channel(geometry, np.ones(shape[0])))
    empty = np.diff(matrix.indptr) == 0  # what reads no input is padding
    return EquivalentMatrix(matrix, np.where(empty, np.float32(layer.value), np.float32(0)))


@affine.register
def _(layer: UnitBias, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    return EquivalentMatrix(identity(layer, shape).matrix, parameters[f"{place}bias"].ravel())


@affine.register
def _(layer: BatchNorm, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    """With the running statistics."""
    mean, var = (np.asarray(parameters[place + name], np.float64) for name in layer.state)
    scale, shift = 1.0 / np.sqrt(var + layer.eps), np.zeros(shape[0])
    if layer.affine:
        scale, shift = (
            scale * parameters[f"{place}weight"],
            np.asarray(parameters[f"{place}bias"], np.float64),
        )
    size, positions = math.prod(shape), math.prod(shape[1:])
    make_room(layer, shape, size, size, size)
    places = np.arange(size)
    matrix = matrix_of(places, places, np.repeat(scale, positions).astype(np.float32), (size, size))
    return EquivalentMatrix(matrix, np.repeat(shift - mean * scale, positions).astype(np.float32))


@affine.register
def _(layer: Aggregate, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    if layer.mode != "mean":
        return affine.dispatch(Layer)(layer, shape, parameters, place)
    goal = layer.output_shape(shape)
    inputs, outputs = math.prod(shape), math.prod(goal)
    make_room(layer, shape, inputs, outputs, inputs)
    numbers = np.arange(outputs).reshape(goal)
    rows, shares = np.empty(shape, np.int64), np.empty(shape)  # of each input
    for cell in layer.cells(shape):
        rows[cell.inputs] = numbers[cell.output].reshape(-1, *[1] * (len(shape) - 1))
        shares[cell.inputs] = 1.0 / math.prod(part.stop - part.start for part in cell.positions)
    return unbiased(matrix_of(rows.ravel(), np.arange(inputs), shares.ravel(), (outputs, inputs)))


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


_Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def _filters(pairs: _Pairs, geometry: Geometry, weight: NDArray[Any], flip: bool) -> Filters:
    """One filter for each pair of channels, in the order of `weight`; a scan's are the rows of a `Linear`."""
    kernels = weight.reshape(-1, *geometry.kernel)
    return Filters(*pairs, kernels[:, ::-1, ::-1] if flip else kernels)


def _by_channel(geometry: Geometry, values: NDArray[Any]) -> Filters:
    """Each channel by itself, all of its window with one value."""
    channels = np.arange(len(values))
    kernels = np.broadcast_to(values[:, None, None], (len(values), *geometry.kernel))
    return Filters(channels, channels, kernels)


def _bias(parameters: Values, place: str, outputs: Shape) -> NDArray[np.float32]:
    """One bias for all positions of an output channel, or zeros where there is none."""
    bias = parameters.get(f"{place}bias", np.zeros(outputs[0], np.float32))
    return np.repeat(bias, math.prod(outputs[1:]))
